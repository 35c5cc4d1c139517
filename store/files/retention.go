package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// pins are the digests of artifacts that a task has stored while its outcome is
// not durable yet: nothing refers to them, and they must stay.
type pins struct {
	mu sync.Mutex // also held while an artifact is removed, so that none is stored anew meanwhile
	by map[string][]string
}

// pin notes that a task has stored an artifact; place gives it its name.
func (p *pins) pin(task, digest string, place func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[string][]string{}
	}
	if !slices.Contains(p.by[task], digest) {
		p.by[task] = append(p.by[task], digest)
	}
	return place()
}

// unpin forgets a task: its outcome is durable, or it has none.
func (p *pins) unpin(task string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, task)
}

func (p *pins) pinned(digest string) bool {
	for _, digests := range p.by {
		if slices.Contains(digests, digest) {
			return true
		}
	}
	return false
}

// Logs lists the executions of which there are logs, in the order of their names,
// and when something was last written among them.
func (f *Files) Logs(ctx context.Context) ([]work.Stored, error) {
	return f.stored(ctx, "logs", func(name string) (string, bool) { return name, true })
}

// Artifacts lists the digests of the artifacts in the folder, and the places of those
// that are kept elsewhere, and when each was last stored; those that a task has
// stored are left out until it is released, because nothing durable refers to them yet.
func (f *Files) Artifacts(ctx context.Context) ([]work.Stored, error) {
	all, err := f.stored(ctx, "artifacts", func(name string) (string, bool) {
		for _, ending := range endings {
			if digest, ok := strings.CutSuffix(name, ending); ok {
				return digest, true
			}
		}
		return "", false
	})
	if err == nil && f.options.Artifacts != nil {
		var elsewhere []work.Stored
		elsewhere, err = f.options.Artifacts.List(ctx)
		all = append(all, elsewhere...)
	}
	f.pins.mu.Lock()
	defer f.pins.mu.Unlock()
	return slices.DeleteFunc(all, func(s work.Stored) bool { return f.pins.pinned(s.Name) }), err
}

func (f *Files) stored(ctx context.Context, folder string, named func(file string) (string, bool)) (all []work.Stored, err error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, folder))
	if err != nil {
		return nil, fmt.Errorf("list the %s: %w", folder, err)
	}
	for _, e := range entries {
		name, ok := named(e.Name())
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the %s: %w", folder, err)
		}
		all = append(all, work.Stored{Name: name, At: info.ModTime()})
	}
	return all, nil
}

// RemoveLogs removes the logs of an execution, as [Files.Logs] names it. None is no error.
func (f *Files) RemoveLogs(execution string) error {
	if err := f.removeBelow("logs", fileName(execution)); err != nil {
		return fmt.Errorf("remove the logs of %s: %w", execution, err)
	}
	return nil
}

func (f *Files) removeBelow(folder, name string) error {
	root, err := os.OpenRoot(filepath.Join(f.dir, folder))
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(name)
}

// RemoveArtifact removes an artifact, as [Files.Artifacts] names it, unless it was
// stored at that time or later, or a task that is not over has stored it. One that
// is gone is no error.
func (f *Files) RemoveArtifact(digest string, before time.Time) (removed bool, err error) {
	if !digestForm(digest) && f.options.Artifacts != nil {
		ctx, cancel := context.WithTimeout(context.Background(), removing)
		defer cancel()
		return f.options.Artifacts.Remove(ctx, digest, before)
	}
	f.pins.mu.Lock()
	defer f.pins.mu.Unlock()
	path := f.artifact(digest)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("remove artifact %s: %w", digest, err)
	case !info.ModTime().Before(before), f.pins.pinned(digest):
		return false, nil
	}
	if err := os.Remove(path); err != nil {
		return false, fmt.Errorf("remove artifact %s: %w", digest, err)
	}
	return true, nil
}

// removing is how long removing one artifact elsewhere may take.
const removing = time.Minute

// HasLog says whether there is a log of an attempt.
func (f *Files) HasLog(execution, stage, action string, attempt int) bool {
	_, err := os.Lstat(f.logPath(execution, stage, action, attempt))
	return err == nil
}

// HasArtifact says whether an artifact is in the folder.
func (f *Files) HasArtifact(digest string) bool {
	_, err := os.Lstat(f.artifact(digest))
	return err == nil
}
