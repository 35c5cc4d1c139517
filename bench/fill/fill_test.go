package fill

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// TestFolder fills a small folder: the store finds it sound, every pipeline has
// the executions that the plan says, and the log folds to the checkpoint.
func TestFolder(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	if err := Folder(ctx, dir, "file:///nowhere", Plan{Pipelines: 3, Finished: 901, Parked: true}); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(dir, "data", "rollcall.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if wrong, err := db.Check(ctx); err != nil || len(wrong) > 0 {
		t.Fatal(err, wrong)
	}
	for name, want := range map[string]int{"p0": 452, "p1": 226, "p2": 226} {
		rows, err := db.Executions(ctx, record.Query{Pipeline: name, Limit: 2, SucceededInStage: "S3"})
		if err != nil || len(rows) != 2 || rows[0].Number != want-1 || rows[1].Number != want-2 || rows[0].StartedAt.Before(rows[1].StartedAt) {
			t.Errorf("%s: %v, the newest successes are %+v", name, err, rows)
		}
		if rows, err = db.Executions(ctx, record.Query{Pipeline: name, Limit: 1}); err != nil || rows[0].Number != want || rows[0].Status != "InProgress" {
			t.Errorf("%s: %v, the newest is %+v", name, err, rows)
		}
		folds(t, db, name)
	}
}

func folds(t *testing.T, db *store.DB, name string) {
	t.Helper()
	saved, after, err := db.Load(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := db.Frames(context.Background(), name, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	state := machine.New(name)
	for _, f := range frames[:len(frames)-len(after)] {
		for _, e := range f.Events {
			state.Evolve(e)
		}
	}
	text, err := checkpoint.Encode(state)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(saved.State) {
		t.Errorf("%s: the log folds to\n%s\nand the checkpoint is\n%s", name, text, saved.State)
	}
}
