package audit_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// A row says in words what one decision did; what strangers wrote is no formula in it.
func TestRows(t *testing.T) {
	x := &workflows.Execution{ID: "e42", Number: 42, Pipeline: "webshop", Trigger: workflows.StartedBy{Type: workflows.TriggerStart, By: ana}}
	dan := workflows.Principal{ID: "github:dan", Name: "=1+1", Via: "github"}
	var table audit.Table
	for _, c := range []struct {
		events []event.Event
		want   []string // execution, by, via, events, what
	}{
		{[]event.Event{{Kind: event.ExecutionStarted, By: ana, Execution: "e42", Started: x}, {Kind: event.StageEntered, By: workflows.EnginePrincipal(), Execution: "e42", Stage: "Build"}},
			[]string{"webshop#42", "Ana <ana@acme.example>, rollcall", "slack engine", "executionStarted stageEntered", "started by Ana; Build entered"}},
		{[]event.Event{{Kind: event.StageSucceeded, By: dan, Execution: "e42", Stage: "Build"}, {Kind: event.StageEntered, By: dan, Execution: "e41", Stage: "Build"}},
			[]string{"webshop#42 e41", "'=1+1", "github", "stageSucceeded stageEntered", "webshop#42 Build succeeded; e41 Build entered"}},
		{[]event.Event{{Kind: event.GateVoted, By: ana, Execution: "e42", Stage: "Production", Action: "SignOff", Vote: &workflows.Vote{By: ana, Answer: "approve", Comment: "two\nlines,\x1b[31m \"quoted\""}}},
			[]string{"webshop#42", "Ana <ana@acme.example>", "slack", "gateVoted", `Production/SignOff approved by Ana: two lines, "quoted"`}},
		{nil, []string{"", "", "", "", ""}},
	} {
		text, err := json.Marshal(c.events)
		if err != nil {
			t.Fatal(err)
		}
		row, err := table.Row(&audit.Line{At: noon.In(time.FixedZone("CET", 3600)), Pipeline: "webshop", Record: 7, Hash: "0f", Events: text})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Concat([]string{"2026-03-02T12:00:00Z", "webshop", "7"}, c.want, []string{"0f"})
		if !slices.Equal(row, want) || len(row) != len(table.Columns()) {
			t.Errorf("%q\nwant %q", row, want)
		}
	}
	if _, err := table.Row(&audit.Line{Events: []byte("{")}); err == nil {
		t.Error("half an event made a row")
	}
}
