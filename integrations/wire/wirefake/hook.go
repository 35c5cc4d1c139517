// Package wirefake is what the fakes of vendors share: a [Hook] delivers
// webhooks as a vendor does (signed, recorded, delivered again), [WriteSnapshot] and
// [ReadSnapshot] preserve a fake over a restart, [Direct] joins a fake and an app
// without a socket. The faults that are switched on are package fault's.
//
// A fake is made by its New(Options), serves the vendor's API as an
// http.Handler, and has a field Faults.
package wirefake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// answerLimit is how much of an app's answer is read, in bytes.
const answerLimit = 4 << 20

// Delivery is a webhook delivery and how it was answered.
type Delivery struct {
	ID      string `json:"id"`
	Event   string `json:"event"` // empty where the vendor names none beside the payload
	Payload []byte `json:"payload"`
	Status  int    `json:"status"`
	Answer  []byte `json:"answer"`
}

// Hook delivers to the one webhook that is connected, and records what it delivered.
type Hook struct {
	dress  func(h http.Header, d Delivery, secret string)
	notify func()

	mu          sync.Mutex
	url, secret string
	sent        []Delivery
}

// NewHook returns a hook that nothing is connected to. dress puts the vendor's
// headers on a delivery, the signature too; notify is called after each one.
func NewHook(dress func(h http.Header, d Delivery, secret string), notify func()) *Hook {
	return &Hook{dress: dress, notify: notify}
}

// Connect sets where deliveries go, and with which secret they are signed.
func (k *Hook) Connect(url, secret string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.url, k.secret = url, secret
}

// Secret is what deliveries are signed with.
func (k *Hook) Secret() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.secret
}

// Connected says whether deliveries go anywhere.
func (k *Hook) Connected() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.url != ""
}

// Deliver sends a delivery and returns it with its answer, whatever the status.
// One that was not answered is an error, and not recorded.
func (k *Hook) Deliver(ctx context.Context, d Delivery) (Delivery, error) {
	k.mu.Lock()
	to, secret := k.url, k.secret
	k.mu.Unlock()
	if to == "" {
		return d, errors.New("no webhook is connected")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	status, _, answer, err := Post(ctx, http.DefaultTransport, to, d.Payload, func(h http.Header) { k.dress(h, d, secret) })
	if err != nil {
		return d, err
	}
	d.Status, d.Answer = status, answer
	k.mu.Lock()
	k.sent = append(k.sent, d)
	k.mu.Unlock()
	k.notify()
	return d, nil
}

// Redeliver sends a recorded delivery again, under its ID.
func (k *Hook) Redeliver(ctx context.Context, id string) (Delivery, error) {
	for _, d := range k.Deliveries() {
		if d.ID == id {
			return k.Deliver(ctx, d)
		}
	}
	return Delivery{}, fmt.Errorf("there is no delivery %s", id)
}

// Deliveries are those that were answered, oldest first.
func (k *Hook) Deliveries() []Delivery {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.sent)
}

// Restore puts others in place of the recorded deliveries.
func (k *Hook) Restore(sent []Delivery) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sent = slices.Clone(sent)
}

// Post sends a body as vendors do: one try, no redirects followed, and only the
// beginning of an answer read. dress sets the headers, the signature too.
func Post(ctx context.Context, to http.RoundTripper, url string, body []byte, dress func(h http.Header)) (status int, header http.Header, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("making the request: %w", err)
	}
	dress(req.Header)
	resp, err := to.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("the app did not take the request: %w", err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(resp.Body, answerLimit)); err != nil {
		return resp.StatusCode, resp.Header, nil, fmt.Errorf("reading the app's answer: %w", err)
	}
	return resp.StatusCode, resp.Header, answer, nil
}

// Again calls f after each pause until it says that it is done, or ctx ends.
func Again(ctx context.Context, pauses []time.Duration, f func(try int) (done bool)) {
	for n, pause := range pauses {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		if f(n + 1) {
			return
		}
	}
}
