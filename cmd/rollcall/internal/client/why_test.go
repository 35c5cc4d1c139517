package client

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/compare"
)

// denied is a failure that AWS explains.
func denied() *workflows.Reason {
	f := &workflows.Finding{Class: "AccessDenied", Title: "AWS does not allow ecs:UpdateService", Cause: "the role deploy may not update the service shop",
		Fix: []string{"add the statement to the role deploy", "retry the stage"}, Statement: json.RawMessage(`{"Effect":"Allow","Action":"ecs:UpdateService","Resource":"arn:aws:ecs:eu-west-1:111122223333:service/web/shop"}`), Retry: "afterFix"}
	_ = json.Unmarshal([]byte(`{"evidence":[{"from":"ECS","text":"User is not authorized to perform: ecs:UpdateService"}],"links":[{"title":"the service in ECS","url":"https://eu-west-1.console.aws.amazon.com/ecs/shop"}]}`), f)
	return &workflows.Reason{Code: "AccessDenied", Message: "the role may not update the service", Finding: f}
}

// broken is webshop#42, whose deployment AWS refused beside an approval that was given.
func broken() workflows.Execution {
	e, from, to := execution(42), ago(8*time.Minute), ago(5*time.Minute)
	e.Status, e.StatusText, e.EndedAt = workflows.StatusFailed, "failed: Deploy in Production: the role may not update the service", &to
	st := &e.Stages[1]
	st.Status = workflows.StatusFailed
	st.Actions[0].Status, st.Actions[0].Approval = workflows.StatusFailed, &workflows.Approval{Closed: "withdrawn"}
	st.Actions[1].Status, st.Actions[1].Attempt, st.Actions[1].StartedAt, st.Actions[1].EndedAt, st.Actions[1].Error = workflows.StatusFailed, 2, &from, &to, denied()
	st.Conditions = []workflows.ConditionExecution{{Kind: workflows.AfterFailed, Status: workflows.StatusFailed, Rules: []workflows.ActionExecution{{Name: "onFailure:Hours", Status: workflows.StatusFailed}}}}
	return e
}

