// Package web is rollcall over HTTP: the JSON API under /api/v1, the live feed
// and the health probes.
//
// A definition is put in force by a PUT of its declaration, a pipeline file as
// it stands; what a declaration looks like is told to the package by [Declare].
//
// Every request is made by somebody: a bearer token names a machine, a session a
// person (package session). What a request asks for becomes one workflows.Intent and goes through the same entry point
// as a click in chat; the package holds no rule of its own. Refusals are
// application/problem+json with the engine's code, sentence and hint. No GET
// changes anything.
package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Doer carries out what is asked for. A refusal is a *workflows.Problem.
type Doer interface {
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
}

// Reader shows what was committed, to the viewer who asks: what they may not
// see does not exist for them. ref is an ID, "webshop#42" or the end of an ID.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	Executions(ctx context.Context, viewer workflows.Principal, q record.Query) ([]workflows.Execution, error)
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
	Pipelines(ctx context.Context, viewer workflows.Principal) ([]workflows.PipelineView, error)
	Targets(ctx context.Context, viewer workflows.Principal, pipeline, stage string) ([]ledger.Target, error)
}

// Contents says what is in an execution.
type Contents interface {
	// Changes is what it brings into a stage; without a stage, where it is.
	Changes(ctx context.Context, viewer workflows.Principal, ref, stage string) (changes.Set, error)
	// Notes are the release notes of what a stage runs, since an execution or the one before.
	Notes(ctx context.Context, viewer workflows.Principal, pipeline, stage, since string) (changes.Notes, error)
}

// Watcher shows what waits, what was printed and what happens.
type Watcher interface {
	Approvals(ctx context.Context, viewer workflows.Principal) ([]say.OpenApproval, error)
	// Log opens the log of an attempt; attempt 0 is the latest.
	Log(ctx context.Context, viewer workflows.Principal, ref, stage, action string, attempt int) (io.ReadSeekCloser, error)
	// Feed returns committed frames after a position; it blocks until there is one, or ctx ends.
	Feed(ctx context.Context, viewer workflows.Principal, after uint64, limit int) ([]event.Frame, error)
	// Head returns the position of the newest frame.
	Head(ctx context.Context) (uint64, error)
}

// Explainer says who may do what, and why.
type Explainer interface {
	Explain(ctx context.Context, viewer workflows.Principal, q say.AccessQuestion) (say.AccessAnswer, error)
}

// History remembers every definition that was in force.
type History interface {
	// Versions returns them newest first.
	Versions(ctx context.Context, viewer workflows.Principal, pipeline string) ([]event.Version, error)
}

// Options are what the API is made of. All fields are required but those that say what nil means.
type Options struct {
	Doer    Doer
	Reader  Reader
	Watcher Watcher
	History History
	// Contents says what executions bring.
	Contents  Contents
	Explainer Explainer
	// Declare reads the declarations that are sent to be put in force.
	Declare Declare
	// Tokens are the API tokens: the secret by the token's name.
	Tokens map[string]string
	// Sessions are those of people who are signed in. Nil: only tokens are.
	Sessions Sessions
	// Ready says whether the service can decide and write. Everybody may ask, as
	// often as they like; the sentence of a *workflows.Problem is shown to them.
	Ready func(context.Context) error
	// Standing says, line by line, how it stands with what the service can be
	// ready without. It names nothing that strangers must not know. Nil: nothing.
	Standing func() []string
	Log      *slog.Logger
	// Heartbeat is how often an idle live feed says that it is alive.
	Heartbeat time.Duration
	// Backup judges whether somebody may have a copy of all that is kept, and
	// returns what writes it, a tar archive. Nil: there is none to be had.
	Backup func(ctx context.Context, by workflows.Principal) (write func(io.Writer) error, err error)
	// Auditor reads the record. Nil: it cannot be read through the API.
	Auditor Auditor
	// Metrics judges whether somebody may read the metrics, and returns what
	// answers a scrape. Nil: there are none.
	Metrics func(ctx context.Context, by workflows.Principal) (http.Handler, error)
}

type api struct {
	Options
	tokens   tokens
	messages messageCache
}

