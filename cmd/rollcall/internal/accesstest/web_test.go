package accesstest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/accesstest"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// as is the service for one person, whoever sends the request: so that people,
// too, can ask over HTTP, where today only tokens have a name.
type as struct {
	*accesstest.Service
	by workflows.Principal
}

// who is the person, for the token that the request was sent with.
func (a as) who(p workflows.Principal) workflows.Principal {
	if p.ID == "token:somebody" {
		return a.by
	}
	return p
}

func (a as) Submit(ctx context.Context, in workflows.Intent, p workflows.Principal) (event.Result, error) {
	return a.Service.Submit(ctx, in, a.who(p))
}

func (a as) Execution(ctx context.Context, p workflows.Principal, ref string) (workflows.Execution, error) {
	return a.Service.Execution(ctx, a.who(p), ref)
}

func (a as) Pipeline(ctx context.Context, p workflows.Principal, name string, version int) (workflows.PipelineView, error) {
	return a.Service.Pipeline(ctx, a.who(p), name, version)
}

func (a as) Log(ctx context.Context, p workflows.Principal, ref, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	return a.Service.Log(ctx, a.who(p), ref, stage, action, attempt)
}

func (a as) Feed(ctx context.Context, p workflows.Principal, after uint64, limit int) ([]event.Frame, error) {
	return a.Service.Feed(ctx, a.who(p), after, limit)
}

// api is the HTTP API.
type api struct {
	*accesstest.Service
	t *testing.T
}

func (a api) Ask(by workflows.Principal, in workflows.Intent) (bool, error) {
	method, path, body := a.request(in)
	if path == "" {
		return false, nil
	}
	status, answer := a.send(a.t.Context(), by, method, path, body)
	if status < 300 {
		return true, nil
	}
	var p workflows.Problem
	if err := json.Unmarshal(answer, &p); err != nil {
		a.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if denied, hidden := accesstest.Denied(&p); (status == http.StatusForbidden) != (denied && !hidden) && p.Code != workflows.CodeSelfApproval || (status == http.StatusNotFound) != hidden && !strings.HasSuffix(p.Code, "NotFoundException") {
		a.t.Errorf("%s %s is answered %d with %+v", method, path, status, p)
	}
	return true, &p
}

// request is how an intent is asked for over HTTP; no path: it cannot be.
func (a api) request(in workflows.Intent) (method, path string, body map[string]any) {
	execution, stage := "/api/v1/executions/"+in.Execution, "/api/v1/pipelines/"+in.Pipeline+"/stages/"+in.Stage
	body = map[string]any{"reason": in.Reason}
	post := func(path string) (string, string, map[string]any) { return http.MethodPost, path, body }
	switch in.Verb {
	case workflows.View:
		return http.MethodGet, execution, nil
	case workflows.Logs:
		return http.MethodGet, execution + "/log?stage=" + in.Stage + "&action=" + in.Action, nil
	case workflows.Start:
		if in.Stage != "" {
			return "", "", nil
		}
		body = map[string]any{}
		if in.Revisions != nil {
			body["sourceRevisions"] = in.Revisions
		}
		return post("/api/v1/pipelines/" + in.Pipeline + "/executions")
	case workflows.Approve, workflows.Reject:
		x, _, _ := a.Now()
		for _, st := range x.Stages {
			for _, action := range st.Actions {
				if action.Approval != nil && (in.Action == "" || in.Action == action.Name) {
					body = map[string]any{"answer": string(in.Verb), "comment": in.Reason}
					return post("/api/v1/approvals/" + action.Approval.Token)
				}
			}
		}
		return "", "", nil
	case workflows.StopExecution:
		if in.Stage != "" {
			return "", "", nil
		}
		return post(execution + "/stop")
	case workflows.Retry:
		body = map[string]any{"stage": in.Stage}
		return post(execution + "/retry")
	case workflows.Override:
		body["stage"] = in.Stage
		return post(execution + "/override")
	case workflows.Resolve:
		body["stage"], body["action"], body["as"] = in.Stage, in.Action, in.As
		return post(execution + "/resolve")
	case workflows.Unlock, workflows.Lock:
		body["enabled"] = in.Verb == workflows.Unlock
		if in.Execution != "" {
			body["only"] = in.Execution
		}
		return post(stage + "/transition")
	case workflows.RollBack:
		body["target"] = in.Target
		return post(stage + "/rollback")
	case workflows.Archive:
		return http.MethodDelete, "/api/v1/pipelines/" + in.Pipeline, nil
	}
	return "", "", nil
}

func (a api) send(ctx context.Context, by workflows.Principal, method, path string, body map[string]any) (int, []byte) {
	a.t.Helper()
	who := as{a.Service, by}
	h := web.Handler(web.Options{Doer: who, Reader: who, Watcher: who, History: who, Tokens: map[string]string{"somebody": "secret"},
		Log: slog.New(slog.DiscardHandler), Heartbeat: time.Minute})
	data, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(ctx, method, path, bytes.NewReader(data))
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

func TestTheAPIAsksAccess(t *testing.T) {
	each(t, func(t *testing.T, st accesstest.State, s *accesstest.Service) {
		accesstest.Run(t, st, func() accesstest.Surface { return api{s.Fresh(), t} })
	})
}

// Refused intents are shown in the live feed to those with the right audit.
func TestTheAPIShowsRefusalsToAuditors(t *testing.T) {
	for _, st := range accesstest.States()[:1] {
		bubble(t, st, func(t *testing.T, s *accesstest.Service) {
			a := api{s.Fresh(), t}
			if _, err := a.Ask(st.Principal("gil"), workflows.Intent{Verb: workflows.Archive, Pipeline: a.Name}); err == nil {
				t.Fatal("Gil has archived it")
			}
			for who, sees := range map[string]bool{"ana": true, "gil": false, "eve": false, "token:ci": false, "bea": false} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				status, feed := a.send(ctx, st.Principal(who), http.MethodGet, "/api/v1/events?pipeline="+a.Name, nil)
				cancel()
				if got := strings.Contains(string(feed), "event: "+string(event.IntentRefused)+"\n"); got != sees || !strings.Contains(string(feed), "event: "+string(event.PipelineDefined)+"\n") {
					t.Errorf("%s sees the refusal: %v; %d %s", who, got, status, feed)
				}
			}
		})
	}
}
