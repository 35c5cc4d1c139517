// Package gitlab takes GitLab's webhooks: pushes of branches and tags, and merge
// requests, become [work.Change] values, which package pushes records with what they
// start. Payloads are read into narrow structs of our own. Repositories are fetched by
// package git.
package gitlab

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Vendor is the name of the provider, and how people call it.
const Vendor = "GitLab"

const (
	tokenHeader     = "X-Gitlab-Token"
	signatureHeader = "Webhook-Signature"
	signingPrefix   = "whsec_" // of a signing token; what follows is the key in base64
	signedWithin    = 6 * 24 * time.Hour
)

// NewWebhook returns what serves POST /gitlab/webhook. The secret is the webhook's
// secret token, which GitLab sends with each delivery, or its signing token (whsec_…),
// with which it signs them. An empty one, or a signing token that is none, is refused:
// deliveries could not be told from forgeries. Of the options, it sets how deliveries are verified and read.
func NewWebhook(secret string, o pushes.Options) (*pushes.Receiver, error) {
	v := verifier{token: []byte(secret), now: o.Now}
	if v.now == nil {
		v.now = time.Now
	}
	if key, signs := strings.CutPrefix(secret, signingPrefix); signs {
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil || len(raw) < 16 {
			return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "gitlab.webhookSecret", Message: "gitlab.webhookSecret begins with whsec_, and is no signing token",
				Hint: "copy the whole signing token from the webhook's settings in GitLab"}
		}
		v.key = raw
	}
	if secret == "" {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "gitlab.webhookSecret", Message: "gitlab.webhookSecret is empty, so deliveries cannot be verified",
			Hint: "set the same secret token here and in the webhook's settings in GitLab"}
	}
	o.Vendor, o.Route, o.Limit, o.Verify, o.Read = Vendor, "POST /gitlab/webhook", v.limit, v.verify, read
	return pushes.New(o), nil
}

// verifier proves who sent a delivery.
type verifier struct {
	token []byte
	key   []byte // of signatures; nil: the token itself is sent
	now   func() time.Time
}

func (v verifier) limit(h http.Header) (int64, *wire.Rejection) {
	if name := v.header(); h.Get(name) == "" {
		return 0, unauthorized("the delivery has no " + name)
	}
	return pushes.BodyLimit, nil
}

func (v verifier) header() string {
	if v.key != nil {
		return signatureHeader
	}
	return tokenHeader
}

func (v verifier) verify(h http.Header, body []byte) (string, *wire.Rejection) {
	if v.key == nil {
		given, own := sha256.Sum256([]byte(h.Get(tokenHeader))), sha256.Sum256(v.token)
		if !hmac.Equal(given[:], own[:]) { // of sums: not even the length can be measured
			return "", unauthorized("the delivery does not have this webhook's secret token (" + tokenHeader + ")")
		}
		return wire.Fingerprint(body), nil
	}
	at, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	if age := v.now().Sub(time.Unix(at, 0)); err != nil || age > signedWithin || age < -signedWithin {
		return "", unauthorized("the delivery was signed at another time (webhook-timestamp)")
	}
	mac := hmac.New(sha256.New, v.key)
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), body)
	own := mac.Sum(nil)
	for one := range strings.FieldsSeq(h.Get(signatureHeader)) { // several while the token is being changed
		sum, isOurs := strings.CutPrefix(one, "v1,")
		if given, err := base64.StdEncoding.DecodeString(sum); isOurs && err == nil && hmac.Equal(given, own) {
			return wire.Fingerprint(body), nil
		}
	}
	return "", unauthorized("the delivery is not signed with this webhook's signing token (webhook-signature, v1)")
}

func unauthorized(detail string) *wire.Rejection {
	return &wire.Rejection{Status: http.StatusUnauthorized, Code: workflows.CodeAccessDenied, Detail: detail}
}

// idOf is what a delivery is known by. A repeat has the same Idempotency-Key; before
// GitLab 17.4 there was none. The UUID of an event is shared by the events that follow
// from one another, so that it needs the body's fingerprint, which is all where a proxy
// passes none of these headers on.
func idOf(h http.Header, fingerprint string) string {
	for _, name := range []string{"Webhook-Id", "Idempotency-Key"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	if id := h.Get("X-Gitlab-Event-UUID"); id != "" {
		return id + "-" + fingerprint
	}
	return "body-" + fingerprint
}

// read reads a verified delivery.
func read(h http.Header, body []byte, fingerprint string) (d pushes.Delivery, err error) {
	var p payload
	if err := pushes.Object(body, &p); err != nil {
		return d, err
	}
	d.ID = idOf(h, fingerprint)
	switch kind := cmp.Or(p.Kind, p.EventName); kind { // a system hook has an event_name only
	case "push", "tag_push":
		err = p.push(&d)
	case "merge_request":
		err = p.mergeRequest(&d)
	case "":
		err = errors.New("the delivery has no object_kind")
	default:
		d.Ignored = pushes.Named(kind) + ": nobody listens to this event"
	}
	return d, err
}
