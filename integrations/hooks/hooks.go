// Package hooks lets any program start pipelines by a signed request: a
// registry that has a new image, a scheduler, a release page.
//
// A hook of the configuration has a name, a secret and the pipelines that it
// starts. POST /hooks/NAME takes a JSON body whose HMAC-SHA256 under the secret
// is in a header. The body is verified, made durable as a receipt and
// acknowledged; its start becomes an intent of the hook, which is a machine like
// an API token and may start its pipelines and nothing else. The same body
// starts nothing a second time.
package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Source is the source of the receipts.
const Source = "hook"

// DefaultHeader is where the signature is, unless a hook says otherwise.
const DefaultHeader = "X-Hub-Signature-256"

const (
	bodyLimit    = 1 << 20
	answerWithin = 9 * time.Second
)

// Engine is what hooks need of the runtime.
type Engine interface {
	wire.Receipts
	// Finish notes what a repeat is answered.
	Finish(ctx context.Context, key string, result []byte) error
	// Submit carries an intent out. A refusal is a *workflows.Problem.
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
}

// Hook is an address at which somebody starts pipelines.
type Hook struct {
	Name   string
	Secret string
	Header string // of the signature; empty: DefaultHeader
	Start  []string
	// Variables are those of the start: a text, or a [document.Path] of the body.
	Variables map[string]string
	// Only lets a body start something only if it has these texts at these paths.
	Only map[string]string
}

// Options is what a Receiver needs.
type Options struct {
	Hooks  []Hook
	Engine Engine
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Receiver takes what is sent to the hooks.
type Receiver struct {
	o     Options
	inbox *wire.Inbox
	at    map[string]http.Handler // by name
}

// New refuses hooks that could not be told from forgeries, and paths that are
// none. [Receiver.Run] must run beside it.
func New(o Options) (*Receiver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Receiver{o: o, at: map[string]http.Handler{}}
	r.inbox = wire.NewInbox(wire.InboxOptions{
		Source: Source, Receipts: o.Engine, Finish: o.Engine.Finish, Queue: queueOf, Process: r.process,
		Resume: true, ReportTries: true, // who is answered 503 sends it again
		Workers: 8, LongestPause: time.Minute, Final: refused, Log: o.Log,
	})
	sampler := wire.NewSampler()
	for _, h := range o.Hooks {
		if h.Secret == "" {
			return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "hooks", Message: "the secret of the hook " + h.Name + " is empty, so that anybody could start pipelines",
				Hint: "set the same secret here and where the requests come from"}
		}
		reads, err := reading(&h)
		if err != nil {
			return nil, err
		}
		if h.Header == "" {
			h.Header = DefaultHeader
		}
		signed := wire.Signature{Header: h.Header, Secret: []byte(h.Secret), BodyLimit: bodyLimit}
		r.at[h.Name] = wire.Endpoint{Name: "a request to the hook " + h.Name, Log: o.Log, Limit: signed.Limit, Verify: signed.Verify, Accept: r.accepts(h, reads)}.Handler(sampler)
	}
	return r, nil
}

// Run starts what was accepted, also by an earlier process, until ctx ends.
func (r *Receiver) Run(ctx context.Context) error { return r.inbox.Run(ctx) }

// Handler serves POST /hooks/{name}.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{name}", func(w http.ResponseWriter, req *http.Request) {
		h, known := r.at[req.PathValue("name")]
		if !known {
			wire.Refuse(w, http.StatusNotFound, "NotFound", "there is no hook "+words.Cut(clean.Line(req.PathValue("name")), 64))
			return
		}
		h.ServeHTTP(w, req)
	})
	return mux
}

// Principal is who a hook's starts are made by: a machine, by the name under
// which it has its rights.
func Principal(hook string) workflows.Principal {
	return workflows.Principal{ID: "token:" + TokenName(hook), Name: TokenName(hook), Via: "hook"}
}

// TokenName is the name under which a hook has its rights; [workflows.Principal.Called]
// knows it.
func TokenName(hook string) string { return "hook:" + hook }

