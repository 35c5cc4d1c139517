package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/slack-go/slack/socketmode"
)

// envelope is what Slack sends over Socket Mode.
type envelope struct {
	Type    string          `json:"type"`
	ID      string          `json:"envelope_id"`
	Payload json.RawMessage `json:"payload"`
	Reason  string          `json:"reason"` // of a disconnect
	Info    struct {
		App string `json:"app_id"`
	} `json:"connection_info"`

	link *connection // where it came from, and is acknowledged
}

// person is who sent it, as far as that can be seen at a glance.
func (e *envelope) person() string {
	var p struct {
		UserID string                         `json:"user_id"`
		User   struct{ ID string }            `json:"user"`
		Event  struct{ User json.RawMessage } `json:"event"`
	}
	_ = json.Unmarshal(e.Payload, &p) // what cannot be read is nobody's
	return p.UserID + p.User.ID + string(p.Event.User)
}

// socketState is what outlives the connections of Socket Mode: the queues in
// which requests wait to be made durable, and how it stands.
type socketState struct {
	seed   maphash.Seed
	queues [socketWorkers]chan *envelope

	mu    sync.Mutex
	open  int       // connections that Slack has greeted
	since time.Time // when the last of them ended; zero: there was none yet
	lost  int       // connections that ended, or never came about
	last  error     // why the last one ended
	app   string    // whose connection it is, as Slack says
}

func newSocketState() *socketState {
	h := &socketState{seed: maphash.MakeSeed()}
	for i := range h.queues {
		h.queues[i] = make(chan *envelope, socketWorkers)
	}
	return h
}

// enqueue puts an envelope into its person's queue. When that stays full, waiting
// longer would stop the connection from being read, and nobody would know.
func (h *socketState) enqueue(ctx context.Context, e *envelope) error {
	limit := time.NewTimer(enqueueWithin)
	defer limit.Stop()
	select {
	case h.queues[maphash.String(h.seed, e.person())%socketWorkers] <- e:
		return nil
	case <-limit.C:
		return &connectionLost{"stuck", "was given up: its requests have not been made durable for " + enqueueWithin.String(), "look at the disk of the data folder"}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *socketState) noteEnd(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost++
	h.last = why
}

func (h *socketState) noteClosed(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open--; h.open == 0 {
		h.since = at
	}
}

// Status says in a line how it stands with Socket Mode: nothing without it,
// and while the first connection lasts.
func (r *Receiver) Status() string {
	h := r.socket
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case r.c.o.AppToken == "" || h.open > 0 && h.lost == 0:
		return ""
	case h.open == 0 && h.since.IsZero() && h.last == nil:
		return "slack: not listening yet"
	}
	why := "Slack cannot be reached, or refuses"
	if cause := new(connectionLost); errors.As(h.last, &cause) {
		why = cause.Error()
	}
	if h.open > 0 {
		return fmt.Sprintf("slack: listening; connections lost: %d, the last because %s", h.lost, why)
	}
	return fmt.Sprintf("slack: not listening since %s; connections lost: %d, the last because %s", h.since.UTC().Format(time.RFC3339), h.lost, why)
}

// onHello notes that a connection works, and why it was needed.
func (r *Receiver) onHello(app string) {
	h := r.socket
	h.mu.Lock()
	h.open++
	h.app = app
	after := h.last
	h.mu.Unlock()
	line := []any{"app", app}
	if after != nil {
		line = append(line, "after", after.Error())
	}
	r.c.log.Info("slack: listening by Socket Mode", line...)
	r.checkSameApp()
}

// checkSameApp checks that both tokens are of one app, and learns which one that is
// where the bot token could not say. Whichever of the two is known last asks.
func (r *Receiver) checkSameApp() {
	r.socket.mu.Lock()
	app := r.socket.app
	r.socket.mu.Unlock()
	id := r.c.pinned.Load()
	switch {
	case id == nil || app == "" || app == id.App:
	case id.App == "":
		named := *id
		named.App = app
		r.c.pinned.Store(&named)
	case r.c.logLimit.allow("apps", r.c.now()):
		r.c.log.Error("bot token and app token belong to different apps: take both from the same one", "bot", id.App, "app", app)
	}
}

// acceptQueued accepts the envelopes of one queue, one after the other.
func (r *Receiver) acceptQueued(ctx context.Context, queue <-chan *envelope) {
	for {
		select {
		case e := <-queue:
			if answer, ok := r.acceptEnvelope(ctx, e); ok {
				e.link.ack(e, answer)
			}
		case <-ctx.Done():
			return
		}
	}
}

// acceptEnvelope takes one envelope the same way as an HTTP request. It says what
// to acknowledge, and whether to: what could not be made durable is not
// acknowledged, so Slack tells the person, or sends it again.
func (r *Receiver) acceptEnvelope(ctx context.Context, env *envelope) (answer []byte, ok bool) {
	var in inbound
	var err error
	key := source + "/" + env.ID
	switch env.Type {
	case socketmode.RequestTypeSlashCommands:
		in, err = readCommand(env.Payload)
	case socketmode.RequestTypeInteractive:
		in, err = readInteraction(env.Payload)
	case socketmode.RequestTypeEventsAPI:
		in, err = readEvent(env.Payload)
	default:
		return nil, true
	}
	if err != nil {
		r.c.log.Warn("an envelope is not what slack sends", "type", env.Type, "error", err)
		return nil, true
	}
	if in.event != "" {
		key = source + "/" + in.event
	}
	ctx, cancel := context.WithTimeout(ctx, acceptWithin)
	defer cancel()
	if !r.ours(ctx, in) {
		r.c.log.Warn("an envelope of another workspace or app was dropped", "team", in.Team, "app", in.App)
		return nil, true
	}
	answer, _, err = r.take(ctx, in, key)
	if err != nil {
		r.c.log.Error("a request of slack's could not be made durable", "kind", in.Kind, "error", err)
		return nil, errors.Is(err, errMalformed)
	}
	return answer, true
}
