package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/web/session"
	"github.com/rollcall-bot/rollcall/workflows"
)

// guests are sessions of one person, as long as they are good.
type guests struct {
	good  atomic.Bool
	err   error
	ended string
}

var ana = workflows.Principal{ID: "slack:U0ANA", Name: "Ana", Email: "ana@acme.example", Via: "console"}

func (g *guests) Principal(r *http.Request) (workflows.Principal, bool, error) {
	return ana, g.good.Load() && r.Header.Get("Cookie") != "", g.err
}

func (g *guests) Begin(_ context.Context, host, address string) (session.Login, error) {
	if g.err != nil {
		return session.Login{}, g.err
	}
	return session.Login{Code: "BCDF-GHJK", Command: host + " at " + address}, nil
}

func (g *guests) Poll(_ context.Context, token string) (string, error) {
	return session.Waiting + " " + token, nil
}

func (g *guests) List(*http.Request, workflows.Principal) ([]session.Session, error) {
	return []session.Session{{ID: "one", Kind: session.Browser}}, nil
}

func (g *guests) End(_ *http.Request, _ workflows.Principal, id string) (int, error) {
	if id == "none" {
		return 0, nil
	}
	g.ended = "ended " + id
	return 1, nil
}

func served(e *engine, g *guests) http.Handler { return servedBy(e, g) }

func servedBy(e *engine, g Sessions) http.Handler {
	return Handler(Options{Doer: e, Reader: e, Watcher: e, History: e, Contents: e, Explainer: e, Declare: declare, Tokens: map[string]string{"ci": "secret-of-ci"}, Sessions: g, Heartbeat: time.Minute,
		Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler)})
}

// A console session does what a token does, as a person, and everything goes the
// same way into the engine.
func TestASessionActsAsAPerson(t *testing.T) {
	g, e := &guests{}, &engine{}
	g.good.Store(true)
	h := served(e, g)
	do := func(method, path, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	cookie := []string{"Cookie", "rollcall-session=x"}
	if w := do("GET", "/api/v1/whoami", "", cookie...); w.Code != 200 || !strings.Contains(w.Body.String(), `"via":"console"`) || !strings.Contains(w.Body.String(), `"slack:U0ANA"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do("POST", "/api/v1/approvals/gate", `{"answer":"approve"}`, cookie...); w.Code != 200 || e.by != ana || e.asked.Verb != workflows.Approve {
		t.Errorf("%d %+v %+v", w.Code, e.by, e.asked)
	}
	if w := do("GET", "/api/v1/whoami", "", "Authorization", "Bearer secret-of-ci"); !strings.Contains(w.Body.String(), `"token:ci"`) {
		t.Errorf("%s", w.Body)
	}
	if w := do("GET", "/api/v1/whoami", ""); w.Code != 401 {
		t.Errorf("nobody: %d", w.Code)
	}
	if w := do("POST", "/api/v1/login", `{"host":"laptop"}`); w.Code != 201 || !strings.Contains(w.Body.String(), `laptop at 192.0.2.1`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do("POST", "/api/v1/login/poll", `{"token":"abc"}`); w.Code != 200 || !strings.Contains(w.Body.String(), `"waiting abc"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do("POST", "/api/v1/login/poll", `{}`); w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do("GET", "/api/v1/sessions", "", cookie...); !strings.Contains(w.Body.String(), `"id":"one"`) {
		t.Errorf("%s", w.Body)
	}
	if w := do("DELETE", "/api/v1/sessions/none", "", cookie...); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do("POST", "/api/v1/logout", "", cookie...); w.Code != 200 || g.ended != "ended " {
		t.Errorf("%d %q", w.Code, g.ended)
	}
	if w := do("GET", "/api/v1/logout", "", cookie...); w.Code == 200 {
		t.Error("a GET signs out")
	}
	g.err = &workflows.Problem{Code: codeTooMany, Message: "too many", Hint: "wait"}
	if w := do("POST", "/api/v1/login", `{}`); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	g.err = &workflows.Problem{Code: workflows.CodeUnavailable, Message: "slack hangs"}
	if w := do("POST", "/api/v1/approvals/gate", `{"answer":"approve"}`, cookie...); w.Code != 503 {
		t.Errorf("slack hangs: %d", w.Code)
	}
}

// The live feed of somebody who is not signed in any more ends.
func TestTheFeedEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guests{}
		g.good.Store(true)
		r := httptest.NewRequest("GET", "/api/v1/events?after=now", nil)
		r.Header.Set("Cookie", "x=y")
		done := make(chan struct{})
		go func() {
			defer close(done)
			served(&engine{}, g).ServeHTTP(httptest.NewRecorder(), r)
		}()
		time.Sleep(2*recheck + time.Second) // the clock is synthetic
		select {
		case <-done:
			t.Fatal("it has ended before")
		default:
		}
		g.good.Store(false)
		time.Sleep(recheck)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("it goes on")
		}
	})
}

// The live feed of somebody who cannot be asked about for five minutes ends; what
// passes sooner ends nothing.
func TestTheFeedEndsWhenNobodyCanBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &flaky{}
		g.good.Store(true)
		r := httptest.NewRequest("GET", "/api/v1/events?after=now", nil)
		r.Header.Set("Cookie", "x=y")
		done := make(chan struct{})
		go func() {
			defer close(done)
			servedBy(&engine{}, g).ServeHTTP(httptest.NewRecorder(), r)
		}()
		synctest.Wait()
		for _, fails := range []bool{true, false, true} {
			g.fails.Store(fails)
			time.Sleep((unanswered - 1) * recheck) // the clock is synthetic
		}
		select {
		case <-done:
			t.Fatal("it has ended before")
		default:
		}
		time.Sleep(recheck + time.Second)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("it goes on")
		}
	})
}

// flaky are guests about whom Slack does not always answer.
type flaky struct {
	guests
	fails atomic.Bool
}

func (f *flaky) Principal(r *http.Request) (workflows.Principal, bool, error) {
	if f.fails.Load() {
		return workflows.Principal{}, false, &workflows.Problem{Code: workflows.CodeUnavailable, Message: "slack hangs"}
	}
	return f.guests.Principal(r)
}

// Signing out does not ask Slack who somebody is; a machine has no session to end.
func TestSigningOutAsksNobody(t *testing.T) {
	g := &flaky{}
	g.fails.Store(true)
	r := httptest.NewRequest("POST", "/api/v1/logout", nil)
	r.Header.Set("Cookie", "x=y")
	w := httptest.NewRecorder()
	if servedBy(&engine{}, g).ServeHTTP(w, r); w.Code != 200 || g.ended != "ended " {
		t.Errorf("%d %s %q", w.Code, w.Body, g.ended)
	}
}

// The page for whoever has not said who they are can be framed by nobody and is kept by nobody.
func TestTheSignpostIsNotFramed(t *testing.T) {
	w := httptest.NewRecorder()
	served(&engine{}, &guests{}).ServeHTTP(w, httptest.NewRequest("GET", "/executions/webshop", nil))
	h := w.Header()
	if w.Code != 200 || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v", w.Code, h)
	}
}
