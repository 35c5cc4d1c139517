package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// webhookPath is where deliveries arrive.
const webhookPath = "/github/webhook"

const (
	source    = "github" // of receipts
	bodyLimit = 5 << 20
	// What was signed is remembered for a week; GitHub delivers again for three days.
	oldest = 6 * 24 * time.Hour
	// An accepted delivery that is processed this fast is answered with what came of it.
	waitFor = time.Second
)

// Engine is what a webhook needs of the runtime.
type Engine interface {
	// Receive makes the receipt durable and starts every pipeline that a change
	// triggers. fresh is false for a delivery seen before; the receipt that
	// comes back then holds the first one's Result.
	Receive(ctx context.Context, r work.Receipt, changes []work.Change) (prior work.Receipt, fresh bool, err error)
	// NeedsFiles says whether it depends on the changed files what a change starts.
	NeedsFiles(ctx context.Context, c work.Change) (bool, error)
	// Changed lists the files in which a push differs from what the branch was
	// before; nil: that cannot be known there. An error is worth another try.
	Changed(ctx context.Context, c work.Change) ([]string, error)
	// Accept makes a receipt durable that Receive, under the same key, finishes later.
	Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error)
	// Pending are the receipts of a source that were accepted and not finished, oldest first.
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
}

// eventListener knows what pipelines wait for, besides pushes and pull requests.
type eventListener interface {
	// Listens says whether a pipeline has a trigger by such an event of that repository.
	Listens(ctx context.Context, c work.Change) (bool, error)
	// Tagged is the commit of the tag that a change names; empty: that cannot be known
	// there. An error is worth another try.
	Tagged(ctx context.Context, c work.Change) (string, error)
}

// Gatekeeper decides for environments of GitHub Actions.
type Gatekeeper interface {
	// Take answers a verified delivery that asks whether a deployment may go on.
	Take(w http.ResponseWriter, r *http.Request, receipt work.Receipt, payload []byte) *wire.Rejection
	// Hear learns from any verified delivery what passed or ended a deployment.
	Hear(event string, payload []byte)
}

// WebhookOptions is what a Webhook needs.
type WebhookOptions struct {
	Secret string // of the webhook, not empty
	Engine interface {
		Engine
		eventListener
	}
	// People maps a GitHub login to an e-mail address, so that somebody who
	// pushed cannot approve the push in chat either.
	People map[string]string
	// Comments on pull requests are read; nil: they are not.
	Comments *Comments
	// The API is asked for the changed files of pull requests, which their
	// deliveries do not name, and of pushes that the engine does not know. Without
	// Token and App they stay unknown.
	APIURL    string // empty: https://api.github.com/
	Token     string // or App
	App       *api.App
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport

	Gates Gatekeeper // of environments of GitHub Actions; nil: none

	// Elsewhere are the ARNs of the connections of AWS that lead to another host.
	Elsewhere []string

	Log *slog.Logger     // nil: slog.Default()
	Now func() time.Time // nil: time.Now
}

// Webhook takes GitHub's deliveries.
type Webhook struct {
	secret []byte
	engine interface {
		Engine
		eventListener
	}
	comments  *Comments // nil: they are not read
	emails    delivery.Emails
	client    *github.Client // nil: the API may not be asked
	inbox     *wire.Inbox    // of the deliveries whose files must be asked for
	gates     Gatekeeper     // nil: none
	elsewhere []string       // connections of AWS that lead to another host
	log       *slog.Logger
	now       func() time.Time
}

// NewWebhook refuses an empty secret: without one, anybody could start
// pipelines. [Webhook.Run] must run beside it.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	if o.Secret == "" {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.webhookSecret",
			Message: "github.webhookSecret is empty, so deliveries cannot be verified",
			Hint:    "set the same secret here and in the webhook's settings on GitHub"}
	}
	h := &Webhook{secret: []byte(o.Secret), engine: o.Engine, comments: o.Comments, emails: delivery.NewEmails(o.People), gates: o.Gates, elsewhere: o.Elsewhere, log: o.Log, now: o.Now}
	if o.Token != "" || o.App != nil {
		var err error
		if h.client, err = api.New(o.APIURL, o.Token, o.App, o.Transport); err != nil {
			return nil, err
		}
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.inbox = h.newInbox()
	return h, nil
}

// Run finishes the deliveries that were only accepted, also those of an earlier
// process, until ctx ends.
func (h *Webhook) Run(ctx context.Context) error { return h.inbox.Run(ctx) }

// Handler serves POST /github/webhook.
func (h *Webhook) Handler() http.Handler {
	mux := http.NewServeMux()
	signature := wire.Signature{Header: "X-Hub-Signature-256", Secret: h.secret, BodyLimit: bodyLimit}
	mux.Handle("POST "+webhookPath, wire.Endpoint{
		Name: "a GitHub delivery", Log: h.log, Limit: signature.Limit, Verify: signature.Verify, Accept: h.accept,
		Describe: func(r *http.Request) []any {
			return []any{"delivery", words.Cut(r.Header.Get("X-GitHub-Delivery"), 64), "event", words.Cut(r.Header.Get("X-GitHub-Event"), 64)}
		},
	}.Handler(wire.NewSampler()))
	return mux
}

