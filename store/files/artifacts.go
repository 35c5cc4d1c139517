package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Artifacts keeps artifacts outside of the data folder, such as in a bucket: by
// digest, so that a repeat changes nothing and nothing is overwritten. The folder
// is a cache then. What is not there is fs.ErrNotExist; any other error may pass,
// unless it says of itself that it does not: by a method Passes. Errors name the place.
type Artifacts interface {
	// Put stores the bytes of an artifact of a pipeline and returns where, as
	// Artifact.At says it. It may be told the same again.
	Put(ctx context.Context, pipeline string, a workflows.Artifact, r io.ReadSeeker) (at string, err error)
	// Get opens what was put. Whoever reads it proves that it is what it should be.
	Get(ctx context.Context, a workflows.Artifact) (io.ReadCloser, error)
	// Stat returns where a pipeline's artifact of that digest is, and its size; At need not be known.
	Stat(ctx context.Context, pipeline string, a workflows.Artifact) (at string, size int64, err error)
	// List lists all that is kept, by [workflows.Artifact.Place], and when it was last put.
	List(ctx context.Context) ([]work.Stored, error)
	// Remove removes what is at a place, unless it was put at that time or later, or
	// is in use. What is gone is no error.
	Remove(ctx context.Context, place string, before time.Time) (removed bool, err error)
}

// transfer is how long one artifact may be under way.
const transfer = 15 * time.Minute

// away is an error of a place that cannot be asked now; asking again may help.
type away struct{ error }

// Passes says that it may go away by itself.
func (away) Passes() bool    { return true }
func (e away) Unwrap() error { return e.error }

// passing marks an error of the place where artifacts are kept, unless that says
// that asking again does not help.
func passing(err error) error {
	var says interface{ Passes() bool }
	if errors.As(err, &says) && !says.Passes() {
		return err
	}
	return away{err}
}

// The names of stored artifacts end with what they are.
var endings = []string{".tar.gz", ".zip"}

// artifact is where an artifact is in the folder, or would be, when no name has it.
func (f *Files) artifact(digest string) string {
	path := filepath.Join(f.dir, "artifacts", digest)
	for _, ending := range endings {
		if _, err := os.Lstat(path + ending); err == nil {
			return path + ending
		}
	}
	return path + endings[0]
}

// store puts an artifact that is in the folder where artifacts are kept, and
// notes where that is.
func (f *Files) store(pipeline string, a *workflows.Artifact) error {
	if f.options.Artifacts == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), transfer)
	defer cancel()
	at, size, err := f.options.Artifacts.Stat(ctx, pipeline, *a)
	if err == nil && size == a.Size {
		a.At = at
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return passing(fmt.Errorf("look for it where artifacts are kept: %w", err))
	}
	file, err := os.Open(f.artifact(a.Digest))
	if err != nil {
		return err
	}
	defer file.Close()
	if a.At, err = f.options.Artifacts.Put(ctx, pipeline, *a, file); err != nil {
		return passing(fmt.Errorf("store it where artifacts are kept: %w", err))
	}
	return f.shrink()
}

// open opens an artifact in the folder, and brings it there when it is elsewhere.
func (f *Files) open(a workflows.Artifact) (*os.File, error) {
	file, err := os.Open(f.artifact(a.Digest))
	switch {
	case err == nil && a.At != "":
		f.renew(a.Digest)
		return file, nil
	case !errors.Is(err, fs.ErrNotExist):
		return file, err
	case a.At == "":
		return nil, fmt.Errorf("it is missing: there is no file %s.tar.gz among the artifacts; retention removes what nothing needs any more", a.Digest)
	case f.options.Artifacts == nil:
		return nil, fmt.Errorf("it is at %s (digest %s), and the configuration does not say how to get there", a.At, a.Digest)
	}
	if err := f.bring(a); err != nil {
		return nil, err
	}
	return os.Open(f.artifact(a.Digest))
}

// bring copies an artifact into the folder. Only what has the right digest gets
// a name there.
func (f *Files) bring(a workflows.Artifact) error {
	ctx, cancel := context.WithTimeout(context.Background(), transfer)
	defer cancel()
	from, err := f.options.Artifacts.Get(ctx, a)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it is missing: there is nothing at %s (digest %s); a rule that removes old objects may have removed it", a.At, a.Digest)
	}
	if err != nil {
		return passing(fmt.Errorf("it cannot be fetched: %w", err))
	}
	defer from.Close()
	folder := filepath.Join(f.dir, "artifacts")
	tmp, err := os.CreateTemp(folder, partial)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // what has its name by then stays
	defer tmp.Close()
	most := a.Size
	if most <= 0 {
		most = f.options.MaxBytes
	}
	if _, err := io.Copy(tmp, io.LimitReader(from, most+1)); err != nil {
		return away{fmt.Errorf("it cannot be fetched from %s: %w", a.At, err)}
	}
	if err := f.prove(a, tmp); err != nil {
		return fmt.Errorf("at %s: %w", a.At, err)
	}
	kind := kindOf(tmp)
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(folder, a.Digest)+kind); err != nil {
		return err
	}
	return errors.Join(syncDir(folder), f.shrink())
}
