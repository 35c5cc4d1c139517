package jira

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// WebhookPath is where deliveries arrive.
const WebhookPath = "/jira/webhook"

const (
	source       = "jira" // of receipts
	bodyLimit    = 5 << 20
	answerWithin = 9 * time.Second
	// retryFor is how long a delivery is tried that cannot be noted: longer than
	// a restart or a full disk usually takes, and no delivery is tried for ever.
	retryFor = 10 * time.Minute
)

// Engine is what a webhook needs of the runtime.
type Engine interface {
	wire.Receipts
	// Finish notes what a repeat is answered.
	Finish(ctx context.Context, key string, result []byte) error
}

// WebhookOptions is what a Webhook needs.
type WebhookOptions struct {
	Secret string // of the webhook, not empty
	Engine Engine
	Notes  Notes            // the same as Tickets has
	Gates  Gates            // that are answered in Jira; nil: none
	Log    *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: time.Now
}

// Gates hear of the issues that they may wait for. [Approvals] are.
type Gates interface {
	// Changed is false when no gate waits for the issue.
	Changed(ctx context.Context, issue string) (bool, error)
}

// Webhook takes Jira's deliveries.
type Webhook struct {
	o     WebhookOptions
	inbox *wire.Inbox
}

// NewWebhook refuses an empty secret: without one, anybody could close tickets.
// [Webhook.Run] must run beside it.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	if o.Secret == "" {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.webhookSecret",
			Message: "jira.webhookSecret is empty, so deliveries cannot be verified",
			Hint:    "set the same secret here and in the webhook's settings in Jira"}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Webhook{o: o}
	h.inbox = wire.NewInbox(wire.InboxOptions{
		Source: source, Receipts: o.Engine, Finish: o.Engine.Finish, Queue: queueOf, Process: h.process,
		Resume: true, ReportTries: true, // Jira delivers again what is answered 503
		Workers: 8, RetryFor: retryFor, LongestPause: time.Minute, Log: o.Log,
	})
	return h, nil
}

// Run processes deliveries, also those that an earlier process accepted and did
// not finish, until ctx ends.
func (h *Webhook) Run(ctx context.Context) error { return h.inbox.Run(ctx) }

// Handler serves POST /jira/webhook.
func (h *Webhook) Handler() http.Handler {
	mux := http.NewServeMux()
	signature := wire.Signature{Header: "X-Hub-Signature", Secret: []byte(h.o.Secret), BodyLimit: bodyLimit}
	mux.Handle("POST "+WebhookPath, wire.Endpoint{
		Name: "a Jira delivery", Log: h.o.Log, Limit: signature.Limit, Verify: signature.Verify, Accept: h.accept,
	}.Handler(wire.NewSampler()))
	return mux
}

// answer is what a delivery is answered, and what its receipt keeps.
type answer struct {
	Duplicate bool     `json:"duplicate,omitempty"`
	Started   []string `json:"started"` // executions; a ticket starts none
	Noted     []string `json:"noted,omitempty"`
	Ignored   []string `json:"ignored"`
}

// delivery is the payload, as narrow as our use of it: a comment may be an
// object, a time may have any form, and an old server leaves much out.
type delivery struct {
	Timestamp int64  `json:"timestamp"` // ms
	Event     string `json:"webhookEvent"`
	Issue     *struct {
		ID     string `json:"id"`
		Key    string `json:"key"`
		Fields struct {
			Status status `json:"status"`
		} `json:"fields"`
	} `json:"issue"`
	Changelog struct {
		ID    json.RawMessage `json:"id"` // a string, or a number
		Items []struct {
			Field string `json:"field"`
		} `json:"items"`
	} `json:"changelog"`
	Comment struct {
		ID string `json:"id"`
	} `json:"comment"`
}

// parse reads a payload.
func parse(payload []byte) (delivery, error) {
	var d delivery
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 || payload[0] != '{' || !json.Valid(payload) {
		return d, errors.New("the delivery is signed, but its payload is not a JSON object")
	}
	if err := json.Unmarshal(payload, &d); err != nil {
		return d, errors.New("the delivery cannot be read: a field has an unexpected type")
	}
	return d, nil
}

// ignored says why a delivery changes nothing; empty: it reports an issue's new status.
func (d *delivery) ignored() string {
	switch {
	case d.Issue == nil || !isKey(d.Issue.Key):
		return words.Cut(clean.Line(d.Event), 64) + ": it names no issue"
	case d.Event == "jira:issue_deleted":
		return ""
	case d.Event != "jira:issue_updated":
		return fmt.Sprintf("%s: %s changes no status", d.Issue.Key, words.Cut(clean.Line(d.Event), 64))
	}
	for _, i := range d.Changelog.Items {
		if i.Field == "status" {
			return ""
		}
	}
	return d.Issue.Key + ": the status did not change"
}

// key is what a repeat of the delivery has in common with it. Older servers name none.
func (d *delivery) key(header http.Header) string {
	if id := header.Get("X-Atlassian-Webhook-Identifier"); id != "" {
		return "jira/" + hash(id)
	}
	issue := ""
	if d.Issue != nil {
		issue = d.Issue.ID
	}
	return "jira/" + hash(d.Event, strconv.FormatInt(d.Timestamp, 10), issue, string(d.Changelog.ID), d.Comment.ID)
}

