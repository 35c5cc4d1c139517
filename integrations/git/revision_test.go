package git

import (
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// 98: the action's branch is main. A trigger on another branch brings in that
// branch's commit, and says so; a start by hand uses main. What AnyBranch does
// not allow stays refused.
func TestRevisionsOfAnyBranch98(t *testing.T) {
	r := newRepo(t, t.TempDir())
	first := r.commit("file", "1", "one")
	main := r.commit("file", "2", "two")
	r.git("checkout", "-q", "-b", "dev/basket", first)
	dev := r.commit("file", "3", "three")
	devHead := r.commit("file", "4", "four")
	r.git("checkout", "-q", "--detach", first)
	loose := r.commit("file", "5", "five")
	r.git("tag", "-a", "-m", "Release", "v1")
	object := r.git("rev-parse", "v1")
	r.git("checkout", "-q", "--detach", first)
	nameless := r.commit("file", "6", "six")
	r.git("checkout", "-q", "main")
	s := local(t)
	for _, c := range []struct {
		name         string
		revision     *workflows.SourceRevision
		file, branch string
		fails        string
	}{
		{"by hand", nil, "2", "main", ""},
		{"by hand, a commit of elsewhere", &workflows.SourceRevision{RevisionID: dev}, "", "", `is not on branch "main"`},
		{"a trigger on dev", &workflows.SourceRevision{RevisionID: devHead, Branch: "dev/basket", AnyBranch: true}, "4", "dev/basket", ""},
		{"an earlier commit of dev", &workflows.SourceRevision{RevisionID: dev, Branch: "dev/basket", AnyBranch: true}, "3", "dev/basket", ""},
		{"a branch that is gone since", &workflows.SourceRevision{RevisionID: dev, Branch: "gone", AnyBranch: true}, "3", "gone", ""},
		{"a trigger on main", &workflows.SourceRevision{RevisionID: main, Branch: "main", AnyBranch: true}, "2", "main", ""},
		{"a tag", &workflows.SourceRevision{RevisionID: loose, AnyBranch: true}, "5", "", ""},
		{"a tag on main", &workflows.SourceRevision{RevisionID: first, AnyBranch: true}, "1", "main", ""},
		{"a tag's own object", &workflows.SourceRevision{RevisionID: object, AnyBranch: true}, "", "", "has no commit " + object},
		{"whoever may start any revision", &workflows.SourceRevision{RevisionID: nameless, AnyBranch: true}, "6", "", ""},
		{"that exists nowhere", &workflows.SourceRevision{RevisionID: strings.Repeat("1", 40), AnyBranch: true}, "", "", "has no commit 1111"},
		{"an option", &workflows.SourceRevision{RevisionID: "--upload-pack=touch pwned", Branch: "-x", AnyBranch: true}, "", "", "is no commit ID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tk, d := task(r.dir, ""), newDesk(t)
			tk.Revision = c.revision
			o, err := s.Start(t.Context(), tk, d)
			if err != nil {
				t.Fatal(err)
			}
			if c.fails != "" {
				if o.State != work.Failed || !strings.Contains(o.Error.Message, c.fails) || c.fails != "is no commit ID" && o.Error.Code != reasonUnavailable {
					t.Errorf("outcome %+v %+v", o, o.Error)
				}
				return
			}
			if o.State != work.Succeeded || d.packed["file"] != "file: "+c.file {
				t.Fatalf("outcome %+v %+v, file %q", o, o.Error, d.packed["file"])
			}
			if name, ok := o.Outputs["BranchName"]; !ok || name != c.branch || o.Revision.Branch != c.branch {
				t.Errorf("it is said to be of branch %q and %q, want %q", name, o.Revision.Branch, c.branch)
			}
		})
	}
}

// C14: an abbreviation is looked up as git does, among the commits of the branch.
func TestAbbreviatedCommits(t *testing.T) {
	r := newRepo(t, t.TempDir())
	r.commit("file", "1", "one")
	first, second := r.twins()
	sha := r.git("commit-tree", "-p", first, "-p", second, "-m", "both", "HEAD^{tree}")
	r.git("update-ref", "refs/heads/main", sha)
	blob := r.git("rev-parse", "HEAD:file")
	r.git("checkout", "-q", "-b", "dev")
	other := r.commit("file", "other", "other")
	r.git("branch", sha[:7]) // a name is no ID
	r.git("checkout", "-q", "main")
	s := local(t)
	for _, c := range []struct {
		name, revision, fails string
		any                   bool
	}{
		{"seven digits", sha[:7], "", false},
		{"39 digits", sha[:39], "", false},
		{"with the right to any revision", sha[:7], "", true},
		{"of another branch", other[:10], `0 commits on branch "main"`, false},
		{"of another branch, with the right", other[:10], `give the 40 characters`, true},
		{"of two", first[:7], `2 commits on branch "main"`, false},
		{"one of the two", first[:38], "", false},
		{"of a file", blob[:12], `0 commits on branch "main"`, false},
		{"of nothing", "abcdef0123", `0 commits on branch "main"`, false},
		{"upper case", strings.ToUpper(sha[:7]), "is no commit ID", false},
		{"six digits", sha[:6], "is no commit ID", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tk := task(r.dir, c.revision)
			tk.Revision.AnyBranch = c.any
			o, err := s.Start(t.Context(), tk, newDesk(t))
			switch {
			case err != nil:
				t.Fatal(err)
			case c.fails == "" && (o.State != work.Succeeded || !strings.HasPrefix(o.Revision.RevisionID, c.revision) || len(o.Outputs["CommitId"]) != 40):
				t.Errorf("outcome %+v %+v", o, o.Error)
			case c.fails != "" && (o.State != work.Failed || !strings.Contains(o.Error.Message, c.fails)):
				t.Errorf("outcome %+v %+v", o, o.Error)
			}
		})
	}
}

