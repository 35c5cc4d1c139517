package git

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What people read of a range: commits newest first, with their author, their
// page, what they mention and what they were made of.
func TestTheCommitsOfARange(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, root+"/acme/shop.git")
	s := New(Options{AllowFileURLs: true, CacheDir: t.TempDir(), CloneURL: "file://" + root, WebURL: "https://git.example/", People: map[string]string{"ana-dev": "ANA@acme.example"}})
	one := r.commit("file", "1", "One")
	two := r.commit("file", "2", "SHOP-2: Two\n\nSee OPS-7, and UTF-8.")
	r.git("checkout", "-q", "-b", "side", one)
	aside := r.commit("side", "1", "Aside \x1b[31m"+strings.Repeat("long ", 100))
	r.git("checkout", "-q", "main")
	r.git("merge", "-q", "--no-ff", "-m", "Merge pull request #12 from acme/SHOP-9-side", "side")
	merged := r.git("rev-parse", "HEAD")
	look := func(from, to string) work.Changes {
		t.Helper()
		got, err := s.Compare(t.Context(), work.Range{Provider: GitHub, Repository: "acme/shop", From: from, To: to})
		if err != nil || !got.Complete || got.Count != len(got.New) || got.Undone != len(got.Lost) {
			t.Fatalf("%+v %v", got, err)
		}
		return got
	}
	got := look(one, merged)
	if len(got.New) != 3 || got.New[0].ID != merged || !slices.Equal(got.New[0].Parents, []string{two, aside}) || !slices.Equal(got.New[0].Mentions, []string{"SHOP-9"}) {
		t.Fatalf("%+v", got.New)
	}
	if want := "https://git.example/acme/shop/compare/" + one + "..." + merged; got.CompareURL != want {
		t.Errorf("compare at %q, not %q", got.CompareURL, want)
	}
	for _, c := range got.New[1:] {
		if c.URL != "https://git.example/acme/shop/commit/"+c.ID || c.Author != (workflows.Author{Name: "Ana", Email: "ana@acme.example", Login: "ana-dev"}) || strings.Contains(c.Summary, "\x1b") || len(c.Summary) > maxSummary {
			t.Errorf("%+v", c)
		}
		if c.ID == two && (c.Summary != "SHOP-2: Two" || !slices.Equal(c.Mentions, []string{"SHOP-2", "OPS-7", "UTF-8"})) {
			t.Errorf("%+v", c)
		}
	}
	if back := look(merged, one); back.Count != 0 || back.Lost[0].ID != merged || len(back.Lost) != 3 {
		t.Errorf("back: %+v", back)
	}
	if aside := look(aside, two); len(aside.New) != 1 || len(aside.Lost) != 1 || aside.New[0].ID != two {
		t.Errorf("diverged: %+v", aside)
	}
	if all := look("", merged); len(all.New) != 4 || all.New[3].ID != one || all.CompareURL != "" {
		t.Errorf("from the beginning: %+v", all)
	}
}

// Of very many commits all are counted, and the newest are listed.
func TestVeryManyCommits(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	n := maxListed + 100
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter W <w@acme.example> %d +0000\ndata <<E\nChange %d\nE\n", i+1, 1_700_000_000-i, i)
		if i > 0 {
			fmt.Fprintf(&in, "from :%d\n", i)
		}
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, head := r.git("rev-list", "--max-parents=0", "main"), r.git("rev-parse", "main")
	for from, want := range map[string]int{first: n - 1, "": n, r.git("rev-parse", "main~400"): 400} {
		got, err := s.Compare(t.Context(), work.Range{Provider: Git, Repository: r.dir, From: from, To: head})
		if err != nil || got.Count != want || len(got.New) != min(want, maxListed) || got.New[0].Summary != fmt.Sprint("Change ", n-1) {
			t.Errorf("%.7s: %d commits, %d listed, %v; want %d", from, got.Count, len(got.New), err, want)
		}
	}
}
