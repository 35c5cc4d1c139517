package workflows_test

import (
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Rules before the entry run before the actions, those of what follows after them.
func TestAllActionsAreInTheOrderInWhichTheyRun(t *testing.T) {
	rule := func(kind, name string) workflows.ConditionExecution {
		return workflows.ConditionExecution{Kind: kind, Rules: []workflows.ActionExecution{{Name: kind + ":" + name}}}
	}
	s := workflows.StageExecution{
		Actions:    []workflows.ActionExecution{{Name: "SignOff"}, {Name: "Deploy"}},
		Conditions: []workflows.ConditionExecution{rule(workflows.OnSuccess, "Healthy"), rule(workflows.BeforeEntry, "Window")},
	}
	var names []string
	for _, a := range s.AllActions() {
		names = append(names, a.Name)
	}
	if want := []string{workflows.BeforeEntry + ":Window", "SignOff", "Deploy", workflows.OnSuccess + ":Healthy"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	if len(s.Actions) != 2 {
		t.Errorf("the stage has %d actions of its own now", len(s.Actions))
	}
}

// A rule is carried out where, and as whom, it says.
func TestARuleIsAnActionInItsOwnPlace(t *testing.T) {
	c := workflows.Condition{Rules: []workflows.Rule{{Name: "Quiet", Region: "us-east-1", RoleArn: "arn:aws:iam::333344445555:role/look"}}}
	if a := c.Action(workflows.OnSuccess, "Quiet"); a == nil || a.Region != "us-east-1" || a.RoleArn != "arn:aws:iam::333344445555:role/look" {
		t.Errorf("it is carried out as %+v", a)
	}
}
