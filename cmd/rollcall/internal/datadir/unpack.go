package datadir

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// trailer is how an archive ends: one that lacks it was cut off.
const trailer = 1024

// unpack lays a backup out in an empty folder, durably, and returns when it was
// made. Only what a backup can hold is taken.
func unpack(ctx context.Context, backup, to string) (made time.Time, err error) {
	f, err := os.Open(backup)
	if err != nil {
		return made, fmt.Errorf("reading the backup: %w", err)
	}
	defer f.Close()
	if err := ended(f); err != nil {
		return made, err
	}
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return made, notSound("%s cannot be read as an archive: %v", backup, err)
		}
		if err := ctx.Err(); err != nil {
			return made, err
		}
		folder, _, inside := strings.Cut(h.Name, "/")
		kept := h.Name == database || h.Name == "host" || inside && (folder == "artifacts" || folder == "logs")
		switch {
		case h.Typeflag != tar.TypeReg, !filepath.IsLocal(h.Name), !kept:
			return made, notSound("%s holds %q, which no backup does", backup, h.Name)
		case h.Name == "host": // this host has an identity of its own
			continue
		case h.Name == database:
			made = h.ModTime
		}
		if err := lay(filepath.Join(to, filepath.FromSlash(h.Name)), in); errors.Is(err, io.ErrUnexpectedEOF) {
			return made, notSound("%s was cut off in %s", backup, h.Name)
		} else if err != nil {
			return made, fmt.Errorf("laying out %s: %w", h.Name, err)
		}
	}
	if made.IsZero() {
		return made, notSound("%s holds no %s", backup, database)
	}
	return made, nil
}

// ended refuses an archive that was cut off, also between two of its files.
func ended(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	end := make([]byte, trailer)
	if n, err := f.ReadAt(end, info.Size()-trailer); n < trailer || err != nil || len(bytes.Trim(end, "\x00")) > 0 {
		return notSound("%s was cut off, or is no archive", f.Name())
	}
	return nil
}

// lay writes a file that is not there, durably.
func lay(path string, in io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, in); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
