// Package pushes receives what hosts of repositories say of pushes and of pull
// requests, GitLab and Bitbucket alike: a delivery is verified and read by its
// vendor's package, each change that it holds is recorded with what it starts before
// it is acknowledged, and a change whose files a filter asks about is only accepted
// and finished by [Receiver.Run]. The people that a delivery names exclude somebody
// from approving their own work, and give nobody a right.
package pushes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	// BodyLimit is how many bytes a delivery may have.
	BodyLimit = 5 << 20

	answerWithin = 9 * time.Second // vendors wait for 10 s
	waitFor      = time.Second     // an accepted delivery that is processed this fast is answered with what came of it
	// What was signed is remembered for a week.
	oldest  = 6 * 24 * time.Hour
	askFor  = 10 * time.Minute // until the files of a change are given up
	workers = 8                // repositories that are asked about side by side
)

// Engine is what a receiver needs of the runtime.
type Engine interface {
	wire.Receipts
	// Receive makes the receipt durable and starts every pipeline that a change
	// triggers. fresh is false for a delivery seen before; the receipt that
	// comes back then holds the first one's Result.
	Receive(ctx context.Context, r work.Receipt, changes []work.Change) (prior work.Receipt, fresh bool, err error)
	// NeedsFiles says whether it depends on the changed files what a change starts.
	NeedsFiles(ctx context.Context, c work.Change) (bool, error)
	// Changed lists the files in which a push differs from what the branch was
	// before; nil: that cannot be known there. An error is worth another try.
	Changed(ctx context.Context, c work.Change) ([]string, error)
}

// Delivery is what one says.
type Delivery struct {
	ID      string // unique among the vendor's, without "/"
	Print   string // the fingerprint of what is signed, where the ID is not; empty: the ID is, or nothing
	Changes []work.Change
	At      time.Time // when it happened, as far as it is signed; zero: it does not say
	Ignored string    // why it holds no change
}

// Options is what a Receiver needs. Vendor, Route, Engine, Limit, Verify and Read must be set.
type Options struct {
	Vendor string // "GitLab", as providers and people call it; in lower case it begins the keys of receipts
	Route  string // "POST /gitlab/webhook"
	Engine Engine
	Limit  func(h http.Header) (bytes int64, refused *wire.Rejection)
	Ping   func(r *http.Request) bool // an unsigned request by which the address is tried; nil: there is none
	Verify func(h http.Header, body []byte) (fingerprint string, refused *wire.Rejection)
	// Read reads a verified delivery. An error means that it makes no sense.
	Read func(h http.Header, body []byte, fingerprint string) (Delivery, error)
	// People maps a login at the vendor to an e-mail address.
	People map[string]string
	// Connections are the ARNs of the connections of AWS that lead to this host.
	Connections []string
	Log         *slog.Logger     // nil: slog.Default()
	Now         func() time.Time // nil: time.Now
}

// Receiver takes one vendor's deliveries.
type Receiver struct {
	o      Options
	source string // of receipts
	people map[string]string
	inbox  *wire.Inbox
}

// New returns a receiver; [Receiver.Run] must run beside it.
func New(o Options) *Receiver {
	r := &Receiver{o: o, source: strings.ToLower(o.Vendor), people: map[string]string{}}
	for login, mail := range o.People {
		r.people[strings.ToLower(login)] = mail
	}
	if r.o.Log == nil {
		r.o.Log = slog.Default()
	}
	if r.o.Now == nil {
		r.o.Now = time.Now
	}
	r.inbox = wire.NewInbox(wire.InboxOptions{
		Source: r.source, Receipts: o.Engine, Queue: queueOf, Process: r.process, // which finishes the receipt in the commit that starts
		Workers: workers, LongestPause: time.Minute, Log: r.o.Log,
	})
	return r
}

// Run finishes the deliveries that were only accepted, also those of an earlier
// process, until ctx ends.
func (r *Receiver) Run(ctx context.Context) error { return r.inbox.Run(ctx) }

// Handler serves the route.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	e := wire.Endpoint{Name: "a " + r.o.Vendor + " delivery", Log: r.o.Log, Limit: r.o.Limit, Verify: r.o.Verify, Accept: r.accept,
		Describe: func(req *http.Request) []any {
			return []any{"event", words.Cut(cmp.Or(req.Header.Get("X-Gitlab-Event"), req.Header.Get("X-Event-Key")), 64)}
		}}
	if r.o.Ping != nil {
		e.Ping = func(req *http.Request, _ []byte) bool { return r.o.Ping(req) }
	}
	mux.Handle(r.o.Route, e.Handler(wire.NewSampler()))
	return mux
}

// answer is what a delivery is answered, and what its receipt keeps.
type answer struct {
	Duplicate bool     `json:"duplicate,omitempty"`
	Started   []string `json:"started"`
	Ignored   []string `json:"ignored"`
}