// twins writes two commits whose IDs have the same first seven digits.
func (r repo) twins() (string, string) {
	r.t.Helper()
	tree, seen := r.git("rev-parse", "HEAD^{tree}"), map[string]string{}
	for i := 0; ; i++ {
		text := fmt.Sprintf("tree %s\nauthor Ana <ana@acme.example> 1767323045 +0000\ncommitter Ana <ana@acme.example> 1767323045 +0000\n\n%d\n", tree, i)
		id := fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", len(text), text)))
		twin, found := seen[id[:7]]
		seen[id[:7]] = text
		if !found {
			continue
		}
		var ids []string
		for _, text := range []string{twin, text} {
			cmd := exec.Command("git", "hash-object", "-t", "commit", "-w", "--stdin")
			cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(text)
			out, err := cmd.CombinedOutput()
			if err != nil {
				r.t.Fatalf("%v %s", err, out)
			}
			ids = append(ids, strings.TrimSpace(string(out)))
		}
		return ids[0], ids[1]
	}
}

// The configured branch need not even exist for what a trigger names.
func TestAnyBranchWithoutTheConfiguredOne(t *testing.T) {
	r := newRepo(t, t.TempDir())
	sha := r.commit("file", "1", "one")
	for _, branch := range []string{"main", ""} {
		tk := task(r.dir, "")
		tk.Configuration["BranchName"] = "gone"
		tk.Revision = &workflows.SourceRevision{RevisionID: sha, Branch: branch, AnyBranch: true}
		if o, err := local(t).Start(t.Context(), tk, newDesk(t)); err != nil || o.State != work.Succeeded || o.Outputs["BranchName"] != branch {
			t.Errorf("outcome %+v %v", o, err)
		}
	}
}

// A server that gives nothing away by its ID is asked for everything that has a
// name; the commits of pull requests have one on GitHub only.
func TestServersThatHideCommits(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, filepath.Join(root, "acme", "webshop.git"))
	first := r.commit("file", "1", "one")
	r.git("checkout", "-q", "-b", "dev")
	dev := r.commit("file", "2", "two")
	r.commit("file", "2b", "a head, which is no secret") // nor are the other ones
	r.git("checkout", "-q", "--detach", first)
	pulled := r.commit("file", "3", "three")
	r.git("update-ref", "refs/pull/7/head", r.commit("file", "3b", "a head"))
	r.git("checkout", "-q", "--detach", first)
	nameless := r.commit("file", "4", "four")
	r.git("checkout", "-q", "main")
	h := newHub(t, root)
	h.old.Store(true)
	s := New(Options{CloneURL: h.URL, CacheDir: t.TempDir(), Token: func(context.Context) (string, error) { return token, nil }})
	start := func(sha string) work.Outcome {
		t.Helper()
		tk := githubTask()
		tk.Revision = &workflows.SourceRevision{RevisionID: sha, Branch: "somewhere", AnyBranch: true}
		o, err := s.Start(t.Context(), tk, newDesk(t))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, sha := range []string{dev, pulled} {
		if o := start(sha); o.State != work.Succeeded || o.Revision.RevisionID != sha {
			t.Errorf("outcome %+v %+v", o, o.Error)
		}
	}
	if o := start(nameless); o.State != work.Failed || o.Error.Code != "Superseded" { // a change brought it
		t.Errorf("outcome %+v %+v", o, o.Error)
	}
	r.git("branch", "-m", "dev", "other")
	r.git("branch", "dev/below", first) // in the way of what the copy calls dev
	later := r.git("commit-tree", "-p", dev, "-m", "five", dev+"^{tree}")
	r.git("update-ref", "refs/heads/other", r.git("commit-tree", "-p", later, "-m", "a head", dev+"^{tree}"))
	if o := start(later); o.State != work.Succeeded {
		t.Errorf("outcome %+v %+v", o, o.Error)
	}
}

// A network that is away is no missing revision.
func TestTroubleIsNoMissingRevision(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, filepath.Join(root, "acme", "webshop.git"))
	sha := r.commit("file", "1", "one")
	h := newHub(t, root)
	h.status.Store(502)
	s := New(Options{CloneURL: h.URL, CacheDir: t.TempDir(), Token: func(context.Context) (string, error) { return token, nil }})
	tk := githubTask()
	tk.Revision = &workflows.SourceRevision{RevisionID: sha, Branch: "dev", AnyBranch: true}
	if o, err := s.Start(t.Context(), tk, newDesk(t)); err == nil {
		t.Errorf("outcome %+v %+v", o, o.Error)
	}
	h.status.Store(0)
	if o, err := s.Start(t.Context(), tk, newDesk(t)); err != nil || o.State != work.Succeeded {
		t.Errorf("outcome %+v %v", o, err)
	}
	p, err := s.remote(GitHub, tk.Configuration)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(s.o.CacheDir, digest(p.url)+".git", "objects", "pack")); err != nil { // a damaged copy
		t.Fatal(err)
	}
	o, err := s.Start(t.Context(), tk, newDesk(t))
	if err != nil {
		o, err = s.Start(t.Context(), tk, newDesk(t))
	}
	if err != nil || o.State != work.Succeeded {
		t.Errorf("after damage: outcome %+v %+v %v", o, o.Error, err)
	}
}
