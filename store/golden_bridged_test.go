package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// goldenBridged are rows of a pipeline that stays in AWS.
const goldenBridged = "testdata/v2-bridged.txt"

// bridgedEvents are the kinds that only such a pipeline has, with all that they carry.
func bridgedEvents() []event.Event {
	x := goldenExecution(43, workflows.StatusFailed)
	x.EndedAt, x.ExternalID = &goldenNoon, "1f0c7a52-0000-4000-8000-000000000043"
	p := workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeSuperseded, Stages: []workflows.Stage{}, Bridge: &workflows.Bridge{
		Name: "prod-eu", Account: "111122223333", Region: "eu-west-1", ARN: "arn:aws:codepipeline:eu-west-1:111122223333:shop", External: "shop",
		Mode: workflows.BridgeActs, Type: "V2", Outside: workflows.OutsideLock}}
	asked := event.Request{Request: workflows.Request{ID: "0195a000-0000-7000-8000-00000000abcd", Verb: workflows.Retry, By: goldenAna, At: goldenNoon, Stage: "Build", State: workflows.RequestOpen},
		Intent: workflows.Intent{Verb: workflows.Retry, Execution: x.ID, Stage: "Build", All: true}, ExternalID: x.ExternalID, Token: "token", Text: "again"}
	ended := goldenNoon.Add(time.Second)
	refused := asked
	refused.State, refused.EndedAt, refused.Error = workflows.RequestRefused, &ended, &workflows.Reason{Code: "StageNotRetryable", Message: "the stage runs"}
	x.Requests = []workflows.Request{refused.Request}
	return []event.Event{
		{Kind: event.PipelineDefined, At: goldenNoon, By: workflows.EnginePrincipal(), Defined: &event.Defined{Version: 7, ManagedBy: "bridge:prod-eu", Definition: p}},
		{Kind: event.BridgeSeen, At: goldenNoon},
		{Kind: event.ExecutionObserved, At: goldenNoon, Execution: x.ID, Text: "history", Started: &x},
		{Kind: event.StageEntered, At: goldenNoon, Execution: x.ID, Stage: "Build", When: &goldenNoon},
		{Kind: event.RequestOpened, At: goldenNoon, By: goldenAna, Execution: x.ID, Stage: "Build", Request: &asked, Started: &x},
		{Kind: event.RequestClosed, At: ended, Execution: x.ID, Stage: "Build", Request: &refused, Reason: refused.Error, Outcome: &event.Outcome{ExternalID: x.ExternalID}},
		{Kind: event.BridgeLost, At: ended, Reason: &workflows.Reason{Code: "ExpiredToken", Message: "the security token is expired"}},
	}
}

// Rows of pipelines in AWS are read forever: their events, and their executions by either ID.
func TestGoldenRowsOfAPipelineInAWS(t *testing.T) {
	events := bridgedEvents()
	x := *events[2].Started
	db := written(t, []record.Commit{{Frames: []event.Frame{{Pipeline: "webshop", Seq: 1, Events: events}}, Executions: []workflows.Execution{x}}})
	if _, err := os.Stat(goldenBridged); *newRows && errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(goldenBridged, dump(t, db), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := openTest(t, restoredFrom(t, goldenBridged, asWritten))
	ctx := context.Background()
	frames, err := old.Frames(ctx, "webshop", 0, 1)
	if err != nil || len(frames) != 1 {
		t.Fatal(len(frames), err)
	}
	if d := cmp.Diff(asJSON(t, events), asJSON(t, frames[0].Events)); d != "" {
		t.Errorf("the events (-written today +golden):\n%s", d)
	}
	for _, ref := range []string{x.ID, x.ExternalID} {
		if ids, err := old.Resolve(ctx, ref); err != nil || len(ids) != 1 || ids[0] != x.ID {
			t.Errorf("%s is %v, %v", ref, ids, err)
		}
	}
	row, ok, err := old.Execution(ctx, x.ID)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if d := cmp.Diff(asJSON(t, x), asJSON(t, row)); d != "" {
		t.Errorf("the execution (-written today +golden):\n%s", d)
	}
}
