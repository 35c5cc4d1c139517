package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// database is the file in the data folder that everything is decided by.
const database = "rollcall.db"

// checkDatabase refuses a data folder without its database that holds what a
// service has left: an empty store would take its place without a word. wanted
// says that a new beginning is meant; where there is a database it is not one.
func checkDatabase(dir string, wanted bool) error {
	path := filepath.Join(dir, database)
	_, err := os.Stat(path)
	switch {
	case err == nil && wanted:
		return fmt.Errorf("%s is there already; start without --new, or choose another dataDir", path)
	case err == nil || wanted:
		return nil // an empty one the store itself refuses
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("looking for the database: %w", err)
	}
	for _, name := range []string{"artifacts", "logs", "runs"} {
		used, err := hasFiles(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("looking into the data folder: %w", err)
		}
		if used {
			return fmt.Errorf("%s is missing, and %s beside it holds the work of a service; restore a backup of it, or start once with `rollcall serve --new` for a new beginning", path, name)
		}
	}
	return nil
}

// hasFiles says whether there is a file anywhere below dir.
func hasFiles(dir string) (found bool, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() {
			found, err = true, filepath.SkipAll
		}
		return err
	})
	return found, err
}

// tighten closes a data folder that others can read or write, as one that
// somebody else made may be, and says what it found. Where commands run as an
// account of their own, that account must still be able to pass through.
func tighten(dir string, passing bool) (notes []string) {
	open := fs.FileMode(0o077)
	if passing {
		open = 0o066
	}
	for _, name := range []string{".", "runs", "artifacts", "logs", "sources", database} {
		if name == "artifacts" {
			open = 0o077
		}
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink != 0 || info.Mode().Perm()&open == 0 {
			continue
		}
		was, want := info.Mode().Perm(), info.Mode().Perm()&^open
		if err := os.Chmod(path, want); err != nil {
			notes = append(notes, fmt.Sprintf("others can look into %s (mode %04o); close it with: chmod %04o %s", path, was, want, path))
			continue
		}
		notes = append(notes, fmt.Sprintf("%s was open to others (mode %04o); it is %04o now", path, was, want))
	}
	return notes
}
