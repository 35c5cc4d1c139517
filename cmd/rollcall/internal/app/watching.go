package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// pollEvery is how often the files are looked at where the system does not
	// report their changes; one must be in force within 5 s.
	pollEvery = 2 * time.Second
	// checkEvery is how often they are looked at all the same where it does: a folder
	// above them may have been renamed.
	checkEvery = 5 * time.Minute
	// quietFor is how long nothing more must have changed before the files are read: an
	// editor, or git, is at work. After quietAtMost they are read anyway.
	quietFor, quietAtMost = 200 * time.Millisecond, 1500 * time.Millisecond
)

// places are the directories in which a change may change what the pipeline files
// hold, with the names in them that matter; nil: all of them.
type places map[string]map[string]bool

// add has a name in a directory matter.
func (p places) add(dir, name string) {
	names, known := p[dir]
	if known && names == nil {
		return
	}
	if !known {
		p[dir] = map[string]bool{}
	}
	p[dir][name] = true
}

// addPath has everything matter by which a path leads where it leads: its last
// part, and each symbolic link on the way. It returns where it leads, or how far
// it comes.
func (p places) addPath(path string) string {
	const mostLinks = 40
	at, rest := "/", strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			p.add(at, name)
			return next
		}
		if info.Mode()&os.ModeSymlink == 0 {
			if len(rest) == 0 {
				p.add(at, name)
			}
			at = next
			continue
		}
		p.add(at, name)
		target, err := os.Readlink(next)
		if links++; err != nil || links > mostLinks {
			return next
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
	}
	return at
}

// equal says whether the same matters in both.
func (p places) equal(q places) bool { return maps.EqualFunc(p, q, maps.Equal) }

// matters says whether an event is about something that matters.
func (p places) matters(ev fsnotify.Event) bool {
	if _, itself := p[ev.Name]; itself {
		return true
	}
	names, known := p[filepath.Dir(ev.Name)]
	return known && (names == nil || names[filepath.Base(ev.Name)])
}

// places are those of the folder, of what its links lead to, and of the templates.
func (d *definitions) places() places {
	p := places{}
	folder, err := filepath.Abs(d.config.Pipelines)
	if err != nil {
		return p
	}
	if info, err := os.Stat(p.addPath(folder)); err == nil && info.IsDir() {
		p[p.addPath(folder)] = nil
	}
	for _, path := range d.links {
		p.addPath(filepath.Join(folder, filepath.Base(path)))
	}
	for _, c := range d.known {
		for name := range c.Extends {
			p.addPath(filepath.Join(folder, name))
		}
	}
	return p
}

// watcher reports changes in places. It is always of one goroutine.
type watcher struct {
	notify *fsnotify.Watcher // nil: nothing is reported
	places places
}

// close ends the reports.
func (w *watcher) close() {
	if w.notify != nil {
		_ = w.notify.Close() // nothing was written
		w.notify = nil
	}
}

// watch has changes in the places reported, and no others. The error says why
// they cannot be.
func (w *watcher) watch(p places) (err error) {
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	for dir := range p {
		if !reportsChanges(dir) {
			return fmt.Errorf("the file system of %s does not report what other machines change", dir)
		}
	}
	if w.notify == nil {
		if w.notify, err = fsnotify.NewWatcher(); err != nil {
			return err
		}
	}
	w.places = p
	for _, dir := range w.notify.WatchList() {
		if _, wanted := p[dir]; !wanted {
			_ = w.notify.Remove(dir) // it may be gone
		}
	}
	watched := w.notify.WatchList()
	for _, dir := range slices.Sorted(maps.Keys(p)) {
		if slices.Contains(watched, dir) {
			continue
		}
		if err := w.notify.Add(dir); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
	}
	return nil
}

// next waits until something that matters has changed and all is quiet, for a
// time at most, until anew says that all is to be read anew, or until ctx ends.
func (w *watcher) next(ctx context.Context, anew <-chan os.Signal, most time.Duration) (all bool) {
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w.notify != nil {
		events, failures = w.notify.Events, w.notify.Errors
	}
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	var quiet, late <-chan time.Time
	for {
		select {
		case ev := <-events:
			if !w.places.matters(ev) {
				continue
			}
			if quiet = time.After(quietFor); late == nil {
				late = time.After(quietAtMost)
			}
			continue
		case err := <-failures:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.close() // and begins anew
			}
		case <-anew:
			return true
		case <-quiet:
		case <-late:
		case <-timeout.C:
		case <-ctx.Done():
		}
		return false
	}
}
