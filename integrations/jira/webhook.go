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
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// WebhookPath is where deliveries arrive.
const WebhookPath = "/jira/webhook"

const (
	bodyLimit    = 5 << 20
	answerWithin = 9 * time.Second
)

// Engine is what a webhook needs of the runtime.
type Engine interface {
	// Accept makes the receipt durable; fresh is false for a delivery seen before.
	Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error)
	// Finish notes what a repeat is answered.
	Finish(ctx context.Context, key string, result []byte) error
}

// WebhookOptions is what a Webhook needs.
type WebhookOptions struct {
	Secret string // of the webhook, not empty
	Engine Engine
	Notes  Notes            // the same as Tickets has
	Log    *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: time.Now
}

// Webhook takes Jira's deliveries.
type Webhook struct{ o WebhookOptions }

// NewWebhook refuses an empty secret: without one, anybody could close tickets.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	if o.Secret == "" {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.webhookSecret",
			Message: "jira.webhookSecret is empty, so deliveries cannot be told from forgeries",
			Hint:    "set the same secret here and in the webhook's settings in Jira"}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Webhook{o}, nil
}

// Handler serves POST /jira/webhook.
func (h *Webhook) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+WebhookPath, h.deliver)
	return mux
}

// answer is what a delivery is told, and what its receipt keeps.
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

// ignored says why a delivery changes nothing; empty: it tells an issue's new status.
func (d *delivery) ignored() string {
	switch {
	case d.Issue == nil || !isKey(d.Issue.Key):
		return clip(oneLine(d.Event), 64) + ": it names no issue"
	case d.Event == "jira:issue_deleted":
		return ""
	case d.Event != "jira:issue_updated":
		return fmt.Sprintf("%s: %s changes no status", d.Issue.Key, clip(oneLine(d.Event), 64))
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

func (h *Webhook) deliver(w http.ResponseWriter, r *http.Request) {
	body, err := wire.ReadBody(w, r, bodyLimit)
	if err != nil {
		h.refuse(w, wire.BodyStatus(err), workflows.CodeValidation, err.Error(), nil)
		return
	}
	if !wire.Verify([]byte(h.o.Secret), body, r.Header.Get("X-Hub-Signature")) {
		h.refuse(w, http.StatusUnauthorized, workflows.CodeAccessDenied, "the delivery is not signed with this webhook's secret (X-Hub-Signature, sha256)", nil)
		return
	}
	d, err := parse(body)
	if err != nil {
		h.refuse(w, http.StatusBadRequest, workflows.CodeValidation, err.Error(), nil)
		return
	}
	if why := d.ignored(); why != "" {
		wire.Answer(w, http.StatusOK, answer{Started: []string{}, Ignored: []string{why}})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	a, fresh, err := h.record(ctx, d.key(r.Header), &d)
	if err != nil {
		h.refuse(w, http.StatusServiceUnavailable, workflows.CodeUnavailable, "the delivery could not be recorded; deliver it again", err)
		return
	}
	code := http.StatusAccepted
	if !fresh {
		a.Duplicate, code = true, http.StatusOK
	}
	wire.Answer(w, code, a)
}

// record carries the delivery out. A delivery whose first time broke off in
// the middle is carried out again, which changes nothing that was done.
func (h *Webhook) record(ctx context.Context, key string, d *delivery) (a answer, fresh bool, err error) {
	prior, fresh, err := h.o.Engine.Accept(ctx, work.Receipt{Key: key, Source: "jira", At: h.o.Now().UTC()})
	if err != nil {
		return a, false, err
	}
	if !fresh && prior.Done {
		err := json.Unmarshal(prior.Result, &a)
		return a, false, err
	}
	a = answer{Started: []string{}, Ignored: []string{}}
	issue := d.Issue.Key
	_, ours, err := h.o.Notes.Memo(ctx, issueKey(issue))
	if err != nil {
		return a, false, err
	}
	if !ours {
		a.Ignored = append(a.Ignored, issue+": not one of our tickets")
	} else if a.Noted, err = h.noteStatus(ctx, d); err != nil {
		return a, false, err
	}
	result, err := json.Marshal(a)
	if err != nil {
		return a, false, err
	}
	return a, true, h.o.Engine.Finish(ctx, key, result)
}

// heard is the memo of what a webhook last said of a ticket: deliveries come in any order.
type heard struct {
	At   int64 `json:"at"` // ms, Jira's clock
	Done bool  `json:"done"`
}

// noteStatus keeps the newest status that was heard of.
func (h *Webhook) noteStatus(ctx context.Context, d *delivery) ([]string, error) {
	issue, now := d.Issue.Key, heard{At: d.Timestamp, Done: d.Event == "jira:issue_deleted" || d.Issue.Fields.Status.done()}
	var last heard
	raw, ok, err := h.o.Notes.Memo(ctx, closedKey(issue))
	if err != nil {
		return nil, err
	}
	if ok {
		if err := json.Unmarshal(raw, &last); err != nil {
			return nil, err
		}
	}
	if last.At > now.At {
		return []string{issue + ": something newer is known already"}, nil
	}
	if raw, err = json.Marshal(now); err != nil {
		return nil, err
	}
	if err := h.o.Notes.Note(ctx, closedKey(issue), raw); err != nil {
		return nil, err
	}
	if now.Done {
		return []string{issue + ": closed"}, nil
	}
	return []string{issue + ": open"}, nil
}

func (h *Webhook) refuse(w http.ResponseWriter, status int, code, detail string, cause error) {
	id := wire.Refuse(w, status, code, detail)
	h.o.Log.Warn("a Jira delivery was refused", "id", id, "status", status, "reason", detail, "error", cause)
}
