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
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// engine records what was asked for and answers as it is told.
type engine struct {
	asked  workflows.Intent
	by     workflows.Principal
	result workflows.Result
	err    error
	frames []event.Frame
	hidden bool // the pipelines, from everybody
}

func (e *engine) Submit(_ context.Context, in workflows.Intent, by workflows.Principal) (workflows.Result, error) {
	e.asked, e.by = in, by
	return e.result, e.err
}

func (e *engine) Execution(context.Context, workflows.Principal, string) (workflows.Execution, error) {
	return workflows.Execution{ID: "x"}, e.err
}

func (e *engine) Executions(context.Context, workflows.Principal, workflows.ExecutionQuery) ([]workflows.Execution, error) {
	return nil, e.err
}

func (e *engine) Pipeline(_ context.Context, _ workflows.Principal, name string, version int) (workflows.PipelineView, error) {
	if e.hidden {
		return workflows.PipelineView{}, &workflows.Problem{Code: workflows.CodePipelineNotFound, Message: "there is no pipeline"}
	}
	return workflows.PipelineView{Name: name, Version: cmp.Or(version, 3)}, e.err
}

func (e *engine) Versions(context.Context, workflows.Principal, string) ([]workflows.PipelineVersion, error) {
	return nil, e.err
}

func (e *engine) Pipelines(context.Context, workflows.Principal) ([]workflows.PipelineView, error) {
	return nil, e.err
}

func (e *engine) Targets(context.Context, workflows.Principal, string, string) ([]workflows.Target, error) {
	return nil, e.err
}

func (e *engine) Approvals(context.Context, workflows.Principal) ([]workflows.OpenApproval, error) {
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
	return Handler(Options{Doer: e, Reader: e, Watcher: e, History: e, Declare: declare, Tokens: map[string]string{"ci": "secret-of-ci"}, Heartbeat: time.Minute,
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
		{"pipelines/webshop/executions", `{"variables":{"v":"1"},"sourceRevisions":[{"actionName":"App","revisionType":"COMMIT_ID","revisionValue":"abc"}],"clientRequestToken":"t"}`,
			`{"verb":"start","pipeline":"webshop","token":"t","variables":{"v":"1"},"sourceRevisions":[{"actionName":"App","revisionType":"COMMIT_ID","revisionValue":"abc"}]}`},
		{"executions/e1/stop", `{"abandon":true,"reason":"late"}`, `{"verb":"stop","execution":"e1","reason":"late","abandon":true}`},
		{"executions/webshop%2342/retry", `{"stage":"Build","mode":"ALL_ACTIONS"}`, `{"verb":"retry","execution":"webshop#42","stage":"Build","all":true}`},
		{"executions/e1/resolve", `{"stage":"P","action":"D","as":"again"}`, `{"verb":"resolve","execution":"e1","stage":"P","action":"D","as":"again"}`},
		{"executions/e1/override", `{"stage":"P","action":"SignOff","condition":"APPROVAL","reason":"the shop is down"}`, `{"verb":"override","execution":"e1","stage":"P","action":"SignOff","reason":"the shop is down","condition":"APPROVAL"}`},
		{"executions/webshop%2342/override", `{"reason":"r"}`, `{"verb":"override","execution":"webshop#42","reason":"r"}`},
		{"pipelines/webshop/stages/Production/rollback", `{"target":"e1","definition":"asIs","reason":"r","ifCurrent":"e2","stopRunning":true,"clientRequestToken":"t"}`,
			`{"verb":"rollback","pipeline":"webshop","stage":"Production","token":"t","reason":"r","ifCurrent":"e2","target":"e1","definition":"asIs","whileRunning":"stop"}`},
		{"pipelines/webshop/stages/Production/transition", `{"enabled":false,"reason":"freeze"}`, `{"verb":"disable","pipeline":"webshop","stage":"Production","reason":"freeze"}`},
		{"pipelines/webshop/stages/Production/transition", `{"enabled":true,"only":"e3"}`, `{"verb":"enable","pipeline":"webshop","execution":"e3","stage":"Production"}`},
		{"approvals/g1", `{"answer":"approve"}`, `{"verb":"approve","gate":"g1"}`},
		{"approvals/g1", `{"answer":"reject","comment":"no"}`, `{"verb":"reject","reason":"no","gate":"g1"}`},
	} {
		e := &engine{}
		w := call(e, "POST", "/api/v1/"+c.path, c.body)
		got, _ := json.Marshal(e.asked)
		if string(got) != c.want || w.Code >= 300 {
			t.Errorf("%s %s: %d\ngot  %s\nwant %s", c.path, c.body, w.Code, got, c.want)
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
	e := &engine{frames: []event.Frame{
		{Pipeline: "a", Feed: 7, Events: []event.Event{{Kind: event.ExecutionStarted}, {Kind: event.StageEntered}}},
		{Pipeline: "b", Feed: 8, Events: []event.Event{{Kind: event.StageFailed}}},
	}}
	feed := func(query, last string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r := httptest.NewRequest("GET", "/api/v1/events"+query, nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer secret-of-ci")
		r.Header.Set("Last-Event-ID", last)
		w := httptest.NewRecorder()
		serve(e).ServeHTTP(w, r)
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

func FuzzBodiesNeverReachTheEngineHalfRead(f *testing.F) {
	f.Add([]byte(`{"target":"x","reason":"y"}`))
	f.Add([]byte(`{"target":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := &engine{}
		w := call(e, "POST", "/api/v1/pipelines/webshop/stages/P/rollback", string(body))
		if w.Code >= 300 && e.asked.Verb != "" || w.Code < 300 && e.asked.Target == "" {
			t.Errorf("%d for %q, asked %+v", w.Code, body, e.asked)
		}
	})
}
