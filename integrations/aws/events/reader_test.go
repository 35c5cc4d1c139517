package events_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
)

// world is a queue of the fake AWS, and what was heard of it.
type world struct {
	aws   *awsfake.Server
	queue string
	log   bytes.Buffer

	mu    sync.Mutex
	heard []string // "HANDLER ID"
}

// in runs a test in the time of a bubble.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("HOME", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		w := &world{aws: awsfake.New(awsfake.Options{Now: time.Now})}
		w.queue = w.aws.Queue(account, region, "rollcall")
		test(w)
	})
}

// read reads the queue for a while, as one process does.
func (w *world) read(t *testing.T, d time.Duration, handlers ...events.Handler) {
	t.Helper()
	a := accounts.Open(accounts.Options{Region: "us-east-1", Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.aws) }})
	r := events.NewReader(events.Options{QueueURL: w.queue, Accounts: a, Handlers: handlers, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
}

func (w *world) event(id, detailType string) string {
	return fmt.Sprintf(`{"version":"0","id":%q,"detail-type":%q,"source":"acme.shop","account":%q,"time":"2026-05-01T10:00:00Z","region":%q,"resources":["arn:aws:s3:::b"],"detail":{"n":1}}`, id, detailType, account, region)
}

// note hears events of a type, and does with done what then says.
func (w *world) note(name string, then func(e events.Event, done func()) bool, types ...string) events.Handler {
	return events.Handler{DetailTypes: types, Handle: func(_ context.Context, e events.Event, done func()) bool {
		w.mu.Lock()
		w.heard = append(w.heard, name+" "+e.ID)
		w.mu.Unlock()
		return then(e, done)
	}}
}

func atOnce(_ events.Event, done func()) bool { done(); return true }
func never(events.Event, func()) bool         { return true }
func foreign(events.Event, func()) bool       { return false }

// left is how many messages the queue has.
func (w *world) left() int { return w.aws.Messages(w.queue) }

// An event goes to those that hear its type, with all that EventBridge says, and
// leaves the queue when all of them are done.
func TestEventsReachThoseWhomTheyConcern(t *testing.T) {
	in(t, func(w *world) {
		w.aws.Send(w.queue, w.event("e1", "Pushed"))
		w.aws.Send(w.queue, w.event("e2", "Deployed"))
		w.read(t, 10*time.Second,
			w.note("pushes", func(e events.Event, done func()) bool {
				var detail struct{ N int }
				if !e.Read(&detail) || detail.N != 1 || e.Source != "acme.shop" || e.Account != account || e.Region != region || !slices.Equal(e.Resources, []string{"arn:aws:s3:::b"}) || e.Time.Hour() != 10 {
					t.Errorf("%+v", e)
				}
				go func() { time.Sleep(3 * time.Second); done(); done() }()
				return true
			}, "Pushed"),
			w.note("all", atOnce))
		if want := []string{"pushes e1", "all e1", "all e2"}; !slices.Equal(w.heard, want) {
			t.Errorf("heard %q, want %q", w.heard, want)
		}
		if n := w.left(); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	})
}

// A message that somebody is not done with stays, and comes again: within a process,
// and to the next one.
func TestAnEventComesAgainUntilItIsDone(t *testing.T) {
	in(t, func(w *world) {
		w.aws.Send(w.queue, w.event("e1", "Pushed"))
		w.read(t, 45*time.Second, w.note("first", never), w.note("quick", atOnce))
		if len(w.heard) != 4 || w.left() != 1 {
			t.Errorf("heard %q, %d left", w.heard, w.left())
		}
		w.read(t, time.Minute, w.note("second", atOnce))
		if w.heard[len(w.heard)-1] != "second e1" || w.left() != 0 {
			t.Errorf("heard %q, %d left", w.heard, w.left())
		}
	})
}

// What is no event, concerns nobody or makes a handler panic is deleted, and said
// once a minute, without what a stranger wrote but its type.
func TestUselessMessagesAreDeleted(t *testing.T) {
	in(t, func(w *world) {
		for range 40 {
			for _, body := range []string{"", "no JSON", `{"source":"a"}`, `{"source":"a","detail-type":"b","detail":"text"}`, w.event("e1", "Strange\nlevel=ERROR")} {
				w.aws.Send(w.queue, body)
			}
		}
		w.read(t, 50*time.Second, w.note("one", foreign))
		if n := w.left(); n != 0 {
			t.Errorf("%d messages are left", n)
		}
		if lines := strings.Count(w.log.String(), "deleted unused"); lines != 1 || strings.Count(w.log.String(), "\n") != 1 {
			t.Errorf("%d lines:\n%s", lines, &w.log)
		}
		w.aws.Send(w.queue, w.event("e2", "Pushed"))
		w.read(t, 10*time.Second, w.note("broken", func(events.Event, func()) bool { panic("no detail") }))
		if n := w.left(); n != 0 || !strings.Contains(w.log.String(), "no detail") {
			t.Errorf("%d messages are left:\n%s", n, &w.log)
		}
	})
}

// Throttling, a 500, a broken connection and credentials that have expired stop
// nothing for long; of a failing queue there is one line, and one when it is back.
func TestTheQueueFails(t *testing.T) {
	for _, trouble := range []awsfake.Trouble{awsfake.Throttle, awsfake.ServerError, awsfake.CutBefore, awsfake.CutAfter, awsfake.ExpiredToken} {
		in(t, func(w *world) {
			w.aws.Faults(awsfake.Fault{Operation: "sqs:ReceiveMessage", Trouble: trouble, Times: 20})
			for n := range 3 {
				w.aws.Send(w.queue, w.event(fmt.Sprint("e", n), "Pushed"))
			}
			w.read(t, 30*time.Minute, w.note("one", atOnce))
			if n := w.left(); n != 0 || len(w.heard) < 3 {
				t.Errorf("%s: heard %q, %d left", trouble, w.heard, n)
			}
			if n := strings.Count(w.log.String(), "\n"); n > 4 || !strings.Contains(w.log.String(), "is read again") && n > 0 {
				t.Errorf("%s:\n%s", trouble, &w.log)
			}
		})
	}
}

// A message that cannot be deleted comes again: whoever hears it hears it twice.
func TestDeletingFails(t *testing.T) {
	in(t, func(w *world) {
		w.aws.Faults(awsfake.Fault{Operation: "sqs:DeleteMessage", Trouble: awsfake.ServerError, Times: 8})
		w.aws.Send(w.queue, w.event("e1", "Pushed"))
		w.read(t, 5*time.Minute, w.note("one", atOnce))
		if n := w.left(); n != 0 || len(w.heard) < 2 {
			t.Errorf("heard %q, %d left", w.heard, n)
		}
	})
}

// An idle queue costs three calls a minute, and one that does not wait one a second.
func TestIdleCost(t *testing.T) {
	in(t, func(w *world) {
		w.read(t, 10*time.Minute)
		if n := len(w.aws.Calls()); n > 31 {
			t.Errorf("%d calls in ten minutes", n)
		}
	})
}

// Parse takes EventBridge's envelope and nothing else.
func FuzzParse(f *testing.F) {
	f.Add(`{"id":"1","source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"b"}}}`)
	f.Add(`{"source":"","detail":{}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		e, ok := events.Parse(body)
		if ok && (e.Source == "" || e.DetailType == "" || !e.Read(&map[string]any{})) {
			t.Errorf("%q is taken for %+v", body, e)
		}
	})
}
