package git

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// entry is one line of a tree, whether or not git would write it.
type entry struct{ mode, name, object string }

// tree writes a tree as it is given and returns the ID of a commit of it on main.
func (r repo) tree(entries ...entry) string {
	r.t.Helper()
	var raw bytes.Buffer
	for _, e := range entries {
		id, _ := hex.DecodeString(e.object)
		fmt.Fprintf(&raw, "%s %s\x00%s", e.mode, e.name, id)
	}
	cmd := exec.Command("git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
	cmd.Dir, cmd.Stdin = r.dir, &raw
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v %s", err, out)
	}
	sha := r.git("commit-tree", "-m", "Odd", strings.TrimSpace(string(out)))
	r.git("update-ref", "refs/heads/main", sha)
	return sha
}

// strict is a desk that takes links as the store does, and has its own troubles.
type strict struct {
	*desk
	trouble error
}

func (s strict) Pack(name, dir string, globs []string) (workflows.Artifact, error) {
	a, err := s.desk.Pack(name, dir, globs)
	for path, what := range s.packed {
		if to, ok := strings.CutPrefix(what, "link -> "); ok && (filepath.IsAbs(to) || strings.HasPrefix(to, "..")) {
			err = fmt.Errorf("the link %s leads to %s, outside of what is packed; leave it out", path, to)
		}
	}
	return a, errors.Join(err, s.trouble)
}

// C2: what a commit holds never changes, so what cannot be made of it ends the
// action at once, with the reason; from Git and from GitHub alike.
func TestCommitsThatCannotBeASource(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, filepath.Join(root, "acme", "webshop.git"))
	r.commit("file", "/usr/share/zoneinfo/UTC", "A file")
	blob, sub, folder := r.git("rev-parse", "HEAD:file"), r.git("rev-parse", "HEAD"), r.git("rev-parse", "HEAD^{tree}")
	long := strings.Repeat("n", 300)
	h := newHub(t, root)
	for _, c := range []struct {
		name    string
		entries []entry
		says    string // "": it works
	}{
		{"a link that leads outside", []entry{{"120000", "localtime", blob}}, "the link localtime leads to /usr/share/zoneinfo/UTC"},
		{"a path of git's own", []entry{{"40000", ".git", folder}}, "invalid path '.git/file'"},
		{"a path that leads up", []entry{{"40000", "..", folder}}, "invalid path '../file'"},
		{"a path with a slash", []entry{{"100644", "../../file", blob}}, "invalid path '../../file'"},
		{"git's own by another name", []entry{{"100644", "git~1", blob}}, "invalid path 'git~1'"},
		{"an empty name", []entry{{"100644", "", blob}}, "is damaged"},
		{"a name of 300 bytes", []entry{{"100644", long, blob}}, "File name too long"},
		{"a folder of 300 bytes", []entry{{"40000", long, folder}}, "File name too long"},
		{"a file that is a folder", []entry{{"100644", "file", folder}}, "unable to read"},
		{"a folder that is a file", []entry{{"40000", "folder", blob}}, "is damaged"},
		{"a name twice", []entry{{"100644", "file", blob}, {"40000", "file", folder}}, ""},
		{"a submodule", []entry{{"160000", "vendor", sub}}, ""},
		{"an odd mode", []entry{{"100600", "file", blob}, {"100775", "other", blob}}, ""},
		{"a mode that is none", []entry{{"177777", "file", blob}}, ""},
		{"nothing", nil, ""},
	} {
		sha := r.tree(c.entries...)
		for _, provider := range []string{Git, GitHub} {
			t.Run(provider+": "+c.name, func(t *testing.T) {
				s, tk := local(t), task(r.dir, sha)
				if provider == GitHub {
					s = New(Options{CloneURL: h.URL, CacheDir: t.TempDir(), Token: func(context.Context) (string, error) { return token, nil }})
					tk = githubTask()
					tk.Revision = &workflows.SourceRevision{RevisionID: sha}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // none is waited for
				defer cancel()
				o, err := s.Start(ctx, tk, strict{desk: newDesk(t)})
				switch {
				case err != nil:
					t.Error(err)
				case c.says == "" && o.State != work.Succeeded:
					t.Errorf("%+v", o.Error)
				case c.says != "" && (o.State != work.Failed || !strings.Contains(o.Error.Message, c.says)):
					t.Errorf("%s, %+v", o.State, o.Error)
				}
			})
		}
	}
}

// C2: what passes by itself is an error, and tried again.
func TestTroubleOfThisMachineIsTriedAgain(t *testing.T) {
	r := newRepo(t, t.TempDir())
	r.commit("file", "1", "one")
	for err, again := range map[error]bool{
		syscall.ENOSPC: true, syscall.EDQUOT: true, syscall.EIO: true, syscall.EMFILE: true, syscall.ENOMEM: true,
		syscall.ENAMETOOLONG: false, syscall.EPERM: false, syscall.ELOOP: false, errors.New("it has 100001 files"): false,
	} {
		o, got := local(t).Start(t.Context(), task(r.dir, ""), strict{desk: newDesk(t), trouble: err})
		if (got != nil) != again || !again && (o.State != work.Failed || !strings.Contains(o.Error.Message, err.Error())) {
			t.Errorf("%v: %v, %s %+v", err, got, o.State, o.Error)
		}
	}
}
