package files_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store/files"
)

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }

func TestLayout(t *testing.T) {
	s := newShelf(t, files.Options{})
	w, err := s.Log()
	must(t, err)
	must(t, w.Close())
	for path, want := range map[string]os.FileMode{
		"": 0o700, "artifacts": 0o700, "logs": 0o700, "runs": 0o700,
		"logs/0195a000-0001-7000-8000-00000000beef/Build":            0o700,
		"logs/0195a000-0001-7000-8000-00000000beef/Build/Test.1.log": 0o600,
	} {
		if info, err := os.Stat(filepath.Join(s.dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if info, err := os.Stat(s.Dir()); err != nil || info.Mode().Perm() != 0o700 || filepath.Dir(s.Dir()) != filepath.Join(s.dir, "runs") {
		t.Errorf("run folder %s: %v", s.Dir(), err)
	}
}

// A task's run folder is the same after a restart, another task's is another
// one, and releasing one takes all of it and nothing else.
func TestRunFolders(t *testing.T) {
	s := newShelf(t, files.Options{})
	must(t, os.MkdirAll(filepath.Join(s.Dir(), "cache", "locked"), 0o755),
		os.WriteFile(filepath.Join(s.Dir(), "cache", "locked", "f"), nil, 0o400),
		os.Symlink(s.dir, filepath.Join(s.Dir(), "link")),
		os.Chmod(filepath.Join(s.Dir(), "cache", "locked"), 0o500), os.Chmod(filepath.Join(s.Dir(), "cache"), 0o000))
	again, err := files.Open(s.dir, files.Options{})
	must(t, err)
	same, err := again.Workspace(task("t1"))
	must(t, err)
	other, err := again.Workspace(task("../../t2"))
	must(t, err)
	if same.Dir() != s.Dir() || other.Dir() == s.Dir() || filepath.Dir(other.Dir()) != filepath.Dir(s.Dir()) {
		t.Errorf("run folders: %s, after a restart %s, of another task %s", s.Dir(), same.Dir(), other.Dir())
	}
	a := s.pack(tree(t, "644 a x"))
	w, err := same.Log()
	must(t, err)
	must(t, w.Close())
	must(t, again.Release(task("t1")), again.Release(task("t1")))
	if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
		t.Errorf("the run folder is still there: %v", err)
	}
	for _, path := range []string{other.Dir(), same.LogFile(), s.stored(a)} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("releasing took more than the run folder: %v", err)
		}
	}
}

func TestLogs(t *testing.T) {
	s := newShelf(t, files.Options{})
	read := func(attempt int) string {
		t.Helper()
		r, err := s.OpenLog("0195a000-0001-7000-8000-00000000beef", "Build", "Test", attempt)
		must(t, err)
		defer r.Close()
		_, err = r.Seek(0, io.SeekStart)
		must(t, err)
		b, err := io.ReadAll(r)
		must(t, err)
		return string(b)
	}
	if got := read(1); got != "" {
		t.Errorf("a log before the first line: %q", got)
	}
	for _, line := range []string{"one\n", "two\n"} { // appended, also by another writer
		w, err := s.Log()
		must(t, err)
		_, err = io.WriteString(w, line)
		must(t, err, w.Close())
	}
	if got := read(1); got != "one\ntwo\n" {
		t.Errorf("log: %q", got)
	}
	if got := read(2); got != "" {
		t.Errorf("log of the next attempt: %q", got)
	}
}

// Names are checked where definitions are read; should one slip through, it
// still stays inside the folder and shares a log with no other.
func TestHostileNames(t *testing.T) {
	s := newShelf(t, files.Options{})
	seen := map[string]string{}
	for _, name := range []string{"Test", "a.1", "a", "..", ".", "", "../..", "a/b", "a%2Fb", "a\x00b", ".hidden", "~", "Ünïcode", strings.Repeat("x", 300), strings.Repeat("x", 301), strings.Repeat("/", 90), strings.Repeat("/", 91)} {
		x := task("t")
		x.Stage, x.Action.Name, x.Execution = name, name, name
		w, err := s.Files.Workspace(x)
		must(t, err)
		rel, err := filepath.Rel(filepath.Join(s.dir, "logs"), w.LogFile())
		if err != nil || !filepath.IsLocal(rel) || strings.Count(rel, "/") != 2 {
			t.Errorf("%q: log at %s", name, rel)
		}
		if seen[rel] != "" {
			t.Errorf("%q and %q share a log", name, seen[rel])
		}
		seen[rel] = name + " "
		l, err := w.Log()
		must(t, err)
		must(t, l.Close())
	}
}

// What a crash left half-written goes away, once it can be nobody's.
func TestLeftovers(t *testing.T) {
	s := newShelf(t, files.Options{})
	old, young := filepath.Join(s.dir, "artifacts", ".partial-1"), filepath.Join(s.dir, "artifacts", ".partial-2")
	must(t, os.WriteFile(old, nil, 0o600), os.WriteFile(young, nil, 0o600), os.Chtimes(old, time.Unix(1, 0), time.Unix(1, 0)))
	_, err := files.Open(s.dir, files.Options{})
	must(t, err)
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old one is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one was somebody's: %v", err)
	}
}

// A host lists what it holds, and takes no folder's word for being another's:
// what runs in a folder can write into it.
func TestLeft(t *testing.T) {
	s := newShelf(t, files.Options{})
	left := func(want ...string) {
		t.Helper()
		got, err := s.Left(t.Context())
		must(t, err)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("left: %q, want %q", got, want)
		}
	}
	label := filepath.Join(s.Dir(), ".task")
	other, err := s.Files.Workspace(task("t2"))
	must(t, err)
	left("t1") // t2 needed none yet
	if dir := other.Dir(); filepath.Dir(dir) != filepath.Join(s.dir, "runs") {
		t.Errorf("the run folder of t2 is %s", dir)
	}
	left("t1", "t2")
	must(t, os.WriteFile(label, []byte("t2"), 0o600))
	left("t2")
	must(t, os.Remove(label), os.Symlink(filepath.Join(other.Dir(), ".task"), label))
	left("t2")
	again, err := s.Files.Workspace(task("t1")) // as its next poll does
	must(t, err)
	again.Dir()
	left("t1", "t2")
	must(t, os.Remove(label), mkfifo(label), s.Release(task("t2")))
	left()
	must(t, os.Mkdir(filepath.Join(s.dir, "runs", "stray"), 0o700), s.Release(task("t1")))
	left()
	if _, err := os.Stat(s.Dir()); err == nil {
		t.Error("the run folder is still there")
	}
}
