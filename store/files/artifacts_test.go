package files_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

// bucket keeps artifacts in memory, as another machine would.
type bucket struct {
	objects map[string][]byte
	puts    int
	put     time.Time // when all of it was put
	away    error     // what everything is answered
}

func (b *bucket) at(a workflows.Artifact) string { return "s3://acme-art/" + a.Digest }

func (b *bucket) Put(_ context.Context, _ string, a workflows.Artifact, r io.ReadSeeker) (string, error) {
	data, err := io.ReadAll(r)
	if err := errors.Join(err, b.away); err != nil {
		return "", err
	}
	b.puts++
	b.objects[a.Digest] = data
	return b.at(a), nil
}

func (b *bucket) Get(_ context.Context, a workflows.Artifact) (io.ReadCloser, error) {
	data, ok := b.objects[a.Digest]
	switch {
	case b.away != nil:
		return nil, b.away
	case !ok:
		return nil, fmt.Errorf("no such key: %w", fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (b *bucket) Stat(_ context.Context, _ string, a workflows.Artifact) (string, int64, error) {
	data, ok := b.objects[a.Digest]
	switch {
	case b.away != nil:
		return "", 0, b.away
	case !ok:
		return "", 0, fs.ErrNotExist
	}
	return b.at(a), int64(len(data)), nil
}

func (b *bucket) List(context.Context) (all []work.Stored, err error) {
	for digest := range b.objects {
		all = append(all, work.Stored{Name: b.at(workflows.Artifact{Digest: digest}), At: b.put})
	}
	return all, b.away
}

func (b *bucket) Remove(_ context.Context, place string, before time.Time) (bool, error) {
	digest := strings.TrimPrefix(place, "s3://acme-art/")
	if _, ok := b.objects[digest]; !ok || !b.put.Before(before) {
		return false, b.away
	}
	delete(b.objects, digest)
	return true, nil
}

// What is packed on one machine is laid out on another, and what comes from
// outside is proved before a file of it is there.
func TestArtifactsElsewhere(t *testing.T) {
	b := &bucket{objects: map[string][]byte{}}
	here, there := newShelf(t, files.Options{Artifacts: b}), newShelf(t, files.Options{Artifacts: b})
	content := tree(t, "755 run sh", "644 dist/app.js a", "current -> dist/app.js")
	a := here.pack(content)
	if again := here.pack(content); a.At != "s3://acme-art/"+a.Digest || again != a || b.puts != 1 {
		t.Fatalf("%+v, then %+v, stored %d times", a, again, b.puts)
	}
	to := t.TempDir()
	must(t, there.Unpack(a, to))
	want := lines(t, to)
	if len(want) != 4 {
		t.Errorf("laid out: %q", want)
	}
	b.away = errors.New("throttled")
	must(t, there.Unpack(a, to)) // the folder has it by now

	passes := func(err error) bool {
		var says interface{ Passes() bool }
		return errors.As(err, &says) && says.Passes()
	}
	other := tree(t, "644 other o")
	if _, err := here.Pack("app", other, nil); err == nil || !passes(err) || !strings.Contains(err.Error(), "throttled") {
		t.Errorf("stored while it is away: %v", err)
	}
	b.away = nil
	a = here.pack(other) // the next try heals it
	if b.away = errors.New("throttled"); !passes(there.Unpack(a, t.TempDir())) {
		t.Error("an artifact that cannot be fetched now is called missing")
	}
	b.away = nil
	for what, do := range map[string]func(){
		"damaged":                   func() { b.objects[a.Digest][9] ^= 1 },
		"longer":                    func() { b.objects[a.Digest] = append(b.objects[a.Digest], 'x') },
		"there is nothing at s3://": func() { delete(b.objects, a.Digest) },
	} {
		whole := bytes.Clone(b.objects[a.Digest])
		do()
		to := filepath.Join(t.TempDir(), "in")
		err := there.Unpack(a, to)
		if what == "longer" {
			what = "damaged"
		}
		if err == nil || passes(err) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), a.Digest) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s: something of it was laid out", what)
		}
		b.objects[a.Digest] = whole
	}
	must(t, there.Unpack(a, t.TempDir()))
	if err := newShelf(t, files.Options{}).Unpack(a, t.TempDir()); err == nil || !strings.Contains(err.Error(), "does not say how to get there") {
		t.Errorf("without a bucket: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(there.dir, "artifacts", ".partial-*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// packed is an entry of a zip: "MODE PATH CONTENT" as in tree, or a link.
type packed struct {
	name, content string
	mode          fs.FileMode
}

func zipped(entries ...packed) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, _ = io.WriteString(w, e.content)
		}
	}
	_ = z.Close()
	return out.Bytes()
}

