package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Restoration is what a restore has brought back.
type Restoration struct {
	event.Restored
	Pipelines int
	InDoubt   []string // what was under way: "webshop#42 Deploy/Ship"
	Missing   []string // artifacts that the backup names and does not hold
	RunsMoved string   // where run folders were put that lay there already; empty: none did
}

// notSoundError says that a file is no backup that can be restored, and why.
type notSoundError struct {
	Problems []string // at least one
}

// Error is the first problem, and how many more there are.
func (n *notSoundError) Error() string {
	text := "the backup is not sound, and nothing was restored: " + n.Problems[0]
	if more := len(n.Problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more problems)", more)
	}
	return text
}

func notSound(format string, args ...any) error {
	return &notSoundError{Problems: []string{fmt.Sprintf(format, args...)}}
}

// Restore brings a backup back into a data folder without a database. What it
// holds is laid out beside, verified, marked as restored, and only then put in
// its place, the database last and in one step; after an error everything is as before.
// Artifacts and logs that are there stay as they are, and so does the identity of the host.
func Restore(ctx context.Context, dir, backup, token string, now time.Time) (r Restoration, err error) {
	if _, err := os.Lstat(filepath.Join(dir, database)); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s is there already, and a backup is never restored over a database; move the folder away, or choose another dataDir", filepath.Join(dir, database))
		}
		return r, err
	}
	undo := undoing{}
	defer func() {
		if err != nil {
			undo.all()
		}
	}()
	if err := undo.mkdir(dir); err != nil {
		return r, fmt.Errorf("no folder to restore into: %w", err)
	}
	staged, err := os.MkdirTemp(dir, leftoverRestore)
	if err != nil {
		return r, fmt.Errorf("laying out the backup: %w", err)
	}
	defer os.RemoveAll(staged)
	made, err := unpack(ctx, backup, staged)
	if err != nil {
		return r, err
	}
	if r, err = verify(ctx, staged, token, made, now); err != nil {
		return r, err
	}
	r.RunsMoved, err = place(&undo, staged, dir, token)
	return r, err
}

// verify checks what was laid out, and marks it as restored.
func verify(ctx context.Context, staged, token string, made, now time.Time) (r Restoration, err error) {
	db, err := store.Open(filepath.Join(staged, database), store.Options{})
	if err != nil {
		return r, notSound("its database cannot be opened: %v", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	faults, err := Check(ctx, staged, db, Elsewhere{})
	if err != nil {
		return r, err
	}
	if wrong := damagedBy(faults); len(wrong) > 0 {
		return r, &notSoundError{Problems: wrong}
	}
	for _, f := range faults {
		r.Missing = append(r.Missing, f.What)
	}
	if err := underWay(ctx, db, &r); err != nil {
		return r, err
	}
	r.Restored, err = db.MarkRestored(ctx, token, made, now)
	return r, err
}

// underWay lists what is open in a database and is not waiting for people.
func underWay(ctx context.Context, db *store.DB, r *Restoration) error {
	heads, err := db.Pipelines(ctx)
	r.Pipelines = len(heads)
	for _, h := range heads {
		s, err := newest(ctx, db, h.Pipeline)
		if err != nil {
			return err
		}
		for _, x := range s.Unfinished() {
			for i := range x.Stages {
				for _, a := range x.Stages[i].Open() {
					if a.Needs != workflows.NeedsApproval {
						r.InDoubt = append(r.InDoubt, x.Ref()+" "+x.Stages[i].Name+"/"+a.Name)
					}
				}
			}
		}
	}
	return err
}

// place moves what was laid out into the data folder. Run folders of another
// life are put aside: what still runs there is not taken up.
func place(undo *undoing, staged, dir, token string) (runsMoved string, err error) {
	for _, folder := range []string{"artifacts", "logs"} {
		if err := merge(undo, filepath.Join(staged, folder), filepath.Join(dir, folder)); err != nil {
			return "", fmt.Errorf("putting %s in place: %w", folder, err)
		}
	}
	runs := filepath.Join(dir, "runs")
	if left, err := os.ReadDir(runs); err == nil && len(left) > 0 {
		runsMoved = runs + ".before-" + token[:min(8, len(token))]
		if err := undo.rename(runs, runsMoved); err != nil {
			return "", fmt.Errorf("putting the run folders aside: %w", err)
		}
	}
	to := filepath.Join(dir, database)
	if err := SyncDir(dir); err != nil {
		return "", err
	}
	// A link, unlike a rename, never replaces a database that has appeared meanwhile.
	if err := os.Link(filepath.Join(staged, database), to); err != nil {
		return "", fmt.Errorf("putting the database in place: %w", err)
	}
	undo.done() // from here on it is restored
	return runsMoved, SyncDir(dir)
}

// merge moves files into a folder, except those that are there.
func merge(undo *undoing, from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = undo.mkdir(to)
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		here, there := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if e.IsDir() {
			err = merge(undo, here, there)
		} else if _, err = os.Lstat(there); errors.Is(err, fs.ErrNotExist) {
			err = undo.rename(here, there)
		}
		if err != nil {
			return err
		}
	}
	return SyncDir(to)
}

// undoing remembers how to leave nothing behind.
type undoing []func()

func (u *undoing) all() {
	for i := len(*u) - 1; i >= 0; i-- {
		(*u)[i]()
	}
}

func (u *undoing) done() { *u = nil }

// mkdir makes a folder, with those above it, unless it is there.
func (u *undoing) mkdir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := u.mkdir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	*u = append(*u, func() { _ = os.Remove(dir) }) // not one that others have used meanwhile
	return nil
}

func (u *undoing) rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	*u = append(*u, func() { _ = os.Rename(to, from) })
	return nil
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
