package bot

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
)

// ruled is an engine in which Cho has every right in Production, and the admins elsewhere.
type ruled struct{ Engine }

func (ruled) Verdict(_ context.Context, by workflows.Principal, _ workflows.Verb, _, stage string) (*workflows.Problem, []string, error) {
	switch no := workflows.Refuse(workflows.CodeAccessDenied, "", "no"); {
	case stage != "Production":
		return no, []string{"admins"}, nil
	case by.Name != "Cho":
		return no, []string{"cho"}, nil
	}
	return nil, []string{"cho"}, nil
}

// plainly is a chat that mentions nobody.
type plainly struct{ Chat }

func (plainly) People(_ context.Context, who []string) ([]string, error) { return who, nil }

// U25: `who` tells of the rights that can be used in a stage, by what the stage
// has, and of all of them; once where they are the same people's.
func TestWhoTellsOfEveryRightThatCanBeUsed(t *testing.T) {
	works := workflows.Action{Name: "Ship", ActionType: workflows.ActionType{Provider: "Commands"}}
	gate := func(from ...string) workflows.Action {
		return workflows.Action{Name: "SignOff", ActionType: workflows.ActionType{Provider: "Manual"}, Approval: &workflows.ApprovalPolicy{From: from}}
	}
	stage := func(name string, actions ...workflows.Action) workflows.Stage {
		return workflows.Stage{Name: name, Actions: actions}
	}
	checked := stage("Production", works)
	checked.BeforeEntry = &workflows.Condition{}
	everything := []string{
		"start: admins", "roll back in Build: admins", "roll back in Production: cho*", "retry in Source, Build: admins", "retry in Production: cho*",
		"stop in Source, Build: admins", "stop in Production: cho*", "lock in Build: admins", "lock in Production: cho*", "unlock in Build: admins", "unlock in Production: cho*",
	}
	for about, c := range map[string]struct {
		last workflows.Stage
		also []string // besides what can be done in every stage
	}{
		"no gate, no condition":      {stage("Production", works), []string{"resolve in Production: cho*", "logs in Production: cho*"}},
		"a condition":                {checked, []string{"override in Production: cho*", "resolve in Production: cho*", "logs in Production: cho*"}},
		"a gate that names nobody":   {stage("Production", gate(), works), []string{"approve in Production: cho*", "override in Production: cho*", "resolve in Production: cho*", "logs in Production: cho*"}},
		"a gate that names people":   {stage("Production", gate("dan"), works), []string{"approve in Production (SignOff): dan", "override in Production: cho*", "resolve in Production: cho*", "logs in Production: cho*"}},
		"nothing but a gate":         {stage("Production", gate()), []string{"approve in Production: cho*", "override in Production: cho*"}},
		"two gates, one with people": {stage("Production", gate(), gate("dan")), []string{"approve in Production (SignOff): dan", "approve in Production: cho*", "override in Production: cho*"}},
	} {
		t.Run(about, func(t *testing.T) {
			p := &workflows.PipelineView{Name: "webshop", Definition: &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{stage("Source", works), stage("Build", works), c.last}}}
			b := &Bot{engine: ruled{}, chat: plainly{}}
			rights, err := b.rights(t.Context(), workflows.Principal{ID: "slack:U1", Name: "Cho"}, p, func(string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			got, want := map[string]bool{}, map[string]bool{"resolve in Source, Build: admins": true, "logs in Source, Build: admins": true}
			for _, r := range rights {
				line := r.What + ": " + strings.Join(r.Holders, ", ")
				if r.You {
					line += "*"
				}
				got[line] = true
			}
			for _, line := range append(c.also, everything...) {
				want[line] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
