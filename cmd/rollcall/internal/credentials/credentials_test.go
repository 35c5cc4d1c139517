package credentials

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// notes are durable memos.
type notes struct {
	mu  sync.Mutex
	all map[string][]byte
}

func (n *notes) Memo(_ context.Context, key string) ([]byte, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.all[key]
	return v, ok, nil
}

func (n *notes) Note(_ context.Context, key string, value []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all[key] = value; len(value) == 0 {
		delete(n.all, key)
	}
	return nil
}

func TestWhenAWarningIsDue(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		31 * day: "", 30 * day: "30d", 8 * day: "30d", 7 * day: "7d", 25 * time.Hour: "7d", day: "1d", time.Minute: "1d", -day: "1d",
	} {
		c := Credential{Name: "github.token", Ends: now.Add(left), Renew: "renew it"}
		if got := Due(c, now); got != want {
			t.Errorf("%s before: %q, want %q", left, got, want)
		}
		if s := Sentence(c, now); (s == "") != (want == "") || want != "" && !strings.HasSuffix(s, ": renew it") {
			t.Errorf("%s before: %q", left, s)
		}
	}
	if Due(Credential{}, now) != "" || Due(Credential{Refused: true}, now) != "refused" {
		t.Error("what does not end, or is refused")
	}
	over := Credential{Name: "jira.token", Ends: now.Add(-day), Estimated: true}
	if s := Sentence(over, now); !strings.Contains(s, "may have ended on 2026-11-30") {
		t.Error(s)
	}
}

// Each admin hears each warning once, over restarts, and again only of the next step;
// one that Slack did not take is sent later, and a second refusal is news.
func TestAdminsAreWarnedOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &notes{all: map[string][]byte{}}
		var mu sync.Mutex
		var heard []string
		c := Credential{Name: "github.token", Ends: time.Now().Add(40 * day), Renew: "renew it"}
		down := true
		var log bytes.Buffer
		process := func() (stop func(), w *Watch) {
			w = NewWatch(Options{Notes: kept, Log: slog.New(slog.NewTextHandler(&log, nil)), Admins: func(context.Context) ([]string, error) {
				return []string{"ana@acme.example", "cho@acme.example"}, errors.New("one group could not be looked up")
			},
				Sources: []Source{func(context.Context) (Credential, error) {
					mu.Lock()
					defer mu.Unlock()
					return c, nil
				}},
				Tell: func(_ context.Context, who, text string) error {
					mu.Lock()
					defer mu.Unlock()
					if down && strings.HasPrefix(who, "cho") {
						return errors.New("Slack is away")
					}
					heard = append(heard, who[:3]+" "+text)
					return nil
				}})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { _ = w.Run(ctx); close(ended) }()
			return func() { cancel(); <-ended }, w
		}
		want := func(n int) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if len(heard) != n {
				t.Errorf("%d messages, want %d: %q", len(heard), n, heard)
			}
		}
		change := func(f func()) {
			mu.Lock()
			defer mu.Unlock()
			f()
		}
		stop, w := process()
		time.Sleep(9 * day)
		if want(0); len(w.Lines()) != 0 {
			t.Errorf("too early: %q", w.Lines())
		}
		time.Sleep(2 * day)
		want(1) // Ana; Cho's did not go out
		stop()
		change(func() { down = false })
		stop, w = process()
		time.Sleep(3 * time.Hour)
		if want(2); len(w.Lines()) != 1 {
			t.Errorf("on the home: %q", w.Lines())
		}
		time.Sleep(23 * day) // 7 days before the end
		want(4)
		stop()
		stop, _ = process()
		time.Sleep(6 * day)
		want(6)
		change(func() { c.Refused = true })
		time.Sleep(5 * time.Hour)
		want(8)
		change(func() { c.Refused, c.Ends = false, time.Now().Add(90*day) })
		time.Sleep(5 * time.Hour)
		want(8)
		change(func() { c.Refused = true })
		time.Sleep(5 * time.Hour)
		want(10)
		stop()
		if n := strings.Count(log.String(), "renew it"); n != 5 {
			t.Errorf("the log says it %d times, want once for each of 5 warnings", n)
		}
	})
}

// A token is known again by a digest, over restarts; another one begins anew.
func TestWhenATokenWasFirstSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &notes{all: map[string][]byte{}}
		began := time.Now().UTC()
		for n, secret := range []string{"secret-one", "secret-one", "secret-two"} {
			at, err := FirstSeen(t.Context(), kept, "jira.token", secret)
			want := began
			if n == 2 {
				want = time.Now().UTC()
			}
			if err != nil || !at.Equal(want) {
				t.Errorf("%d: %s, %v, want %s", n, at, err, want)
			}
			time.Sleep(100 * day)
		}
		if s := string(kept.all["seen/jira.token"]); strings.Contains(s, "secret") {
			t.Errorf("the token is kept: %s", s)
		}
	})
}

// App Home says the same in the same order each time.
func TestLinesKeepTheirOrder(t *testing.T) {
	w := NewWatch(Options{})
	for _, name := range []string{"jira.token", "github.token"} {
		w.found[name] = Credential{Name: name, Refused: true, Renew: "renew it"}
	}
	for range 50 {
		if got := w.Lines(); len(got) != 2 || got[0] > got[1] {
			t.Fatal(got)
		}
	}
}
