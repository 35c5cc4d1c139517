package say_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// What people decide about at a gate is what was planned since the gate before.
func TestPlannedChanges(t *testing.T) {
	set := func(name string, order int, status workflows.Status, changes string) workflows.ActionExecution {
		return workflows.ActionExecution{Name: name, RunOrder: order, Status: status, Provider: "CloudFormation", OutputVariables: map[string]string{say.StackChanges: changes}}
	}
	gate := func(name string, order int) workflows.ActionExecution {
		return workflows.ActionExecution{Name: name, RunOrder: order, Provider: "Manual"}
	}
	done := workflows.StatusSucceeded
	e := &workflows.Execution{Stages: []workflows.StageExecution{
		{Name: "Test", Actions: []workflows.ActionExecution{set("Stack", 1, done, "1 change to test made\nAdd A a")}},
		{Name: "Production", Actions: []workflows.ActionExecution{
			gate("Second", 4), set("Data", 3, done, "1 change to data planned\nRemove B b"), gate("First", 2), set("Shop", 1, done, "no change to shop"),
			set("Broken", 3, workflows.StatusFailed, "2 changes"), set("Later", 5, done, "3 changes"), set("Silent", 3, done, ""),
		}},
		{Name: "After", Actions: []workflows.ActionExecution{gate("Third", 2)}},
	}}
	for at, want := range map[string]string{
		"Production/First":  "Test/Stack: 1 change to test made|Add A a; Production/Shop: no change to shop",
		"Production/Second": "Production/Data: 1 change to data planned|Remove B b",
		"After/Third":       "Production/Later: 3 changes",
	} {
		stage, gate, _ := strings.Cut(at, "/")
		var got []string
		for _, lines := range say.PlannedChanges(e, stage, gate) {
			got = append(got, strings.Join(lines, "|"))
		}
		if want := strings.Split(want, "; "); !slices.Equal(got, want) {
			t.Errorf("at %s %q, want %q", at, got, want)
		}
	}
}
