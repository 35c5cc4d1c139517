package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	source        = "slack" // of our receipts
	bodyLimit     = 1 << 20
	sslCheckLimit = 4 << 10
	acceptWithin  = 2500 * time.Millisecond // Slack gives up after 3 s
	pinWithin     = 400 * time.Millisecond  // of a Slack that has not said yet who we are
)

// Receiver takes what people ask for in Slack.
type Receiver struct {
	c            *Client
	bot          Bot
	inbox        *wire.Inbox
	replays      replays
	socket       *socketState
	pinAttempted atomic.Bool // Slack was given its time to say who we are
}

// Receive returns the receiver of this client's app. Requests are made durable
// as receipts and carried out by the bot while Run runs.
func (c *Client) Receive(receipts Receipts, b Bot) *Receiver {
	r := &Receiver{c: c, bot: b, replays: replays{seen: map[string]time.Time{}}, socket: newSocketState()}
	r.inbox = r.newInbox(receipts)
	return r
}

// Handler serves POST /slack/commands, /slack/interactions, /slack/options and
// /slack/events. Without a signing secret it serves none of them.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	if r.c.o.SigningSecret == "" {
		return mux
	}
	refusals := wire.NewSampler()
	mux.Handle("POST /slack/commands", r.endpoint(parseCommand).Handler(refusals))
	mux.Handle("POST /slack/interactions", r.endpoint(parseInteraction).Handler(refusals))
	mux.Handle("POST /slack/options", r.endpoint(parseInteraction).Handler(refusals))
	mux.Handle("POST /slack/events", r.endpoint(readEvent).Handler(refusals))
	return mux
}

// endpoint takes one kind of request the whole way to its acknowledgement.
// Nothing in it waits for Slack's API or for the engine's decisions.
func (r *Receiver) endpoint(parse func([]byte) (inbound, error)) wire.Endpoint {
	return wire.Endpoint{
		Name: "a request to slack's addresses", Log: r.c.log,
		Limit: func(h http.Header) (int64, *wire.Rejection) {
			if h.Get("X-Slack-Signature") == "" {
				return sslCheckLimit, nil // all that may come unsigned
			}
			return bodyLimit, nil
		},
		Ping:   sslCheck,
		Verify: r.verify,
		Accept: func(w http.ResponseWriter, req *http.Request, body []byte, fingerprint string) *wire.Rejection {
			in, err := parse(body)
			switch {
			case err != nil:
				return &wire.Rejection{Status: http.StatusBadRequest, Code: "Validation", Detail: err.Error()}
			case in.Kind == kindChallenge:
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, in.challenge)
				return nil
			}
			return r.acknowledge(w, req, in, fingerprint)
		},
		Describe: func(req *http.Request) []any { return []any{"path", req.URL.Path} },
	}
}

// verify proves that the request is of the Slack that knows our signing secret.
func (r *Receiver) verify(h http.Header, body []byte) (fingerprint string, refused *wire.Rejection) {
	fingerprint, ok := verify(r.c.o.SigningSecret, h, body, r.c.now())
	if ok {
		return fingerprint, nil
	}
	if r.c.logLimit.allow("signature", r.c.now()) {
		r.c.log.Warn("slack: somebody calls who does not know slack.signingSecret. If it is Slack, the secret is another app's, or the clock is wrong.",
			"fix", "compare it with Signing Secret at "+r.c.settings("general")+", and this machine's clock with the time")
	}
	return "", unauthorized("the signature is missing, wrong, or older than five minutes")
}

func unauthorized(detail string) *wire.Rejection {
	return &wire.Rejection{Status: http.StatusUnauthorized, Code: "Unauthorized", Detail: detail}
}

// sslCheck recognises the unsigned request by which Slack tries a command's
// address. Whatever else such a request says is not looked at.
func sslCheck(req *http.Request, body []byte) bool {
	if !strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return false
	}
	form, err := url.ParseQuery(string(body))
	return err == nil && form.Get("ssl_check") == "1"
}

