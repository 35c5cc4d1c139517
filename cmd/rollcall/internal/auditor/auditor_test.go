package auditor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// rules stand for the engine: who may audit and see which pipelines, and which executions there are.
type rules struct {
	audit, view map[string]bool // "WHO PIPELINE"; "WHO *" is any
	executions  map[string]workflows.Execution
}

func (r *rules) may(in map[string]bool, who workflows.Principal, pipeline string) bool {
	return who.IsEngine() || in[who.ID+" *"] || in[who.ID+" "+pipeline]
}

func (r *rules) Verdict(_ context.Context, by workflows.Principal, v workflows.Verb, pipeline, _ string) (*workflows.Problem, []string, error) {
	if v != workflows.Audit {
		return nil, nil, fmt.Errorf("asked about %s", v)
	}
	if r.may(r.audit, by, pipeline) {
		return nil, nil, nil
	}
	return workflows.Refuse(workflows.CodeAccessDenied, "", "%s may not audit %s", by.ID, pipeline), nil, nil
}

func (r *rules) Execution(_ context.Context, by workflows.Principal, ref string) (workflows.Execution, error) {
	x, ok := r.executions[ref]
	if !ok || !r.may(r.view, by, x.Pipeline) {
		return x, workflows.Refuse(workflows.CodeExecutionNotFound, "", "there is no execution %s", ref)
	}
	return x, nil
}

func (r *rules) Pipelines(context.Context, workflows.Principal) ([]workflows.PipelineView, error) {
	return []workflows.PipelineView{{Name: "billing"}, {Name: "webshop"}}, nil
}

func (r *rules) Pipeline(_ context.Context, by workflows.Principal, name string, _ int) (v workflows.PipelineView, err error) {
	if name != "webshop" && name != "billing" || !r.may(r.view, by, name) {
		return v, workflows.Refuse(workflows.CodePipelineNotFound, "", "there is no pipeline %s", name)
	}
	return workflows.PipelineView{Name: name}, nil
}

func (r *rules) Versions(context.Context, workflows.Principal, string) ([]event.Version, error) {
	return nil, nil
}