// answer is what a request is answered, and what its receipt keeps.
type answer struct {
	Duplicate bool     `json:"duplicate,omitempty"`
	Started   []string `json:"started"` // executions
	Ignored   []string `json:"ignored"` // "webshop: reason"
}

// start is what a receipt keeps of a request.
type start struct {
	Hook      string            `json:"hook"`
	Pipelines []string          `json:"pipelines"`
	Variables map[string]string `json:"variables,omitempty"`
}

// accepts answers the verified requests of a hook.
func (r *Receiver) accepts(h Hook, reads *reader) func(http.ResponseWriter, *http.Request, []byte, string) *wire.Rejection {
	return func(w http.ResponseWriter, req *http.Request, body []byte, fingerprint string) *wire.Rejection {
		variables, ignored, err := reads.read(body)
		if err != nil {
			return &wire.Rejection{Status: http.StatusBadRequest, Code: workflows.CodeValidation, Detail: err.Error()}
		}
		if ignored != "" {
			wire.Answer(w, http.StatusOK, answer{Started: []string{}, Ignored: []string{ignored}})
			return nil
		}
		payload, err := json.Marshal(start{Hook: h.Name, Pipelines: h.Start, Variables: variables})
		if err != nil {
			return &wire.Rejection{Status: http.StatusBadRequest, Code: workflows.CodeValidation, Detail: "the variables cannot be written down", Cause: err}
		}
		ctx, cancel := context.WithTimeout(req.Context(), answerWithin)
		defer cancel()
		return r.take(ctx, w, work.Receipt{Key: Source + "/" + h.Name + "/" + fingerprint, Source: Source, At: r.o.Now().UTC(), Payload: payload})
	}
}

// take makes the request durable and answers what came of it, as far as that is known in time.
func (r *Receiver) take(ctx context.Context, w http.ResponseWriter, receipt work.Receipt) *wire.Rejection {
	got, fresh, err := r.inbox.Take(ctx, receipt, answerWithin)
	a := answer{Started: []string{}, Ignored: []string{}}
	if err == nil && len(got.Result) > 0 {
		err = json.Unmarshal(got.Result, &a)
	}
	if err != nil {
		return &wire.Rejection{Status: http.StatusServiceUnavailable, Code: workflows.CodeUnavailable, Detail: "the request could not be recorded; send it again", Cause: err}
	}
	status := http.StatusAccepted
	if !fresh {
		a.Duplicate, status = true, http.StatusOK
	}
	wire.Answer(w, status, a)
	return nil
}

// queueOf is the hook of a receipt: its starts follow each other.
func queueOf(r work.Receipt) (hook string, ours bool) {
	var s start
	err := json.Unmarshal(r.Payload, &s)
	return s.Hook, err == nil
}

// process starts the pipelines. A start that was made before is found by its token.
func (r *Receiver) process(ctx context.Context, receipt work.Receipt, try wire.Try) ([]byte, error) {
	var s start
	if err := json.Unmarshal(receipt.Payload, &s); err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	a := answer{Started: []string{}, Ignored: []string{}}
	for _, pipeline := range s.Pipelines {
		var made event.Result
		err := try(ctx, func(ctx context.Context) (err error) {
			made, err = r.o.Engine.Submit(ctx, workflows.Intent{Verb: workflows.Start, Pipeline: pipeline, Variables: s.Variables, Token: receipt.Key + "/" + pipeline}, Principal(s.Hook))
			return err
		})
		var no *workflows.Problem
		switch {
		case errors.As(err, &no) && refused(err):
			a.Ignored = append(a.Ignored, pipeline+": "+no.Message)
		case err != nil:
			return nil, err
		case made.Execution != nil:
			a.Started = append(a.Started, made.Execution.ID)
		}
	}
	return json.Marshal(a)
}

// refused says whether an error is a decision, not trouble that passes.
func refused(err error) bool {
	var p *workflows.Problem
	passes := []string{workflows.CodeCommitUnknown, workflows.CodeUnavailable, workflows.CodeAWSUnavailable}
	return errors.As(err, &p) && !slices.Contains(passes, p.Code)
}
