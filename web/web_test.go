package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// engine records what was asked for and answers as it is told.
type engine struct {
	asked  workflows.Intent
	by     workflows.Principal
	result event.Result
	err    error
	frames []event.Frame
	hidden bool // the pipelines, from everybody
}

func (e *engine) Submit(_ context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error) {
	e.asked, e.by = in, by
	return e.result, e.err
}

func (e *engine) Execution(context.Context, workflows.Principal, string) (workflows.Execution, error) {
	return workflows.Execution{ID: "x"}, e.err
}

func (e *engine) Executions(context.Context, workflows.Principal, record.Query) ([]workflows.Execution, error) {
	return nil, e.err
}

func (e *engine) Pipeline(_ context.Context, _ workflows.Principal, name string, version int) (workflows.PipelineView, error) {
	if e.hidden {
		return workflows.PipelineView{}, &workflows.Problem{Code: workflows.CodePipelineNotFound, Message: "there is no pipeline"}
	}
	return workflows.PipelineView{Name: name, Version: cmp.Or(version, 3)}, e.err
}

func (e *engine) Versions(context.Context, workflows.Principal, string) ([]event.Version, error) {
	return nil, e.err
}

func (e *engine) Pipelines(context.Context, workflows.Principal) ([]workflows.PipelineView, error) {
	return nil, e.err
}

func (e *engine) Targets(context.Context, workflows.Principal, string, string) ([]ledger.Target, error) {
	return nil, e.err
}

func (e *engine) Changes(_ context.Context, _ workflows.Principal, ref, stage string) (changes.Set, error) {
	return changes.Set{To: ref + " in " + stage}, e.err
}

func (e *engine) Notes(_ context.Context, _ workflows.Principal, pipeline, stage, since string) (changes.Notes, error) {
	return changes.Notes{Text: pipeline + " " + stage + " since " + since}, e.err
}

func (e *engine) Explain(_ context.Context, _ workflows.Principal, q say.AccessQuestion) (say.AccessAnswer, error) {
	return say.AccessAnswer{AccessQuestion: q}, e.err
}

func (e *engine) Approvals(context.Context, workflows.Principal) ([]say.OpenApproval, error) {
	return nil, e.err
}

type log struct{ *strings.Reader }

func (log) Close() error { return nil }

func (e *engine) Log(context.Context, workflows.Principal, string, string, string, int) (io.ReadSeekCloser, error) {
	return log{strings.NewReader("line one\nline two\n")}, e.err
}

func (e *engine) Head(context.Context) (uint64, error) { return 7, nil }

