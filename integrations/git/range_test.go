package git

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// history is a repository made at random, and what can be reached from each of its commits.
type history struct {
	repo
	ids   []string          // oldest first: a parent comes before its children
	files []map[string]bool // which files each commit's tree holds
	reach []map[int]bool    // itself among them
}

// newHistory makes n commits, some of them merges, ten in a row at a random time
// and each of those before its parent. main is the newest; every commit has a branch of its own.
func newHistory(t *testing.T, n int, dice *rand.Rand) history {
	t.Helper()
	h := history{repo: newRepo(t, t.TempDir())}
	var in strings.Builder
	epoch := 0
	for i := range n {
		reach, files := map[int]bool{i: true}, map[string]bool{}
		if i%10 == 0 {
			epoch = dice.IntN(1_000_000)
		}
		date := 1_700_000_000 + epoch - i*60
		fmt.Fprintf(&in, "commit refs/heads/c%d\nmark :%d\ncommitter W%d <w%d@acme.example> %d +0000\ndata 1\nx\n", i, i+1, i, i, date)
		if i > 0 {
			parents := []int{i - 1}
			if i%10 == 0 {
				parents[0] = dice.IntN(i)
			}
			if dice.IntN(6) == 0 {
				if other := dice.IntN(i); other != parents[0] {
					parents = append(parents, other)
				}
			}
			for j, p := range parents {
				fmt.Fprintf(&in, "%s :%d\n", []string{"from", "merge"}[j], p+1)
				maps.Copy(reach, h.reach[p])
			}
			maps.Copy(files, h.files[parents[0]])
		}
		name := fmt.Sprint("f", dice.IntN(8))
		if files[name] = !files[name]; files[name] {
			fmt.Fprintf(&in, "M 644 inline %s\ndata 1\ny\n", name)
		} else {
			fmt.Fprintf(&in, "D %s\n", name)
		}
		h.reach, h.files = append(h.reach, reach), append(h.files, files)
	}
	fmt.Fprintf(&in, "reset refs/heads/main\nfrom :%d\n", n)
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = h.dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	names := []string{"rev-parse"}
	for i := range n {
		names = append(names, fmt.Sprint("c", i))
	}
	h.ids = strings.Fields(h.git(names...))
	return h
}

// T2: what lies between two commits is known by their parents alone, also where
// commits are dated before them. The oracle is the graph as it was made.
func TestRangesWithSkewedDates(t *testing.T) {
	s := local(t)
	gits := 0 // times that git's own list is wrong
	for seed := range uint64(2) {
		dice := rand.New(rand.NewPCG(seed, 8))
		h := newHistory(t, 40, dice)
		if o, err := s.Start(t.Context(), task(h.dir, ""), newDesk(t)); err != nil || o.State != work.Succeeded {
			t.Fatal(o.Error, err)
		}
		for range 12 {
			from, to := dice.IntN(40), dice.IntN(40)
			want, people, undone := []string{}, []string{}, 0
			for i := range 40 {
				if h.reach[to][i] && !h.reach[from][i] {
					want, people = append(want, h.ids[i]), append(people, fmt.Sprintf("w%d@acme.example", i))
				}
				if h.reach[from][i] && !h.reach[to][i] {
					undone++
				}
			}
			r := work.Range{Provider: Git, Repository: h.dir, From: h.ids[from], To: h.ids[to]}
			if seed > 0 { // as in a copy in which no parents were noted, with which git's own list is right
				if _, err := s.Compare(t.Context(), r); err != nil { // it fetches, and notes them
					t.Fatal(err)
				}
				graphs, _ := filepath.Glob(filepath.Join(s.o.CacheDir, "*.git/objects/info/commit-graphs"))
				for _, dir := range graphs {
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
				}
			}
			got, err := s.Compare(t.Context(), r)
			var mails []string
			for _, a := range got.Authors {
				mails = append(mails, a.Email)
			}
			if err != nil || !got.Complete || got.Count != len(want) || got.Undone != undone || !same(got.Commits, want) || !same(mails, people) {
				t.Errorf("seed %d, %d..%d: %+v, %v; want %d commits by %v, %d undone", seed, from, to, got, err, len(want), people, undone)
			}
			if n := strings.Fields(h.git("rev-list", h.ids[to], "^"+h.ids[from])); len(n) != len(want) {
				gits++
			}
		}
	}
	if gits == 0 {
		t.Error("git's own lists are right: these histories show nothing")
	}
}

