package githubfake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// dress puts GitHub's headers on a delivery. Without a secret it is not signed.
func dress(h http.Header, d wirefake.Delivery, secret string) {
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitHub-Hookshot/fake")
	h.Set("X-GitHub-Event", d.Event)
	h.Set("X-GitHub-Delivery", d.ID)
	if secret != "" {
		h.Set("X-Hub-Signature-256", wire.Sign([]byte(secret), d.Payload))
	}
}

// Connect sets where deliveries go.
func (s *Server) Connect(webhookURL, secret string) { s.hook.Connect(webhookURL, secret) }

// Deliver sends a payload to the webhook under a new ID.
func (s *Server) Deliver(ctx context.Context, event string, payload []byte) (wirefake.Delivery, error) {
	var id [16]byte
	// crypto/rand never fails.
	_, _ = rand.Read(id[:])
	return s.hook.Deliver(ctx, wirefake.Delivery{ID: hex.EncodeToString(id[:]), Event: event, Payload: payload})
}

// Redeliver sends an earlier delivery again, under its ID.
func (s *Server) Redeliver(ctx context.Context, id string) (wirefake.Delivery, error) {
	return s.hook.Redeliver(ctx, id)
}

// Deliveries are those that were answered, oldest first.
func (s *Server) Deliveries() []wirefake.Delivery { return s.hook.Deliveries() }
