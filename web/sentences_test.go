package web

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Every answer that shows how something stands says it in words too, and
// changes nothing of what its reader keeps.
func TestAnswersCarryTheirSentences(t *testing.T) {
	ana := workflows.Principal{ID: "slack:U1", Name: "Ana"}
	e := workflows.Execution{ID: "e43", Number: 43, Pipeline: "webshop", Status: workflows.StatusInProgress,
		WaitsFor: &workflows.Wait{Stage: "Production", For: workflows.WaitsForTransition},
		Stages:   []workflows.StageExecution{{Name: "Build", Status: workflows.StatusSucceeded}, {Name: "Production", Status: workflows.StatusNotStarted}}}
	p := workflows.PipelineView{Name: "webshop", Stages: []workflows.StageView{{Name: "Production", LatestExecution: &workflows.LatestIn{Number: 42, Status: workflows.StatusSucceeded},
		Transition: workflows.Transition{Cause: "person", By: &ana, Reason: "checkout errors"}}}}
	o := say.OpenApproval{Approval: workflows.Approval{Required: 2, Missing: []string{"2 more approvals"}}}
	failed := workflows.Execution{Status: workflows.StatusFailed, StatusReason: &workflows.Reason{Code: "ActionFailed", Message: "Deploy in Production: exit status 1"}}
	const blocked, locked, asked = `"statusText":"blocked: Production is locked"`, `"statusText":"succeeded (#42); locked by Ana: checkout errors"`, `"statusText":"0 of 2 approvals, 2 more needed"`
	for _, c := range []struct {
		name string
		v    any
		want []string
	}{
		{"an execution", e, []string{blocked, `"statusText":"succeeded"`}},
		{"one that was changed", &e, []string{blocked}},
		{"one that failed", failed, []string{`"statusText":"failed: Deploy in Production: exit status 1"`}},
		{"a list of them", map[string]any{"executions": []workflows.Execution{failed, e}}, []string{blocked}},
		{"a pipeline", p, []string{locked}},
		{"a list of them", map[string]any{"pipelines": []workflows.PipelineView{p}}, []string{locked}},
		{"an edit", edited{PipelineView: p, Changed: true}, []string{locked, `"changed":true`}},
		{"approvals", map[string]any{"approvals": []say.OpenApproval{o}}, []string{asked}},
	} {
		got, err := json.Marshal(worded(c.v))
		for _, want := range c.want {
			if err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%s lacks %s: %s %v", c.name, want, got, err)
			}
		}
	}
	for _, kept := range []any{e, p, o} {
		if text, _ := json.Marshal(kept); strings.Contains(string(text), "statusText") {
			t.Errorf("what was given has changed: %s", text)
		}
	}
	if v := map[string]any{"targets": []ledger.Target{}}; !reflect.DeepEqual(worded(v), v) {
		t.Error("an answer without sentences has changed")
	}
}
