package files_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// shelf is a data folder with one task's workspace.
type shelf struct {
	t   testing.TB
	dir string
	*files.Files
	work.Workspace
}

func newShelf(t testing.TB, o files.Options) *shelf {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	f, err := files.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.Workspace(task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	return &shelf{t: t, dir: dir, Files: f, Workspace: w}
}

func task(id string) work.Task {
	return work.Task{ID: id, Execution: "0195a000-0001-7000-8000-00000000beef", Stage: "Build", Attempt: 1, Action: workflows.Action{Name: "Test"}}
}

func (s *shelf) pack(dir string, globs ...string) workflows.Artifact {
	s.t.Helper()
	a, err := s.Pack("app", dir, globs)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *shelf) stored(a workflows.Artifact) string {
	return filepath.Join(s.dir, "artifacts", a.Digest+".tar.gz")
}

// tree writes what lines say: "MODE PATH CONTENT", "PATH -> TARGET", "MODE PATH/".
func tree(t testing.TB, lines ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var modes []func() error
	for _, line := range lines {
		if p, target, ok := strings.Cut(line, " -> "); ok {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o755), os.Symlink(target, filepath.Join(dir, p)))
			continue
		}
		var mode fs.FileMode
		var p, content string
		_, _ = fmt.Sscanf(line, "%o %s %s", &mode, &p, &content) // content may be missing
		full := filepath.Join(dir, p)
		modes = append(modes, func() error { return os.Chmod(full, mode) })
		if strings.HasSuffix(p, "/") {
			must(t, os.MkdirAll(full, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(content), 0o600))
	}
	for _, m := range modes {
		must(t, m())
	}
	return dir
}