// world is a log of two pipelines in turn, one record a minute; every second of
// webshop's is of execution webshop#2.
func world(t *testing.T, records int) *Auditor {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{MapSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for i := range records {
		name, seq := []string{"webshop", "billing"}[i%2], uint64(i/2+1)
		e := event.Event{Kind: event.StageEntered, At: noon.Add(time.Duration(i) * time.Minute), Execution: fmt.Sprintf("%s-%d", name, seq%2+1)}
		if err := db.Commit(t.Context(), &record.Commit{Frames: []event.Frame{{Pipeline: name, Seq: seq, Events: []event.Event{e}}}}); err != nil {
			t.Fatal(err)
		}
	}
	return New(db, &rules{
		audit:      map[string]bool{"ana *": true, "ben billing": true, "eve webshop": true},
		view:       map[string]bool{"ana *": true, "ben billing": true, "cho webshop": true},
		executions: map[string]workflows.Execution{"webshop#2": {ID: "webshop-2", Pipeline: "webshop", Number: 2, StartedAt: noon.Add(4 * time.Minute)}},
	})
}

func (a *Auditor) listed(t *testing.T, who string, sel record.Selection) (string, error) {
	var names []string
	err := a.Records(t.Context(), workflows.Principal{ID: who}, sel, func(r *record.Stored) error {
		names = append(names, fmt.Sprintf("%c%d", r.Pipeline[0], r.Number))
		return nil
	})
	return strings.Join(names, " "), err
}

func TestWhoMayAuditWhat(t *testing.T) {
	a := world(t, 8)
	for _, c := range []struct {
		who  string
		sel  record.Selection
		want string // the records, or the code of the refusal
	}{
		{"ana", record.Selection{}, "w1 b1 w2 b2 w3 b3 w4 b4"},
		{"ben", record.Selection{}, "b1 b2 b3 b4"},
		{"eve", record.Selection{}, "w1 w2 w3 w4"}, // who may audit need not see
		{"cho", record.Selection{}, "AccessDenied"},
		{"ana", record.Selection{Pipeline: "webshop"}, "w1 w2 w3 w4"},
		{"eve", record.Selection{Pipeline: "webshop"}, "w1 w2 w3 w4"},
		{"cho", record.Selection{Pipeline: "webshop"}, "AccessDenied"},
		{"ben", record.Selection{Pipeline: "webshop"}, "PipelineNotFound"},
		{"ana", record.Selection{Pipeline: "nosuch"}, "PipelineNotFound"},
		{"ana", record.Selection{Execution: "webshop#2"}, "w3"}, // it starts with the third; the first is of before
		{"eve", record.Selection{Execution: "webshop#2"}, "w3"},
		{"cho", record.Selection{Execution: "webshop#2"}, "AccessDenied"},
		{"ben", record.Selection{Execution: "webshop#2"}, "PipelineExecutionNotFound"},
		{"ana", record.Selection{Execution: "webshop#9"}, "PipelineExecutionNotFound"},
		{"ana", record.Selection{Since: noon.Add(4 * time.Minute)}, "b3 w4 b4"},
		{"ana", record.Selection{After: 3}, "b2 w3 b3 w4 b4"},
		{"ana", record.Selection{Behind: "webshop@3"}, "b3 w4 b4"},
		{"ana", record.Selection{Behind: "billing@2", Pipeline: "webshop"}, "w3 w4"},
		{"ben", record.Selection{Behind: "webshop@3"}, "PipelineNotFound"},
		{"ana", record.Selection{Behind: "webshop@9"}, "Validation"},
		{"ana", record.Selection{Behind: "webshop@0"}, "Validation"},
		{"ana", record.Selection{Behind: "@1"}, "Validation"},
	} {
		got, err := a.listed(t, c.who, c.sel)
		if p := (*workflows.Problem)(nil); errors.As(err, &p) && got == "" {
			got, err = p.Code, nil
		}
		if err != nil || got != c.want {
			t.Errorf("%s %+v: %s %v, want %s", c.who, c.sel, got, err, c.want)
		}
	}
}

// More than one page comes whole, and once; whoever visits may end it.
func TestPagesOfRecords(t *testing.T) {
	const records = 2*atOnce + 2
	a := world(t, records)
	for _, sel := range []record.Selection{{}, {Pipeline: "webshop"}, {Pipeline: "billing", Since: noon.Add(-time.Hour)}} {
		got, err := a.listed(t, "ana", sel)
		want := records
		if sel.Pipeline != "" {
			want = records / 2
		}
		all := strings.Fields(got)
		if n := len(slices.Compact(slices.Clone(all))); err != nil || len(all) != want || n != want {
			t.Errorf("%+v: %d records, want %d: %v", sel, len(all), want, err)
		}
	}
	enough, n := errors.New("enough"), 0
	err := a.Records(t.Context(), workflows.Principal{ID: "ana"}, record.Selection{}, func(*record.Stored) error {
		n++
		return enough
	})
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%d records and %v", n, err)
	}
}

func TestWhereATimeIsInTheRecord(t *testing.T) {
	a := world(t, 20)
	for minutes, want := range map[int]uint64{-1: 0, 0: 0, 1: 1, 2: 1, 3: 2, 18: 9, 19: 10, 99: 10} {
		if n, err := a.before(t.Context(), "webshop", noon.Add(time.Duration(minutes)*time.Minute)); n != want || err != nil {
			t.Errorf("before minute %d: %d %v, want %d", minutes, n, err, want)
		}
	}
	if n, err := a.before(t.Context(), "nosuch", noon); n != 0 || err != nil {
		t.Errorf("of a pipeline without records: %d %v", n, err)
	}
}