func TestWhatFailedIsFound(t *testing.T) {
	e := broken()
	got := failures(&e)
	want := []Failure{{Stage: "Production", Action: "Deploy", Attempt: 2, Seconds: 180, Error: e.Stages[1].Actions[1].Error, Log: []string{}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("failures %+v, want %+v", got, want)
	}
	e.Stages[1].Status = workflows.StatusSucceeded // a retry made good what failed
	if got := failures(&e); len(got) != 0 {
		t.Errorf("failures of a stage that succeeded: %+v", got)
	}
}

func TestWhatIsWaitedForIsSaid(t *testing.T) {
	view := queued()
	view.Stages[2].Transition = workflows.Transition{Cause: "person", By: &cho, Reason: "checkout errors"}
	locked, busy, frozenOne, gate, doubt, again, runs := execution(43), execution(44), frozen(), asked(), execution(42), execution(42), execution(42)
	locked.WaitsFor = &workflows.Wait{Stage: "Production", For: workflows.WaitsForTransition}
	busy.WaitsFor = &workflows.Wait{Stage: "Production", For: workflows.WaitsForStage}
	for _, e := range []*workflows.Execution{&doubt, &again, &runs} {
		e.Stages[1].Status, e.Stages[1].Actions[1].Status = workflows.StatusInProgress, workflows.StatusInProgress
	}
	doubt.Stages[1].Actions[1].Needs = workflows.NeedsResolve
	again.Stages[1].Actions[1].Error = &workflows.Reason{Code: "Retrying", Message: "it is tried again since 22 Dec 09:20 UTC: AWS is away"}
	lost := view
	lost.Bridge = &workflows.Bridge{Name: "prod", Error: &workflows.Reason{Message: "the role may not be assumed"}}
	for _, c := range []struct {
		name string
		e    *workflows.Execution
		view *workflows.PipelineView
		want []string
	}{
		{"locked", &locked, &view, []string{"blocked: Production is locked by cho: checkout errors"}},
		{"busy", &busy, &view, []string{"waiting for Production: 2nd in line, busy with #42"}},
		{"frozen", &frozenOne, &view, []string{"blocked: Production is frozen (year-end); warning: includes 0123456, which ben rolled back"}},
		{"gate", &gate, &view, []string{"waiting for approval: 1 of 2 approvals; approved by ana; warning: includes 0123456, which ben rolled back. Approvers: everyone with the permission approve"}},
		{"in doubt", &doubt, &view, []string{"Deploy in Production: the result is unknown. Check it, then mark it as succeeded or failed, or run it again"}},
		{"tried again", &again, &view, []string{"Deploy in Production: it is tried again since 22 Dec 09:20 UTC: AWS is away"}},
		{"runs", &runs, &view, []string{"running"}},
		{"not seen", &gate, &lost, []string{"not seen yet: the role may not be assumed", "waiting for approval: 1 of 2 approvals; approved by ana; warning: includes 0123456, which ben rolled back. Approvers: everyone with the permission approve"}},
	} {
		var got []string
		for _, w := range waits(c.e, c.view) {
			got = append(got, w.Reason)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What people read of a failure and of a wait, whole.
func TestWhyIsPrinted(t *testing.T) {
	e, at := broken(), ago(26*time.Hour)
	found := failures(&e)
	found[0].Log, found[0].ExternalURL = []string{"updating the service", "\x1b[31mAccessDenied\x1b[0m"}, "https://eu-west-1.console.aws.amazon.com/ecs"
	found[0].LastSuccess = &Success{Ref: "webshop#40", EndedAt: &at, Seconds: 41, Differences: &compare.Comparison{
		A: compare.Side{Pipeline: "webshop", Number: 40}, B: compare.Side{Pipeline: "webshop", Number: 42},
		Revisions: []compare.Difference{{Name: "App", A: "1123456789012345678901234567890123456789", B: "0123456789012345678901234567890123456789"}},
		Outcomes:  []compare.Difference{{Name: "Production/Deploy", A: "Succeeded", B: "Failed (attempt 2): the role may not update the service"}},
		Durations: []compare.Difference{{Name: "Production/Deploy", A: "41s", B: "3m0s"}}}}
	failed := Why{Ref: e.Ref(), Status: e.Status, StatusText: e.StatusText, Failures: found, Offers: []workflows.Offer{{Verb: workflows.Retry, Stage: "Production"}, {Verb: workflows.View}}}
	failed.Failures = append(failed.Failures, Failure{Stage: "Production", Action: "Notify", Attempt: 1, Seconds: 2, LogMissing: "you may not read the logs of webshop"})
	gate, view := asked(), queued()
	gate.Stages[1].Actions[0].Approval.OpenedAt = ago(8 * time.Minute)
	waiting := Why{Ref: gate.Ref(), Status: gate.Status, StatusText: "waiting for approval in Production", Waits: waits(&gate, &view),
		Offers: []workflows.Offer{{Verb: workflows.Approve, Stage: "Production", Action: "SignOff"}, {Verb: workflows.Unlock, Stage: "Production", Target: gate.ID}, {Verb: workflows.Resolve, Action: "Deploy"}}}
	done := Why{Ref: "webshop#41", Status: workflows.StatusSucceeded, StatusText: "succeeded"}
	for name, w := range map[string]*Why{"why-failed": &failed, "why-waits": &waiting, "why-succeeded": &done} {
		var out bytes.Buffer
		Printer{W: &out, Now: now}.Why(w)
		golden := filepath.Join("testdata", name+".txt")
		if *rewrite {
			if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, _ := os.ReadFile(golden); out.String() != string(want) {
			t.Errorf("%s: printed\n%s\nwant\n%s", name, out.String(), want)
		}
	}
}

func TestAComparisonIsPrinted(t *testing.T) {
	var out bytes.Buffer
	c := compare.Comparison{A: compare.Side{Pipeline: "webshop", Number: 41}, B: compare.Side{Pipeline: "webshop", Number: 42}}
	Printer{W: &out, Now: now}.Comparison(&c)
	c.Artifacts = []compare.Difference{{Name: "dist", A: "0123456789abcdef0123"}}
	Printer{W: &out, Now: now}.Comparison(&c)
	want := "webshop#41 and webshop#42 do not differ\n" +
		"WHAT      NAME  webshop#41    webshop#42\n" +
		"artifact  dist  0123456789ab  -\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}
