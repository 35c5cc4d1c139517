package commands

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// desk is the smallest workspace that keeps its promises: a run folder, a log,
// and artifacts as folders in a shelf.
type desk struct {
	Root string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	d := desk{Root: t.TempDir()}
	for _, dir := range []string{d.Dir(), d.shelf("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d desk) Dir() string              { return filepath.Join(d.Root, "runs", "run") }
func (d desk) LogFile() string          { return filepath.Join(d.Root, "log") }
func (d desk) shelf(name string) string { return filepath.Join(d.Root, "shelf", name) }

func (d desk) Log() (io.WriteCloser, error) {
	return os.OpenFile(d.LogFile(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

func (d desk) Unpack(a workflows.Artifact, dir string) error {
	if _, err := os.Stat(d.shelf(a.Digest)); err != nil {
		return fmt.Errorf("artifact %s is missing", a.Name)
	}
	return lay(d.shelf(a.Digest), dir, nil)
}

func (d desk) Pack(name, dir string, globs []string) (workflows.Artifact, error) {
	sum := sha256.Sum256([]byte(name + dir))
	a := workflows.Artifact{Name: name, Digest: hex.EncodeToString(sum[:]), Size: 1}
	return a, lay(dir, d.shelf(a.Digest), globs)
}

// lay copies a tree: files with their mode bits, symbolic links as they are.
func lay(from, to string, globs []string) error {
	return filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if len(globs) > 0 && !matchesAny(globs, rel) {
			return nil
		}
		if e.Type() == os.ModeSymlink {
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o600); err != nil {
			return err
		}
		return os.Chmod(target, info.Mode().Perm())
	})
}

func matchesAny(globs []string, path string) bool {
	for _, g := range globs {
		if ok, _ := doublestar.Match(g, path); ok {
			return true
		}
	}
	return false
}

// task is a task with these lines; its commands run in work().
func task(lines ...string) work.Task {
	return work.Task{
		ID: "e1/Build/Make/1", Kind: work.Start, Pipeline: "webshop", Execution: "e1", Number: 42, Stage: "Build", Attempt: 1,
		Action:   workflows.Action{Name: "Make", ActionType: workflows.ActionType{Provider: Provider}, Commands: lines},
		Commands: lines,
		Deadline: time.Now().Add(time.Hour),
	}
}

// eventually waits until the condition holds: what is waited for is other
// processes, so there is nothing to be notified by.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again, late := time.NewTicker(5*time.Millisecond), time.After(5*time.Minute)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited too long for: %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// finish polls until the run is no longer running.
func finish(t *testing.T, r *Runner, tk work.Task, w work.Workspace) work.Outcome {
	t.Helper()
	var o work.Outcome
	eventually(t, "the end of the commands", func() bool {
		var err error
		if o, err = r.Poll(t.Context(), tk, w); err != nil {
			t.Fatal(err)
		}
		return o.State != work.Running
	})
	return o
}

// run starts the task and waits for its end.
func run(t *testing.T, r *Runner, tk work.Task, w work.Workspace) work.Outcome {
	t.Helper()
	if _, err := r.Start(t.Context(), tk, w); err != nil {
		t.Fatal(err)
	}
	return finish(t, r, tk, w)
}

func logOf(t *testing.T, d desk) string {
	t.Helper()
	data, err := os.ReadFile(d.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// open lets commands that wait at a pipe, see waits, go on.
func open(t *testing.T, pipe string) {
	t.Helper()
	eventually(t, "the pipe", func() bool {
		info, err := os.Stat(pipe)
		return err == nil && info.Mode().Type() == os.ModeNamedPipe
	})
	if err := os.WriteFile(pipe, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
}

// waits are lines that wait at a pipe, see open.
func waits() []string { return []string{"mkfifo gate", "cat gate"} }