// acknowledge answers a verified request, each signature once.
func (r *Receiver) acknowledge(w http.ResponseWriter, req *http.Request, in inbound, fingerprint string) *wire.Rejection {
	switch {
	case !r.ours(req.Context(), in):
		return unauthorized("this is another workspace's or another app's request")
	case !r.replays.firstUse(fingerprint, r.c.now()):
		return unauthorized("this signature has been used")
	}
	ctx, cancel := context.WithTimeout(req.Context(), acceptWithin)
	defer cancel()
	key := source + "/" + fingerprint
	if in.event != "" {
		key = source + "/" + in.event
	}
	answer, fresh, err := r.take(ctx, in, key)
	switch {
	case err != nil:
		r.replays.forget(fingerprint)
		r.c.log.Error("a request of slack's could not be made durable", "kind", in.Kind, "error", err)
		return &wire.Rejection{Status: http.StatusServiceUnavailable, Code: "Unavailable", Detail: "rollcall cannot take requests just now"}
	case !fresh && in.event == "":
		return unauthorized("this signature has been used")
	case len(answer) > 0:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}
	return nil
}

// ours says whether the request is of the pinned workspace and app. While
// Slack does not say which those are, the signature, which is the app's own,
// is enough to take it; perform looks again before anything is done. Slack's
// answer is waited for once: a request that waits is acknowledged late.
func (r *Receiver) ours(ctx context.Context, in inbound) bool {
	id := r.c.pinned.Load()
	if id == nil && !r.pinAttempted.Load() {
		ctx, cancel := context.WithTimeout(ctx, pinWithin)
		defer cancel()
		_, _ = r.c.Identity(ctx) // pin says why, if it does not come
		r.pinAttempted.Store(true)
		id = r.c.pinned.Load()
	}
	return id == nil && in.Team != "" || id != nil && id.owns(in)
}

// owns says whether the request is of the pinned workspace and app. A missing
// app ID is no other app's: the signature has named the app.
func (id Identity) owns(in inbound) bool {
	return in.Team == id.Team && (in.App == "" || id.App == "" || in.App == id.App)
}

// take makes a request durable, unless nothing needs doing, and returns what
// the acknowledgement says. It is the same over HTTP and Socket Mode. After an
// error nothing was taken; fresh is false when the key has been taken before.
func (r *Receiver) take(ctx context.Context, in inbound, key string) (answer []byte, fresh bool, err error) {
	if in.Kind == kindIgnored {
		return nil, true, nil
	}
	req, err := in.request(key)
	if err != nil {
		return nil, false, err
	}
	in.Foreign = in.userTeam != "" && in.userTeam != in.Team
	if in.of == string(slack.InteractionTypeBlockSuggestion) {
		return r.suggest(ctx, in, req), true, nil
	}
	answer, rejected, err := r.answer(req)
	if err != nil || rejected {
		return answer, true, err
	}
	payload, err := json.Marshal(in)
	if err != nil {
		return nil, false, fmt.Errorf("keeping the request: %w", err)
	}
	_, fresh, err = r.inbox.Take(ctx, work.Receipt{Key: key, Source: source, At: r.c.now(), Payload: payload}, 0)
	if err != nil || !fresh {
		return nil, false, err
	}
	return answer, true, nil
}

// answer asks the bot what the acknowledgement says. A form that was found
// wanting is rejected: it stays open, and there is nothing to carry out.
func (r *Receiver) answer(req bot.Request) (body []byte, rejected bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("answering a request: %v", p)
		}
	}()
	v := r.bot.Answer(req)
	if v == nil {
		return nil, false, nil
	}
	if body, err = json.Marshal(answerPlainly(v)); err != nil {
		return nil, false, fmt.Errorf("writing the answer: %w", err)
	}
	var a struct {
		Action string `json:"response_action"`
	}
	return body, json.Unmarshal(body, &a) == nil && a.Action == string(slack.RAErrors), nil
}
