package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"
)

// Options says how the file is opened. The zero value is right for the service.
type Options struct {
	// MapSize is how much address space, in bytes, is mapped from the start; 0:
	// 64 GiB. As long as the file is smaller, growing it never waits for
	// readers. Less is taken where the system does not give as much. Tests that
	// open many files choose little.
	MapSize int64
	// LockTimeout is how long to wait for another process to let go of the file; 0: 1 s.
	LockTimeout time.Duration
	// NoSync leaves out fsync: nothing is durable. For tests only.
	NoSync bool
}

const (
	defaultMapSize     = 64 << 30
	growBy             = 1 << 20   // how much larger the file is made when it is full: some 300 executions
	smallMapSize       = 256 << 20 // what a 32-bit address space has room for
	defaultLockTimeout = time.Second
)

// errClosed is the answer of a store that was closed, or that could not be opened again.
var errClosed = errors.New("the store is closed")

// DB is the durable store. Its methods may be called from any goroutine.
//
// mu guards the pointer, not the file: every transaction holds it shared,
// Reopen and Close hold it alone, so they wait for transactions to end.
type DB struct {
	path    string
	options Options
	codec   codec

	mu   sync.RWMutex
	bolt *bbolt.DB // nil once closed
}

// Open opens the file at path, and creates it with its folder (mode 0700) when
// it is not there. The error is a sentence for people when another process uses
// the file, when it is damaged, or when a newer rollcall wrote it.
func Open(path string, o Options) (*DB, error) {
	if o.MapSize <= 0 {
		o.MapSize = defaultMapSize
	}
	if strconv.IntSize == 32 {
		o.MapSize = min(o.MapSize, smallMapSize)
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	db := &DB{path: path, options: o}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("no folder for the database: %w", err)
	}
	if err := db.open(true, false); err != nil {
		return nil, err
	}
	return db, nil
}

// Close closes the file after the running transactions. Closing twice is no error.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.closeFile()
}

// Reopen closes and opens the file again after a commit of unknown outcome, so
// that what is read next is what the file holds, and writes to it: until that is
// durable, what was read may be what only the system's memory holds. After an
// error Reopen may be called again; meanwhile the file is read where that is possible.
func (db *DB) Reopen(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	// What close answers does not matter: its transaction was given up already.
	_ = db.closeFile()
	err := db.open(false, false)
	if err == nil {
		return db.prove()
	}
	if reading := db.open(false, true); reading != nil {
		return err
	}
	return fmt.Errorf("it can only be read: %w", err)
}

// prove makes a small commit, so that all that was read is durable.
func (db *DB) prove() error {
	err := db.guard(func() error {
		return db.bolt.Update(func(tx *bbolt.Tx) error { return meta.in(tx).Put([]byte(keyProved), wrap(nil)) })
	})
	if err != nil {
		return fmt.Errorf("%s takes no write: %w; make room on the disk, or see to it that it can be written", db.path, err)
	}
	return nil
}

func (db *DB) closeFile() error {
	if db.bolt == nil {
		return nil
	}
	b := db.bolt
	db.bolt = nil
	if err := b.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", db.path, err)
	}
	return nil
}

// open opens the file, maps as much as the system gives, and makes sure that it is whole and ours.
// An empty file is none: bbolt would make a new database of it. Neither is one
// that has gone, unless it may be created.
func (db *DB) open(create, readOnly bool) error {
	switch info, err := os.Stat(db.path); {
	case err == nil && info.Size() == 0:
		return fmt.Errorf("%s is empty; restore a backup, or remove the file for a new beginning (rollcall serve --new)", db.path)
	case err == nil && info.Size() < int64(2*os.Getpagesize()):
		return fmt.Errorf("%s is cut short: it has %d bytes; restore a backup", db.path, info.Size())
	case err != nil && !create:
		return fmt.Errorf("%s has gone: %w; restore a backup", db.path, err)
	}
	b, err := db.openMapped(db.options.MapSize, readOnly)
	if errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.EINVAL) {
		b, err = db.openMapped(0, readOnly)
	}
	switch {
	case errors.Is(err, bberrors.ErrTimeout):
		return fmt.Errorf("another rollcall uses %s; stop it or choose another dataDir", db.path)
	case errors.Is(err, bberrors.ErrInvalid), errors.Is(err, bberrors.ErrChecksum), errors.Is(err, bberrors.ErrVersionMismatch):
		return fmt.Errorf("%s is damaged or no database of rollcall's (%w); restore a backup or choose another dataDir", db.path, err)
	case err != nil:
		return fmt.Errorf("opening %s: %w", db.path, err)
	}
	if err := db.guard(func() error { return db.admit(b) }); err != nil {
		_ = b.Close() // the reason to close is the error to tell
		return err
	}
	db.bolt = b
	return nil
}

func (db *DB) openMapped(size int64, readOnly bool) (b *bbolt.DB, err error) {
	var file *os.File
	err = db.guard(func() error {
		b, err = bbolt.Open(db.path, 0o600, &bbolt.Options{
			Timeout: db.options.LockTimeout,
			// Array and synced: opening never scans the file, and a list that
			// stays short (rows are rarely deleted) costs nothing to write.
			FreelistType:    bbolt.FreelistArrayType,
			InitialMmapSize: int(size),
			ReadOnly:        readOnly,
			NoSync:          db.options.NoSync,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag, mode)
				file = f
				return f, err
			},
		})
		if err == nil {
			b.AllocSize = growBy
		}
		return err
	})
	if err != nil && file != nil {
		// A file so damaged that opening panicked keeps its lock until it is closed.
		_ = file.Close()
	}
	return b, err
}

// admit creates what is missing in a new file and refuses a file that is cut
// short (touching a mapped page behind its end would end the process) or newer.
func (db *DB) admit(b *bbolt.DB) error {
	fresh := false
	err := b.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(db.path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%s is cut short: it has %d bytes and needs %d; restore a backup", db.path, info.Size(), tx.Size())
		}
		b := meta.in(tx)
		if fresh = b == nil; fresh {
			return nil
		}
		_, err = unwrap(meta, b.Get([]byte(keyFormat)))
		return err
	})
	if err != nil || !fresh {
		return err
	}
	err = b.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return meta.in(tx).Put([]byte(keyFormat), []byte{version})
	})
	if err != nil {
		return fmt.Errorf("setting up %s: %w", db.path, err)
	}
	return syncDir(filepath.Dir(db.path))
}

// raise says, in a file of an earlier version, that rows of this version are in
// it now: an older rollcall refuses it as a whole.
func raise(tx *bbolt.Tx) error {
	if row := meta.in(tx).Get([]byte(keyFormat)); len(row) > 0 && row[0] == version {
		return nil
	}
	return meta.in(tx).Put([]byte(keyFormat), []byte{version})
}

// syncDir makes the file's name as durable as its content.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (db *DB) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	return db.run(ctx, func() error { return db.bolt.View(read) })
}

func (db *DB) update(ctx context.Context, write func(tx *bbolt.Tx) error) error {
	return db.run(ctx, func() error { return db.bolt.Update(write) })
}

func (db *DB) run(ctx context.Context, transact func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.bolt == nil {
		return errClosed
	}
	return db.guard(transact)
}

// guard turns what bbolt does on a damaged page, a panic or a memory fault,
// into an error: one bad row must not take the process down.
func (db *DB) guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s seems damaged (%v); run `rollcall check`, restore a backup", db.path, p)
		}
	}()
	return do()
}
