package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// hookSecret signs what the local GitHub delivers.
const hookSecret = "the-webhook-secret-of-the-benchmarks"

// outside sends what Slack and GitHub send, signed as theirs. Beside it a local
// Slack serves the API. Requests are made here and not by the local Slack and
// GitHub, which keep all that was ever sent and would be what is measured.
type outside struct {
	service string
	client  *http.Client
	slack   *slackfake.Server
	server  *http.Server
	users   []slackfake.User
	sent    atomic.Int64 // commands and deliveries
	answers atomic.Int64 // to slash commands, at their response URLs
}

// newOutside serves the local Slack on the port behind the service's.
func (s *suite) newOutside() (*outside, error) {
	o := &outside{
		service: fmt.Sprintf("http://127.0.0.1:%d", s.port),
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}, Timeout: 10 * time.Second},
	}
	o.slack = slackfake.New(slackfake.Options{BaseURL: o.service, Transport: o.client.Transport})
	for i := range 50 {
		o.users = append(o.users, o.slack.AddUser(slackfake.User{Name: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("user%d@acme.example", i)}))
	}
	o.slack.AddChannel(slackfake.Channel{Name: "deploys"})
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port+1)) //nolint:noctx // a loopback address resolves nothing
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", o.slack)
	mux.HandleFunc("POST /answer", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		o.answers.Add(1)
		_, _ = io.WriteString(w, "ok")
	})
	o.server = &http.Server{Addr: l.Addr().String(), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = o.server.Serve(l) }()
	return o, nil
}

func (o *outside) close() {
	_ = o.server.Close()
	o.slack.Close()
	o.client.CloseIdleConnections()
}

// config connects a service with them.
func (s *suite) connected() extra {
	return extra{fmt.Sprintf(`slack: {apiURL: "http://127.0.0.1:%d/api/", botToken: xoxb-local, signingSecret: local-signing-secret, channel: "#deploys"}
github: {webhookSecret: %s}
`, s.port+1, hookSecret)}
}

// send sends a request; anything but a 2xx is an error.
func (o *outside) send(ctx context.Context, method, path string, body []byte, dress func(h http.Header)) error {
	req, err := http.NewRequestWithContext(ctx, method, o.service+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	dress(req.Header)
	res, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err = io.Copy(io.Discard, res.Body); err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s was answered with %s", path, res.Status)
	}
	return err
}

// command is a slash command of one of the users.
func (o *outside) command(ctx context.Context) error {
	i := o.sent.Add(1)
	u := o.users[i%int64(len(o.users))]
	body := []byte(url.Values{
		"token": {"verification-token"}, "team_id": {"T0LOCAL"}, "team_domain": {"local"}, "channel_id": {"C0BENCH"}, "channel_name": {"deploys"},
		"user_id": {u.ID}, "user_name": {u.Name}, "command": {"/rollcall"}, "text": {"status p0"}, "api_app_id": {"A0LOCAL"}, "is_enterprise_install": {"false"},
		"response_url": {"http://" + o.server.Addr + "/answer"}, "trigger_id": {fmt.Sprintf("1.2.%d", i)},
	}.Encode())
	return o.send(ctx, http.MethodPost, "/slack/commands", body, func(h http.Header) {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		o.slack.Sign(h, body)
	})
}

// push is a delivery of a push that starts nothing.
func (o *outside) push(ctx context.Context) error {
	i := o.sent.Add(1)
	body := githubfake.Push{Repository: "acme/shop", Ref: "refs/heads/main", Commit: fmt.Sprintf("%040x", i), Message: "Change a",
		Author: githubfake.Person{Name: "Ana", Email: "ana@acme.example", Login: "ana"}, Pusher: "ana", Files: []string{"a"}}.Payload()
	return o.send(ctx, http.MethodPost, "/github/webhook", body, func(h http.Header) {
		h.Set("Content-Type", "application/json")
		h.Set("X-GitHub-Event", "push")
		h.Set("X-GitHub-Delivery", fmt.Sprintf("delivery-%d", i))
		h.Set("X-Hub-Signature-256", wire.Sign([]byte(hookSecret), body))
	})
}

// probe is a request for which the service does nothing.
func (o *outside) probe(ctx context.Context) error {
	return o.send(ctx, http.MethodGet, "/healthz", nil, func(http.Header) {})
}
