package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/demo"
)

// stage is a stage as the demo's AWS console shows it.
func stage(s demo.State, pipeline, name string) demo.ConsoleStage {
	if s.AWS == nil {
		return demo.ConsoleStage{}
	}
	for _, p := range s.AWS.Pipelines {
		for _, st := range p.Stages {
			if p.As == pipeline && st.Name == name {
				return st
			}
		}
	}
	return demo.ConsoleStage{}
}

// The story of two pipelines that stay in AWS: a quorum in Slack is one answer there, a failure is rolled back
// from the card, an answer in the console is told in the channel.
func TestDemoWithAWSTellsItsStory(t *testing.T) {
	t.Parallel()
	v := visitDemo(t, t.TempDir(), freeAddr(t), "--aws")
	t.Logf("ready after %s", v.took)

	v.step(demo.Approve, "webshop#2")
	v.press("UANA", "webshop#2", "approve")
	s := v.step(demo.RollBack, "payments#3")
	signOff := stage(s, "webshop", "Production").Actions[0]
	if signOff.Status != "Succeeded" || !strings.Contains(signOff.Text, "Ana") || !strings.Contains(signOff.Text, "Ben") || !strings.HasPrefix(signOff.By, "assumed-role/rollcall-bridge/") {
		t.Errorf("AWS says of the approval %+v", signOff)
	}
	v.rollBack("payments#3", "2")
	s = v.step(demo.InConsole, "webshop#3")
	if st := stage(s, "payments", "Production"); !st.Rollback || st.Status != "Succeeded" || st.Disabled == "" {
		t.Errorf("after the rollback AWS says %+v", st)
	}
	var answer struct {
		OK    bool
		Error string
	}
	click := map[string]string{"pipeline": "webshop-pipeline", "stage": "Production", "action": "SignOff", "answer": "approve"}
	if err := v.call(http.MethodPost, "/demo/api/console", click, &answer); err != nil || !answer.OK {
		t.Fatalf("the console: %v %s", err, answer.Error)
	}
	s = v.step(demo.Done, "")
	v.caption("user/bob in AWS approved webshop#3")
	v.caption("Ana rolls back to payments#2")
	if len(s.Tickets) != 1 || !strings.Contains(s.Tickets[0].Summary, "payments") {
		t.Errorf("tickets: %+v", s.Tickets)
	}
	if all := v.slack("UANA").Violations; len(all) > 0 {
		t.Errorf("Slack would refuse %v", all)
	}

	v.push("webshop")
	v.step(demo.Approve, "webshop#4")
	if err := v.call(http.MethodPost, "/demo/api/kill", map[string]any{}, &answer); err != nil {
		t.Fatal(err)
	}
	v.ready()
	v.press("UANA", "webshop#4", "approve")
	s = v.step(demo.Done, "")
	if st := stage(s, "webshop", "Production"); st.Status != "Succeeded" || s.Restarts != 1 {
		t.Errorf("after a kill AWS says %+v, and there were %d restarts", st, s.Restarts)
	}
}
