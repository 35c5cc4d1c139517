package gate_test

import (
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/gate"
)

// T2: an approval lets an execution into all stages up to the next one that asks.
func TestCovers(t *testing.T) {
	p := &workflows.Pipeline{}
	for _, st := range []struct{ name, provider string }{
		{"Source", "Git"}, {"Review", "Manual"}, {"Staging", "Commands"}, {"Canary", "Commands"}, {"Production", "Manual"}, {"Cleanup", "Commands"},
	} {
		p.Stages = append(p.Stages, workflows.Stage{Name: st.name, Actions: []workflows.Action{{ActionType: workflows.ActionType{Provider: st.provider}}}})
	}
	forward, back := &workflows.Execution{}, &workflows.Execution{Rollback: &workflows.Rollback{}}
	for _, c := range []struct {
		p     *workflows.Pipeline
		e     *workflows.Execution
		stage string
		want  []string
	}{
		{p, forward, "Review", []string{"Review", "Staging", "Canary"}},
		{p, forward, "Production", []string{"Production", "Cleanup"}},
		{p, forward, "Cleanup", []string{"Cleanup"}},
		{p, forward, "Gone", []string{"Gone"}},
		{p, back, "Review", []string{"Review"}},
		{nil, forward, "Review", []string{"Review"}},
	} {
		if got := gate.Covers(c.p, c.e, c.stage); !slices.Equal(got, c.want) {
			t.Errorf("%s, rollback %v: %v, want %v", c.stage, c.e.Rollback != nil, got, c.want)
		}
	}
}
