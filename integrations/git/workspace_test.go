package git

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// desk is a workspace that notes of every packed file what it is.
type desk struct {
	root   string
	packed map[string]string // path -> "program: content", "file: content", "link -> target"
}

func newDesk(t *testing.T) *desk {
	return &desk{root: t.TempDir(), packed: map[string]string{}}
}

func (d *desk) Dir() string     { return d.root }
func (d *desk) LogFile() string { return filepath.Join(d.root, "log") }
func (d *desk) Log() (io.WriteCloser, error) {
	return os.OpenFile(d.LogFile(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}
func (d *desk) Unpack(a workflows.Artifact, dir string) error { return nil }

func (d *desk) Pack(name, dir string, globs []string) (workflows.Artifact, error) {
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if e.Type() == os.ModeSymlink {
			target, err := os.Readlink(path)
			d.packed[rel] = "link -> " + target
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		kind := "file: "
		if info.Mode()&0o100 != 0 {
			kind = "program: "
		}
		d.packed[rel] = kind + string(data)
		return err
	})
	return workflows.Artifact{Name: name, Digest: "d", Size: 1}, err
}

// repo is a repository with a work tree, to commit in.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T, dir string) repo {
	t.Helper()
	r := repo{t, dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

// git runs git there and returns what it says.
func (r repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@acme.example", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=Ben", "GIT_COMMITTER_EMAIL=ben@acme.example", "GIT_COMMITTER_DATE=2026-01-02T04:04:05Z",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes a file, commits it and returns the commit's ID.
func (r repo) commit(path, text, message string) string {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, path), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.git("add", "-A")
	r.git("commit", "-q", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// task fetches main of a repository at a path.
func task(path, revision string) work.Task {
	tk := work.Task{
		ID: "e1/Source/App/1", Kind: work.Start,
		Action: workflows.Action{
			Name: "App", ActionType: workflows.ActionType{Category: "Source", Provider: Git},
			OutputArtifacts: []workflows.OutputArtifact{{Name: "app"}},
		},
		Configuration: map[string]string{"Repository": path, "BranchName": "main"},
	}
	if revision != "" {
		tk.Revision = &workflows.SourceRevision{ActionName: "App", RevisionID: revision}
	}
	return tk
}

func local(t *testing.T) *Source {
	return New(Options{AllowFileURLs: true, CacheDir: filepath.Join(t.TempDir(), "cache")})
}
