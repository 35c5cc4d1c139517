package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// folder is a task's run folder; its value is the path.
type folder string

// Files under .run. Marks are files whose being there is the message.
const (
	lockFile    = "lock"
	startedMark = "started"
	cancelMark  = "cancel"
	endingFile  = "ending"
	errorsFile  = "supervisor.log"
)

// How a run ended.
const (
	exited    = "exited"    // by itself: Status or Signal
	timedOut  = "timedOut"  // ended at its deadline
	cancelled = "cancelled" // ended because somebody asked
	notRun    = "notRun"    // never began: Code and Message say why
)

// ending is the last word about a run, written once.
type ending struct {
	How     string             `json:"how"`
	Status  int                `json:"status,omitempty"`
	Signal  string             `json:"signal,omitempty"`
	Code    string             `json:"code,omitempty"`
	Message string             `json:"message,omitempty"`
	Finding *workflows.Finding `json:"finding,omitempty"`
	Outputs map[string]string  `json:"outputs,omitempty"`
	Notes   []string           `json:"notes,omitempty"` // exited with status 0: what of the rest did not work
	At      time.Time          `json:"at,omitzero"`     // when the commands ended by themselves
}

// state is how a run stands; see the package's table.
type state int

const (
	untouched state = iota // not started, lock free
	starting               // not started, lock taken
	running                // started, lock taken
	lost                   // started, lock free, no ending
	over
)

func (f folder) control(name string) string { return filepath.Join(string(f), ".run", name) }
func (f folder) home() string               { return filepath.Join(string(f), ".home") }
func (f folder) exported() string           { return filepath.Join(f.home(), ".rollcall-exported") }

// input is the folder of an input artifact.
func (f folder) input(name string) string { return filepath.Join(string(f), name) }

// work is the folder in which the task's commands run.
func (f folder) work(t work.Task) string {
	if len(t.Inputs) > 0 {
		return f.input(t.Inputs[0].Name)
	}
	return f.input("work")
}

// create creates the control folder durably. Without its entry on disk, a power
// cut could make a run look as if it had never begun.
func (f folder) create() error {
	control := filepath.Join(string(f), ".run")
	if _, err := os.Stat(control); err == nil {
		return nil
	}
	if err := os.MkdirAll(control, 0o700); err != nil {
		return fmt.Errorf("prepare the run folder: %w", err)
	}
	return errors.Join(syncDir(string(f)), syncDir(filepath.Dir(string(f))))
}

func (f folder) has(mark string) bool {
	_, err := os.Lstat(f.control(mark))
	return err == nil
}

// mark makes a mark durable.
func (f folder) mark(name string) error {
	file, err := os.OpenFile(f.control(name), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("mark the run as %s: %w", name, err)
	}
	err = errors.Join(file.Sync(), file.Close(), syncDir(f.control("")))
	if err != nil {
		return fmt.Errorf("mark the run as %s: %w", name, err)
	}
	return nil
}

// end writes the last word: durable before it can be seen.
func (f folder) end(e ending) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	next := f.control(endingFile + ".new")
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the run's ending: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write the run's ending: %w", err)
	}
	if err := errors.Join(os.Rename(next, f.control(endingFile)), syncDir(f.control(""))); err != nil {
		return fmt.Errorf("write the run's ending: %w", err)
	}
	return nil
}

// ending reads the last word; ok is false when there is none yet.
func (f folder) ending() (e ending, ok bool, err error) {
	data, err := os.ReadFile(f.control(endingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err != nil {
		return e, false, fmt.Errorf("read the run's ending: %w", err)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, false, fmt.Errorf("read the run's ending: %w", err)
	}
	return e, true, nil
}

// tryLock takes the lock (syscall.LOCK_EX), or looks whether it is free
// (LOCK_SH). nil: somebody else has it, or the run folder was never made and
// only a look was wanted. Closing the file gives the lock back, unless a
// supervisor has inherited it.
func (f folder) tryLock(how int) (*os.File, error) {
	file, err := os.OpenFile(f.control(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the run's lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	return nil, fmt.Errorf("take the run's lock: %w", err)
}

// claim takes the lock for a start. nil without an error: the run is over or
// running. It waits while somebody else is starting or only looking.
func (f folder) claim(ctx context.Context) (*os.File, error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		lock, err := f.tryLock(syscall.LOCK_EX)
		if err != nil {
			return nil, err
		}
		_, ended, err := f.ending()
		if err != nil || ended {
			if lock != nil {
				lock.Close()
			}
			return nil, err
		}
		if lock != nil || f.has(startedMark) {
			return lock, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another start of the same commands: %w", ctx.Err())
		case <-again.C:
		}
	}
}

// state looks at the run. It asks for the ending again once the lock is known
// to be free, because a supervisor writes the ending first and goes then.
func (f folder) state() (state, ending, error) {
	if e, ok, err := f.ending(); ok || err != nil {
		return over, e, err
	}
	if _, err := os.Lstat(f.control(lockFile)); errors.Is(err, fs.ErrNotExist) {
		if f.has(startedMark) {
			return lost, ending{}, nil
		}
		return untouched, ending{}, nil
	}
	lock, err := f.tryLock(syscall.LOCK_SH)
	if err != nil {
		return untouched, ending{}, err
	}
	started := f.has(startedMark)
	if lock == nil {
		if started {
			return running, ending{}, nil
		}
		return starting, ending{}, nil
	}
	defer lock.Close()
	if e, ok, err := f.ending(); ok || err != nil {
		return over, e, err
	}
	if started {
		return lost, ending{}, nil
	}
	return untouched, ending{}, nil
}

// scrub leaves the path of the run folder out of a text: people read in it what
// is inside, relative to it.
func (f folder) scrub(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, string(f)+"/", ""), string(f), "the run folder")
}

// scrubs does so to the text of an error.
func (f folder) scrubs(err *error) {
	if *err != nil {
		*err = scrubbed{f, *err}
	}
}

type scrubbed struct {
	folder folder
	err    error
}

func (s scrubbed) Error() string { return s.folder.scrub(s.err.Error()) }
func (s scrubbed) Unwrap() error { return s.err }

// syncDir makes a folder's entries durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
