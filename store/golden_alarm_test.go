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

// goldenAlarm are rows of a pipeline that watches alarms after a success.
const goldenAlarm = "testdata/v2-alarm.txt"

// alarmEvents are the kinds that only such a pipeline has, with all that they carry.
func alarmEvents() []event.Event {
	id := goldenExecution(43, workflows.StatusSucceeded).ID
	p := workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeSuperseded, Stages: []workflows.Stage{{Name: "Production", Actions: []workflows.Action{}}}}
	p.Stages[0].Rollback = workflows.RollbackPolicy{Lock: "always", Eligible: "any", Approval: "skipRecent"}
	on := &p.Stages[0].Rollback.OnAlarm
	on.Alarms, on.For, on.Region, on.RoleArn = []string{"shop-5xx", "shop latency"}, "10m", "eu-west-1", "arn:aws:iam::444455556666:role/deploy"
	at := goldenNoon
	of := func(kind event.Kind, code, message string) event.Event {
		at = at.Add(time.Second)
		e := event.Event{Kind: kind, At: at, By: workflows.EnginePrincipal(), Execution: id, Stage: "Production"}
		if code != "" {
			e.Reason = &workflows.Reason{Code: code, Message: message}
		}
		return e
	}
	rang := of(event.AlarmRang, "AlarmRang", "alarm shop-5xx rang 4 minutes after the deployment")
	rang.Text, rang.Outcome = "shop-5xx", &event.Outcome{ExternalID: "shop-5xx", ExternalURL: "https://console.example/alarm/shop-5xx", Summary: "Threshold Crossed"}
	back := goldenExecution(44, workflows.StatusInProgress)
	back.Type, back.Trigger.Type, back.Trigger.Detail = workflows.TypeRollback, workflows.TriggerAutomated, `{"AlarmName":"shop-5xx"}`
	back.Rollback = &workflows.Rollback{Target: id, TargetNumber: 42, LeftExecution: id, Definition: "original", Reason: rang.Reason.Message, SkipApprovals: true, Alarm: "shop-5xx"}
	started := event.Event{Kind: event.ExecutionStarted, At: at, By: workflows.EnginePrincipal(), Execution: back.ID, Stage: "Production", Started: &back}
	return []event.Event{
		{Kind: event.PipelineDefined, At: goldenNoon, By: goldenAna, Defined: &event.Defined{Version: 1, ManagedBy: "api", Definition: p}},
		of(event.AlarmsUnseen, "AlarmMissing", "there is no alarm shop-5xx in eu-west-1"), of(event.AlarmsSeen, "", ""), rang, started,
		of(event.AlarmWatchEnded, "Quiet", "no alarm rang within 10 minutes"),
	}
}

// Rows of pipelines that watch alarms are read forever, with all that they tell.
func TestGoldenRowsOfAlarms(t *testing.T) {
	events := alarmEvents()
	db := written(t, []record.Commit{{Frames: []event.Frame{{Pipeline: "webshop", Seq: 1, Events: events}}}})
	if _, err := os.Stat(goldenAlarm); *newRows && errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(goldenAlarm, dump(t, db), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := openTest(t, restoredFrom(t, goldenAlarm, asWritten))
	frames, err := old.Frames(context.Background(), "webshop", 0, 1)
	if err != nil || len(frames) != 1 {
		t.Fatal(len(frames), err)
	}
	if d := cmp.Diff(asJSON(t, events), asJSON(t, frames[0].Events)); d != "" {
		t.Errorf("the events (-written today +golden):\n%s", d)
	}
}
