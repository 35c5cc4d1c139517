package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Options bounds what an artifact may hold, packed here or unpacked. The zero
// value is right for the service.
type Options struct {
	MaxBytes int64 // of an artifact's files together, unpacked; 0: 8 GiB
	MaxFiles int   // files, folders and links in an artifact; 0: 500,000
}

const (
	defaultMaxBytes = 8 << 30
	defaultMaxFiles = 500_000
	// leftover is how old a half-written file must be to be of nobody.
	leftover = 24 * time.Hour
	// partial begins the names of files that are being written.
	partial = ".partial-"
)

// Files keeps artifacts, logs and run folders in one data folder. Its methods
// may be called from any goroutine.
type Files struct {
	dir     string // absolute
	options Options
}

// Open prepares the data folder, mode 0700, and returns its files. Half-written
// files that a crash left there are removed when they are a day old.
func Open(dir string, o Options) (*Files, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = defaultMaxFiles
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	f := &Files{dir: abs, options: o}
	for _, name := range []string{"artifacts", "logs", "runs"} {
		if err := os.MkdirAll(filepath.Join(abs, name), 0o700); err != nil {
			return nil, fmt.Errorf("data folder %s: %w", dir, err)
		}
	}
	return f, f.tidy()
}

func (f *Files) tidy() error {
	entries, err := os.ReadDir(filepath.Join(f.dir, "artifacts"))
	if err != nil {
		return fmt.Errorf("artifacts: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), partial) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > leftover {
			// A file that cannot be removed today is tried again at the next start.
			_ = os.Remove(filepath.Join(f.dir, "artifacts", e.Name()))
		}
	}
	return nil
}

// Workspace returns the task's workspace and creates its run folder when it is
// not there. The same task ID gives the same one, also after a restart.
func (f *Files) Workspace(t work.Task) (work.Workspace, error) {
	w := &workspace{files: f, dir: f.run(t), log: f.logPath(t.Execution, t.Stage, t.Action.Name, t.Attempt)}
	for _, dir := range []string{w.dir, filepath.Dir(w.log)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("workspace of task %s: %w", t.ID, err)
		}
	}
	return w, nil
}

// Release removes the task's run folder and all in it; its log and artifacts
// stay. A folder that is gone is no error.
func (f *Files) Release(t work.Task) error {
	dir := f.run(t)
	err := os.RemoveAll(dir)
	if errors.Is(err, fs.ErrPermission) {
		// Tools leave folders that nobody may write to, such as module caches.
		unlock(dir)
		err = os.RemoveAll(dir)
	}
	if err != nil {
		return fmt.Errorf("release task %s: %w", t.ID, err)
	}
	return nil
}

// unlock lets the owner into every folder below dir, as far as that is
// possible; a folder is visited before it is read.
func unlock(dir string) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, _ error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}

// OpenLog opens the log of an attempt for reading. No log yet: an empty one.
func (f *Files) OpenLog(execution, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	file, err := os.Open(f.logPath(execution, stage, action, attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return emptyLog{bytes.NewReader(nil)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("log of %s, attempt %d: %w", action, attempt, err)
	}
	return file, nil
}

type emptyLog struct{ *bytes.Reader }

func (emptyLog) Close() error { return nil }

func (f *Files) run(t work.Task) string {
	sum := sha256.Sum256([]byte(t.ID))
	return filepath.Join(f.dir, "runs", hex.EncodeToString(sum[:16]))
}

func (f *Files) logPath(execution, stage, action string, attempt int) string {
	return filepath.Join(f.dir, "logs", fileName(execution), fileName(stage), fileName(action)+"."+strconv.Itoa(attempt)+".log")
}

// longestName leaves room for a suffix within what file systems allow.
const longestName = 150

// fileName makes a name safe as one element of a path. The names that rollcall
// accepts stay as they are; different names stay different.
func fileName(name string) string {
	var out strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '@', c == '.' && i > 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	s := out.String()
	if s == "" {
		return "%"
	}
	if len(s) > longestName {
		sum := sha256.Sum256([]byte(name))
		s = s[:longestName-33] + "%" + hex.EncodeToString(sum[:16])
	}
	return s
}

// workspace is one task's.
type workspace struct {
	files    *Files
	dir, log string
}

func (w *workspace) Dir() string     { return w.dir }
func (w *workspace) LogFile() string { return w.log }

func (w *workspace) Log() (io.WriteCloser, error) {
	f, err := os.OpenFile(w.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}
