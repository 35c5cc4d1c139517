package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What was written under earlier names is read under those of today.
func TestEarlierNames(t *testing.T) {
	read := func(text string, into any) any {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		return into
	}
	for _, c := range []struct{ got, want any }{
		{read(`{"hold":"manual","eligible":"any","approval":"skip"}`, &workflows.RollbackPolicy{}), &workflows.RollbackPolicy{Lock: "manual", Eligible: "any", Approval: "skip"}},
		{read(`{"lock":"never","eligible":"any","approval":"skip"}`, &workflows.RollbackPolicy{}), &workflows.RollbackPolicy{Lock: "never", Eligible: "any", Approval: "skip"}},
		{read(`{"definition":"asWas","target":"a"}`, &workflows.Rollback{}), &workflows.Rollback{Definition: "original", Target: "a"}},
		{read(`{"definition":"asIs"}`, &workflows.PlannedRollback{}), &workflows.PlannedRollback{Definition: "current"}},
		{read(`[{"verb":"disable"},{"verb":"enable"},{"verb":"unlock"},{"verb":"start"}]`, &[]workflows.Offer{}),
			&[]workflows.Offer{{Verb: workflows.Lock}, {Verb: workflows.Unlock}, {Verb: workflows.Unlock}, {Verb: workflows.Start}}},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Error(d)
		}
	}
}

// Digests stand in rows and are compared with those of today's definitions: for
// the same definition they never change, or each pipeline gets a new version,
// and no success counts as an unchanged stage any more.
func TestDigestsStay(t *testing.T) {
	st := workflows.Stage{Name: "Prod", Environment: "production", Rollback: workflows.RollbackPolicy{Lock: "manual", Eligible: "any", Approval: "skip"}, Actions: []workflows.Action{
		{Name: "Deploy", RunOrder: 1, ActionType: workflows.ActionType{Category: "Deploy", Owner: "Rollcall", Provider: "Commands", Version: "1"}, Configuration: map[string]string{"x": `"rollback":{"lock":`}}}}
	p := workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeQueued, Stages: []workflows.Stage{st}}
	if got, want := p.Digest()+" "+st.Digest(), "c0f3921e4cee503010a01bf5be921c9b f209c40f8239a8ae61a441214adb0c67"; got != want {
		t.Errorf("the digests are %s, and were %s", got, want)
	}
}
