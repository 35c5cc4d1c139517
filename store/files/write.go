package files

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"time"
)

// archive is what entries are packed into.
type archive interface {
	// add begins an entry, which a tar's header describes; its content follows.
	add(h *tar.Header) (content io.Writer, err error)
	Close() error
}

type tarGz struct {
	z *gzip.Writer
	t *tar.Writer
}

func newTarGz(w io.Writer) archive {
	z := gzip.NewWriter(w)
	return tarGz{z, tar.NewWriter(z)}
}

func (a tarGz) add(h *tar.Header) (io.Writer, error) {
	h.ModTime, h.Format = time.Unix(0, 0), tar.FormatPAX
	return a.t, a.t.WriteHeader(h)
}

// Close ends the archive.
func (a tarGz) Close() error { return errors.Join(a.t.Close(), a.z.Close()) }

type zipFile struct{ z *zip.Writer }

func newZip(w io.Writer) archive { return zipFile{zip.NewWriter(w)} }

// add writes the target of a link as its content, as zips have it.
func (a zipFile) add(h *tar.Header) (io.Writer, error) {
	e := &zip.FileHeader{Name: h.Name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)} // the first moment that a zip knows
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		mode |= fs.ModeDir
		e.Method = zip.Store
	case tar.TypeSymlink:
		mode |= fs.ModeSymlink
		e.Method = zip.Store
	}
	e.SetMode(mode)
	content, err := a.z.CreateHeader(e)
	if err == nil && h.Typeflag == tar.TypeSymlink {
		_, err = io.WriteString(content, h.Linkname)
	}
	return content, err
}

// Close ends the archive.
func (a zipFile) Close() error { return a.z.Close() }