// accept answers a verified delivery.
func (h *Webhook) accept(w http.ResponseWriter, r *http.Request, body []byte, fingerprint string) *wire.Rejection {
	id := r.Header.Get("X-GitHub-Delivery")
	if !plausibleID(id) {
		return delivery.Invalid("the header X-GitHub-Delivery is missing or not an ID")
	}
	payload, err := jsonPayload(r.Header.Get("Content-Type"), body)
	if err != nil {
		return delivery.Invalid(err.Error())
	}
	event := r.Header.Get("X-GitHub-Event")
	if h.gates != nil && event == delivery.ProtectionEvent {
		return h.gates.Take(w, r, work.Receipt{Key: source + "/" + id, Print: fingerprint, At: h.now().UTC()}, payload)
	}
	if h.gates != nil {
		h.gates.Hear(event, payload)
	}
	news, err := parse(event, payload)
	if err != nil {
		return delivery.Invalid(err.Error())
	}
	if event == "issue_comment" && h.comments != nil {
		return h.comments.accept(w, r, payload, fingerprint)
	}
	if news.ignored != "" {
		wire.Answer(w, http.StatusOK, delivery.Answer{Started: []string{}, Ignored: []string{news.ignored}})
		return nil
	}
	if !news.at.IsZero() && h.now().Sub(news.at) > oldest {
		wire.Answer(w, http.StatusOK, delivery.Answer{Started: []string{}, Ignored: []string{news.change.Repository + ": the event is older than six days"}})
		return nil
	}
	if hasTrigger(news.change.Event) {
		switch wanted, err := h.engine.Listens(r.Context(), news.change); {
		case err != nil:
			return unrecorded(err)
		case !wanted:
			wire.Answer(w, http.StatusOK, delivery.Answer{Started: []string{}, Ignored: []string{news.change.Event + ": no pipeline waits for this event of " + news.change.Repository}})
			return nil
		}
	}
	h.emails.Join(&news.change)
	return h.receive(w, r, work.Receipt{Key: source + "/" + id, Print: fingerprint, Source: source, At: h.now().UTC()}, news.change)
}

// unrecorded is the answer to a delivery that is to come again.
func unrecorded(err error) *wire.Rejection {
	refused := &wire.Rejection{Status: http.StatusServiceUnavailable, Code: workflows.CodeUnavailable,
		Detail: "the delivery could not be recorded; deliver it again", Cause: err}
	if p, ok := errors.AsType[*workflows.Problem](err); ok {
		refused.Code, refused.Detail = p.Code, p.Message
	}
	return refused
}

// receive hands the change over and says what became of it.
func (h *Webhook) receive(w http.ResponseWriter, r *http.Request, receipt work.Receipt, c work.Change) *wire.Rejection {
	ctx, cancel := context.WithTimeout(r.Context(), delivery.AnswerWithin)
	defer cancel()
	receipt, fresh, err := h.record(ctx, receipt, c)
	if err != nil {
		return unrecorded(err)
	}
	var result delivery.Answer
	if len(receipt.Result) > 0 {
		if err := json.Unmarshal(receipt.Result, &result); err != nil {
			h.log.Error("a receipt's result cannot be read", "receipt", receipt.Key, "error", err)
		}
	}
	if result.Started == nil {
		result.Started = []string{}
	}
	if result.Ignored == nil {
		result.Ignored = []string{}
	}
	status := http.StatusAccepted
	if !fresh {
		result.Duplicate, status = true, http.StatusOK
	}
	wire.Answer(w, status, result)
	return nil
}

// record makes the delivery durable, with what it starts, in one commit. A
// change whose files must be asked for is only accepted, and processed by Run.
func (h *Webhook) record(ctx context.Context, r work.Receipt, c work.Change) (work.Receipt, bool, error) {
	c.Elsewhere = h.elsewhere
	needs, err := h.needsFiles(ctx, c)
	if err != nil {
		return r, false, err
	}
	if !needs {
		return h.engine.Receive(ctx, r, []work.Change{c})
	}
	if r.Payload, err = json.Marshal(c); err != nil {
		return r, false, fmt.Errorf("writing the change down: %w", err)
	}
	return h.inbox.Take(ctx, r, waitFor)
}

// plausibleID keeps anything but a short printable word out of receipt keys.
func plausibleID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range id {
		if c <= ' ' || c > '~' || c == '/' {
			return false
		}
	}
	return true
}

// jsonPayload takes the JSON out of a form-encoded delivery; the signature covers the raw body in both forms.
func jsonPayload(contentType string, body []byte) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return body, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the delivery says it is a form, but cannot be read as one")
	}
	if !form.Has("payload") {
		return nil, errors.New("the delivery is a form without the field payload")
	}
	return []byte(form.Get("payload")), nil
}
