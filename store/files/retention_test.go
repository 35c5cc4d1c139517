package files_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Logs are listed by their execution and removed with all in them, and nothing else is.
func TestRemoveLogs(t *testing.T) {
	s := newShelf(t, files.Options{})
	one, other := task("t1").Execution, "0195a000-0002-7000-8000-00000000beef"
	for _, id := range []string{other, one} {
		w, err := s.Files.Workspace(work.Task{ID: "t", Execution: id, Stage: "Build", Attempt: 1})
		must(t, err)
		log, err := w.Log()
		must(t, err, log.Close())
	}
	all, err := s.Logs(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != one || all[1].Name != other || time.Since(all[0].At) > time.Hour {
		t.Fatalf("there are %v, %v", all, err)
	}
	for _, name := range []string{one, one, "../artifacts", "..", "", "."} {
		must(t, s.RemoveLogs(name))
	}
	if all, err = s.Logs(t.Context()); err != nil || len(all) != 1 || all[0].Name != other {
		t.Errorf("left are %v, %v", all, err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "artifacts")); err != nil {
		t.Errorf("something else went: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Logs(ended); err == nil {
		t.Error("it was listed though nobody waits")
	}
}

// An artifact goes when it is old, and nobody has stored it who has not said so
// durably; one that is stored again is new.
func TestRemoveArtifact(t *testing.T) {
	s := newShelf(t, files.Options{})
	a := s.pack(tree(t, "644 f x"))
	must(t, os.WriteFile(filepath.Join(s.dir, "artifacts", ".partial-1"), nil, 0o600))
	later := time.Now().Add(time.Hour)
	try := func(what string, before time.Time, want bool) {
		t.Helper()
		if got, err := s.RemoveArtifact(a.Digest, before); err != nil || got != want || s.HasArtifact(a.Digest) == want {
			t.Fatalf("%s: removed %v, %v, there %v", what, got, err, s.HasArtifact(a.Digest))
		}
	}
	try("its task is not over", later, false)
	if all, err := s.Artifacts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("what nothing durable refers to is listed: %v, %v", all, err)
	}
	must(t, s.Release(task("another")))
	try("another task is over", later, false)
	must(t, s.Release(task("t1")))
	try("it is young", time.Now().Add(-time.Hour), false)
	if all, err := s.Artifacts(t.Context()); err != nil || len(all) != 1 || all[0].Name != a.Digest {
		t.Fatalf("there are %v, %v", all, err)
	}
	// What is stored again with the same content is new, and pinned again.
	old := time.Now().Add(-48 * time.Hour)
	must(t, os.Chtimes(s.stored(a), old, old))
	listed := time.Now().Add(-24 * time.Hour)
	s.pack(tree(t, "644 f x"))
	must(t, s.Release(task("t1")))
	try("it was stored again after it was listed", listed, false)
	try("it is old", later, true)
	if gone, err := s.RemoveArtifact(a.Digest, later); err != nil || gone {
		t.Errorf("one that is gone: %v, %v", gone, err)
	}
}
