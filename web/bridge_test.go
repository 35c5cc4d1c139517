package web

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// What is asked of a pipeline in AWS is answered with what AWS made of it, as far
// as that is known: the execution, else the request.
func TestWhatIsAskedOfAWSIsAnsweredByWhatIsKnown(t *testing.T) {
	open := &workflows.Request{ID: "r1", Verb: workflows.RollBack, State: workflows.RequestOpen}
	done := &workflows.Request{ID: "r1", Verb: workflows.RollBack, State: workflows.RequestDone}
	made := &workflows.Execution{ID: "e2", ExternalID: "7cf7", Requests: []workflows.Request{*open}}
	const start, back, lock, stop = "pipelines/webshop/executions", "pipelines/webshop/stages/Production/rollback", "pipelines/webshop/stages/Production/transition", "executions/e1/stop"
	for _, c := range []struct {
		name, path, body string
		result           event.Result
		status           int
		holds            string
	}{
		{"a start that AWS has made", start, "", event.Result{Execution: made, Request: done}, 201, `"externalId":"7cf7"`},
		{"a start without an answer", start, "", event.Result{Pipeline: "webshop", Request: open}, 202, `"request":{"id":"r1"`},
		{"a start that nobody has seen", start, "", event.Result{Pipeline: "webshop", Request: done}, 202, `"state":"done"`},
		{"a rollback that AWS has made", back, `{"target":"e1"}`, event.Result{Execution: made, Request: done}, 201, `"id":"e2"`},
		{"a rollback without an answer", back, `{"target":"e1"}`, event.Result{Request: open}, 202, `"state":"open"`},
		{"a lock that AWS has set", lock, `{"enabled":false}`, event.Result{Transition: &workflows.Transition{Reason: "sale"}, Request: done}, 200, `"reason":"sale"`},
		{"a lock without an answer", lock, `{"enabled":false}`, event.Result{Transition: &workflows.Transition{Enabled: true}, Request: open}, 202, `"request":{`},
		{"a stop", stop, "", event.Result{Execution: made, Request: open}, 200, `"requests":[{`},
	} {
		w := call(&engine{result: c.result}, "POST", "/api/v1/"+c.path, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.holds) {
			t.Errorf("%s: %d, want %d with %s: %s", c.name, w.Code, c.status, c.holds, w.Body)
		}
	}
}

// What AWS refuses comes with AWS's code; what rollcall refuses for it with its own.
func TestRefusalsAboutPipelinesInAWS(t *testing.T) {
	for code, want := range map[string]int{workflows.CodeWatchOnly: 409, workflows.CodeManagedByBridge: 409, "StageNotRetryable": 409, "UnableToRollbackStage": 409, "AccessDenied": 403, workflows.CodeAWSUnavailable: 503} {
		w := call(&engine{err: &workflows.Problem{Code: code, Message: "no", Hint: "do this"}}, "POST", "/api/v1/executions/e1/retry", `{}`)
		var p problemBody
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != want || p.Code != code || p.Hint != "do this" {
			t.Errorf("%s: %d %+v %v, want %d", code, w.Code, p, err, want)
		}
		if after := w.Header().Get("Retry-After"); (after != "") != (want == 503) || want == 503 && after != "10" {
			t.Errorf("%s: Retry-After %q", code, after)
		}
	}
}