// lines is the opposite of tree, for all that is in dir.
func lines(t testing.TB, dir string) []string {
	t.Helper()
	out := []string{}
	must(t, filepath.WalkDir(dir, func(full string, d fs.DirEntry, err error) error {
		if err != nil || full == dir {
			return err
		}
		p, _ := filepath.Rel(dir, full)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(full)
			out = append(out, p+" -> "+target)
			return err
		case d.IsDir():
			out = append(out, fmt.Sprintf("%o %s/", info.Mode().Perm(), p))
			return nil
		}
		content, err := os.ReadFile(full)
		out = append(out, strings.TrimSpace(fmt.Sprintf("%o %s %s", info.Mode().Perm(), p, content)))
		return err
	}))
	return out
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPackAndUnpack(t *testing.T) {
	source := []string{"755 bin/", "755 bin/deploy #!/bin/sh", "644 .env hidden", "700 empty/", "644 dist/app.js a", "600 dist/deep/er/map b", "444 read-only c",
		"current -> dist/app.js", "dist/up -> ../bin/deploy", "dangling -> nowhere/yet", "round -> dist/../bin", "folder -> dist"}
	for name, c := range map[string]struct {
		globs []string
		want  []string
	}{
		"the whole folder": {nil, []string{"644 .env hidden", "755 bin/", "755 bin/deploy #!/bin/sh", "current -> dist/app.js", "dangling -> nowhere/yet", "755 dist/", "644 dist/app.js a",
			"755 dist/deep/", "755 dist/deep/er/", "600 dist/deep/er/map b", "dist/up -> ../bin/deploy", "700 empty/", "folder -> dist", "444 read-only c", "round -> dist/../bin"}},
		"everything below a folder":      {[]string{"dist/**"}, []string{"755 dist/", "644 dist/app.js a", "755 dist/deep/", "755 dist/deep/er/", "600 dist/deep/er/map b", "dist/up -> ../bin/deploy"}},
		"one star, as documented (C19g)": {[]string{"dist/*"}, []string{"755 dist/", "644 dist/app.js a", "755 dist/deep/", "755 dist/deep/er/", "600 dist/deep/er/map b", "dist/up -> ../bin/deploy"}},
		"a folder by its name":           {[]string{"./dist/deep/"}, []string{"755 dist/", "755 dist/deep/", "755 dist/deep/er/", "600 dist/deep/er/map b"}},
		"files by their ending":          {[]string{"**/*.js", "bin/*"}, []string{"755 bin/", "755 bin/deploy #!/bin/sh", "755 dist/", "644 dist/app.js a"}},
		"one that matches is enough":     {[]string{"missing/*", "{.env,read-only}"}, []string{"644 .env hidden", "444 read-only c"}},
		"an empty folder":                {[]string{"empty"}, []string{"700 empty/"}},
		"a link":                         {[]string{"folder"}, []string{"folder -> dist"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, files.Options{})
			a := s.pack(tree(t, source...), c.globs...)
			info, err := os.Stat(s.stored(a))
			must(t, err)
			if a.Name != "app" || a.Size != info.Size() || info.Mode() != 0o600 {
				t.Errorf("%+v for a file of %d bytes, %v", a, info.Size(), info.Mode())
			}
			to := filepath.Join(s.Dir(), "in", "app")
			for range 2 { // again over itself, as after a crash
				must(t, s.Unpack(a, to))
				if d := cmp.Diff(c.want, lines(t, to)); d != "" {
					t.Errorf("unpacked (-want +got):\n%s", d)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(s.dir, "artifacts", ".partial-*")); left != nil {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestEqualContentIsStoredOnce(t *testing.T) {
	s := newShelf(t, files.Options{})
	first := tree(t, "644 b 1", "755 a/x 2", "l -> b")
	second := tree(t, "755 a/x 2", "l -> b", "644 b 1")
	must(t, os.Chtimes(filepath.Join(first, "b"), time.Unix(1, 0), time.Unix(1, 0)))
	a, b := s.pack(first), s.pack(second)
	if a != b {
		t.Errorf("equal folders: %+v and %+v", a, b)
	}
	if c := s.pack(tree(t, "644 b 1", "755 a/x 3", "l -> b")); c.Digest == a.Digest {
		t.Error("different folders have one digest")
	}
	if c := s.pack(tree(t, "600 b 1", "755 a/x 2", "l -> b")); c.Digest == a.Digest {
		t.Error("different modes have one digest")
	}
	if e := s.pack(t.TempDir()); e.Digest == "" || e.Size == 0 {
		t.Errorf("the empty folder: %+v", e)
	}
}

func TestPackRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		tree  []string
		globs []string
		o     files.Options
		want  string
	}{
		"a link to elsewhere":          {tree: []string{"etc -> /etc/passwd"}, want: "pack artifact app: the link etc leads to /etc/passwd, outside the folder; leave it out"},
		"a link upwards":               {tree: []string{"a/up -> ../../x"}, want: "the link a/up leads to ../../x, outside the folder"},
		"a link out by way of another": {tree: []string{"644 d/e/f x", "d/e/l -> ../..", "x -> d/e/l/.."}, want: "the link x leads"},
		"globs without a match":        {tree: []string{"644 a x"}, globs: []string{"dist/**", "*.js"}, want: "no file matches dist/**, *.js"},
		"a glob upwards":               {tree: []string{"644 a x"}, globs: []string{"../*"}, want: `the glob "../*" does not lie inside`},
		"a glob from the root":         {tree: []string{"644 a x"}, globs: []string{"/etc/*"}, want: "does not lie inside"},
		"a broken glob":                {tree: []string{"644 a x"}, globs: []string{"[a"}, want: `"[a" is no valid glob`},
		"an empty glob":                {tree: []string{"644 a x"}, globs: []string{""}, want: "does not lie inside"},
		"too many bytes":               {tree: []string{"644 a 12345", "644 b 12345"}, o: files.Options{MaxBytes: 9}, want: "more than 9 bytes"},
		"too many files":               {tree: []string{"644 a x", "644 b x"}, o: files.Options{MaxFiles: 1}, want: "more than 1 files"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, c.o)
			_, err := s.Pack("app", tree(t, c.tree...), c.globs)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Pack = %v\nwant %s", err, c.want)
			}
			if left, _ := os.ReadDir(filepath.Join(s.dir, "artifacts")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestSpecialFilesAreLeftOut(t *testing.T) {
	s := newShelf(t, files.Options{})
	dir := tree(t, "644 a x")
	must(t, mkfifo(filepath.Join(dir, "pipe")))
	to := filepath.Join(s.Dir(), "in")
	must(t, s.Unpack(s.pack(dir), to))
	if d := cmp.Diff([]string{"644 a x"}, lines(t, to)); d != "" {
		t.Error(d)
	}
}

func TestDamagedArtifact(t *testing.T) {
	damage := map[string]func(stored string) error{
		"missing":  os.Remove,
		"emptied":  func(p string) error { return os.Truncate(p, 0) },
		"cut":      func(p string) error { return os.Truncate(p, 200) },
		"extended": func(p string) error { return change(p, func(b []byte) []byte { return append(b, 'x') }) },
	}
	for _, at := range []int{0, 5, 100, -1, -9} { // header, content, checksum
		damage[fmt.Sprintf("flipped at %d", at)] = func(p string) error {
			return change(p, func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 0x10; return b })
		}
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, files.Options{})
			content := tree(t, "644 big "+strings.Repeat("0123456789abcdef", 500), "755 run sh")
			a := s.pack(content)
			must(t, do(s.stored(a)))
			to := filepath.Join(s.Dir(), "in")
			err := s.Unpack(a, to)
			if err == nil || !strings.HasPrefix(err.Error(), "artifact app: it is ") || !strings.Contains(err.Error(), a.Digest) {
				t.Errorf("Unpack = %v", err)
			}
			if _, err := os.Stat(to); err == nil {
				t.Errorf("half of it was laid out: %q", lines(t, to))
			}
			// Packing the same content again heals it.
			if again := s.pack(content); again != a {
				t.Fatalf("packed again: %+v, want %+v", again, a)
			}
			must(t, s.Unpack(a, to))
		})
	}
}

func change(path string, how func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, how(b), 0o600)
}

// forged stores bytes as an artifact whose digest is right.
func (s *shelf) forged(stored []byte) workflows.Artifact {
	s.t.Helper()
	sum := sha256.Sum256(stored)
	a := workflows.Artifact{Name: "app", Digest: hex.EncodeToString(sum[:]), Size: int64(len(stored))}
	must(s.t, os.WriteFile(s.stored(a), stored, 0o600))
	return a
}