// A commit is on the branch by its parents, whatever it is dated.
func TestReachableWithSkewedDates(t *testing.T) {
	s, dice := local(t), rand.New(rand.NewPCG(4, 8))
	h := newHistory(t, 40, dice)
	p, err := s.remote(Git, task(h.dir, "").Configuration)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.release(nil) }()
	if err := c.fetch(t.Context(), "+refs/heads/*:refs/rollcall/heads/*", "+refs/heads/main:"+c.ref); err != nil {
		t.Fatal(err)
	}
	for i, id := range h.ids {
		if err := c.onBranch(t.Context(), id); (err == nil) != h.reach[39][i] {
			t.Errorf("commit %d: %v, on the branch: %v", i, err, h.reach[39][i])
		}
	}
}

func same(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// A trailer says that nobody should roll back past a commit; going back, it is among what is lost.
func TestACommitIsMarkedUnsafe(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), New(Options{AllowFileURLs: true, CacheDir: t.TempDir()})
	old := r.commit("file", "0", "Old")
	r.commit("file", "1", "Drop the column total\n\nCloses #7\nRollback: unsafe")
	head := r.commit("file", "2", "Say rollback: unsafe in a sentence")
	got, err := s.Compare(t.Context(), work.Range{Provider: Git, Repository: r.dir, From: head, To: old})
	if err != nil || len(got.Lost) != 2 || got.Lost[0].Unsafe || !got.Lost[1].Unsafe {
		t.Fatalf("%+v %v", got, err)
	}
}

// T2: whoever wrote, committed or is named as a co-author has a part in a range; GitHub itself has none.
func TestWhoHasAPartInARange(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), New(Options{AllowFileURLs: true, CacheDir: t.TempDir(), People: map[string]string{"Dan-Dev": "dan@acme.example"}})
	old := r.commit("file", "0", "Old")
	r.commit("file", "1", "Sell shoes\n\nCO-AUTHORED-BY:   Cho  <Cho@acme.example>\nCo-authored-by: <7+dan-dev@users.noreply.github.com>\n\nThis is no Co-authored-by: Eve <eve@acme.example>")
	r.git("-c", "user.name=x", "commit", "-q", "--allow-empty", "--author=Fay <fay@acme.example>", "-m", "Squashed")
	r.git("config", "user.name", "GitHub")
	head := r.git("commit-tree", "-p", "HEAD", "-m", "By hand", "HEAD^{tree}")
	r.git("update-ref", "refs/heads/main", head)
	got, err := s.Compare(t.Context(), work.Range{Provider: Git, Repository: r.dir, From: old, To: head})
	if err != nil || !got.Complete || got.Count != 3 || got.Undone != 0 {
		t.Fatalf("%+v %v", got, err)
	}
	var who []string
	for _, a := range got.Authors {
		who = append(who, strings.TrimSpace(a.Name+" "+a.Email+" "+a.Login))
	}
	want := []string{"Ana ana@acme.example", "Ben ben@acme.example", "Cho Cho@acme.example", "dan@acme.example dan-dev", "Fay fay@acme.example"}
	if !same(who, want) {
		t.Errorf("got %q, want %q", who, want)
	}
	for _, c := range []struct{ mail, name string }{
		{"noreply@github.com", "GitHub"}, {"NoReply@GitHub.com", "web-flow"}, {"", ""},
	} {
		if got := people([]string{"Ana", "ana@acme.example", c.name, c.mail, "text"}); len(got) != 1 {
			t.Errorf("%q is somebody: %v", c.mail, got)
		}
	}
}

