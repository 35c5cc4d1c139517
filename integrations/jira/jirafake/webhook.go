package jirafake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Delivery is a webhook delivery and how it was answered.
type Delivery struct {
	ID      string
	Payload []byte
	Status  int
	Answer  []byte
}

// Move puts an issue into a status ("To Do", "In Progress", "Done"), as a person would,
// and tells the webhook where one is connected.
func (s *Server) Move(ctx context.Context, key, status string) (Delivery, error) {
	before, ok := s.Issue(key)
	if !ok {
		return Delivery{}, fmt.Errorf("there is no issue %s", key)
	}
	s.set(key, status)
	i, _ := s.Issue(key)
	from, to := statusJSON(before.Status), statusJSON(status)
	return s.deliver(ctx, map[string]any{
		"webhookEvent": "jira:issue_updated", "issue_event_type_name": "issue_generic", "timestamp": s.options.Now().UnixMilli(),
		"user": map[string]any{"accountId": "somebody"}, "issue": i.json(s.options.OnPremise),
		"changelog": map[string]any{"id": "1", "items": []any{map[string]any{
			"field": "status", "fieldtype": "jira", "fieldId": "status",
			"from": from["id"], "fromString": before.Status, "to": to["id"], "toString": status,
		}}},
	})
}

// deliver sends a payload to the webhook under a new identifier. Without a webhook it does nothing.
func (s *Server) deliver(ctx context.Context, payload map[string]any) (Delivery, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return Delivery{}, fmt.Errorf("writing the delivery: %w", err)
	}
	s.mu.Lock()
	s.deliveries++
	d := Delivery{ID: fmt.Sprintf("delivery-%d", s.deliveries), Payload: raw}
	connected := s.options.WebhookURL != ""
	s.mu.Unlock()
	if !connected {
		return d, nil
	}
	return s.Deliver(ctx, d.ID, raw)
}

// Deliver sends a payload to the webhook under an identifier, signed.
func (s *Server) Deliver(ctx context.Context, id string, payload []byte) (Delivery, error) {
	d := Delivery{ID: id, Payload: payload}
	s.mu.Lock()
	to, secret := s.options.WebhookURL, s.options.Secret
	s.mu.Unlock()
	if to == "" {
		return d, errors.New("no webhook is connected")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(payload))
	if err != nil {
		return d, fmt.Errorf("preparing the delivery: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("X-Atlassian-Webhook-Identifier", id)
	if secret != "" {
		req.Header.Set("X-Hub-Signature", wire.Sign([]byte(secret), payload))
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return d, fmt.Errorf("delivering: %w", err)
	}
	defer resp.Body.Close()
	d.Status = resp.StatusCode
	if d.Answer, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		return d, fmt.Errorf("reading the answer: %w", err)
	}
	return d, nil
}

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Key}} {{.Summary}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}pre{white-space:pre-wrap;background:#f4f5f7;padding:1rem}</style>
<p>{{.Project}} · {{.Type}} · <strong>{{.Status}}</strong>{{range .Labels}} · {{.}}{{end}}</p>
<h1>{{.Key}}: {{.Summary}}</h1><pre>{{.Description}}</pre>
{{range .Comments}}<h2>Comment</h2><pre>{{.}}</pre>{{end}}</html>`

// browse is the page that people open from chat.
func (s *Server) browse(w http.ResponseWriter, r *http.Request) {
	i, ok := s.Issue(r.PathValue("key"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	t, err := template.New("issue").Parse(page)
	if err != nil {
		http.Error(w, "the page cannot be drawn", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// The reader may be gone.
	_ = t.Execute(w, i)
}
