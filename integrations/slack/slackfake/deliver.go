package slackfake

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// answerWithin is how long Slack waits for an app.
const answerWithin = 3 * time.Second

// Ack is how the app answered one request.
type Ack struct {
	Status int // HTTP status; 200 for a Socket Mode acknowledgement; 0 for none
	Body   []byte
	Took   time.Duration
}

// request is one request to the app.
type request struct {
	kind    string // in Socket Mode: slash_commands|interactive|events_api
	path    string // over HTTP
	form    url.Values
	payload any  // Socket Mode, and the body of events over HTTP
	answers bool // the app may put something into its acknowledgement
	retry   int
	reason  string // of the retry
}

// interactive makes the request for an interaction payload.
func interactive(payload object, answers bool) request {
	b, err := json.Marshal(payload)
	if err != nil {
		panic("slackfake: a payload that always is JSON is not: " + err.Error())
	}
	return request{kind: "interactive", path: "/slack/interactions", form: url.Values{"payload": {string(b)}}, payload: json.RawMessage(b), answers: answers}
}

// send sends it to the app, over Socket Mode while it is connected, else over HTTP,
// and waits for its acknowledgement as long as Slack does.
func (w *Server) send(ctx context.Context, r request) (Ack, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, w.o.AnswerWithin)
	defer cancel()
	l, base, err := w.route(ctx)
	var ack Ack
	switch {
	case err != nil:
	case l != nil:
		ack, err = l.deliver(ctx, r)
	default:
		ack, err = w.post(ctx, base, r)
	}
	ack.Took = time.Since(start)
	w.o.Log.Debug("sent to the app", "kind", r.kind, "path", r.path, "status", ack.Status, "took", ack.Took, "error", err)
	if err != nil {
		what := ""
		if r.kind == "slash_commands" {
			what = w.o.Command
		}
		err = &unanswered{what: what, app: w.o.BotName, within: w.o.AnswerWithin, cause: err}
	}
	return ack, err
}

// unanswered is the error for a request that the app did not take.
type unanswered struct {
	what   string // the user did, "/rollcall"; may be empty
	app    string
	within time.Duration // how long it had
	cause  error
}

// Error is what Slack would tell the user, with the cause.
func (e *unanswered) Error() string { return e.userText() + ": " + e.cause.Error() }

// Unwrap is the cause.
func (e *unanswered) Unwrap() error { return e.cause }

// userText is what Slack shows the user, with Slack's word for it.
func (e *unanswered) userText() string {
	failed := ""
	if e.what != "" {
		failed = e.what + " failed: "
	}
	if errors.Is(e.cause, context.DeadlineExceeded) {
		return fmt.Sprintf("%s%s did not answer within %v seconds (operation_timeout)", failed, e.app, e.within.Seconds())
	}
	return failed + e.app + " could not be reached, or answered with an error (dispatch_failed)"
}

// userText is an error in the words for the user: without the cause that only the
// app's developer understands.
func userText(err error) string {
	if e, ok := errors.AsType[*unanswered](err); ok {
		return e.userText()
	}
	return err.Error()
}

// route picks the way to the app. When there is neither a connection nor an
// address, it waits for a connection, which may be coming back.
func (w *Server) route(ctx context.Context) (*link, string, error) {
	for {
		w.mu.Lock()
		base, changed := w.o.BaseURL, w.changed
		var l *link
		if n := len(w.links); n > 0 {
			l = w.links[n-1]
		}
		w.mu.Unlock()
		if l != nil || base != "" {
			return l, base, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, "", fmt.Errorf("the app has neither an address nor a Socket Mode connection: %w", ctx.Err())
		}
	}
}

