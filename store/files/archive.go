package files

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/rollcall-bot/rollcall/workflows"
)

// longestLink is how many bytes the target of a symbolic link in a zip may have.
const longestLink = 4 << 10

// kindOf tells by its first bytes what an archive is; the answer is the ending
// of its name. What is neither is taken for a tar.gz, whose reader says so.
func kindOf(file io.ReaderAt) string {
	first := make([]byte, 4)
	if _, err := file.ReadAt(first, 0); err == nil && (string(first) == "PK\x03\x04" || string(first) == "PK\x05\x06") {
		return ".zip"
	}
	return ".tar.gz"
}

// prove reads the whole file: its bytes are those of the digest, and it is an
// archive that is safe to lay out.
func (f *Files) prove(a workflows.Artifact, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	counted := &counter{w: sum}
	all := io.TeeReader(file, counted)
	seen, isZip := names{}, kindOf(file) == ".zip"
	var malformed error
	if !isZip {
		malformed = f.eachOfTar(all, seen.check) // and reads it for its digest
	}
	if _, err := io.Copy(io.Discard, all); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != a.Digest || (a.Size > 0 && counted.n != a.Size) {
		return fmt.Errorf("it is damaged: the stored file has digest %s and %d bytes, and should have %s and %d; run the action that made it again", got, counted.n, a.Digest, a.Size)
	}
	if isZip {
		malformed = f.eachOfZip(file, seen.check)
	}
	return malformed
}

// each visits the entries of an archive within the limits.
func (f *Files) each(file *os.File, visit visitor) error {
	if kindOf(file) == ".zip" {
		return f.eachOfZip(file, visit)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return f.eachOfTar(file, visit)
}

// visitor is called with every entry of an archive, whatever its kind, as a tar has it.
type visitor = func(h *tar.Header, content io.Reader) error

func (f *Files) eachOfTar(file io.Reader, visit visitor) error {
	z, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return fmt.Errorf("it is neither a zip nor a gzip file: %w", err)
	}
	defer z.Close()
	t := tar.NewReader(z)
	limits := limiter{f, f.options.MaxBytes, 0}
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is no tar archive: %w", err)
		}
		if err := limits.take(h.Size); err != nil {
			return err
		}
		h.Name = path.Clean(h.Name)
		if err := visit(h, t); err != nil {
			return err
		}
	}
}

func (f *Files) eachOfZip(file *os.File, visit visitor) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(file, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // of paths we judge ourselves
		return fmt.Errorf("it is no zip archive: %w", err)
	}
	limits := limiter{f, f.options.MaxBytes, 0}
	for _, e := range z.File {
		size := int64(min(e.UncompressedSize64, 1<<62))
		if err := limits.take(size); err != nil {
			return err
		}
		content, err := e.Open()
		if err != nil {
			return fmt.Errorf("%q cannot be read from the zip: %w", e.Name, err)
		}
		h, err := headerOf(e, size, content)
		if err == nil {
			err = visit(h, content) // which fails when it holds more than it says
		}
		if err := errors.Join(err, content.Close()); err != nil {
			return err
		}
	}
	return nil
}

// headerOf is an entry of a zip as a tar would have it. The target of a link is its content.
func headerOf(e *zip.File, size int64, content io.Reader) (*tar.Header, error) {
	h := &tar.Header{Name: path.Clean(e.Name), Mode: int64(e.Mode().Perm()), Size: size, Typeflag: tar.TypeReg}
	switch e.Mode().Type() {
	case 0:
	case fs.ModeDir:
		h.Typeflag = tar.TypeDir
	case fs.ModeSymlink:
		target, err := io.ReadAll(io.LimitReader(content, longestLink))
		if err != nil {
			return nil, fmt.Errorf("the link %s cannot be read: %w", e.Name, err)
		}
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(target), 0
	default:
		h.Typeflag = tar.TypeChar // none of ours: it is refused by its name
	}
	return h, nil
}

// limiter counts what an archive holds.
type limiter struct {
	f     *Files
	room  int64
	count int
}

func (l *limiter) take(size int64) error {
	if l.room -= size; l.room < 0 || size < 0 {
		return l.f.tooBig()
	}
	if l.count++; l.count > l.f.options.MaxFiles {
		return l.f.tooManyFiles()
	}
	return nil
}
