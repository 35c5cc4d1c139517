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
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// WebhookPath is where deliveries arrive.
const WebhookPath = "/github/webhook"

const (
	source    = "github" // of receipts
	bodyLimit = 5 << 20
	// GitHub gives up after 10 s and never repeats by itself; one second is left for the answer.
	answerWithin = 9 * time.Second
)

// Engine is what a webhook needs of the runtime.
type Engine interface {
	// Receive makes the receipt durable and starts every pipeline that a change
	// triggers. fresh is false for a delivery seen before; the receipt that
	// comes back then holds the first one's Result.
	Receive(ctx context.Context, r work.Receipt, changes []work.Change) (prior work.Receipt, fresh bool, err error)
	// NeedsFiles says whether it depends on the changed files what a change starts.
	NeedsFiles(ctx context.Context, c work.Change) (bool, error)
	// Accept makes a receipt durable that Receive, under the same key, finishes later.
	Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error)
	// Pending are the receipts of a source that were accepted and not finished, oldest first.
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
}

// WebhookOptions is what a Webhook needs.
type WebhookOptions struct {
	Secret string // of the webhook, not empty
	Engine Engine
	// People maps a GitHub login to an e-mail address, so that somebody who
	// pushed cannot approve the push in chat either.
	People map[string]string
	// The API is asked for the changed files of pull requests, which their
	// deliveries do not name. Without Token and App they stay unknown.
	APIURL    string // empty: DefaultAPI
	Token     string // or App
	App       *App
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport

	Log *slog.Logger     // nil: slog.Default()
	Now func() time.Time // nil: time.Now
}

// Webhook takes GitHub's deliveries.
type Webhook struct {
	secret []byte
	engine Engine
	people people
	client *github.Client // nil: the API may not be asked
	wake   chan struct{}  // a pull request was accepted
	log    *slog.Logger
	now    func() time.Time
}

// NewWebhook refuses an empty secret: without one, anybody could start
// pipelines. [Webhook.Run] must run beside it.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	if o.Secret == "" {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "github.webhookSecret",
			Message: "github.webhookSecret is empty, so deliveries cannot be told from forgeries",
			Hint:    "set the same secret here and in the webhook's settings on GitHub"}
	}
	h := &Webhook{secret: []byte(o.Secret), engine: o.Engine, people: newPeople(o.People), wake: make(chan struct{}, 1), log: o.Log, now: o.Now}
	if o.Token != "" || o.App != nil {
		var err error
		if h.client, err = newClient(o.APIURL, o.Token, o.App, o.Transport); err != nil {
			return nil, err
		}
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.now == nil {
		h.now = time.Now
	}
	return h, nil
}

// Handler serves POST /github/webhook.
func (h *Webhook) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+WebhookPath, h.deliver)
	return mux
}

// answer is what a delivery is told, and what its receipt keeps.
type answer struct {
	Duplicate bool     `json:"duplicate,omitempty"`
	Started   []string `json:"started"`
	Ignored   []string `json:"ignored"`
}

func (h *Webhook) deliver(w http.ResponseWriter, r *http.Request) {
	body, err := wire.ReadBody(w, r, bodyLimit)
	if err != nil {
		h.refuse(w, r, wire.BodyStatus(err), workflows.CodeValidation, err.Error(), nil)
		return
	}
	if !wire.Verify(h.secret, body, r.Header.Get("X-Hub-Signature-256")) {
		h.refuse(w, r, http.StatusUnauthorized, workflows.CodeAccessDenied, "the delivery is not signed with this webhook's secret (X-Hub-Signature-256)", nil)
		return
	}
	id := r.Header.Get("X-GitHub-Delivery")
	if !plausibleID(id) {
		h.refuse(w, r, http.StatusBadRequest, workflows.CodeValidation, "the header X-GitHub-Delivery is missing or not an ID", nil)
		return
	}
	payload, err := jsonPart(r.Header.Get("Content-Type"), body)
	if err != nil {
		h.refuse(w, r, http.StatusBadRequest, workflows.CodeValidation, err.Error(), nil)
		return
	}
	news, err := parse(r.Header.Get("X-GitHub-Event"), payload)
	if err != nil {
		h.refuse(w, r, http.StatusBadRequest, workflows.CodeValidation, err.Error(), nil)
		return
	}
	if news.ignored != "" {
		wire.Answer(w, http.StatusOK, answer{Started: []string{}, Ignored: []string{news.ignored}})
		return
	}
	h.people.join(&news.change)
	h.receive(w, r, id, news)
}

// receive hands the change over and says what became of it.
func (h *Webhook) receive(w http.ResponseWriter, r *http.Request, id string, n news) {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	receipt, fresh, err := h.record(ctx, work.Receipt{Key: source + "/" + id, Source: source, At: h.now().UTC()}, n.change)
	if err != nil {
		code, detail := workflows.CodeUnavailable, "the delivery could not be recorded; deliver it again"
		var p *workflows.Problem
		if errors.As(err, &p) {
			code, detail = p.Code, p.Message
		}
		h.refuse(w, r, http.StatusServiceUnavailable, code, detail, err)
		return
	}
	var result answer
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
}

// record makes the delivery durable, with what it starts. A pull request whose
// files must be asked for is only accepted, and finished by Run.
func (h *Webhook) record(ctx context.Context, r work.Receipt, c work.Change) (work.Receipt, bool, error) {
	later, err := h.later(ctx, c)
	if err != nil {
		return r, false, err
	}
	if !later {
		return h.engine.Receive(ctx, r, []work.Change{c})
	}
	if r.Payload, err = json.Marshal(c); err != nil {
		return r, false, fmt.Errorf("writing the change down: %w", err)
	}
	prior, fresh, err := h.engine.Accept(ctx, r)
	if err == nil && fresh {
		h.rouse()
	}
	return prior, fresh, err
}

func (h *Webhook) refuse(w http.ResponseWriter, r *http.Request, status int, code, detail string, cause error) {
	id := wire.Refuse(w, status, code, detail)
	h.log.Warn("a GitHub delivery was refused", "id", id, "status", status, "reason", detail,
		"delivery", clip(r.Header.Get("X-GitHub-Delivery"), 64), "event", clip(r.Header.Get("X-GitHub-Event"), 64), "error", cause)
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

// jsonPart takes the JSON out of a form-encoded delivery; the signature covers the raw body in both forms.
func jsonPart(contentType string, body []byte) ([]byte, error) {
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

// people joins GitHub logins with e-mail addresses, as the configuration says.
type people map[string]string

func newPeople(m map[string]string) people {
	p := make(people, len(m))
	for login, mail := range m {
		p[strings.ToLower(login)] = mail
	}
	return p
}

// join names the author and the pusher as chat knows them. Only exclusion looks at these.
func (p people) join(c *work.Change) {
	login := strings.TrimPrefix(c.By.ID, "github:")
	if mail, ok := p[strings.ToLower(login)]; ok {
		c.By.Email = mail
	}
	if c.Author != nil {
		p.name(c.Author)
	}
	for i := range c.Authors {
		p.name(&c.Authors[i])
	}
}

func (p people) name(a *workflows.Author) {
	if mail, ok := p[strings.ToLower(a.Login)]; ok && a.Login != "" {
		a.Email = mail
	}
}

// clip cuts text to n characters, with an ellipsis in the last place.
func clip(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return fmt.Sprintf("%s…", string(r[:n-1]))
}
