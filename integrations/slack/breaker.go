package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

const (
	breakAfter = 5                // failures in a row
	breakMost  = 30 * time.Second // between two probes …
	// … and where a person waits for the answer.
	breakAnswer = 3 * time.Second
)

// breakers keep calls from a method that Slack does not do at present, each
// method for itself: after some failures in a row one call at a time tries
// whether it works again, after 1 s, doubling to 30 s, and all others are refused
// at once. What was refused comes again like anything else that failed.
type breakers struct {
	log *slog.Logger

	mu  sync.Mutex
	all map[string]*breaker
}

// breaker is one method's.
type breaker struct {
	failures int
	failed   time.Time // the last time
	probing  bool
}

// pause is how long nothing is tried after so many failures.
func (b *breaker) pause(u bot.Urgency) time.Duration {
	most := breakMost
	if u == bot.Answer {
		most = breakAnswer
	}
	return min(time.Second<<min(b.failures-breakAfter, 10), most)
}

// broken is the error of a call that was not made, because the method fails at present.
type broken struct {
	method string
	after  time.Duration
}

// Error says what fails, and when it is tried again.
func (b *broken) Error() string {
	return fmt.Sprintf("slack did not do %s the last times; it is tried again in %s", b.method, b.after.Round(time.Millisecond))
}

func newBreakers(log *slog.Logger) *breakers {
	return &breakers{log: log, all: map[string]*breaker{}}
}

// allow says whether a call may be made: if not, the error is a *broken. A call
// that may be made ends with done.
func (s *breakers) allow(method string, u bot.Urgency, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.all[method]
	if b == nil || b.failures < breakAfter || method == openSocket { // that paces itself
		return nil
	}
	if until := b.failed.Add(b.pause(u)); now.Before(until) {
		return &broken{method, until.Sub(now)}
	}
	if b.probing {
		return &broken{method, time.Second}
	}
	b.probing = true
	return nil
}

// done notes what became of a call that was made. err is nil when Slack has
// answered, also when it refused.
func (s *breakers) done(method string, err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.all[method]
	if b == nil {
		if err == nil {
			return
		}
		b = &breaker{}
		s.all[method] = b
	}
	b.probing = false
	if err == nil {
		if b.failures >= breakAfter {
			s.log.Info("slack does a method again", "method", method)
		}
		b.failures = 0
		return
	}
	b.failed = now
	if b.failures++; b.failures == breakAfter {
		s.log.Warn("slack fails to do a method; one call at a time tries whether it works again, the others wait", "method", method, "error", withoutAddress(err))
	}
}

// forget notes that a call that was allowed says nothing about Slack: its caller gave up.
func (s *breakers) forget(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.all[method]; b != nil {
		b.probing = false
	}
}

// end notes what became of a call, as its error says; ctx is the caller's.
func (s *breakers) end(ctx context.Context, method string, err error, now time.Time) {
	switch {
	case err == nil || !fails(err):
		s.done(method, nil, now)
	case ctx.Err() != nil:
		s.forget(method)
	default:
		s.done(method, err, now)
	}
}

// fails says whether an error means that Slack does not do what it should, and not that it refused.
func fails(err error) bool {
	switch code(err) {
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout":
		return true
	case "":
		var status slack.StatusCodeError
		if errors.As(err, &status) {
			return status.Code >= 500 || status.Code == http.StatusRequestTimeout
		}
		return !wire.Final(err)
	}
	return false
}
