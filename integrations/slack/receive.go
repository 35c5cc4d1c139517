package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	source      = "slack" // of our receipts
	bodyLimit   = 1 << 20
	ackPatience = 2500 * time.Millisecond // Slack gives up after 3 s
	pinPatience = 400 * time.Millisecond  // for a Slack that has not said yet who we are
)

// Receiver hears what people ask for in Slack.
type Receiver struct {
	c       *Client
	inbox   Inbox
	bot     Bot
	replays replays
	carrier *carrier
}

// Receive returns the receiver of this client's app. Requests are made durable
// in the inbox and carried out by the bot while Run runs.
func (c *Client) Receive(inbox Inbox, b Bot) *Receiver {
	r := &Receiver{c: c, inbox: inbox, bot: b, replays: replays{seen: map[string]time.Time{}}}
	r.carrier = newCarrier(r.carry)
	return r
}

// Handler serves POST /slack/commands, /slack/interactions, /slack/options and
// /slack/events. Without a signing secret it serves none of them.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	if r.c.o.SigningSecret == "" {
		return mux
	}
	mux.Handle("POST /slack/commands", r.serve(parseCommand))
	mux.Handle("POST /slack/interactions", r.serve(parseInteraction))
	mux.Handle("POST /slack/options", r.serve(parseInteraction))
	mux.Handle("POST /slack/events", r.serve(readEvent))
	return mux
}

// serve takes one kind of request the whole way to its acknowledgement. Nothing
// in it waits for Slack's API or for the engine's decisions.
func (r *Receiver) serve(parse func([]byte) (inbound, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := wire.ReadBody(w, req, bodyLimit)
		if err != nil {
			r.refuse(w, req, wire.BodyStatus(err), "Validation", err.Error())
			return
		}
		if sslCheck(req, body) {
			return
		}
		print, ok := verify(r.c.o.SigningSecret, req.Header, body, r.c.now())
		if !ok {
			r.refuse(w, req, http.StatusUnauthorized, "Unauthorized", "the signature is missing, wrong, or older than five minutes")
			if r.c.nag.due("signature", r.c.now()) {
				r.c.log.Warn("slack: somebody calls who does not know slack.signingSecret. If it is Slack, the secret is another app's, or the clock is wrong.",
					"fix", "compare it with Signing Secret at "+r.c.settings("general")+", and this machine's clock with the time")
			}
			return
		}
		in, err := parse(body)
		switch {
		case err != nil:
			r.refuse(w, req, http.StatusBadRequest, "Validation", err.Error())
			return
		case in.Kind == kindChallenge:
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, in.challenge)
			return
		}
		r.acknowledge(w, req, in, print)
	}
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
func (r *Receiver) acknowledge(w http.ResponseWriter, req *http.Request, in inbound, print string) {
	switch {
	case !r.ours(req.Context(), in):
		r.refuse(w, req, http.StatusUnauthorized, "Unauthorized", "this is another workspace's or another app's request")
		return
	case !r.replays.first(print, r.c.now()):
		r.refuse(w, req, http.StatusUnauthorized, "Unauthorized", "this signature has been used")
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), ackPatience)
	defer cancel()
	key := source + "/" + print
	if in.event != "" {
		key = source + "/" + in.event
	}
	answer, fresh, err := r.take(ctx, in, key)
	switch {
	case err != nil:
		r.replays.forget(print)
		r.c.log.Error("a request of slack's could not be made durable", "kind", in.Kind, "error", err)
		r.refuse(w, req, http.StatusServiceUnavailable, "Unavailable", "rollcall cannot take requests just now")
	case !fresh && in.event == "":
		r.refuse(w, req, http.StatusUnauthorized, "Unauthorized", "this signature has been used")
	case len(answer) > 0:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}
}

// refuse turns a request away and leaves a line in the log.
func (r *Receiver) refuse(w http.ResponseWriter, req *http.Request, status int, code, detail string) {
	id := wire.Refuse(w, status, code, detail)
	r.c.log.Warn("a request to slack's addresses was refused", "path", req.URL.Path, "status", status, "why", detail, "id", id)
}

// ours says whether the request is of the pinned workspace and app. While
// Slack does not say which those are, the signature, which is the app's own,
// is enough to take it; perform looks again before anything is done.
func (r *Receiver) ours(ctx context.Context, in inbound) bool {
	ctx, cancel := context.WithTimeout(ctx, pinPatience)
	defer cancel()
	id, err := r.c.Identity(ctx)
	return err != nil && in.Team != "" || err == nil && id.owns(in)
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
	answer, rejected, err := r.answer(in, req)
	if err != nil || in.of == string(slack.InteractionTypeBlockSuggestion) || rejected {
		return answer, true, err
	}
	if r.carrier.full() {
		return nil, false, errors.New("too many requests are waiting to be carried out")
	}
	in.Foreign = in.userTeam != "" && in.userTeam != in.Team
	payload, err := json.Marshal(in)
	if err != nil {
		return nil, false, fmt.Errorf("keeping the request: %w", err)
	}
	receipt := work.Receipt{Key: key, Source: source, At: r.c.now(), Payload: payload}
	if _, fresh, err = r.inbox.Accept(ctx, receipt); err != nil || !fresh {
		return nil, false, err
	}
	r.carrier.add(receipt, req.Reply.User)
	return answer, true, nil
}

// answer asks the bot what the acknowledgement says. A form that was found
// wanting is rejected: it stays open, and there is nothing to carry out.
func (r *Receiver) answer(in inbound, req bot.Request) (body []byte, rejected bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("answering a request: %v", p)
		}
	}()
	v := r.bot.Answer(req)
	if v == nil {
		if in.of == string(slack.InteractionTypeBlockSuggestion) {
			return []byte(`{"options":[]}`), false, nil
		}
		return nil, false, nil
	}
	if body, err = json.Marshal(v); err != nil {
		return nil, false, fmt.Errorf("writing the answer: %w", err)
	}
	var a struct {
		Action string `json:"response_action"`
	}
	return body, json.Unmarshal(body, &a) == nil && a.Action == string(slack.RAErrors), nil
}
