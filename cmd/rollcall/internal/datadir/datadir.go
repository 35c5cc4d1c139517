// Package datadir looks after a data folder: it says whether what is kept there is
// whole, copies it while it is in use, and brings a copy back.
package datadir

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/store"
)

const (
	database = "rollcall.db"
	// The patterns of the copies that a crash may leave in a data folder.
	leftover        = ".backup-*"
	leftoverRestore = ".restore-*"
)

// Sweep removes what a crash has left in the middle of a backup or of a restore.
func Sweep(dir string) {
	for _, pattern := range []string{leftover, leftoverRestore} {
		left, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are good
		for _, path := range left {
			_ = os.RemoveAll(path) // what cannot be removed may lie there
		}
	}
}

// Open opens the store of a data folder that no service uses. It makes none:
// the error is a sentence for people.
func Open(dir string) (*store.DB, error) {
	path := filepath.Join(dir, database)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no database to look at: %w", err)
	}
	return store.Open(path, store.Options{})
}

// Backup writes a tar archive of the database as it is now, the artifacts, the
// logs, and which host it is, so that a restored folder answers for its commands;
// work goes on meanwhile. The database is copied first, into the data
// folder, so that a slow reader keeps nobody waiting.
func Backup(ctx context.Context, dir string, db *store.DB, w io.Writer) error {
	snapshot, err := os.CreateTemp(dir, leftover)
	if err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	defer os.Remove(snapshot.Name())
	err = db.Backup(ctx, snapshot)
	if closing := snapshot.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	out := tar.NewWriter(w)
	if err := pack(out, snapshot.Name(), database); err != nil {
		return err
	}
	for _, folder := range []string{"artifacts", "logs", "host"} { // after the database: all that it names is there
		err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			return errors.Join(ctx.Err(), pack(out, path, filepath.ToSlash(name)))
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("packing %s: %w", folder, err)
		}
	}
	return out.Close()
}

// pack adds a file as long as it is now: a log may grow meanwhile.
func pack(out *tar.Writer, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.CopyN(out, f, info.Size())
	return err
}