// Feed answers what is newer at once, and else waits as the real one does.
func (e *engine) Feed(ctx context.Context, _ workflows.Principal, after uint64, _ int) ([]event.Frame, error) {
	var newer []event.Frame
	for _, f := range e.frames {
		if f.Feed > after {
			newer = append(newer, f)
		}
	}
	if newer != nil {
		return newer, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func serve(e *engine) http.Handler {
	return Handler(Options{Doer: e, Reader: e, Watcher: e, History: e, Contents: e, Explainer: e, Declare: declare, Tokens: map[string]string{"ci": "secret-of-ci"}, Heartbeat: time.Minute,
		Ready: func(context.Context) error { return e.err }, Log: slog.New(slog.DiscardHandler)})
}

func call(e *engine, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer secret-of-ci")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	serve(e).ServeHTTP(w, r)
	return w
}

func TestEveryRequestIsMadeBySomebody(t *testing.T) {
	for _, auth := range []string{"", "Bearer ", "Bearer wrong", "Basic secret-of-ci", "secret-of-ci"} {
		e := &engine{}
		w := call(e, "POST", "/api/v1/pipelines/webshop/executions", `{}`, "Authorization", auth)
		if w.Code != http.StatusUnauthorized || e.asked.Verb != "" {
			t.Errorf("%q: %d, asked for %q", auth, w.Code, e.asked.Verb)
		}
	}
	e := &engine{}
	call(e, "POST", "/api/v1/pipelines/webshop/executions", `{}`)
	if want := (workflows.Principal{ID: "token:ci", Name: "ci", Via: "api"}); e.by != want {
		t.Errorf("by %+v, want %+v", e.by, want)
	}
}

// A browser that is lured from elsewhere cannot make a change, whatever it sends along.
func TestOtherOriginsChangeNothing(t *testing.T) {
	e := &engine{}
	w := call(e, "POST", "/api/v1/pipelines/webshop/executions", `{}`, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	if w.Code != http.StatusForbidden || e.asked.Verb != "" {
		t.Errorf("%d, asked for %q", w.Code, e.asked.Verb)
	}
}

func TestRequestsBecomeIntents(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"pipelines/webshop/executions", `{"variables":{"v":"1"},"sourceRevisions":[{"actionName":"App","revisionType":"COMMIT_ID","revisionValue":"abcdef0"}],"clientRequestToken":"t"}`,
			`{"verb":"start","pipeline":"webshop","token":"t","variables":{"v":"1"},"sourceRevisions":[{"actionName":"App","revisionType":"COMMIT_ID","revisionValue":"abcdef0"}]}`},
		{"executions/e1/stop", `{"abandon":true,"reason":"late"}`, `{"verb":"stop","execution":"e1","reason":"late","abandon":true}`},
		{"executions/webshop%2342/retry", `{"stage":"Build","mode":"ALL_ACTIONS"}`, `{"verb":"retry","execution":"webshop#42","stage":"Build","all":true}`},
		{"executions/e1/resolve", `{"stage":"P","action":"D","as":"again"}`, `{"verb":"resolve","execution":"e1","stage":"P","action":"D","as":"again"}`},
		{"executions/e1/override", `{"stage":"P","action":"SignOff","condition":"APPROVAL","reason":"the shop is down"}`, `{"verb":"override","execution":"e1","stage":"P","action":"SignOff","reason":"the shop is down","condition":"APPROVAL"}`},
		{"executions/webshop%2342/override", `{"reason":"r"}`, `{"verb":"override","execution":"webshop#42","reason":"r"}`},
		{"pipelines/webshop/stages/Production/rollback", `{"target":"e1","definition":"current","reason":"r","ifCurrent":"e2","stopRunning":true,"clientRequestToken":"t"}`,
			`{"verb":"rollback","pipeline":"webshop","stage":"Production","token":"t","reason":"r","ifCurrent":"e2","target":"e1","definition":"current","whileRunning":"stop"}`},
		{"pipelines/webshop/stages/Production/transition", `{"enabled":false,"reason":"freeze"}`, `{"verb":"lock","pipeline":"webshop","stage":"Production","reason":"freeze"}`},
		{"pipelines/webshop/stages/Production/transition", `{"enabled":true,"only":"e3"}`, `{"verb":"unlock","pipeline":"webshop","execution":"e3","stage":"Production"}`},
		{"approvals/g1", `{"answer":"approve"}`, `{"verb":"approve","gate":"g1"}`},
		{"approvals/g1", `{"answer":"reject","comment":"no"}`, `{"verb":"reject","reason":"no","gate":"g1"}`},
	} {
		e := &engine{result: event.Result{Execution: &workflows.Execution{ID: "x"}}}
		w := call(e, "POST", "/api/v1/"+c.path, c.body)
		got, _ := json.Marshal(e.asked)
		if string(got) != c.want || w.Code >= 300 {
			t.Errorf("%s %s: %d\ngot  %s\nwant %s", c.path, c.body, w.Code, got, c.want)
		}
	}
}

// C12: whatever has become of an intent, status and body agree: 201 holds the
// execution that was created, 202 what is planned, 200 what was changed.
func TestStatusAndBodyAgree(t *testing.T) {
	x, plan := &workflows.Execution{ID: "e9"}, &workflows.PlannedRollback{Stage: "P", Target: "e1"}
	const start, rollback = "pipelines/webshop/executions", "pipelines/webshop/stages/P/rollback"
	for _, c := range []struct {
		what, path, body string
		result           event.Result
		status           int
		holds            string
	}{
		{"started", start, `{}`, event.Result{Execution: x, Changed: true}, 201, `"id":"e9"`},
		{"started before, by the same token", start, `{"clientRequestToken":"t"}`, event.Result{Execution: x}, 201, `"id":"e9"`},
		{"rolled back", rollback, `{"target":"e1"}`, event.Result{Execution: x, Changed: true}, 201, `"id":"e9"`},
		{"planned", rollback, `{"target":"e1","stopRunning":true}`, event.Result{Pipeline: "webshop", Planned: plan, Changed: true}, 202, `"planned":{"stage":"P","target":"e1"`},
		{"planned before, by the same token", rollback, `{"target":"e1","stopRunning":true,"clientRequestToken":"t"}`, event.Result{Pipeline: "webshop", Planned: plan}, 202, `"changed":false,"planned"`},
		{"planned before, and begun", rollback, `{"target":"e1","stopRunning":true,"clientRequestToken":"t"}`, event.Result{Execution: x}, 201, `"id":"e9"`},
		{"planned before, and given up", rollback, `{"target":"e1","stopRunning":true,"clientRequestToken":"t"}`, event.Result{Pipeline: "webshop"}, 409, `"code":"UnableToRollbackStage"`},
		{"locked", "pipelines/webshop/stages/P/transition", `{"enabled":false}`, event.Result{Transition: &workflows.Transition{}, Changed: true}, 200, `"enabled":false`},
		{"unlocked", "pipelines/webshop/stages/P/transition", `{"enabled":true}`, event.Result{Transition: &workflows.Transition{Enabled: true}}, 200, `"enabled":true`},
		{"one admitted", "pipelines/webshop/stages/P/transition", `{"enabled":true,"only":"e9"}`, event.Result{Execution: x, Transition: &workflows.Transition{}}, 200, `"id":"e9"`},
		{"stopped", "executions/e9/stop", `{}`, event.Result{Execution: x}, 200, `"id":"e9"`},
		{"retried", "executions/e9/retry", `{}`, event.Result{Execution: x}, 200, `"id":"e9"`},
		{"overridden", "executions/e9/override", `{"reason":"r"}`, event.Result{Execution: x}, 200, `"id":"e9"`},
		{"resolved", "executions/e9/resolve", `{"as":"failed"}`, event.Result{Execution: x}, 200, `"id":"e9"`},
		{"approved", "approvals/g", `{"answer":"approve"}`, event.Result{Execution: x}, 200, `"id":"e9"`},
		{"rejected", "approvals/g", `{"answer":"reject"}`, event.Result{Execution: x}, 200, `"id":"e9"`},
	} {
		w := call(&engine{result: c.result}, "POST", "/api/v1/"+c.path, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.holds) {
			t.Errorf("%s: %d %s, want %d with %s", c.what, w.Code, w.Body, c.status, c.holds)
		}
	}
}

func TestBadRequestsNameWhatIsWrongAndChangeNothing(t *testing.T) {
	const start, rollback = "/api/v1/pipelines/webshop/executions", "/api/v1/pipelines/webshop/stages/P/rollback"
	for _, c := range []struct {
		path, body   string
		status       int
		field, words string
	}{
		{start, `{"varaibles":{}}`, 400, "varaibles", "there is no field varaibles"},
		{start, `{"variables":[1]}`, 400, "variables", "variables must be a map"},
		{start, `{`, 400, "", "not JSON"},
		{start, `{} {}`, 400, "", "more than one"},
		{start, `"` + strings.Repeat("x", 10<<20) + `"`, 413, "", "larger than"},
		{rollback, `{}`, 400, "target", "target is missing"},
		{"/api/v1/pipelines/webshop/stages/P/transition", `{}`, 400, "enabled", "enabled is missing"},
		{"/api/v1/approvals/g", `{"answer":"yes"}`, 400, "answer", "approve or reject"},
		{"/api/v1/executions/e/resolve", `{"as":"fine"}`, 400, "as", "succeeded, failed or again"},
		{"/api/v1/executions/e/override", `{"stage":"P","condition":"APPROVAL"}`, 400, "reason", "reason is missing"},
		{"/api/v1/executions/e/override", `{"stage":"P","reason":" \n"}`, 400, "reason", "reason is missing"},
		{"/api/v1/executions/e/override", `{"reason":"r","condition":"ALL"}`, 400, "condition", "there is no condition ALL"},
		{"/api/v1/executions/e/retry", `{"mode":"SOME"}`, 400, "mode", "there is no mode SOME"},
		{"/api/v1/nothing", `{}`, 404, "", "there is no POST"},
	} {
		e := &engine{}
		w := call(e, "POST", c.path, c.body)
		var p problemBody
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("%s: %v %s", c.path, err, w.Body)
		}
		if w.Code != c.status || p.Field != c.field || !strings.Contains(p.Detail, c.words) || p.ID == "" || p.Status != w.Code || e.asked.Verb != "" {
			t.Errorf("%s %.40s: %d %+v, asked %q", c.path, c.body, w.Code, p, e.asked.Verb)
		}
		if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("content type %s", got)
		}
	}
}