// What a commit says is written by whoever can push: nothing of it steers a terminal or turns the writing.
func TestACommitIsReadAsText(t *testing.T) {
	const hostile = "a\x1b]52;c;ZXZpbA==\x07\u202eb\u009b1m"
	p := new(clone).part([]string{"1a2b3c4", hostile, "7+" + hostile + "@users.noreply.github.com", "", "", hostile + "\n\nSHOP-1", ""}, true)
	for what, got := range map[string]string{"summary": p.Summary, "name": p.Author.Name, "address": p.Author.Email, "login": p.Author.Login} {
		if !strings.Contains(got, "ab") || strings.ContainsFunc(got, clean.Steers) {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// What cannot be known is said, in a reason; what could not be asked is an error.
func TestRangesThatAreNotKnown(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	one := r.commit("file", "1", "one")
	lost := r.commit("file", "2", "two")
	r.git("reset", "-q", "--hard", one)
	two := r.commit("file", "3", "other")
	r.git("reflog", "expire", "--expire=now", "--all")
	r.git("gc", "-q", "--prune=now")
	for _, c := range []struct{ repository, from, to, why string }{
		{r.dir, one, two, ""},
		{r.dir, lost, two, "commit " + lost[:7] + " is no longer in " + r.dir},
		{r.dir, one, lost, "commit " + lost[:7] + " is no longer in " + r.dir},
		{r.dir, "v1", two, "they are no commits"},
		{"ftp://git.example/a/b", one, two, "is neither https nor ssh"},
	} {
		got, err := s.Compare(t.Context(), work.Range{Provider: Git, Repository: c.repository, From: c.from, To: c.to})
		if err != nil || got.Complete != (c.why == "") || !strings.Contains(got.Why, c.why) {
			t.Errorf("%.7s..%.7s of %q: %+v, %v, want %q", c.from, c.to, c.repository, got, err, c.why)
		}
	}
	if got, err := s.Compare(t.Context(), work.Range{Provider: Git, Repository: t.TempDir(), From: one, To: two}); err == nil {
		t.Errorf("without a repository: %+v", got)
	}
	if got, err := New(Options{CloneURL: "https://git.example", CacheDir: t.TempDir()}).Compare(t.Context(), work.Range{Provider: GitHub, Repository: "acme", From: one, To: two}); err != nil || got.Complete {
		t.Errorf("no repository: %+v %v", got, err)
	}
}

// C8: which files differ between before and after, with git's own diff as the
// oracle: forward, backward, aside, from a branch that is gone, and in a list
// longer than what git is usually allowed to say.
func TestChangedFilesOfPushes(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	one := r.commit("a", "1", "one")
	two := r.commit("b", "1", "two")
	three := r.commit("a", "2", "three")
	back := r.commit("a", "1", "take it back")
	r.git("checkout", "-q", "-b", "topic", one)
	aside := r.commit("c", "1", "aside")
	r.git("merge", "-q", "--no-ff", "-m", "merge", two)
	merged := r.git("rev-parse", "HEAD")
	r.git("checkout", "-q", "main")
	look := func(branch, from, to string) []string {
		t.Helper()
		files, err := s.Changed(t.Context(), workflows.Action{ActionType: workflows.ActionType{Provider: Git},
			Configuration: map[string]string{"Repository": r.dir, "BranchName": branch}}, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	for _, c := range []struct{ name, from, to string }{
		{"forward", one, two}, {"forward, by two", one, three}, {"taken back", two, back}, {"nothing", two, two},
		{"forced back", three, one}, {"forced aside", three, aside}, {"forced from aside", aside, back}, {"a merge", aside, merged},
	} {
		want := strings.Fields(r.git("diff", "--name-only", "--no-renames", c.from, c.to))
		for _, branch := range []string{"main", "topic", "gone"} {
			if got := look(branch, c.from, c.to); got == nil || !same(got, want) {
				t.Errorf("%s, on %s: %v, want %v", c.name, branch, got, want)
			}
		}
	}
	if got := look("main", strings.Repeat("1", 40), two); got != nil {
		t.Errorf("from a commit that nobody has: %v", got)
	}
	var in strings.Builder
	fmt.Fprintf(&in, "commit refs/heads/many\nmark :1\ncommitter W <w@acme.example> 1 +0000\ndata 1\nx\nfrom %s\n", one)
	long := strings.Repeat("long/", 40)
	for i := range 6000 { // 1.2 MB
		fmt.Fprintf(&in, "M 644 inline %s%d\ndata 1\ny\n", long, i)
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := look("many", one, r.git("rev-parse", "many")); len(got) != 6000 {
		t.Errorf("%d files of 6000", len(got))
	}
}