// Handler serves /api/v1, /healthz, /readyz and, for people who follow a link
// without a console to open it, a page that says where to look.
func Handler(o Options) http.Handler {
	a := &api{Options: o, tokens: newTokens(o.Tokens)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", a.ready)

	as := func(pattern string, h handler) { mux.Handle(pattern, a.asSomebody(h)) }
	if o.Sessions != nil {
		mux.HandleFunc("POST /api/v1/login", a.login)
		mux.HandleFunc("POST /api/v1/login/poll", a.poll)
		mux.HandleFunc("POST /api/v1/logout", a.logout)
		as("GET /api/v1/sessions", a.sessions)
		as("DELETE /api/v1/sessions/{session}", a.endSession)
	}
	as("GET /api/v1/whoami", a.whoami)
	as("GET /api/v1/access", a.access)
	as("GET /api/v1/pipelines", a.pipelines)
	as("GET /api/v1/pipelines/{pipeline}", a.pipeline)
	as("PUT /api/v1/pipelines/{pipeline}", a.put)
	as("DELETE /api/v1/pipelines/{pipeline}", a.archive)
	as("GET /api/v1/pipelines/{pipeline}/versions", a.versions)
	as("GET /api/v1/pipelines/{pipeline}/executions", a.executions)
	as("POST /api/v1/pipelines/{pipeline}/executions", a.start)
	as("GET /api/v1/pipelines/{pipeline}/stages/{stage}/targets", a.targets)
	as("GET /api/v1/pipelines/{pipeline}/stages/{stage}/notes", a.notes)
	as("POST /api/v1/pipelines/{pipeline}/stages/{stage}/rollback", a.rollback)
	as("POST /api/v1/pipelines/{pipeline}/stages/{stage}/transition", a.transition)
	as("GET /api/v1/executions/{execution}", a.execution)
	as("GET /api/v1/executions/{execution}/changes", a.changes)
	as("POST /api/v1/executions/{execution}/stop", a.stop)
	as("POST /api/v1/executions/{execution}/retry", a.retry)
	as("POST /api/v1/executions/{execution}/override", a.override)
	as("POST /api/v1/executions/{execution}/resolve", a.resolve)
	as("GET /api/v1/executions/{execution}/log", a.log)
	as("GET /api/v1/compare", a.compare)
	as("GET /api/v1/approvals", a.approvals)
	as("POST /api/v1/approvals/{token}", a.answer)
	as("GET /api/v1/events", a.events)
	if o.Backup != nil {
		as("GET /api/v1/backup", a.backup)
	}
	if o.Auditor != nil {
		as("GET /api/v1/audit", a.records)
		as("GET /api/v1/audit/{name}", a.trail)
	}
	if o.Metrics != nil {
		as("GET /metrics", a.metrics)
	}
	mux.Handle("/api/", a.asSomebody(a.unknown))
	mux.HandleFunc("GET /{$}", signpost)
	mux.HandleFunc("GET /executions/{execution}", signpost)
	mux.HandleFunc("GET /pipelines/{pipeline}", signpost)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		why := "not ready"
		if p := (*workflows.Problem)(nil); errors.As(err, &p) { // anything else is no stranger's business
			why += ": " + p.Message
		}
		w.Header().Set("Retry-After", "1")
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ready\n")
	if a.Standing == nil {
		return
	}
	for _, line := range a.Standing() {
		_, _ = io.WriteString(w, line+"\n")
	}
}

// signpost shows nothing of the executions: whoever follows a link has not said who they are.
func signpost(w http.ResponseWriter, r *http.Request) {
	look := "rollcall status"
	if id := r.PathValue("execution") + r.PathValue("pipeline"); validRef(id) {
		look += " " + id
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cache-Control", "no-store") // whoever signs in next finds another page here
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>rollcall</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui;max-width:34rem;margin:15vh auto;padding:0 1rem}code{font-size:1rem}</style>
<h1>rollcall</h1><p>This is the address of a rollcall service. Look at its pipelines in Slack with <code>/rollcall</code>, or in a terminal with <code>`+look+`</code>.</p></html>`)
}

func validRef(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) < 120
}
