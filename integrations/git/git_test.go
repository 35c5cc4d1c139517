package git

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestFetchTheHead(t *testing.T) {
	r := newRepo(t, filepath.Join(t.TempDir(), "acme", "webshop"))
	if err := os.WriteFile(filepath.Join(r.dir, "deploy"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("deploy", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	sha := r.commit("sub dir.txt", "hello\n", "Sell shoes\n\nand socks")
	d := newDesk(t)
	o, err := local(t).Start(t.Context(), task(r.dir, ""), d)
	if err != nil {
		t.Fatal(err)
	}
	want := work.Outcome{
		Task: "e1/Source/App/1", State: work.Succeeded, Summary: "Sell shoes", ExternalID: sha,
		Artifacts: []workflows.Artifact{{Name: "app", Digest: "d", Size: 1}},
		Revision: &workflows.SourceRevision{
			ActionName: "App", RevisionID: sha, RevisionSummary: "Sell shoes", Branch: "main", Repository: r.dir,
			Author: &workflows.Author{Name: "Ana", Email: "ana@acme.example"},
		},
		Outputs: map[string]string{
			"AuthorDate": "2026-01-02T03:04:05+00:00", "CommitterDate": "2026-01-02T04:04:05+00:00", "BranchName": "main", "CommitId": sha,
			"CommitMessage": "Sell shoes\n\nand socks", "RepositoryName": "webshop", "FullRepositoryName": "webshop",
		},
	}
	for _, key := range []string{"AuthorDate", "CommitterDate"} { // git writes UTC in two ways
		o.Outputs[key] = strings.Replace(o.Outputs[key], "Z", "+00:00", 1)
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	files := map[string]string{"deploy": "program: #!/bin/sh\n", "link": "link -> deploy", "sub dir.txt": "file: hello\n"}
	if diff := cmp.Diff(files, d.packed); diff != "" {
		t.Errorf("artifact (-want +got):\n%s", diff)
	}
}

func TestPinnedCommits(t *testing.T) {
	r := newRepo(t, t.TempDir())
	first := r.commit("file", "1", "one")
	r.commit("file", "2", "two")
	r.git("checkout", "-q", "-b", "secret/other")
	other := r.commit("file", "3", "three")
	r.git("checkout", "-q", "main")
	s := local(t)
	for _, c := range []struct {
		name, revision, file, fails string
	}{
		{"the head", "", "file: 2", ""},
		{"an earlier one", first, "file: 1", ""},
		{"of another branch", other, "", `commit ` + other + ` is not on branch "main"`},
		{"unknown", strings.Repeat("1", 40), "", `is not on branch "main"`},
		{"a name", "main", "", `revision "main" is no commit ID`},
		{"an option", "--output=x", "", "is no commit ID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			o, err := s.Start(t.Context(), task(r.dir, c.revision), d)
			if err != nil {
				t.Fatal(err)
			}
			if c.fails != "" {
				code := reasonUnavailable
				if strings.Contains(c.fails, "no commit ID") {
					code = "ConfigurationInvalid"
				}
				if o.State != work.Failed || o.Error.Code != code || !strings.Contains(o.Error.Message, c.fails) {
					t.Errorf("outcome %+v %+v", o, o.Error)
				}
			} else if o.State != work.Succeeded || d.packed["file"] != c.file {
				t.Errorf("outcome %+v %+v, file %q", o, o.Error, d.packed["file"])
			}
		})
	}
}

// The copy follows the branch wherever it goes, also backwards, and names that
// could not stand beside each other as files.
func TestCopyFollows(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	head := func(branch string) string {
		t.Helper()
		tk := task(r.dir, "")
		tk.Configuration["BranchName"] = branch
		o, err := s.Start(t.Context(), tk, newDesk(t))
		if err != nil || o.State != work.Succeeded {
			t.Fatal(o.Error, err)
		}
		change, err := s.Head(t.Context(), work.Followed{Action: workflows.Action{ActionType: workflows.ActionType{Provider: Git}, Configuration: tk.Configuration}})
		if err != nil || change.Commit != o.Revision.RevisionID {
			t.Errorf("Head: %+v %v", change, err)
		}
		return o.Revision.RevisionID
	}
	one := r.commit("file", "1", "one")
	r.git("branch", "rel")
	if got := head("rel"); got != one {
		t.Errorf("head %s, want %s", got, one)
	}
	r.git("branch", "a/refs/heads/main") // what a look for main finds too
	two := r.commit("file", "2", "two")
	if got := head("main"); got != two {
		t.Errorf("head %s, want %s", got, two)
	}
	r.git("reset", "-q", "--hard", one)
	if got := head("main"); got != one {
		t.Errorf("after a forced push: head %s, want %s", got, one)
	}
	if o, err := s.Start(t.Context(), task(r.dir, two), newDesk(t)); err != nil || o.State != work.Failed {
		t.Errorf("a commit that was pushed away: %+v %v", o, err)
	}
	r.git("branch", "-D", "rel")
	r.git("branch", "rel/1")
	if got := head("rel/1"); got != one {
		t.Errorf("head %s, want %s", got, one)
	}
}

// What changed between two looks at a branch, also when the older commit has
// been pushed away since; one that is known nowhere makes the answer unknown.
func TestChangedFiles(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	one := r.commit("a.md", "1", "one")
	two := r.commit("a b.go", "2", "two")
	three := r.commit("ü.go", "3", "three")
	a := workflows.Action{ActionType: workflows.ActionType{Provider: Git}, Configuration: task(r.dir, "").Configuration}
	for _, c := range []struct{ from, to, want string }{
		{one, three, "a b.go|ü.go"}, {two, three, "ü.go"}, {three, three, ""}, {strings.Repeat("f", 40), three, "unknown"}, {"HEAD", three, "unknown"},
	} {
		files, err := s.Changed(t.Context(), a, c.from, c.to)
		got := strings.Join(files, "|")
		if files == nil {
			got = "unknown"
		}
		if err != nil || got != c.want && !(got == "unknown" && c.want == "") {
			t.Errorf("%.7s..%.7s: %q, %v, want %q", c.from, c.to, got, err, c.want)
		}
	}
	r.git("reset", "-q", "--hard", one)
	four := r.commit("c.go", "4", "four")
	if files, err := s.Changed(t.Context(), a, three, four); err != nil || strings.Join(files, "|") != "a b.go|c.go|ü.go" {
		t.Errorf("after a forced push: %q, %v", files, err)
	}
}

func TestWhatWillNotMendIsFailed(t *testing.T) {
	r := newRepo(t, t.TempDir())
	r.commit("file", "1", "one")
	for _, c := range []struct {
		name, path, branch, fails string
	}{
		{"no such branch", r.dir, "nope", `has no branch "nope"`},
		{"no such repository", filepath.Join(r.dir, "gone"), "main", "there is no repository"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tk := task(c.path, "")
			tk.Configuration["BranchName"] = c.branch
			o, err := local(t).Start(t.Context(), tk, newDesk(t))
			if err != nil || o.State != work.Failed || o.Error.Code != "ActionFailed" || !strings.Contains(o.Error.Message, c.fails) {
				t.Errorf("outcome %+v %+v %v", o, o.Error, err)
			}
			_, err = local(t).Head(t.Context(), work.Followed{Action: workflows.Action{ActionType: tk.Action.ActionType, Configuration: tk.Configuration}})
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("Head: %v", err)
			}
		})
	}
}

// Somebody who may write into the repository may not run anything here.
func TestRepositoryRunsNothing(t *testing.T) {
	r := newRepo(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(r.dir, ".gitattributes"), []byte("* filter=evil export-subst\nhidden export-ignore\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "hidden"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, ".mailmap"), []byte("Eve <eve@acme.example> <ana@acme.example>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.commit("file", "$Format:%H$", "one")
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[filter \"evil\"]\n\tsmudge = touch "+home+"/pwned; cat\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	d := newDesk(t)
	o, err := local(t).Start(t.Context(), task(r.dir, ""), d)
	if err != nil || o.State != work.Succeeded {
		t.Fatal(o.Error, err)
	}
	if _, err := os.Stat(filepath.Join(home, "pwned")); err == nil {
		t.Error("a filter of the service's user ran")
	}
	if _, ok := d.packed["hidden"]; !ok || d.packed["file"] != "file: $Format:%H$" {
		t.Errorf("the tree is not what was committed: %v", d.packed)
	}
	if o.Revision.Author.Email != "ana@acme.example" {
		t.Errorf("the author is %+v", o.Revision.Author)
	}
}

func TestConcurrentFetches(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	sha := r.commit("file", "1", "one")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if o, err := s.Start(t.Context(), task(r.dir, ""), newDesk(t)); err != nil || o.Revision == nil || o.Revision.RevisionID != sha {
				t.Errorf("outcome %+v %v", o, err)
			}
		})
	}
	wg.Wait()
}

// A lock that git left behind when it was killed, and a copy that lost its objects.
func TestDamagedCopyIsMadeAnew(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	r.commit("file", "1", "one")
	fetch := func() (work.Outcome, error) { return s.Start(t.Context(), task(r.dir, ""), newDesk(t)) }
	if _, err := fetch(); err != nil {
		t.Fatal(err)
	}
	p, err := s.remote(Git, task(r.dir, "").Configuration)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(s.o.CacheDir, digest(p.url)+".git")
	for name, damage := range map[string]func() error{
		"a stale lock": func() error {
			r.commit("file", "2", "two")
			return os.WriteFile(filepath.Join(dir, "refs", "heads", digest("main")+".lock"), nil, 0o644)
		},
		"no objects": func() error { return os.RemoveAll(filepath.Join(dir, "objects", "pack")) },
		"half made":  func() error { return os.Remove(filepath.Join(dir, "HEAD")) },
		"empty objects": func() error {
			return filepath.WalkDir(filepath.Join(dir, "objects"), func(path string, e os.DirEntry, err error) error {
				if err == nil && !e.IsDir() {
					err = os.Remove(path)
				}
				return err
			})
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(name, err)
		}
		if _, err := fetch(); err != nil {
			if _, err := fetch(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A fetch that was ended while it noted the parents of commits costs no second clone.
func TestALockOfTheCommitGraphIsNoDamage(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	p, err := s.remote(Git, task(r.dir, "").Configuration)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(s.o.CacheDir, digest(p.url)+".git")
	for _, text := range []string{"1", "2"} {
		r.commit("file", text, "a change")
		if o, err := s.Start(t.Context(), task(r.dir, ""), newDesk(t)); err != nil || o.State != work.Succeeded {
			t.Fatalf("%+v, %v", o, err)
		}
		if text == "1" {
			for _, path := range []string{parentsLock, "the first copy"} {
				if err := os.WriteFile(filepath.Join(dir, path), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "the first copy")); err != nil {
		t.Errorf("it was made anew: %v", err)
	}
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	r, s := newRepo(t, t.TempDir()), local(t)
	r.commit("file", "1", "one")
	p, err := s.remote(Git, task(r.dir, "").Configuration)
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Start(ctx, task(r.dir, ""), newDesk(t)); err == nil || !strings.Contains(err.Error(), "wait for another fetch") {
		t.Errorf("error %v", err)
	}
	other.release(nil)
	if err := syscall.Flock(int(mustOpen(t, other.dir+".lock").Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("the lock was not given back: %v", err)
	}
}

func mustOpen(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestNoGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := local(t)
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "there is no git in PATH") {
		t.Errorf("Check: %v", err)
	}
	o, err := s.Start(t.Context(), task("/somewhere", ""), newDesk(t))
	if err != nil || o.State != work.Failed || !strings.Contains(o.Error.Message, "there is no git in PATH") {
		t.Errorf("outcome %+v %v", o, err)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	r := newRepo(t, t.TempDir())
	long := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(long, []byte(strings.Repeat("ä", 300)+"\n\n"+strings.Repeat("long ", 500_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	r.commit("file", "1", "one")
	r.git("commit", "-q", "--amend", "-F", long)
	o, err := local(t).Start(t.Context(), task(r.dir, ""), newDesk(t))
	if err != nil || o.State != work.Succeeded {
		t.Fatal(o.Error, err)
	}
	if n := len(o.Outputs["CommitMessage"]); n > maxMessage || n < maxMessage-4 {
		t.Errorf("CommitMessage has %d bytes", n)
	}
	if s := o.Revision.RevisionSummary; len(s) > maxSummary || !strings.HasSuffix(s, "ä…") {
		t.Errorf("the summary is %q", s)
	}
}

func TestScale(t *testing.T) {
	list := "100644 blob aaaa      12\tfile with blanks\n120000 blob bbbb       3\tlink\n160000 commit cccc       -\tmodule\n"
	for cut := range list {
		var s treeSize
		_, _ = s.Write([]byte(list[:cut]))
		_, _ = s.Write([]byte(list[cut:]))
		if s.files != 3 || s.size != 15 {
			t.Fatalf("cut at %d: %d files, %d bytes", cut, s.files, s.size)
		}
	}
}