func archive(headers ...tar.Header) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, h := range headers {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		_ = w.WriteHeader(&h) // a header that tar refuses is not in the archive, and the test sees that
		_, _ = io.CopyN(w, strings.NewReader(strings.Repeat("x", int(h.Size))), h.Size)
	}
	_ = w.Close()
	_ = z.Close()
	return out.Bytes()
}

func TestHostileArtifact(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1} }
	link := func(name, target string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
	}
	for name, c := range map[string]struct {
		stored []byte
		want   string
	}{
		"upwards":                  {archive(file("good"), file("../evil")), `it names "../evil", which does not lie inside a folder`},
		"upwards, hidden":          {archive(file("good"), file("a/../../evil")), `it names "../evil"`},
		"absolute":                 {archive(file("good"), file("/tmp/evil")), `it names "/tmp/evil"`},
		"the folder itself":        {archive(file("good"), link(".", "x")), `it names "."`},
		"a link upwards":           {archive(file("good"), link("l", "../evil")), "the link l leads to ../evil, outside the folder"},
		"an absolute link":         {archive(file("good"), link("l", "/etc")), "the link l leads to /etc, outside"},
		"a file below a link":      {archive(link("l", "sub"), file("l/evil")), "it puts l/evil below l, which is no folder"},
		"a file below a file":      {archive(file("l"), file("l/evil")), "it puts l/evil below l"},
		"the same name twice":      {archive(file("l"), file("l")), "it names l twice"},
		"a hard link":              {archive(file("good"), tar.Header{Typeflag: tar.TypeLink, Name: "h", Linkname: "good"}), "h is neither file, folder nor link"},
		"a device":                 {archive(file("good"), tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}), "null is neither"},
		"too many bytes":           {archive(file("good"), tar.Header{Typeflag: tar.TypeReg, Name: "bomb", Size: 1 << 20}), "more than 65536 bytes"},
		"too many files":           {archive(many(101)...), "more than 100 files"},
		"no gzip":                  {[]byte("hello"), "it is neither a zip nor a gzip file"},
		"no tar":                   {gzipped("hello, this is no archive at all, and it is long enough" + strings.Repeat("!", 600)), "it is no tar archive"},
		"cut before it was stored": {archive(file("good"), file("other"))[:60], "it is no tar archive"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, files.Options{MaxBytes: 64 << 10, MaxFiles: 100})
			to := filepath.Join(s.Dir(), "in")
			if err := s.Unpack(s.forged(c.stored), to); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Unpack = %v\nwant %s", err, c.want)
			}
			if _, err := os.Stat(to); err == nil {
				t.Errorf("laid out: %q", lines(t, to))
			}
		})
	}
	t.Run("a digest that is a path", func(t *testing.T) {
		s := newShelf(t, files.Options{})
		for _, digest := range []string{"", "../../x", strings.Repeat("AB", 32), strings.Repeat("a", 63)} {
			if err := s.Unpack(workflows.Artifact{Name: "app", Digest: digest}, s.Dir()); err == nil || !strings.Contains(err.Error(), "is no SHA-256 digest") {
				t.Errorf("digest %q: %v", digest, err)
			}
		}
	})
}

func many(n int) (hs []tar.Header) {
	for i := range n {
		hs = append(hs, tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprint(i)})
	}
	return hs
}

func gzipped(s string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return out.Bytes()
}

// A link in the target folder does not lead the unpacking astray, and what is in the way is replaced.
func TestUnpackOverOtherThings(t *testing.T) {
	s := newShelf(t, files.Options{})
	outside := tree(t, "644 precious p")
	to := tree(t, "d -> "+outside, "f -> "+outside+"/precious", "755 l/ ", "644 other o")
	must(t, s.Unpack(s.pack(tree(t, "644 d/precious new", "644 f new", "l -> f")), to))
	if d := cmp.Diff([]string{"755 d/", "644 d/precious new", "644 f new", "l -> f", "644 other o"}, lines(t, to)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"644 precious p"}, lines(t, outside)); d != "" {
		t.Errorf("outside was touched:\n%s", d)
	}
}

// Whatever bytes are stored, unpacking ends, and nothing appears outside the target.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(tar.Header{Typeflag: tar.TypeReg, Name: "a/b", Size: 3}, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "a/../a/b"}))
	f.Add(archive(tar.Header{Typeflag: tar.TypeSymlink, Name: "x", Linkname: "y"}, tar.Header{Typeflag: tar.TypeReg, Name: "x/z"}))
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		s := newShelf(t, files.Options{MaxBytes: 1 << 20, MaxFiles: 50})
		parent := t.TempDir()
		_ = s.Unpack(s.forged(stored), filepath.Join(parent, "in"))
		for _, line := range lines(t, parent) {
			if !strings.Contains(line, " in/") && !strings.HasPrefix(line, "in/") {
				t.Errorf("outside the target: %s", line)
			}
		}
	})
}