// accept answers a verified delivery.
func (r *Receiver) accept(w http.ResponseWriter, req *http.Request, body []byte, fingerprint string) *wire.Rejection {
	d, err := r.o.Read(req.Header, body, fingerprint)
	switch {
	case err != nil:
		return &wire.Rejection{Status: http.StatusBadRequest, Code: workflows.CodeValidation, Detail: err.Error()}
	case !plausibleID(d.ID):
		return &wire.Rejection{Status: http.StatusBadRequest, Code: workflows.CodeValidation, Detail: "the delivery has no ID, or none that can be one"}
	case !d.At.IsZero() && r.o.Now().Sub(d.At) > oldest:
		d.Changes, d.Ignored = nil, "what it tells of is older than six days"
	}
	if len(d.Changes) == 0 {
		wire.Answer(w, http.StatusOK, answer{Started: []string{}, Ignored: []string{cmp.Or(d.Ignored, "there is nothing in it")}})
		return nil
	}
	ctx, cancel := context.WithTimeout(req.Context(), answerWithin)
	defer cancel()
	all := answer{Duplicate: true, Started: []string{}, Ignored: []string{}}
	if d.Ignored != "" {
		all.Ignored = append(all.Ignored, d.Ignored)
	}
	for n, c := range d.Changes {
		one, err := r.record(ctx, r.receipt(d, n), r.known(c))
		if err != nil {
			return refusal(err)
		}
		all.Duplicate = all.Duplicate && one.Duplicate
		all.Started, all.Ignored = append(all.Started, one.Started...), append(all.Ignored, one.Ignored...)
	}
	status := http.StatusAccepted
	if all.Duplicate {
		status = http.StatusOK
	}
	wire.Answer(w, status, all)
	return nil
}

// receipt is that of the nth change of a delivery: each is carried out for itself, so
// that a delivery which comes again goes on where it was cut off.
func (r *Receiver) receipt(d Delivery, n int) work.Receipt {
	one := work.Receipt{Key: r.source + "/" + d.ID, Print: d.Print, Source: r.source, At: r.o.Now().UTC()}
	if n > 0 {
		one.Key += "/" + strconv.Itoa(n)
		if one.Print != "" {
			one.Print += "/" + strconv.Itoa(n)
		}
	}
	return one
}

func refusal(err error) *wire.Rejection {
	no := &wire.Rejection{Status: http.StatusServiceUnavailable, Code: workflows.CodeUnavailable, Detail: "the delivery could not be recorded; deliver it again", Cause: err}
	if p, ok := errors.AsType[*workflows.Problem](err); ok {
		no.Code, no.Detail = p.Code, p.Message
	}
	return no
}

// known is a change with its people as chat knows them, and the connections that see it.
func (r *Receiver) known(c work.Change) work.Change {
	c.Connections = r.o.Connections
	c.By.Email = cmp.Or(r.people[strings.ToLower(strings.TrimPrefix(c.By.ID, r.source+":"))], c.By.Email)
	if c.Author != nil {
		one := *c.Author
		one.Email = cmp.Or(r.people[strings.ToLower(one.Login)], one.Email)
		if c.Author = &one; one == (workflows.Author{}) { // nobody is not an author
			c.Author = nil
		}
	}
	return c
}

// record makes the change durable, with what it starts, in one commit. A change whose
// files must be asked for is only accepted, and processed by Run.
func (r *Receiver) record(ctx context.Context, one work.Receipt, c work.Change) (a answer, err error) {
	needs := false
	if c.Event == "push" && c.Before != "" {
		if needs, err = r.o.Engine.NeedsFiles(ctx, c); err != nil {
			return a, fmt.Errorf("asking whether the files matter: %w", err)
		}
	}
	var got work.Receipt
	var fresh bool
	if needs {
		if one.Payload, err = json.Marshal(c); err != nil {
			return a, fmt.Errorf("writing the change down: %w", err)
		}
		got, fresh, err = r.inbox.Take(ctx, one, waitFor)
	} else {
		got, fresh, err = r.o.Engine.Receive(ctx, one, []work.Change{c})
	}
	if err != nil {
		return a, err
	}
	if len(got.Result) > 0 {
		if err := json.Unmarshal(got.Result, &a); err != nil {
			r.o.Log.Error("a receipt's result cannot be read", "receipt", got.Key, "error", err)
		}
	}
	a.Duplicate = !fresh
	return a, nil
}

// queueOf is the repository of an accepted change: its changes start in their order. A
// receipt without a payload is the engine's own: it finishes it.
func queueOf(one work.Receipt) (repository string, ours bool) {
	var c work.Change
	_ = json.Unmarshal(one.Payload, &c) // process says so of what cannot be read
	return c.Repository, len(one.Payload) > 0
}

// process asks for the files and hands the change over. One whose files cannot be had
// is judged without them.
func (r *Receiver) process(ctx context.Context, one work.Receipt, try wire.Try) ([]byte, error) {
	var changes []work.Change
	var c work.Change
	if err := json.Unmarshal(one.Payload, &c); err != nil {
		r.o.Log.Error("an accepted change cannot be read and starts nothing", "receipt", one.Key, "error", err)
	} else {
		changes = []work.Change{c}
	}
	one.Payload = nil
	var done work.Receipt
	err := try(ctx, func(ctx context.Context) error {
		if len(changes) == 1 {
			files, err := r.o.Engine.Changed(ctx, changes[0])
			if err != nil && r.o.Now().Sub(one.At) < askFor {
				return fmt.Errorf("asking for the changed files: %w", err)
			}
			if err != nil {
				r.o.Log.Warn("the changed files of a push are not known", "repository", c.Repository, "branch", c.Branch, "error", err)
				files = nil
			}
			changes[0].Files = files
		}
		var err error
		done, _, err = r.o.Engine.Receive(ctx, one, changes)
		return err
	})
	return done.Result, err
}

// plausibleID keeps anything but a short printable word out of receipt keys.
func plausibleID(id string) bool {
	return id != "" && len(id) <= 160 && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' })
}
