package jirafake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// Delivery is a webhook delivery and how it was answered.
type Delivery = wirefake.Delivery

// dress puts Jira's headers on a delivery. Without a secret it is not signed.
func dress(h http.Header, d Delivery, secret string) {
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("X-Atlassian-Webhook-Identifier", d.ID)
	if secret != "" {
		h.Set("X-Hub-Signature", wire.Sign([]byte(secret), d.Payload))
	}
}

// Connect sets where deliveries go.
func (s *Server) Connect(webhookURL, secret string) { s.hook.Connect(webhookURL, secret) }

// Move puts an issue into a status ("To Do", "In Progress", "Done"), as a person would,
// and tells the webhook where one is connected.
func (s *Server) Move(ctx context.Context, key, status string) (Delivery, error) {
	return s.MoveAs(ctx, Person{AccountID: "somebody", Display: "Somebody"}, key, status)
}

// MoveAs is Move by a certain person.
func (s *Server) MoveAs(ctx context.Context, by Person, key, status string) (Delivery, error) {
	before, ok := s.Issue(key)
	if !ok {
		return Delivery{}, fmt.Errorf("there is no issue %s", key)
	}
	s.set(key, status, by)
	i, _ := s.Issue(key)
	from, to := s.statusJSON(before.Status), s.statusJSON(status)
	return s.deliver(ctx, map[string]any{
		"webhookEvent": "jira:issue_updated", "issue_event_type_name": "issue_generic", "timestamp": s.options.Now().UnixMilli(),
		"user": by.json(), "issue": i.json(s.options.OnPremise),
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
	s.mu.Unlock()
	if !s.hook.Connected() {
		return d, nil
	}
	return s.hook.Deliver(ctx, d)
}

// Deliver sends a payload to the webhook under an identifier, signed.
func (s *Server) Deliver(ctx context.Context, id string, payload []byte) (Delivery, error) {
	return s.hook.Deliver(ctx, Delivery{ID: id, Payload: payload})
}

// Redeliver sends an earlier delivery again, under its identifier.
func (s *Server) Redeliver(ctx context.Context, id string) (Delivery, error) {
	return s.hook.Redeliver(ctx, id)
}

// Deliveries are those that were answered, oldest first.
func (s *Server) Deliveries() []Delivery { return s.hook.Deliveries() }
