package runner

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// asks counts the calls of a list, and what they were about.
type asks struct {
	calls, things int
	fails         error
}

func (s *asks) fetch(_ context.Context, _ aws.Config, ids []string) (map[string]string, error) {
	s.calls++
	s.things += len(ids)
	if s.fails != nil {
		return nil, s.fails
	}
	all := map[string]string{}
	for _, id := range ids {
		all[id] = "at " + time.Now().Format("15:04:05")
	}
	return all, nil
}

func attempts(n int) []*Attempt {
	frame := New(Options{Now: time.Now})
	var all []*Attempt
	for range n {
		all = append(all, &Attempt{Task: &work.Task{Deadline: time.Now().Add(time.Hour)}, Config: aws.Config{Region: "eu-west-1"}, frame: frame})
	}
	return all
}

// A thousand builds that are all polled cost ten calls an interval, and the
// interval grows as they age.
func TestAListAsksInLargeCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &asks{}
		list, all := NewList(100, s.fetch), attempts(1000)
		poll := func() {
			for i, a := range all {
				if _, _, err := list.Look(t.Context(), a, fmt.Sprint("build-", i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		poll() // a thousand that are new at once are asked about together, an interval later
		if s.calls != 1 {
			t.Errorf("the first look made %d calls, want 1", s.calls)
		}
		for _, c := range []struct {
			age   time.Duration
			every time.Duration
		}{{0, shortInterval}, {5 * time.Minute, longInterval}} {
			time.Sleep(c.age)
			poll()
			before := s.calls
			began := time.Now()
			for range 10 {
				time.Sleep(c.every)
				poll()
				poll() // whoever asks again within the interval gets what is known
			}
			if got := s.calls - before; got > 100 || got < 90 {
				t.Errorf("from %s on %d calls were made in %s, want 10 for each interval", c.age, got, time.Since(began))
			}
		}
	})
}

// A list that is asked too often keeps what it knows; that AWS is away is told, so
// that people hear of it while the action goes on.
func TestAListOverTrouble(t *testing.T) {
	throttled, away := &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}, errors.New("the connection broke")
	synctest.Test(t, func(t *testing.T) {
		s := &asks{}
		list, a := NewList(100, s.fetch), attempts(1)[0]
		want, _, err := list.Look(t.Context(), a, "b")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			fails error
			id    string
			known bool
			told  bool
		}{{throttled, "b", true, false}, {throttled, "c", false, true}, {away, "b", true, true}, {away, "c", false, true}} {
			time.Sleep(shortInterval)
			s.fails = c.fails
			got, known, err := list.Look(t.Context(), a, c.id)
			if known != c.known || known && got != want || (err != nil) != c.told {
				t.Errorf("of %s over %v: %q, %v, %v", c.id, c.fails, got, known, err)
			}
		}
	})
}

// What nobody asks about any more is dropped.
func TestAListForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &asks{}
		list, all := NewList(100, s.fetch), attempts(2)
		for i := range 2 {
			_, _, _ = list.Look(t.Context(), all[i], fmt.Sprint(i))
		}
		for range 10 {
			time.Sleep(time.Minute)
			_, _, _ = list.Look(t.Context(), all[0], "0")
		}
		before := s.things
		time.Sleep(time.Minute)
		_, _, _ = list.Look(t.Context(), all[0], "0")
		if s.things != before+1 {
			t.Errorf("%d things were asked about, want 1", s.things-before)
		}
	})
}