// given is an artifact that is a zip, elsewhere.
func given(b *bucket, stored []byte) workflows.Artifact {
	sum := sha256.Sum256(stored)
	a := workflows.Artifact{Name: "app", Digest: hex.EncodeToString(sum[:]), Size: int64(len(stored)), At: "s3://acme-art/x.zip"}
	b.objects[a.Digest] = stored
	return a
}

// What AWS leaves is a zip: it is told by its first bytes, and laid out as a tar
// is, with modes and links.
func TestZips(t *testing.T) {
	b := &bucket{objects: map[string][]byte{}}
	s := newShelf(t, files.Options{Artifacts: b})
	a := given(b, zipped(packed{"bin/", "", fs.ModeDir | 0o755}, packed{"bin/deploy", "#!/bin/sh", 0o755}, packed{"dist/app.js", "a", 0o640}, packed{"current", "dist/app.js", fs.ModeSymlink | 0o777}))
	for range 2 {
		to := t.TempDir()
		must(t, s.Unpack(a, to))
		if d := cmp.Diff([]string{"755 bin/", "755 bin/deploy #!/bin/sh", "current -> dist/app.js", "755 dist/", "640 dist/app.js a"}, lines(t, to)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "artifacts", a.Digest+".zip")); err != nil {
		t.Errorf("the folder does not say what it is: %v", err)
	}
	must(t, s.Unpack(given(b, zipped()), t.TempDir())) // an empty one begins otherwise
}

func TestHostileZips(t *testing.T) {
	lying := zipped(packed{"bomb", strings.Repeat("x", 5000), 0o644})
	for i := range len(lying) - 4 { // both places that say how much it holds
		if bytes.Equal(lying[i:i+4], []byte{0x88, 0x13, 0, 0}) {
			lying[i], lying[i+1] = 5, 0
		}
	}
	for name, c := range map[string]struct {
		stored []byte
		want   string
	}{
		"upwards":             {zipped(packed{"good", "", 0o644}, packed{"../evil", "", 0o644}), `it names "../evil", which does not lie inside a folder`},
		"absolute":            {zipped(packed{"/tmp/evil", "", 0o644}), `it names "/tmp/evil"`},
		"a link upwards":      {zipped(packed{"l", "../evil", fs.ModeSymlink | 0o777}), "the link l leads to ../evil, outside the folder"},
		"a file below a link": {zipped(packed{"l", "sub", fs.ModeSymlink | 0o777}, packed{"l/evil", "", 0o644}), "it puts l/evil below l, which is no folder"},
		"the same name twice": {zipped(packed{"l", "", 0o644}, packed{"l", "", 0o644}), "it names l twice"},
		"a device":            {zipped(packed{"null", "", fs.ModeDevice | fs.ModeCharDevice | 0o666}), "null is neither"},
		"too many bytes":      {zipped(packed{"bomb", strings.Repeat("x", 1<<20), 0o644}), "more than 65536 bytes"},
		"too many files":      {zipped(manyPacked(101)...), "more than 100 files"},
		"more than it says":   {lying, "not a valid zip file"},
		"cut":                 {zipped(packed{"good", "x", 0o644})[:40], "it is no zip archive"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bucket{objects: map[string][]byte{}}
			s := newShelf(t, files.Options{MaxBytes: 64 << 10, MaxFiles: 100, Artifacts: b})
			to := filepath.Join(s.Dir(), "in")
			if err := s.Unpack(given(b, c.stored), to); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Unpack = %v\nwant %s", err, c.want)
			}
			if _, err := os.Stat(to); err == nil {
				t.Errorf("laid out: %q", lines(t, to))
			}
		})
	}
}

func manyPacked(n int) (all []packed) {
	for i := range n {
		all = append(all, packed{fmt.Sprint(i), "", 0o644})
	}
	return all
}

