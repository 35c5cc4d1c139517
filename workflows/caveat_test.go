package workflows_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// D6: one rule says what must be known of what runs, for every view of it.
func TestCaveats(t *testing.T) {
	for _, tt := range []struct {
		certain bool
		without string
		want    string
	}{
		{true, "", ""},
		{false, "", "uncertain"},
		{true, "1 of 2 approvals", "without 1 of 2 approvals"},
		{false, "1 of 2 approvals", "uncertain, without 1 of 2 approvals"},
	} {
		r := workflows.Running{Certain: tt.certain, Without: tt.without}
		target := ledger.Target{Uncertain: !tt.certain, Without: tt.without}
		if r.Caveat() != tt.want || target.Caveat() != tt.want {
			t.Errorf("%+v: what runs is %q, the target %q, want %q", tt, r.Caveat(), target.Caveat(), tt.want)
		}
	}
	e := workflows.Execution{ID: "e2", Stages: []workflows.StageExecution{
		{Name: "Staging", Conditions: []workflows.ConditionExecution{{Kind: workflows.BeforeEntry, Override: &workflows.Overridden{}}}},
		{Name: "Production", Actions: []workflows.ActionExecution{{Approval: &workflows.Approval{Override: &workflows.Overridden{Without: "1 of 2 approvals"}}}}},
	}}
	now := workflows.PipelineView{Stages: []workflows.StageView{{Name: "Production", Running: &workflows.Running{}, LatestExecution: &workflows.LatestIn{Execution: "e2"}}}}
	if got := strings.Join(e.Caveats(&now), "; "); got != "Staging without its entry condition; Production without 1 of 2 approvals; what Production runs is uncertain" {
		t.Errorf("an execution: %s", got)
	}
	if got := e.Caveats(&workflows.PipelineView{}); len(got) != 2 {
		t.Errorf("without the pipeline: %v", got)
	}
}
