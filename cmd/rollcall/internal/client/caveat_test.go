package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// D6: every table of what runs says what must be known of it.
func TestEveryTableSaysWhatIsWrongWithWhatRuns(t *testing.T) {
	runs := workflows.Running{Number: 42, Without: "1 of 2 approvals"}
	view := workflows.PipelineView{Name: "webshop", Stages: []workflows.StageView{{Name: "Production", Running: &runs, LatestExecution: &workflows.LatestIn{Execution: "e43", Number: 43}, Transition: workflows.Transition{Enabled: true}}}}
	failed := workflows.Execution{ID: "e43", Pipeline: "webshop", Number: 43, Stages: []workflows.StageExecution{{Name: "Production"}}}
	forced := workflows.Execution{ID: "e42", Pipeline: "webshop", Number: 42, Stages: []workflows.StageExecution{{Name: "Production",
		Actions: []workflows.ActionExecution{{Approval: &workflows.Approval{Override: &workflows.Overridden{Without: "1 of 2 approvals"}}}}}}}
	for name, tt := range map[string]struct {
		print func(Printer)
		want  []string
	}{
		"status": {func(p Printer) { p.Pipeline(view) }, []string{"uncertain, without 1 of 2 approvals"}},
		"targets": {func(p Printer) {
			p.Targets("webshop", []ledger.Target{{Now: true, Eligible: true, Uncertain: true, Without: "1 of 2 approvals"}})
		}, []string{"runs now, uncertain, without 1 of 2 approvals"}},
		"executions": {func(p Printer) { p.Executions([]workflows.Execution{failed, forced}) }, []string{"what Production runs is uncertain", "Production without 1 of 2 approvals"}},
	} {
		var out bytes.Buffer
		tt.print(Printer{W: &out, Now: time.Unix(0, 0), View: view})
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s does not say %q:\n%s", name, want, out.String())
			}
		}
	}
}