func TestRefusalsKeepTheirWordsAndErrorsKeepTheirSecrets(t *testing.T) {
	for code, want := range map[string]int{"PipelineNotFound": 404, "PipelineVersionNotFound": 404, "ManagedByFile": 409, "Validation": 400, "AccessDenied": 403, "NotAnApprover": 403, "UnableToRollbackStage": 409,
		"ApprovalAlreadyCompleted": 409, "CommitUnknown": 503, "Changed": 409} {
		w := call(&engine{err: &workflows.Problem{Code: code, Message: "no", Hint: "do this"}}, "POST", "/api/v1/executions/e/stop", `{}`)
		if w.Code != want || !strings.Contains(w.Body.String(), "do this") || (want == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: %d %s", code, w.Code, w.Body)
		}
	}
	w := call(&engine{err: errors.New("open /var/secret/path: denied")}, "GET", "/api/v1/pipelines", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestListsAreNeverNull(t *testing.T) {
	for path, want := range map[string]string{"pipelines": `{"pipelines":[]}`, "approvals": `{"approvals":[]}`, "pipelines/w/executions": `{"executions":[]}`, "pipelines/w/versions": `{"versions":[]}`, "pipelines/w/stages/s/targets": `{"targets":[]}`} {
		if w := call(&engine{}, "GET", "/api/v1/"+path, ""); strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
}

func TestLogsByRangeAndOffset(t *testing.T) {
	if w := call(&engine{}, "GET", "/api/v1/executions/e/log?stage=s&action=a", ""); w.Body.String() != "line one\nline two\n" {
		t.Errorf("%q", w.Body)
	}
	if w := call(&engine{}, "GET", "/api/v1/executions/e/log", "", "Range", "bytes=9-12"); w.Code != 206 || w.Body.String() != "line" {
		t.Errorf("range: %d %q", w.Code, w.Body)
	}
	if w := call(&engine{}, "GET", "/api/v1/executions/e/log?offset=9", ""); w.Body.String() != "line two\n" {
		t.Errorf("offset: %q", w.Body)
	}
}

// A reader that was cut off in the middle of a frame goes on with the next event.
func TestFeedResumesWhereItWasCut(t *testing.T) {
	synctest.Test(t, testFeedResumes)
}

func testFeedResumes(t *testing.T) {
	e := &engine{frames: []event.Frame{
		{Pipeline: "a", Feed: 7, Events: []event.Event{{Kind: event.ExecutionStarted}, {Kind: event.StageEntered}}},
		{Pipeline: "b", Feed: 8, Events: []event.Event{{Kind: event.StageFailed, Stage: "Build", Reason: &workflows.Reason{Message: "exit status 1"}}}},
	}}
	feed := func(query, last string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r := httptest.NewRequest("GET", "/api/v1/events"+query, nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer secret-of-ci")
		r.Header.Set("Last-Event-ID", last)
		w := httptest.NewRecorder()
		serve(e).ServeHTTP(w, r)
		if body := w.Body.String(); strings.Contains(body, "stageFailed") && !strings.Contains(body, `"summary":"Build failed: exit status 1"`) {
			t.Errorf("the feed does not say in one line what happened: %s", body)
		}
		var kinds []string
		for _, l := range strings.Split(w.Body.String(), "\n") {
			if k, ok := strings.CutPrefix(l, "event: "); ok {
				kinds = append(kinds, k)
			}
		}
		return strings.Join(kinds, " ")
	}
	for _, c := range []struct{ query, last, want string }{
		{"", "", "executionStarted stageEntered stageFailed"},
		{"", cursor{7, 1}.String(), "stageEntered stageFailed"},
		{"", cursor{7, 2}.String(), "stageFailed"},
		{"?pipeline=b", "", "stageFailed"},
		{"?after=now", "", "stageFailed"},
		{"", cursor{8, 1}.String(), ""},
	} {
		if got := feed(c.query, c.last); got != c.want {
			t.Errorf("%s after %q: %q, want %q", c.query, c.last, got, c.want)
		}
	}
	if w := call(e, "GET", "/api/v1/events?after=nonsense!", ""); w.Code != 400 {
		t.Errorf("a bad cursor: %d", w.Code)
	}
}

// C10: who probes is told that it is not ready, and no inner error.
func TestReadinessTellsStrangersNothingInner(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		text   string
	}{
		{nil, 200, "ready\n"},
		{errors.New("open /data/rollcall.db: no space left"), 503, "not ready\n"},
		{&workflows.Problem{Message: "the data folder takes no write"}, 503, "not ready: the data folder takes no write\n"},
	} {
		w := call(&engine{err: c.err}, "GET", "/readyz", "", "Authorization", "")
		if w.Code != c.status || w.Body.String() != c.text {
			t.Errorf("%v: %d %q", c.err, w.Code, w.Body)
		}
	}
}

func FuzzBodiesNeverReachTheEngineHalfRead(f *testing.F) {
	f.Add([]byte(`{"target":"x","reason":"y"}`))
	f.Add([]byte(`{"target":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := &engine{result: event.Result{Execution: &workflows.Execution{ID: "x"}}}
		w := call(e, "POST", "/api/v1/pipelines/webshop/stages/P/rollback", string(body))
		if w.Code >= 300 && e.asked.Verb != "" || w.Code < 300 && e.asked.Target == "" {
			t.Errorf("%d for %q, asked %+v", w.Code, body, e.asked)
		}
	})
}

// S1: a service that decides and writes is ready, and says beside it what it
// does not hear.
func TestReadyzSaysWhatIsMissingBeside(t *testing.T) {
	for want, lines := range map[string][]string{"ready\n": nil, "ready\nslack: not listening since noon\n": {"slack: not listening since noon"}} {
		h := Handler(Options{Ready: func(context.Context) error { return nil }, Standing: func() []string { return lines }, Log: slog.New(slog.DiscardHandler)})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%d %q, want %q", w.Code, w.Body, want)
		}
	}
}

// TestAnUnknownStatusIsRefused (U13): a word that is none of the list's finds nothing for ever.
func TestAnUnknownStatusIsRefused(t *testing.T) {
	for status, want := range map[string]int{"": 200, "InProgress": 200, "Stopping": 200, "Failed": 200, "Bad": 400, "failed": 400, "Skipped": 400} {
		w := call(&engine{}, "GET", "/api/v1/pipelines/webshop/executions?status="+status, "")
		if w.Code != want || want == 400 && !strings.Contains(w.Body.String(), "there is no status "+status) {
			t.Errorf("%q: %d %s", status, w.Code, w.Body)
		}
	}
}

func TestTwoExecutionsAreCompared(t *testing.T) {
	w := call(&engine{}, "GET", "/api/v1/compare?a=webshop%2341&b=webshop%2342", "")
	var got struct {
		A, B      struct{ Execution string }
		Revisions []any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || got.A.Execution != "x" || got.B.Execution != "x" || got.Revisions == nil {
		t.Errorf("%d %s: %v", w.Code, w.Body, err)
	}
	for _, query := range []string{"", "?a=x", "?b=x"} {
		if w := call(&engine{}, "GET", "/api/v1/compare"+query, ""); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "must name two executions") {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	}
	// Of a pipeline that the token may not see there is nothing to compare.
	if w := call(&engine{hidden: true}, "GET", "/api/v1/compare?a=x&b=x", ""); w.Code != http.StatusNotFound {
		t.Errorf("hidden: %d %s", w.Code, w.Body)
	}
}

func TestChanges(t *testing.T) {
	w := call(&engine{}, http.MethodGet, "/api/v1/executions/webshop%232/changes?stage=Production", "")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"from":null,"to":"webshop#2 in Production"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w = call(&engine{}, http.MethodGet, "/api/v1/pipelines/webshop/stages/Production/notes?since=webshop%232", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"text":"webshop Production since webshop#2"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w = call(&engine{err: &workflows.Problem{Code: workflows.CodeStageNotFound}}, http.MethodGet, "/api/v1/executions/webshop%232/changes?stage=x", ""); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