func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s;", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// accept answers a verified delivery.
func (h *Webhook) accept(w http.ResponseWriter, r *http.Request, body []byte, fingerprint string) *wire.Rejection {
	d, err := parse(body)
	if err != nil {
		return &wire.Rejection{Status: http.StatusBadRequest, Code: workflows.CodeValidation, Detail: err.Error()}
	}
	if why := d.ignored(); why != "" {
		wire.Answer(w, http.StatusOK, answer{Started: []string{}, Ignored: []string{why}})
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	a, fresh, err := h.record(ctx, work.Receipt{Key: d.key(r.Header), Print: fingerprint, Source: source, At: h.o.Now().UTC()}, &d)
	if err != nil {
		return &wire.Rejection{Status: http.StatusServiceUnavailable, Code: workflows.CodeUnavailable,
			Detail: "the delivery could not be recorded; deliver it again", Cause: err}
	}
	code := http.StatusAccepted
	if !fresh {
		a.Duplicate, code = true, http.StatusOK
	}
	wire.Answer(w, code, a)
	return nil
}

// record makes the delivery durable and waits for what comes of it.
func (h *Webhook) record(ctx context.Context, r work.Receipt, d *delivery) (a answer, fresh bool, err error) {
	if r.Payload, err = json.Marshal(d.change()); err != nil {
		return a, false, err
	}
	got, fresh, err := h.inbox.Take(ctx, r, answerWithin)
	if err != nil {
		return a, false, err
	}
	a = answer{Started: []string{}, Ignored: []string{}}
	if len(got.Result) > 0 {
		err = json.Unmarshal(got.Result, &a)
	}
	return a, fresh, err
}

// statusChange is what a receipt keeps of a delivery.
type statusChange struct {
	Issue string `json:"issue"`
	At    int64  `json:"at"` // ms, Jira's clock
	Done  bool   `json:"done"`
}

func (d *delivery) change() statusChange {
	return statusChange{Issue: d.Issue.Key, At: d.Timestamp, Done: d.Event == "jira:issue_deleted" || d.Issue.Fields.Status.done()}
}

// queueOf is the issue of a receipt: what is read of one issue and written again
// is never mixed. Earlier versions kept no payload; only a repeat brings it.
func queueOf(r work.Receipt) (issue string, ours bool) {
	var c statusChange
	_ = json.Unmarshal(r.Payload, &c) // process says so of what cannot be read
	return c.Issue, len(r.Payload) > 0
}

// process notes the new status. A delivery that was processed before changes
// nothing: it is no newer than what is known.
func (h *Webhook) process(ctx context.Context, r work.Receipt, try wire.Try) ([]byte, error) {
	a := answer{Started: []string{}, Ignored: []string{}}
	var c statusChange
	err := json.Unmarshal(r.Payload, &c)
	if err == nil {
		err = try(ctx, func(ctx context.Context) error {
			waits, err := h.waits(ctx, c.Issue)
			if err != nil {
				return err
			}
			_, ours, err := h.o.Notes.Memo(ctx, issueKey(c.Issue))
			switch {
			case err != nil:
				return err
			case waits && !ours:
				a.Noted = []string{c.Issue + ": an approval waits for it"}
				return nil
			case !ours:
				a.Ignored = []string{c.Issue + ": not one of our tickets"}
				return nil
			}
			a.Noted, err = h.noteStatus(ctx, c)
			return err
		})
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil:
		h.o.Log.Error("a delivery of Jira's could not be noted and is given up", "receipt", r.Key, "issue", c.Issue, "error", err)
		a.Ignored = []string{c.Issue + ": it could not be noted"}
	}
	return json.Marshal(a)
}

// waits tells a gate that waits for the issue, if there is one.
func (h *Webhook) waits(ctx context.Context, issue string) (bool, error) {
	if h.o.Gates == nil {
		return false, nil
	}
	return h.o.Gates.Changed(ctx, issue)
}

// lastStatus is the memo of the newest status that was delivered; deliveries come in any order.
type lastStatus struct {
	At   int64 `json:"at"` // ms, Jira's clock
	Done bool  `json:"done"`
}

// noteStatus keeps the newest status that was delivered. Nobody else writes that
// memo; that we reopened an issue is in the ticket's own memo.
func (h *Webhook) noteStatus(ctx context.Context, c statusChange) ([]string, error) {
	var last lastStatus
	raw, ok, err := h.o.Notes.Memo(ctx, closedKey(c.Issue))
	if err != nil {
		return nil, err
	}
	if ok {
		if err := json.Unmarshal(raw, &last); err != nil {
			return nil, err
		}
	}
	if last.At > c.At {
		return []string{c.Issue + ": something newer is known already"}, nil
	}
	if raw, err = json.Marshal(lastStatus{At: c.At, Done: c.Done}); err != nil {
		return nil, err
	}
	if err := h.o.Notes.Note(ctx, closedKey(c.Issue), raw); err != nil {
		return nil, err
	}
	if c.Done {
		return []string{c.Issue + ": closed"}, nil
	}
	return []string{c.Issue + ": open"}, nil
}