// post sends a signed HTTP request. Anything but 2xx is an error.
func (w *Server) post(ctx context.Context, base string, r request) (Ack, error) {
	body, kind := []byte(r.form.Encode()), "application/x-www-form-urlencoded"
	if r.form == nil {
		kind = "application/json"
		var err error
		if body, err = json.Marshal(r.payload); err != nil {
			return Ack{}, fmt.Errorf("writing the request: %w", err)
		}
	}
	status, header, answer, err := wirefake.Post(ctx, w.o.Transport, strings.TrimSuffix(base, "/")+r.path, body, func(h http.Header) {
		h.Set("Content-Type", kind)
		h.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
		if r.retry > 0 {
			h.Set("X-Slack-Retry-Num", strconv.Itoa(r.retry))
			h.Set("X-Slack-Retry-Reason", r.reason)
		}
		w.Sign(h, body)
	})
	ack := Ack{Status: status, Body: answer}
	if err != nil {
		return ack, err
	}
	if header.Get("X-Slack-No-Retry") == "1" {
		err = errNoRetry
	}
	if status/100 != 2 {
		return ack, errors.Join(fmt.Errorf("the app answered with status %d", status), err)
	}
	return ack, nil
}

var errNoRetry = errors.New("the app asks for no repeats")

// Sign signs a body as Slack does, with the time of now.
func (w *Server) Sign(h http.Header, body []byte) {
	ts := strconv.FormatInt(w.o.Now().Unix(), 10)
	h.Set("X-Slack-Request-Timestamp", ts)
	h.Set("X-Slack-Signature", signature(w.o.SigningSecret, ts, body))
}

func signature(secret, ts string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", ts, body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// Install points the workspace at the app's address and does what Slack does
// when request URLs are entered: the url_verification handshake for events and
// the ssl_check of the command. An error says why the app is not there.
func (w *Server) Install(ctx context.Context, baseURL string) error {
	challenge := newID("")
	ctx, cancel := context.WithTimeout(ctx, w.o.AnswerWithin)
	defer cancel()
	ack, err := w.post(ctx, baseURL, request{path: "/slack/events", payload: object{"type": "url_verification", "token": "verification-token", "challenge": challenge}})
	if err != nil {
		return fmt.Errorf("your URL didn't respond with the value of the challenge parameter: %w", err)
	}
	var asJSON struct{ Challenge string }
	if strings.TrimSpace(string(ack.Body)) != challenge && (json.Unmarshal(ack.Body, &asJSON) != nil || asJSON.Challenge != challenge) {
		return errors.New("your URL didn't respond with the value of the challenge parameter")
	}
	if err := w.sslCheck(ctx, baseURL); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.o.BaseURL = baseURL
	w.notifyAll()
	return nil
}

// sslCheck asks the command's address whether it is there; such a request is not signed.
func (w *Server) sslCheck(ctx context.Context, baseURL string) error {
	status, _, _, err := wirefake.Post(ctx, w.o.Transport, strings.TrimSuffix(baseURL, "/")+"/slack/commands", []byte("ssl_check=1&token=verification-token"),
		func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") })
	if err != nil {
		return fmt.Errorf("the ssl_check: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("the app answered the ssl_check with status %d", status)
	}
	return nil
}

// event sends an event to the app, and again when it does not take it: at
// once, after one minute, after five. The answer is that of the first time.
func (w *Server) event(ctx context.Context, event object) (Ack, error) {
	now := w.o.Now().Unix()
	r := request{kind: "events_api", path: "/slack/events", payload: object{
		"type": "event_callback", "token": "verification-token", "team_id": w.o.Team, "api_app_id": w.o.App, "event_id": newID("Ev"), "event_time": now,
		"event_context": newID("EC"), "is_ext_shared_channel": w.external(str(event, "channel")), "event": event,
		"authorizations": []object{{"team_id": w.o.Team, "user_id": botUser, "is_bot": true, "is_enterprise_install": false, "enterprise_id": nil}},
	}}
	ack, err := w.send(ctx, r)
	if err == nil || errors.Is(err, errNoRetry) || w.ctx.Err() != nil {
		return ack, err
	}
	w.work.Go(func() { w.repeat(r, err) })
	return ack, err
}

// repeat sends an event again until the app takes it.
func (w *Server) repeat(r request, err error) {
	wirefake.Again(w.ctx, []time.Duration{0, time.Minute, 5 * time.Minute}, func(try int) bool {
		r.retry, r.reason = try, "http_error"
		if errors.Is(err, context.DeadlineExceeded) {
			r.reason = "http_timeout"
		}
		_, err = w.send(w.ctx, r)
		return err == nil || errors.Is(err, errNoRetry)
	})
}

// isJSON says whether a Content-Type is JSON.
func isJSON(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/json"
}
