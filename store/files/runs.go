package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// taskFile lies in a run folder and says whose it is: the folder's name is a
// hash, so that it cannot be told from that.
const taskFile = ".task"

// longestID is more than the ID of any task has, in bytes.
const longestID = 4 << 10

// Workspace returns the task's workspace. Its run folder and the folder of its
// log are made when they are first asked for, so work that needs neither costs
// nothing. The same task ID gives the same one, also after a restart.
func (f *Files) Workspace(t work.Task) (work.Workspace, error) {
	return &workspace{files: f, id: t.ID, pipeline: t.Pipeline, execution: t.Execution, stage: t.Stage, action: t.Action.Name, attempt: t.Attempt}, nil
}

// label writes down in a run folder whose it is, unless that is there already.
// One that cannot be labelled (its commands have made it read-only) is still
// worked in; it is only not found later by [Files.Left].
func label(dir, id string) {
	name := filepath.Join(dir, taskFile)
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() == int64(len(id)) {
		return
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	_ = root.RemoveAll(taskFile)
	file, err := root.OpenFile(taskFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	_, _ = file.WriteString(id)
	_ = file.Close()
}

// Left lists the IDs of the tasks whose run folders are here, in no order. A
// folder that does not say whose it is, or says what its name belies, is left out:
// what runs in a folder can write into it.
func (f *Files) Left(ctx context.Context) ([]string, error) {
	folders, err := os.ReadDir(filepath.Join(f.dir, "runs"))
	if err != nil {
		return nil, fmt.Errorf("list the run folders: %w", err)
	}
	var ids []string
	for _, folder := range folders {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		id, err := labelled(filepath.Join(f.dir, "runs", folder.Name()))
		if err == nil && filepath.Base(f.run(id)) == folder.Name() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// labelled reads whose a run folder is.
func labelled(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	file, err := root.OpenFile(taskFile, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // a pipe in its place must not block
	if err != nil {
		return "", err
	}
	defer file.Close()
	id, err := io.ReadAll(io.LimitReader(file, longestID))
	return string(id), err
}

// Release removes the task's run folder and all in it; its log and artifacts
// stay. A folder that is gone is no error.
func (f *Files) Release(t work.Task) error {
	f.pins.unpin(t.ID)
	root, err := os.OpenRoot(filepath.Join(f.dir, "runs"))
	if err != nil {
		return fmt.Errorf("release task %s: %w", t.ID, err)
	}
	defer root.Close()
	name := filepath.Base(f.run(t.ID))
	err = root.RemoveAll(name)
	if errors.Is(err, fs.ErrPermission) {
		// Tools leave folders that nobody may write to, such as module caches.
		unlock(root, name)
		err = root.RemoveAll(name)
	}
	if err != nil {
		return fmt.Errorf("release task %s: %w", t.ID, err)
	}
	return nil
}

// unlock lets the owner into every folder from a path on, as far as that is
// possible; a folder is visited before it is read. What has been opened is
// changed, never what a path names by then.
func unlock(root *os.Root, dir string) {
	_ = fs.WalkDir(root.FS(), dir, func(path string, e fs.DirEntry, _ error) error {
		if e == nil || !e.IsDir() {
			return nil
		}
		folder, err := root.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err == nil {
			_ = errors.Join(folder.Chmod(0o700), folder.Close())
		} else if os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission) { // our own, closed to ourselves
			_ = root.Chmod(path, 0o700)
		}
		return nil
	})
}

func (f *Files) run(task string) string {
	sum := sha256.Sum256([]byte(task))
	return filepath.Join(f.dir, "runs", hex.EncodeToString(sum[:16]))
}

// workspace is one task's.
type workspace struct {
	files                                  *Files
	id, pipeline, execution, stage, action string
	attempt                                int

	once sync.Once
	dir  string
}

func (w *workspace) Dir() string {
	w.once.Do(func() {
		w.dir = w.files.run(w.id)
		if err := os.MkdirAll(w.dir, 0o700); err == nil { // else whoever writes there hears of it
			label(w.dir, w.id)
		}
	})
	return w.dir
}

func (w *workspace) LogFile() string {
	return w.files.logPath(w.execution, w.stage, w.action, w.attempt)
}

func (w *workspace) Log() (io.WriteCloser, error) {
	name := w.LogFile()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}
