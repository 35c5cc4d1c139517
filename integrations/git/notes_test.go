package git

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// C19a: a commit that a forced push replaced before it was fetched is no failure
// when a change brought it, and one when somebody asked for it.
func TestACommitThatWasPushedAway(t *testing.T) {
	r := newRepo(t, t.TempDir())
	first := r.commit("file", "1", "one")
	away := r.commit("file", "2", "two")
	r.git("reset", "-q", "--hard", first)
	r.commit("file", "3", "three")
	gone := strings.Repeat("1", 40)
	for _, c := range []struct {
		revision workflows.SourceRevision
		code     string
	}{
		{workflows.SourceRevision{RevisionID: away, Branch: "main"}, "Superseded"},
		{workflows.SourceRevision{RevisionID: gone, Branch: "main"}, "Superseded"},
		{workflows.SourceRevision{RevisionID: gone, Branch: "dev", AnyBranch: true}, "Superseded"},
		{workflows.SourceRevision{RevisionID: away}, reasonUnavailable},
		{workflows.SourceRevision{RevisionID: gone, AnyBranch: true}, reasonUnavailable},
		{workflows.SourceRevision{RevisionID: away[:7]}, reasonUnavailable},
	} {
		tk := task(r.dir, "")
		tk.Revision = &c.revision
		o, err := local(t).Start(t.Context(), tk, newDesk(t))
		if err != nil || o.State != work.Failed || o.Error.Code != c.code || (c.code == "Superseded") != strings.Contains(o.Error.Message, "nothing is broken") {
			t.Errorf("%+v: %+v, %v", c.revision, o.Error, err)
		}
	}
}

// C19d: what a checkout has only in name is said in the source's log.
func TestSubmodulesAndLargeFilesAreSaid(t *testing.T) {
	for name, c := range map[string]struct {
		attributes, folder string
		submodule          bool
		says               []string
	}{
		"nothing":            {attributes: "*.go text\n"},
		"large files":        {attributes: "*.zip filter=lfs diff=lfs merge=lfs -text\n", says: []string{"Git LFS"}},
		"large files deeper": {attributes: "*.zip filter=lfs\n", folder: "a/b", says: []string{"Git LFS"}},
		"a submodule":        {attributes: "*.go text\n", submodule: true, says: []string{"submodules"}},
		"both":               {attributes: "*.zip filter=lfs\n", submodule: true, says: []string{"submodules", "Git LFS"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, d := newRepo(t, t.TempDir()), newDesk(t)
			if err := os.MkdirAll(filepath.Join(r.dir, c.folder), 0o755); err != nil {
				t.Fatal(err)
			}
			sha := r.commit(filepath.Join(c.folder, ".gitattributes"), c.attributes, "one")
			if c.submodule {
				r.git("update-index", "--add", "--cacheinfo", "160000,"+sha+",vendor")
				r.git("commit", "-q", "-m", "two")
			}
			o, err := local(t).Start(t.Context(), task(r.dir, ""), d)
			if err != nil || o.State != work.Succeeded {
				t.Fatal(o.Error, err)
			}
			log, err := os.ReadFile(d.LogFile())
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"submodules", "Git LFS"} {
				if want := slices.Contains(c.says, word); strings.Contains(string(log), word) != want {
					t.Errorf("%q is said: %v, want %v\n%s", word, !want, want, log)
				}
			}
		})
	}
}
