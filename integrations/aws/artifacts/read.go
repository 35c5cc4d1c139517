package artifacts

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/rollcall-bot/rollcall/workflows"
)

// ErrTooBig is that a file has more bytes than whoever asks for it takes.
var ErrTooBig = errors.New("too big")

// ReadFile reads one file of an artifact, of at most so many bytes. The artifact is
// proved as a whole before: it is fetched into a file that goes away. A file that
// is not in it is fs.ErrNotExist, other than the artifact itself, which is a [MissingError].
func (s *Store) ReadFile(ctx context.Context, a workflows.Artifact, name string, most int64) ([]byte, error) {
	file, err := s.fetch(ctx, a)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	z, err := zip.NewReader(file, a.Size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // one file is read, and laid out nowhere
		return nil, damaged(a.Name, a.At, "it is no zip archive: "+err.Error())
	}
	for _, e := range z.File {
		if e.Name != name {
			continue
		}
		if e.UncompressedSize64 > uint64(max(most, 0)) {
			return nil, fmt.Errorf("%s in the artifact %s has %d bytes, at most %d: %w", name, a.Name, e.UncompressedSize64, most, ErrTooBig)
		}
		content, err := e.Open()
		if err != nil {
			return nil, damaged(a.Name, a.At, err.Error())
		}
		defer content.Close()
		return io.ReadAll(content) // which fails when it holds more than it says
	}
	return nil, fmt.Errorf("%s is not in the artifact %s: %w", name, a.Name, fs.ErrNotExist)
}

// fetch is the artifact in a file, proved.
func (s *Store) fetch(ctx context.Context, a workflows.Artifact) (_ *os.File, err error) {
	from, err := s.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	file, err := os.CreateTemp("", "rollcall-artifact-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(from, a.Size+1))
	if err != nil {
		return nil, &callError{a.At, "it cannot be fetched to its end", err, true}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != a.Digest || n != a.Size {
		return nil, damaged(a.Name, a.At, fmt.Sprintf("it is damaged: it has digest %s and %d bytes, and should have %s and %d; run the action that made it again", got, n, a.Digest, a.Size))
	}
	return file, nil
}
