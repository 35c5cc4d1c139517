package auditor

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// released is a pipeline webshop in which each of n executions deployed to
// production, ten minutes after the other; of the first one no row is left.
func released(t *testing.T, n int) *Auditor {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{MapSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p := workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeSuperseded, Stages: []workflows.Stage{{Name: "Source"}, {Name: "Production", Environment: "production"}}}
	r := &rules{audit: map[string]bool{"ana *": true, "eve webshop": true}, view: map[string]bool{"ana *": true, "cho webshop": true}, executions: map[string]workflows.Execution{}}
	seq := uint64(0)
	commit := func(rows []workflows.Execution, at time.Time, events ...event.Event) {
		seq++
		for i := range events {
			events[i].At, events[i].By = at, workflows.EnginePrincipal()
		}
		if err := db.Commit(t.Context(), &record.Commit{Frames: []event.Frame{{Pipeline: "webshop", Seq: seq, Events: events}}, Executions: rows}); err != nil {
			t.Fatal(err)
		}
	}
	commit(nil, noon, event.Event{Kind: event.PipelineDefined, Defined: &event.Defined{Version: 1, ManagedBy: "api", Definition: p}})
	for i := 1; i <= n; i++ {
		at := noon.Add(time.Duration(i) * 10 * time.Minute)
		x := workflows.Execution{ID: fmt.Sprintf("0195a000-0001-7000-8000-%012d", i), Number: i, Pipeline: "webshop", Version: 1, Type: workflows.TypeStandard, Status: workflows.StatusInProgress,
			Trigger: workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: fmt.Sprintf("acme/webshop v%d", i)}, StartedAt: at, UpdatedAt: at, Attempt: 1, Variables: map[string]string{},
			SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: fmt.Sprintf("%07d%033d", i/2, i), Repository: "acme/webshop"}}, Stages: []workflows.StageExecution{p.Stages[0].Begin(), p.Stages[1].Begin()}}
		in := func(k event.Kind, stage string) event.Event {
			return event.Event{Kind: k, Execution: x.ID, Stage: stage}
		}
		begins := in(event.ExecutionStarted, "")
		started := x
		begins.Started = &started
		commit(nil, at, begins, in(event.StageEntered, "Source"), in(event.StageSucceeded, "Source"), in(event.StageEntered, "Production"))
		x.Status, x.UpdatedAt = workflows.StatusSucceeded, at.Add(time.Minute)
		x.EndedAt = &x.UpdatedAt
		rows := []workflows.Execution{x}
		if i == 1 {
			rows = nil
		}
		commit(rows, x.UpdatedAt, in(event.StageSucceeded, "Production"), in(event.ExecutionSucceeded, ""))
		if i > 1 {
			r.executions[x.Ref()], r.executions[x.ID] = x, x
		}
	}
	return New(db, r)
}

func (a *Auditor) shown(t *testing.T, who, name string) string {
	t.Helper()
	answer, err := a.Show(t.Context(), workflows.Principal{ID: who}, name)
	if p := (*workflows.Problem)(nil); errors.As(err, &p) {
		return p.Code
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	text := fmt.Sprintf("%s %s, records %d to %d", answer.Execution, answer.Status, answer.FirstRecord, answer.Record)
	if len(answer.Also) > 0 {
		text += ", also " + strings.Join(answer.Also, " ")
	}
	if answer.Moment != nil {
		for _, r := range answer.Moment.Ran {
			text += fmt.Sprintf(", %s ran %s since %s", r.Stage, r.Execution, r.Since.Format("15:04"))
		}
	}
	return text
}

func TestWhatIsShownByWhatName(t *testing.T) {
	a := released(t, 250)
	for name, want := range map[string]string{
		"webshop#7":                            "webshop#7 Succeeded, records 14 to 15",
		"0195a000-0001-7000-8000-000000000007": "webshop#7 Succeeded, records 14 to 15",
		"webshop#1":                            "webshop#1 Succeeded, records 2 to 3", // no row is left of it
		"webshop#999":                          "PipelineExecutionNotFound",
		"nosuch#1":                             "PipelineExecutionNotFound",
		"0000007":                              "webshop#15 Succeeded, records 30 to 31, also webshop#14",
		"v249":                                 "webshop#249 Succeeded, records 498 to 499",
		"v9":                                   "webshop#9 Succeeded, records 18 to 19",
		"v1":                                   "PipelineExecutionNotFound", // its row is gone: the record is looked through for numbers only
		"nothing":                              "PipelineExecutionNotFound",
		"webshop@2026-03-02T12:35:00Z":         "webshop#3 Succeeded, records 6 to 7, Production ran webshop#3 since 12:31",
		"webshop@2026-03-02T13:30:30+01:00":    "webshop#2 Succeeded, records 4 to 5, Production ran webshop#2 since 12:21",
		"webshop@2026-03-02T12:11:00Z":         "webshop#1 Succeeded, records 2 to 3, Production ran webshop#1 since 12:11",
		"webshop@2026-03-02T12:10:59Z":         "PipelineExecutionNotFound",
		"nosuch@2026-03-02T12:35:00Z":          "PipelineNotFound",
	} {
		if got := a.shown(t, "ana", name); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}

func TestWhoMaySeeATrail(t *testing.T) {
	a := released(t, 4)
	for _, name := range []string{"webshop#2", "webshop#1", "0000001", "v3", "webshop@2026-03-02T12:35:00Z"} {
		if got := a.shown(t, "eve", name); !strings.HasPrefix(got, "webshop#") { // who may audit need not see
			t.Errorf("eve, %s: %s", name, got)
		}
		want := "AccessDenied"
		if name == "webshop#1" {
			want = "PipelineExecutionNotFound" // of what was removed, only the record knows
		}
		if got := a.shown(t, "cho", name); got != want {
			t.Errorf("cho, %s: %s, want %s", name, got, want)
		}
		if got := a.shown(t, "dan", name); got != "PipelineExecutionNotFound" && got != "PipelineNotFound" && got != "AccessDenied" {
			t.Errorf("dan, %s: %s", name, got)
		}
	}
}
