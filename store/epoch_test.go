package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// goldenRestored are the rows that a restore adds, and the event that takes it up.
const goldenRestored = "testdata/v2-restored.txt"

// A file knows from which backup it was restored last, and counts.
func TestTheEpochOfAFile(t *testing.T) {
	ctx := context.Background()
	db := openTest(t, filepath.Join(t.TempDir(), "rollcall.db"))
	if r, err := db.Restored(ctx); err != nil || r != (event.Restored{}) {
		t.Errorf("a new file: %+v, %v", r, err)
	}
	var last event.Restored
	for epoch := 1; epoch <= 2; epoch++ {
		r, err := db.MarkRestored(ctx, "token", goldenNoon.In(time.FixedZone("", 3600)), goldenNoon.Add(time.Hour))
		if want := (event.Restored{Epoch: epoch, Token: "token", Backup: goldenNoon, At: goldenNoon.Add(time.Hour)}); err != nil || r != want {
			t.Errorf("restored: %+v, %v, want %+v", r, err, want)
		}
		last = r
	}
	if r, err := db.Restored(ctx); err != nil || r != last {
		t.Errorf("read back: %+v, %v", r, err)
	}
	c := record.Commit{Frames: []event.Frame{{Pipeline: "webshop", Seq: 1, Events: []event.Event{{Kind: event.BackupRestored, At: goldenNoon, Restored: &last}}}}}
	if err := db.Commit(ctx, &c); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(goldenRestored); *newRows && errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(goldenRestored, dump(t, db), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := openTest(t, restoredFrom(t, goldenRestored, asWritten))
	r, err := old.Restored(ctx)
	fs, more := old.Frames(ctx, "webshop", 0, 1)
	if err := errors.Join(err, more); err != nil || r != last || len(fs) != 1 {
		t.Fatalf("from golden rows: %+v, %d frames, %v", r, len(fs), err)
	}
	if d := cmp.Diff(c.Frames[0].Events, fs[0].Events); d != "" {
		t.Errorf("the event (-written today +golden):\n%s", d)
	}
}
