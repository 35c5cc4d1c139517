package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// window is how far a request's time may be from ours.
const window = 5 * time.Minute

// verify checks a request's v0 signature over its raw body. The fingerprint
// names the signature, to recognise it when it comes again.
func verify(secret string, h http.Header, body []byte, now time.Time) (fingerprint string, ok bool) {
	ts := h.Get("X-Slack-Request-Timestamp")
	at, err := strconv.ParseInt(ts, 10, 64)
	if err != nil || secret == "" {
		return "", false
	}
	if away := now.Sub(time.Unix(at, 0)); away > window || away < -window {
		return "", false
	}
	given, found := strings.CutPrefix(h.Get("X-Slack-Signature"), "v0=")
	sum, err := hex.DecodeString(given)
	if !found || err != nil {
		return "", false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + ts + ":"))
	mac.Write(body)
	if !hmac.Equal(sum, mac.Sum(nil)) {
		return "", false
	}
	digest := sha256.Sum256(sum)
	return hex.EncodeToString(digest[:]), true
}

// replays remembers signatures for as long as they would be accepted again.
// It covers requests that leave no receipt; for all others the receipt does,
// across restarts too.
type replays struct {
	mu    sync.Mutex
	seen  map[string]time.Time
	swept time.Time
}

// firstUse says whether this is the first time the signature comes, and remembers it.
func (r *replays) firstUse(fingerprint string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.swept) > window {
		for f, at := range r.seen {
			if now.Sub(at) > 2*window {
				delete(r.seen, f)
			}
		}
		r.swept = now
	}
	if _, again := r.seen[fingerprint]; again {
		return false
	}
	r.seen[fingerprint] = now
	return true
}

// forget lets a signature come again whose request could not be taken.
func (r *replays) forget(fingerprint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, fingerprint)
}
