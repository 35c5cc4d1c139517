package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// goldenSecond are rows of version 2.
const goldenSecond = "testdata/v2.txt"

// secondCommits are the golden commits, and what version 2 has forms of its own for.
func secondCommits() []record.Commit {
	added := addedCommit()
	frames := []event.Frame{{Pipeline: "webshop", Events: added.Frames[0].Events}}
	for _, f := range secondFrames() {
		frames = append(frames, event.Frame{Pipeline: "webshop", Events: f})
	}
	for i := range frames {
		frames[i].Seq = uint64(4 + i)
	}
	more := record.Commit{
		Frames:      frames,
		Checkpoints: []record.Checkpoint{{Pipeline: "webshop", Seq: 5, State: []byte("[" + strings.Repeat(`{"stages":{}},`, 40) + "0]")}},
		Executions:  added.Executions,
		Successes:   []record.Success{{Pipeline: "webshop", Stage: "Build", Execution: added.Executions[0].ID, Number: 43}},
		Memos:       []record.Memo{{Owner: "slack", Key: "card/43", Value: []byte(strings.Repeat("C1/123.4 ", 40))}},
	}
	return append(goldenCommits(), more)
}

// secondFrames hold every kind of event, every field that has a form of its
// own, and more frames than lie between two entries of the index.
func secondFrames() (frames [][]event.Event) {
	id, at := goldenExecution(42, "").ID, goldenNoon
	start := func(action, host string) event.Event {
		at = at.Add(time.Millisecond)
		return event.Event{Kind: event.ActionStarted, At: at, By: workflows.EnginePrincipal(), Execution: id, Stage: "Build", Action: action, Attempt: 1,
			Start: &event.ActionStart{Task: usualTask(id, "Build", action, 1), Host: host, Deadline: at.Add(time.Hour)}}
	}
	odd := start("Odd", "")
	odd.Start.Task = "a task of another name"
	local := event.Event{Kind: "kindOfTomorrow", At: time.Date(2026, 3, 2, 13, 0, 0, 1, time.FixedZone("", 3600)), By: goldenAna, Execution: "no UUID", Token: strings.ToUpper(id), Attempt: -1}
	frames = append(frames, []event.Event{start("Make", "build-1"), start("Test", "build-1"), start("Lint", "build-2"), odd, local,
		{Kind: event.ActionSucceeded, At: at, Execution: id, Stage: "Build", Action: "Make", Attempt: 2, Outcome: &event.Outcome{}},
		{Kind: event.ActionSucceeded, At: at.Add(-time.Hour), By: goldenAna, Execution: id, Stage: "Build", Action: "Make", Attempt: 2, Text: "text", Token: id,
			Outcome: &event.Outcome{Summary: "done", Outputs: map[string]string{"URL": "https://shop.example"}}}, {}})
	const kinds = 52 // when the rows were recorded
	for i, kind := range kindCodes[1 : kinds+1] {
		e := event.Event{Kind: kind, At: at, By: goldenAna, Execution: id, Stage: "Build", Text: fmt.Sprint(i), Reason: &workflows.Reason{Code: "Why", Message: "because of " + string(kind)}}
		frames = append(frames, []event.Event{e})
	}
	return frames
}

func written(t *testing.T, commits []record.Commit) *DB {
	t.Helper()
	db := openTest(t, filepath.Join(t.TempDir(), "rollcall.db"))
	for _, c := range commits {
		if err := db.Commit(context.Background(), &c); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// Rows of version 2 are read forever, and the hashes in them hold.
func TestGoldenRowsOfVersionTwo(t *testing.T) {
	db := written(t, secondCommits())
	if _, err := os.Stat(goldenSecond); *newRows && errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(goldenSecond, dump(t, db), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := openTest(t, restoredFrom(t, goldenSecond, asWritten))
	want, errs := goldenAnswers(db)
	got, more := goldenAnswers(old)
	if err := errors.Join(append(errs, more...)...); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(unhashed(want), unhashed(got)); d != "" {
		t.Errorf("answers from rows of version 2 (-written today +golden):\n%s", d)
	}
	if problems, err := old.Check(context.Background()); err != nil || problems != nil {
		t.Errorf("check: %v %q", err, problems)
	}
	for i, want := range secondFrames() {
		fs, err := old.Frames(context.Background(), "webshop", uint64(4+i), 1)
		if err != nil || len(fs) != 1 {
			t.Fatal(len(fs), err)
		}
		if d := cmp.Diff(asJSON(t, want), asJSON(t, fs[0].Events)); d != "" {
			t.Errorf("frame %d (-decided +read):\n%s", 5+i, d)
		}
	}
}

// A file of version 1 takes frames of version 2 behind its own, and is refused
// as a whole by a rollcall that does not know them.
func TestOldFileGoesOn(t *testing.T) {
	ctx := context.Background()
	db := openTest(t, restored(t, asWritten))
	for seq := uint64(4); seq <= 40; seq++ {
		c := record.Commit{Frames: []event.Frame{{Pipeline: "webshop", Seq: seq, Events: []event.Event{{Kind: event.StageEntered, At: goldenNoon}}}}}
		if err := db.Commit(ctx, &c); err != nil {
			t.Fatal(err)
		}
	}
	for after := range uint64(41) {
		for _, limit := range []int{0, 1, 2, 17} {
			fs, err := db.Frames(ctx, "webshop", after, limit)
			want := int(40 - after)
			if limit > 0 {
				want = min(want, limit)
			}
			if err != nil || len(fs) != want || want > 0 && fs[0].Seq != after+1 {
				t.Fatalf("after %d at most %d: %d frames %v", after, limit, len(fs), err)
			}
		}
	}
	if problems, err := db.Check(ctx); err != nil || problems != nil {
		t.Errorf("check: %v %q", err, problems)
	}
	if format := dump(t, db); !strings.Contains(string(format), `meta "format" "\x02"`) {
		t.Error("the file does not say that it holds rows of version 2")
	}
}
