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
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Unpack lays an artifact out in dir, creating it when it is not there; what is
// there under the same names is replaced. The stored bytes are proved and every
// name in them is checked before the first file is written: a missing or damaged
// artifact, or one that reaches out of dir, is an error that names it, and leaves
// dir as it was. Only the disk can fail half-way; calling again makes it whole.
func (w *workspace) Unpack(a workflows.Artifact, dir string) error {
	if err := w.files.unpack(a, dir); err != nil {
		return fmt.Errorf("artifact %s: %w", a.Name, err)
	}
	return nil
}

func (f *Files) unpack(a workflows.Artifact, dir string) error {
	if !digestForm(a.Digest) {
		return fmt.Errorf("%q is no SHA-256 digest", a.Digest)
	}
	file, err := f.open(a)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := f.prove(a, file); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	l := layout{root: root}
	if err := f.each(file, l.extract); err != nil {
		return err
	}
	return l.finish()
}

func digestForm(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size && strings.ToLower(s) == s
}

// names are those of an archive so far; true: a folder.
type names map[string]bool

// check refuses what could leave the folder or land on something else in it.
func (n names) check(h *tar.Header, content io.Reader) error {
	if !filepath.IsLocal(h.Name) || h.Name == "." {
		return fmt.Errorf("it names %q, which does not lie inside a folder", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeReg:
	case tar.TypeSymlink:
		if !inside(h.Name, h.Linkname) {
			return fmt.Errorf("the link %s leads to %s, outside the folder", h.Name, h.Linkname)
		}
	default:
		return fmt.Errorf("%s is neither file, folder nor link", h.Name)
	}
	for p := path.Dir(h.Name); p != "."; p = path.Dir(p) {
		if isDir, ok := n[p]; ok && !isDir {
			return fmt.Errorf("it puts %s below %s, which is no folder", h.Name, p)
		}
	}
	if _, ok := n[h.Name]; ok {
		return fmt.Errorf("it names %s twice", h.Name)
	}
	n[h.Name] = h.Typeflag == tar.TypeDir
	_, err := io.Copy(io.Discard, content)
	return err
}

// layout writes entries below a root.
type layout struct {
	root  *os.Root
	dirs  []dirMode // modes that folders get at the end, when nothing more is written into them
	links []string
}

type dirMode struct {
	path string
	mode fs.FileMode
}

func (l *layout) extract(h *tar.Header, content io.Reader) error {
	mode := fs.FileMode(h.Mode).Perm()
	if err := l.parents(path.Dir(h.Name)); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		l.dirs = append(l.dirs, dirMode{h.Name, mode})
		return l.mkdir(h.Name)
	}
	if err := l.root.RemoveAll(h.Name); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeSymlink {
		l.links = append(l.links, h.Name)
		return l.root.Symlink(h.Linkname, h.Name)
	}
	file, err := l.root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = file.Chmod(mode) // past the umask
	}
	return errors.Join(err, file.Close())
}

// parents makes sure that all folders down to p are folders, not links to some.
func (l *layout) parents(p string) error {
	if p == "." {
		return nil
	}
	if info, err := l.root.Lstat(p); err == nil && info.IsDir() {
		return nil
	}
	if err := l.parents(path.Dir(p)); err != nil {
		return err
	}
	return l.mkdir(p)
}

// mkdir makes a folder that can be written to, in place of whatever else has its name.
func (l *layout) mkdir(p string) error {
	info, err := l.root.Lstat(p)
	if err == nil && info.IsDir() {
		return l.root.Chmod(p, 0o755)
	}
	if err == nil {
		if err := l.root.RemoveAll(p); err != nil {
			return err
		}
	}
	return l.root.Mkdir(p, 0o755)
}

// finish sets the folders' modes, innermost first, and takes back links that
// lead out of the folder by way of others.
func (l *layout) finish() error {
	for _, p := range l.links {
		if _, err := l.root.Stat(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("the link %s leads nowhere inside the folder: %w", p, err), l.root.Remove(p))
		}
	}
	for _, d := range slices.Backward(l.dirs) {
		if err := l.root.Chmod(d.path, d.mode); err != nil {
			return err
		}
	}
	return nil
}
