package store

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Two files hold the same rows: v1-hold.txt from the time when a policy's lock
// was called hold and a rollback's original definition asWas, v1-lock.txt
// under today's names.
const (
	goldenHold = "testdata/v1-hold.txt"
	goldenLock = "testdata/v1-lock.txt"
)

// renamedCommit holds everything that has been renamed.
func renamedCommit() record.Commit {
	back := goldenExecution(43, workflows.StatusInProgress)
	back.Type, back.Rollback = workflows.TypeRollback, &workflows.Rollback{Target: goldenExecution(41, "").ID, TargetNumber: 41, Definition: "original", Reason: "errors"}
	planned := goldenExecution(44, workflows.StatusFailed)
	planned.EndedAt, planned.Type, planned.Rollback = &goldenNoon, workflows.TypeRollback, &workflows.Rollback{Target: goldenExecution(41, "").ID, TargetNumber: 41, Definition: "current"}
	p := workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeQueued, Stages: []workflows.Stage{
		{Name: "Production", Rollback: workflows.RollbackPolicy{Lock: "manual", Eligible: "any", Approval: "skip"}}}}
	return record.Commit{
		Frames: []event.Frame{{Pipeline: "webshop", Seq: 1, Events: []event.Event{
			{Kind: event.PipelineDefined, At: goldenNoon, By: goldenAna, Defined: &event.Defined{Version: 1, Definition: p}},
			{Kind: event.ExecutionStarted, At: goldenNoon, By: goldenAna, Execution: back.ID, Stage: "Production", Started: &back, Under: &p},
			{Kind: event.TransitionDisabled, At: goldenNoon, By: goldenAna, Stage: "Production", Transition: &workflows.Transition{Cause: "rollback", By: &goldenAna, At: &goldenNoon}},
		}}},
		Executions: []workflows.Execution{back, planned},
	}
}

func renamedAnswers(t *testing.T, db *DB) string {
	t.Helper()
	ctx := context.Background()
	feed, err := db.Feed(ctx, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	executions, err := db.Executions(ctx, record.Query{Pipeline: "webshop"})
	if err != nil || len(executions) != 2 || len(feed) != 1 {
		t.Fatal(len(executions), len(feed), err)
	}
	if problems, err := db.Check(ctx); err != nil || problems != nil {
		t.Errorf("check: %v %q", err, problems)
	}
	return unhashed(map[string]any{"feed": feed, "executions": executions})
}

// Rows in earlier names say the same as rows in today's.
func TestRowsInEarlierNames(t *testing.T) {
	db := openTest(t, filepath.Join(t.TempDir(), "rollcall.db"))
	c := renamedCommit()
	if err := db.Commit(context.Background(), &c); err != nil {
		t.Fatal(err)
	}
	want := renamedAnswers(t, db)
	for _, file := range []string{goldenHold, goldenLock} {
		old := openTest(t, restoredFrom(t, file, asWritten))
		if d := cmp.Diff(want, renamedAnswers(t, old)); d != "" {
			t.Errorf("%s (-written today +golden):\n%s", file, d)
		}
	}
}
