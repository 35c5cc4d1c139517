package files

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Pack stores files of dir as an artifact: those that match one of the globs
// (doublestar's, relative to dir), with their paths; a folder that matches
// stands for all that is in it. No globs: everything. Mode bits are kept, and so
// are symbolic links inside dir; a link that leads out of it is an error, and
// so are globs that match nothing. Sockets, pipes and devices are left out.
// Owners and times are not kept, so that equal content has an equal digest.
func (w *workspace) Pack(name, dir string, globs []string) (workflows.Artifact, error) {
	a := workflows.Artifact{Name: name}
	if err := w.files.pack(w, &a, dir, globs); err != nil {
		return workflows.Artifact{}, fmt.Errorf("pack artifact %s: %w", name, err)
	}
	return a, nil
}

func (f *Files) pack(w *workspace, a *workflows.Artifact, dir string, globs []string) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := choose(root, globs)
	if err != nil {
		return err
	}
	folder := filepath.Join(f.dir, "artifacts")
	tmp, err := os.CreateTemp(folder, partial)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	sum := sha256.New()
	counted := &counter{w: io.MultiWriter(tmp, sum)}
	if err = f.write(counted, root, entries); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	a.Digest, a.Size = hex.EncodeToString(sum.Sum(nil)), counted.n
	// Renaming also where the digest is there already: it heals a damaged file, and makes it new.
	err = f.pins.pin(w.id, a.Digest, func() error { return os.Rename(tmp.Name(), filepath.Join(folder, a.Digest+f.ending())) })
	if err != nil {
		return err
	}
	if err = syncDir(folder); err != nil {
		return err
	}
	return f.store(w.pipeline, a)
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// entry is something to pack, at its path below the root.
type entry struct {
	path string
	typ  fs.FileMode
}

// choose lists what the globs match, and the folders above it, in the order of paths.
func choose(root *os.Root, globs []string) ([]entry, error) {
	patterns, err := clean(globs)
	if err != nil {
		return nil, err
	}
	var all []entry
	chosen := map[string]bool{}
	err = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() && d.Type() != fs.ModeSymlink {
			return nil
		}
		all = append(all, entry{p, d.Type()})
		if len(patterns) == 0 || chosen[path.Dir(p)+"/"] || matches(patterns, p) {
			choosePath(chosen, p, d.IsDir())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(chosen) == 0 && len(patterns) > 0 {
		return nil, fmt.Errorf("no file matches %s (globs are relative to the action's folder)", strings.Join(globs, ", "))
	}
	kept := all[:0]
	for _, e := range all {
		if chosen[e.path] {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// choosePath marks p and the folders above it. "p/" says that all below p is chosen too.
func choosePath(chosen map[string]bool, p string, isDir bool) {
	if isDir {
		chosen[p+"/"] = true
	}
	for ; p != "." && !chosen[p]; p = path.Dir(p) {
		chosen[p] = true
	}
}

func clean(globs []string) ([]string, error) {
	var out []string
	for _, g := range globs {
		p := path.Clean(g)
		switch {
		case g == "" || path.IsAbs(p) || p == ".." || strings.HasPrefix(p, "../"):
			return nil, fmt.Errorf("the glob %q does not lie inside the action's folder", g)
		case !doublestar.ValidatePattern(p):
			return nil, fmt.Errorf("%q is no valid glob", g)
		case p == ".":
			p = "**"
		}
		out = append(out, p)
	}
	return out, nil
}

func matches(patterns []string, p string) bool {
	for _, pattern := range patterns {
		if doublestar.MatchUnvalidated(pattern, p) {
			return true
		}
	}
	return false
}

// ending is what the name of an artifact ends with that is packed here: what is
// kept elsewhere is a zip, because AWS's services read it as it is.
func (f *Files) ending() string {
	if f.options.Artifacts != nil {
		return ".zip"
	}
	return ".tar.gz"
}

// write writes the archive. Nothing in it depends on when, where or by whom it was made.
func (f *Files) write(w io.Writer, root *os.Root, entries []entry) error {
	to := newTarGz(w)
	if f.options.Artifacts != nil {
		to = newZip(w)
	}
	room := f.options.MaxBytes
	if len(entries) > f.options.MaxFiles {
		return f.tooManyFiles()
	}
	for _, e := range entries {
		n, err := put(to, root, e, room)
		if errors.Is(err, errTooBig) {
			return f.tooBig()
		}
		if err != nil {
			return err
		}
		room -= n
	}
	return to.Close()
}

var errTooBig = errors.New("too big")

func (f *Files) tooBig() error {
	return fmt.Errorf("it holds more than %d bytes; name the files that are needed", f.options.MaxBytes)
}

func (f *Files) tooManyFiles() error {
	return fmt.Errorf("it holds more than %d files; name the files that are needed", f.options.MaxFiles)
}

// put adds one entry and returns the bytes of its content.
func put(to archive, root *os.Root, e entry, room int64) (int64, error) {
	h := tar.Header{Name: e.path}
	if e.typ == fs.ModeSymlink {
		target, err := link(root, e.path)
		if err != nil {
			return 0, err
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, target, 0o777
		_, err = to.add(&h)
		return 0, err
	}
	file, err := root.OpenFile(e.path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // a pipe in its place must not keep us
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s was changed while it was being packed", e.path)
	}
	h.Mode = int64(info.Mode().Perm())
	if info.IsDir() {
		h.Typeflag, h.Name = tar.TypeDir, e.path+"/"
		_, err := to.add(&h)
		return 0, err
	}
	if info.Size() > room {
		return 0, errTooBig
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	content, err := to.add(&h)
	if err != nil {
		return 0, err
	}
	if n, err := io.Copy(content, io.LimitReader(file, h.Size)); err != nil {
		return 0, err
	} else if n < h.Size {
		return 0, fmt.Errorf("%s was changed while it was being packed", e.path)
	}
	return h.Size, nil
}

// link reads a symbolic link, and refuses one that leads out of the root, by
// what it says or by what lies on its way.
func link(root *os.Root, p string) (string, error) {
	target, err := root.Readlink(p)
	if err != nil {
		return "", err
	}
	if !inside(p, target) {
		return "", fmt.Errorf("the link %s leads to %s, outside the folder; leave it out", p, target)
	}
	if _, err := root.Stat(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the link %s leads nowhere inside the folder (%w); leave it out", p, err)
	}
	return target, nil
}

// inside says whether a link at p that says target stays below the root, read as text.
func inside(p, target string) bool {
	return target != "" && !path.IsAbs(target) && filepath.IsLocal(path.Join(path.Dir(p), target))
}
