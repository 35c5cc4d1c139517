package compare_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/compare"
)

var began = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// ran is an action that took so long.
func ran(name string, took time.Duration) workflows.ActionExecution {
	from, to := began, began.Add(took)
	return workflows.ActionExecution{Name: name, Provider: "Commands", Status: workflows.StatusSucceeded, Attempt: 1, StartedAt: &from, EndedAt: &to}
}

// good is webshop#41, which deployed.
func good() workflows.Execution {
	end := began.Add(10 * time.Minute)
	return workflows.Execution{ID: "id41", Number: 41, Pipeline: "webshop", Version: 7, Type: workflows.TypeStandard, Status: workflows.StatusSucceeded,
		StartedAt: began, EndedAt: &end, Variables: map[string]string{"canary": "10", "zone": "eu"},
		Outputs:         map[string]map[string]string{"Package": {"VERSION": "1.4.0"}},
		Artifacts:       map[string]workflows.Artifact{"dist": {Name: "dist", Digest: "aa"}, "app": {Name: "app", Digest: "cc"}},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "1111111"}},
		Stages: []workflows.StageExecution{
			{Name: "Build", Status: workflows.StatusSucceeded, Actions: []workflows.ActionExecution{ran("Test", time.Minute)}},
			{Name: "Production", Status: workflows.StatusSucceeded, Actions: []workflows.ActionExecution{ran("Deploy", 40*time.Second)}}}}
}

// bad is webshop#42, whose deployment failed at the second attempt.
func bad() workflows.Execution {
	e := good()
	end := began.Add(10*time.Minute + 2*time.Second) // within a tenth
	e.ID, e.Number, e.Version, e.Status, e.EndedAt = "id42", 42, 8, workflows.StatusFailed, &end
	e.StatusReason = &workflows.Reason{Code: "ActionFailed", Message: "Deploy in Production: exit status 1"}
	e.Variables = map[string]string{"canary": "25", "ticket": "OPS-1"}
	e.Outputs = map[string]map[string]string{"Package": {"VERSION": "1.5.0"}}
	e.Artifacts = map[string]workflows.Artifact{"dist": {Name: "dist", Digest: "bb"}, "app": {Name: "app", Digest: "cc"}}
	e.SourceRevisions = []workflows.SourceRevision{{ActionName: "App", RevisionID: "2222222"}}
	failed := ran("Deploy", 3*time.Minute+5*time.Second)
	failed.Status, failed.Attempt, failed.Error = workflows.StatusFailed, 2, &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}
	e.Stages = []workflows.StageExecution{
		{Name: "Build", Status: workflows.StatusSucceeded, Actions: []workflows.ActionExecution{ran("Test", 61*time.Second)}},
		{Name: "Production", Status: workflows.StatusFailed, Actions: []workflows.ActionExecution{failed}}}
	return e
}

func pipeline(commands ...string) *workflows.Pipeline {
	return &workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeSuperseded, Stages: []workflows.Stage{{Name: "Production",
		Actions: []workflows.Action{{Name: "Deploy", ActionType: workflows.ActionType{Category: "Compute", Owner: "AWS", Provider: "Commands", Version: "1"}, RunOrder: 1, Commands: commands}}}}}
}

func TestOnlyWhatDiffersIsKept(t *testing.T) {
	a, b := good(), bad()
	got := compare.Executions(&a, &b, pipeline("deploy"), pipeline("deploy --fast"))
	if got.A.Ref() != "webshop#41" || got.B.Ref() != "webshop#42" || got.B.StatusText != "failed: Deploy in Production: exit status 1" {
		t.Errorf("sides %+v %+v", got.A, got.B)
	}
	for what, c := range map[string]struct{ got, want []compare.Difference }{
		"revisions":  {got.Revisions, []compare.Difference{{"App", "1111111", "2222222"}}},
		"definition": {got.Definition, []compare.Difference{{"stage Production, action Deploy, commands", `["deploy"]`, `["deploy --fast"]`}}},
		"variables":  {got.Variables, []compare.Difference{{"canary", "10", "25"}, {"zone", "eu", ""}, {"Package.VERSION", "1.4.0", "1.5.0"}, {"ticket", "", "OPS-1"}}},
		"artifacts":  {got.Artifacts, []compare.Difference{{"dist", "aa", "bb"}}},
		"durations":  {got.Durations, []compare.Difference{{"Production/Deploy", "40s", "3m5s"}}},
		"outcomes":   {got.Outcomes, []compare.Difference{{"execution", "Succeeded", "Failed"}, {"Production/Deploy", "Succeeded", "Failed (attempt 2): exit status 1"}}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %q, want %q", what, c.got, c.want)
		}
	}
}

// What is the same leaves empty lists, which programs can go through.
func TestAnExecutionIsLikeItself(t *testing.T) {
	a := good()
	got, err := json.Marshal(compare.Executions(&a, &a, pipeline("deploy"), pipeline("deploy")))
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(got, &read); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"revisions", "definition", "variables", "artifacts", "durations", "outcomes"} {
		if all, ok := read[list].([]any); !ok || len(all) != 0 {
			t.Errorf("%s: %v", list, read[list])
		}
	}
}

// A rollback has only its stage: what the other one ran beside it is on one side.
func TestWhatOneSideLacksIsEmpty(t *testing.T) {
	a, b := good(), good()
	b.Type, b.Stages = workflows.TypeRollback, b.Stages[1:]
	got := compare.Executions(&a, &b, nil, pipeline("deploy"))
	if want := []compare.Difference{{Name: "Build/Test", A: "Succeeded"}}; !reflect.DeepEqual(got.Outcomes, want) || len(got.Durations) != 0 || len(got.Definition) != 0 {
		t.Errorf("outcomes %q, durations %q, definition %q", got.Outcomes, got.Durations, got.Definition)
	}
}
