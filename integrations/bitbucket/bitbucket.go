// Package bitbucket takes the webhooks of Bitbucket Cloud and of Bitbucket Data Center:
// pushes of branches and tags, and pull requests, become [work.Change] values, which
// package pushes records with what they start. Payloads are read into narrow structs
// of our own. Repositories are fetched by package git.
package bitbucket

import (
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Vendor is the name of the provider, and how people call it.
const Vendor = "Bitbucket"

const (
	eventHeader = "X-Event-Key"
	pingEvent   = "diagnostics:ping" // of Data Center, by "Test connection"; it is not signed
)

// NewWebhook returns what serves POST /bitbucket/webhook. An empty secret is refused:
// deliveries could not be told from forgeries. Of the options, it sets how deliveries
// are verified and read.
func NewWebhook(secret string, o pushes.Options) (*pushes.Receiver, error) {
	if secret == "" {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "bitbucket.webhookSecret", Message: "bitbucket.webhookSecret is empty, so deliveries cannot be verified",
			Hint: "set the same secret here and in the webhook's settings in Bitbucket"}
	}
	signature := wire.Signature{Header: "X-Hub-Signature", Secret: []byte(secret), BodyLimit: pushes.BodyLimit}
	o.Vendor, o.Route, o.Verify, o.Read, o.Ping = Vendor, "POST /bitbucket/webhook", signature.Verify, read, isPing
	o.Limit = func(h http.Header) (int64, *wire.Rejection) {
		if h.Get(eventHeader) == pingEvent {
			return 4 << 10, nil
		}
		return signature.Limit(h)
	}
	return pushes.New(o), nil
}

func isPing(r *http.Request) bool { return r.Header.Get(eventHeader) == pingEvent }

// read reads a verified delivery of either kind of server.
func read(h http.Header, body []byte, fingerprint string) (d pushes.Delivery, err error) {
	d.ID, d.Print = h.Get("X-Request-UUID"), fingerprint
	if d.ID == "" {
		d.ID = h.Get("X-Request-Id")
	}
	if d.ID = strings.Trim(d.ID, "{}"); d.ID == "" { // a proxy passes neither on; what is signed is known all the same
		d.ID = "body-" + fingerprint
	}
	event := h.Get(eventHeader)
	cloud, isCloud := map[string]string{"pullrequest:created": "OPEN", "pullrequest:updated": "UPDATED", "pullrequest:fulfilled": "CLOSED", "pullrequest:rejected": "CLOSED"}[event]
	own, isOwn := map[string]string{"pr:opened": "OPEN", "pr:reopened": "OPEN", "pr:from_ref_updated": "UPDATED", "pr:merged": "CLOSED", "pr:declined": "CLOSED", "pr:deleted": "CLOSED"}[event]
	switch {
	case event == "repo:push":
		err = readPush(body, &d)
	case event == "repo:refs_changed":
		err = readRefs(body, &d)
	case isCloud:
		err = readPull(body, cloud, &d)
	case isOwn:
		err = readOwnPull(body, own, &d)
	default:
		var any struct{}
		if err = pushes.Object(body, &any); err == nil {
			d.Ignored = pushes.Named(event) + ": nobody listens to this event"
		}
	}
	return d, err
}