// What is kept elsewhere is packed as a zip, which is the same whoever packs it and
// when, and which keeps run bits and links.
func TestPackedAsZip(t *testing.T) {
	b := &bucket{objects: map[string][]byte{}}
	content := []string{"755 run sh", "640 dist/app.js a", "755 empty/", "current -> dist/app.js"}
	s := newShelf(t, files.Options{Artifacts: b})
	a := s.pack(tree(t, content...))
	later := tree(t, content...)
	must(t, os.Chtimes(filepath.Join(later, "run"), time.Unix(1, 0), time.Unix(1, 0)))
	if again := newShelf(t, files.Options{Artifacts: b}).pack(later); again.Digest != a.Digest {
		t.Errorf("the same content has digests %s and %s", a.Digest, again.Digest)
	}
	z, err := zip.NewReader(bytes.NewReader(b.objects[a.Digest]), a.Size)
	must(t, err)
	modes := map[string]fs.FileMode{}
	for _, e := range z.File {
		modes[e.Name] = e.Mode()
	}
	want := map[string]fs.FileMode{"run": 0o755, "dist/": fs.ModeDir | 0o755, "dist/app.js": 0o640, "empty/": fs.ModeDir | 0o755, "current": fs.ModeSymlink | 0o777}
	if d := cmp.Diff(want, modes); d != "" {
		t.Errorf("modes (-want +got):\n%s", d)
	}
	to := t.TempDir()
	must(t, newShelf(t, files.Options{Artifacts: b}).Unpack(a, to))
	if d := cmp.Diff(lines(t, later), lines(t, to)); d != "" {
		t.Errorf("laid out (-want +got):\n%s", d)
	}
}

// The folder keeps what was used last, within its bound, and what a task has stored
// whose outcome is not durable yet.
func TestTheCacheIsBounded(t *testing.T) {
	b := &bucket{objects: map[string][]byte{}}
	before := newShelf(t, files.Options{})
	here := before.pack(tree(t, "644 f from before artifacts were kept elsewhere"))
	f, err := files.Open(before.dir, files.Options{Artifacts: b, CacheBytes: 1})
	must(t, err)
	before.Files = f
	w, err := f.Workspace(task("t2"))
	must(t, err)
	var all []workflows.Artifact
	for i := range 3 {
		a, err := w.Pack("app", tree(t, fmt.Sprint("644 f ", i)), nil)
		must(t, err)
		must(t, os.Chtimes(filepath.Join(before.dir, "artifacts", a.Digest+".zip"), time.Unix(int64(i), 0), time.Unix(int64(i), 0)))
		all = append(all, a)
	}
	kept := func() (n int) {
		for _, a := range all {
			if f.HasArtifact(a.Digest) {
				n++
			}
		}
		return n
	}
	if kept() != 3 {
		t.Errorf("%d of 3 are there while their task is not over", kept())
	}
	must(t, f.Release(task("t2")))
	must(t, w.Unpack(all[0], t.TempDir())) // it is used, so the others are older
	another := given(b, zipped(packed{"f", "x", 0o644}))
	must(t, w.Unpack(another, t.TempDir()))
	if kept() != 0 || !f.HasArtifact(another.Digest) {
		t.Errorf("%d of 3 are there beside what came last", kept())
	}
	if !f.HasArtifact(here.Digest) {
		t.Error("an artifact is gone that is nowhere else")
	}
	must(t, w.Unpack(all[2], t.TempDir())) // it comes back
}

// Retention sees what is kept elsewhere by its place, and removes it there.
func TestRemoveElsewhere(t *testing.T) {
	b := &bucket{objects: map[string][]byte{}, put: time.Now()}
	s := newShelf(t, files.Options{Artifacts: b})
	a := s.pack(tree(t, "644 f x"))
	must(t, s.Release(task("t1")))
	all, err := s.Artifacts(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != a.Digest || all[1].Name != a.Place() {
		t.Fatalf("there are %v, %v", all, err)
	}
	for _, c := range []struct {
		before time.Time
		want   bool
	}{{b.put, false}, {b.put.Add(1), true}, {b.put.Add(1), false}} {
		if got, err := s.RemoveArtifact(a.Place(), c.before); err != nil || got != c.want {
			t.Errorf("before %v: removed %v, %v", c.before, got, err)
		}
	}
	if len(b.objects) != 0 || !s.HasArtifact(a.Digest) {
		t.Error("the wrong one is gone")
	}
	b.away = errors.New("throttled")
	if _, err := s.Artifacts(t.Context()); err == nil {
		t.Error("what cannot be listed counts as nothing")
	}
}
