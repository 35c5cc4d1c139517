package commands

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// T1: between the look at a folder and the change of its mode somebody puts
// something else in its place, at its end or on the way to it.
func TestAFolderThatIsSwappedIsLeftAlone(t *testing.T) {
	for name, swap := range map[string]func(t *testing.T, inside, outside string){
		"for a link to a file outside":   func(t *testing.T, in, out string) { link(t, filepath.Join(out, "file"), filepath.Join(in, "a/b")) },
		"for a link to a folder outside": func(t *testing.T, in, out string) { link(t, out, filepath.Join(in, "a/b")) },
		"on the way, for a link outside": func(t *testing.T, in, out string) { link(t, out, filepath.Join(in, "a")) },
		"for a link to a file inside":    func(t *testing.T, in, _ string) { link(t, "../file", filepath.Join(in, "a/b")) },
		"for a file":                     func(t *testing.T, in, _ string) { replace(t, filepath.Join(in, "file"), filepath.Join(in, "a/b")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			inside, outside := filepath.Join(dir, "in"), filepath.Join(dir, "out")
			for _, d := range []string{filepath.Join(inside, "a/b"), filepath.Join(outside, "b")} {
				must(t, os.MkdirAll(d, 0o755))
			}
			for _, f := range []string{filepath.Join(inside, "file"), filepath.Join(outside, "file")} {
				must(t, os.WriteFile(f, nil, 0o077), os.Chmod(f, 0o077))
			}
			must(t, os.Chmod(outside, 0o577), os.Chmod(filepath.Join(outside, "b"), 0o077))
			t.Cleanup(func() { must(t, os.Chmod(outside, 0o755)) })
			root, err := os.OpenRoot(inside)
			must(t, err)
			defer root.Close()
			seen := false
			must(t, fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
				if p == "a/b" && d.IsDir() && !seen { // looked at; now it is swapped
					seen = true
					swap(t, inside, outside)
					makeAccessible(root, p)
				}
				return nil
			}))
			for path, want := range map[string]fs.FileMode{outside: 0o577, filepath.Join(outside, "file"): 0o077, filepath.Join(outside, "b"): 0o077} {
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
					t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, want)
				}
			}
			for _, path := range []string{filepath.Join(inside, "file"), filepath.Join(inside, "a/b")} {
				if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm() != 0o077 {
					t.Errorf("%s became %v", path, info.Mode())
				}
			}
			if !seen {
				t.Error("nothing was swapped")
			}
		})
	}
}

// A folder that its owner has closed can be removed all the same.
func TestShutFoldersAreRemoved(t *testing.T) {
	f := folder(t.TempDir())
	deep := filepath.Join(string(f), "work", "cache", "mod")
	must(t, os.MkdirAll(deep, 0o755), os.WriteFile(filepath.Join(deep, "x"), nil, 0o444), os.Chmod(deep, 0), os.Chmod(filepath.Dir(deep), 0o500))
	must(t, f.empty())
	if exists(filepath.Join(string(f), "work")) {
		t.Error("it is still there")
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	must(t, os.RemoveAll(at), os.Symlink(to, at))
}

func replace(t *testing.T, from, at string) {
	t.Helper()
	must(t, os.RemoveAll(at), os.Rename(from, at))
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
