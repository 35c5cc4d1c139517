package inbound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// announced is a Source of whose changes events tell.
type announced struct{ remote }

func (*announced) Announced() bool { return true }

// quiet is a pipeline that follows an object that nobody polls.
func quiet(name string) *workflows.Pipeline {
	a := object("App", "drop", "app.zip", "1")
	a.Configuration["PollForSourceChanges"] = "false"
	return pipeline(name, a)
}

// announce has an event looked into, as often as it comes, and says how often it was done.
func (m *member) announce(t *testing.T, times int) (done int) {
	t.Helper()
	calls := make(chan struct{}, times)
	for range times {
		if !m.sources.Look(func(a workflows.Action) bool { return a.Configuration["S3Bucket"] == "drop" }, func() { calls <- struct{}{} }) {
			t.Error("the event concerns nobody")
		}
	}
	pass(time.Second)
	return len(calls)
}

// What is not polled is looked at once to know where it stands, and then for each
// event: what is new starts, however often and in whichever order events tell of it.
func TestAnEventStartsWhatIsNew(t *testing.T) {
	s3 := &announced{}
	s3.set("drop app.zip", "v1")
	poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
		m.put(quiet("web"))
		m.put(quiet("api"))
		pass(time.Hour)
		if n := len(s3.looked()); n > 2 || // one for each pipeline, or one for both
			d.starts("web")+d.starts("api") != 0 {
			t.Fatalf("%d looks, %d starts", n, d.starts("web"))
		}
		if done := m.announce(t, 3); done != 3 || d.starts("web") != 0 {
			t.Errorf("of an old event: done %d times, %d starts", done, d.starts("web"))
		}
		s3.set("drop app.zip", "v2")
		if done := m.announce(t, 5); done != 5 || d.starts("web") != 1 || d.starts("api") != 1 {
			t.Errorf("done %d times, %d and %d starts", done, d.starts("web"), d.starts("api"))
		}
		m.announce(t, 2) // the same ones, late
		s3.set("drop app.zip", "v3")
		m.announce(t, 2)
		if n := d.starts("web"); n != 2 {
			t.Errorf("%d starts of two changes", n)
		}
		in := d.intents[len(d.intents)-1]
		if in.Trigger.Type != startedByEvent || in.Change[0].RevisionID != "v3" || in.Change[0].ActionName != "App" {
			t.Errorf("%+v %+v", in.Trigger, in.Change)
		}
		if m.sources.Look(func(workflows.Action) bool { return false }, func() {}) {
			t.Error("an event that concerns nobody is taken for one that does")
		}
	})
}

// Where the pipeline's polling is switched off events start it all the same, and
// what is polled is looked at sooner.
func TestEventsAndPolling(t *testing.T) {
	s3 := &announced{}
	s3.set("drop app.zip", "v1")
	poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
		m.put(pipeline("web", object("App", "drop", "app.zip", "1")))
		pass(time.Minute)
		s3.set("drop app.zip", "v2")
		if m.announce(t, 1); d.starts("web") != 1 {
			t.Errorf("%d starts of a branch that is polled", d.starts("web"))
		}
		m.commitEvents("web", []event.Event{{Kind: event.PollingDisabled, At: time.Now()}}, m)
		pass(time.Minute)
		s3.looked()
		s3.set("drop app.zip", "v3")
		pass(time.Hour)
		if n := len(s3.looked()); n != 0 || d.starts("web") != 1 {
			t.Errorf("%d looks, %d starts while polling is off", n, d.starts("web"))
		}
		if m.announce(t, 1); d.starts("web") != 2 {
			t.Errorf("%d starts of an event while polling is off", d.starts("web"))
		}
		m.commitEvents("web", []event.Event{{Kind: event.PollingEnabled, At: time.Now()}}, m)
		pass(time.Minute)
		s3.set("drop app.zip", "v4")
		pass(time.Minute)
		if d.starts("web") != 3 {
			t.Errorf("%d starts once it is polled again", d.starts("web"))
		}
	})
}

// What is not there yet when a pipeline is defined starts it with its first event;
// what happened before the pipeline was there does not, nor does a restart.
func TestTheFirstEvent(t *testing.T) {
	s3 := &announced{}
	poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
		m.put(quiet("web"))
		pass(time.Hour)
		s3.set("drop app.zip", "v1")
		if m.announce(t, 2); d.starts("web") != 1 {
			t.Errorf("%d starts of the first object", d.starts("web"))
		}
		s3.looked()
		again := d.member(func(o *Options) { o.Sources = map[string]Source{"S3": s3} })
		s3.set("drop app.zip", "v2")
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		again.sources.Start(ctx)
		pass(time.Hour)
		if n := len(s3.looked()); n != 0 || d.starts("web") != 1 {
			t.Errorf("a restart looked %d times, %d starts", n, d.starts("web"))
		}
		if again.announce(t, 1); d.starts("web") != 2 {
			t.Errorf("%d starts of what was told while nobody was there", d.starts("web"))
		}
	})
}

// A look that fails leaves the event to come again. So does a commit that was not
// made, or of which that is not known: whatever happened, one change is one start.
func TestAnEventWhoseLookFails(t *testing.T) {
	for name, fail := range map[string]func(d *desk, s3 *announced){
		"AWS is away":              func(_ *desk, s3 *announced) { s3.fail(errors.New("no route")) },
		"the commit is lost":       func(d *desk, _ *announced) { d.fault = once("before") },
		"the answer of it is lost": func(d *desk, _ *announced) { d.fault = once("after") },
		"the store cannot be read": func(d *desk, _ *announced) { d.broken = errors.New("no disk") },
		"there is nothing":         func(_ *desk, s3 *announced) { s3.set("drop app.zip", "") },
	} {
		s3 := &announced{}
		s3.set("drop app.zip", "v1")
		poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
			m.put(quiet("web"))
			pass(time.Minute)
			s3.set("drop app.zip", "v2")
			d.change(func() { fail(d, s3) })
			if done := m.announce(t, 1); done != 0 {
				t.Errorf("%s: the event is done", name)
			}
			s3.set("drop app.zip", "v2")
			s3.fail(nil)
			d.change(func() { d.fault, d.broken = nil, nil })
			if done := m.announce(t, 2); done != 2 || d.starts("web") != 1 {
				t.Errorf("%s: done %d times, %d starts", name, done, d.starts("web"))
			}
		})
	}
}

// once is a fault of the next commit.
func once(fault string) func(int) string {
	return func(int) string {
		now := fault
		fault = ""
		return now
	}
}

// An event that comes while an older look is under way is looked into anew: what
// the older one saw may be older than the event.
func TestAnEventOvertakesALook(t *testing.T) {
	s3 := &announced{}
	s3.set("drop app.zip", "v1")
	poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
		m.put(quiet("web"))
		pass(time.Minute)
		s3.set("drop app.zip", "v2")
		slow := make(chan struct{})
		s3.mu.Lock()
		s3.slow = slow
		s3.mu.Unlock()
		concerns := func(workflows.Action) bool { return true }
		done := make(chan struct{}, 2)
		m.sources.Look(concerns, func() { done <- struct{}{} })
		synctest.Wait() // it has seen v2, and hangs
		s3.set("drop app.zip", "v3")
		m.sources.Look(concerns, func() { done <- struct{}{} })
		synctest.Wait()
		close(slow)
		pass(time.Minute)
		if got := fmt.Sprint(len(done), d.starts("web")); got != "2 2" && got != "2 1" {
			t.Errorf("done and starts: %s", got)
		}
		last, _, err := m.starter.seen(t.Context(), "head/web/App")
		if err != nil || last.Commit != "v3" {
			t.Errorf("last seen: %+v %v", last, err)
		}
	})
}

// A thousand events about an object that does not answer cost one look, and a second one
// for those that came meanwhile; what is polled is polled as before.
func TestManyEventsLeavePollsTheirTurn(t *testing.T) {
	s3, other := &announced{}, &remote{}
	s3.set("drop app.zip", "v1")
	other.set("shop main", "c1")
	poll(t, map[string]Source{"S3": s3, "Git": other}, func(d *desk, m *member) {
		m.put(quiet("web"))
		m.put(pipeline("shop", git("App", "shop", "main")))
		pass(time.Minute)
		s3.looked()
		other.looked()
		slow := make(chan struct{})
		s3.mu.Lock()
		s3.slow = slow
		s3.mu.Unlock()
		if done := m.announce(t, 1) + m.announce(t, 999); done != 0 {
			t.Errorf("%d are done", done)
		}
		other.set("shop main", "c2")
		pass(5 * time.Minute)
		if n := len(s3.looked()); n != 1 || d.starts("shop") != 1 {
			t.Errorf("%d looks, %d starts of what is polled", n, d.starts("shop"))
		}
		close(slow)
		pass(time.Second)
		if n := len(s3.looked()); n != 1 {
			t.Errorf("%d looks at what came meanwhile", n)
		}
	})
}

// An event whose look fails comes again every half minute: that is said once, and once
// that it is over.
func TestALookThatKeepsFailingIsSaidOnce(t *testing.T) {
	s3 := &announced{}
	s3.set("drop app.zip", "v1")
	poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
		var said strings.Builder
		m.o.Log = slog.New(slog.NewTextHandler(&said, nil))
		m.put(quiet("web"))
		pass(time.Minute)
		s3.fail(errors.New("AccessDenied"))
		for range 20 {
			m.announce(t, 1)
		}
		s3.fail(nil)
		m.announce(t, 3)
		if lines := strings.Count(said.String(), "\n"); lines != 2 || !strings.Contains(said.String(), "AccessDenied") || !strings.Contains(said.String(), "looked at again") {
			t.Errorf("%d lines:\n%s", lines, &said)
		}
	})
}

// Whatever happens in whichever order - changes, events that repeat and come late,
// polls, faults of AWS and of the store, restarts, polling that is switched - each
// revision starts the pipeline at most once, and the last one does so once all is well.
func TestEventsInAnyOrder(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 7))
			s3 := &announced{}
			s3.set("drop app.zip", "v0")
			d := newDesk(t)
			life := func() (*member, func()) {
				m := d.member(func(o *Options) { o.Sources = map[string]Source{"S3": s3} })
				ctx, stop := context.WithCancel(context.Background())
				m.sources.Start(ctx)
				return m, func() {
					stop()
					for key := range m.o.Timers.(*clock).all {
						m.o.Timers.Drop(key)
					}
					m.work.Wait()
				}
			}
			m, stop := life()
			p := quiet("web")
			if seed%2 == 0 {
				delete(p.Stages[0].Actions[0].Configuration, "PollForSourceChanges")
			}
			m.put(p)
			pass(time.Minute)
			all := func(workflows.Action) bool { return true }
			version, polls := 0, true
			for range 40 {
				switch chance.IntN(8) {
				case 0, 1:
					version++
					s3.set("drop app.zip", fmt.Sprint("v", version))
				case 2, 3, 4:
					for range 1 + chance.IntN(3) {
						m.sources.Look(all, func() {})
					}
				case 5:
					faults := []func(){func() { d.fault = once("before") }, func() { d.fault = once("after") }, func() { d.fault = nil }}
					d.change(faults[chance.IntN(len(faults))])
					s3.fail(map[bool]error{true: errors.New("no route")}[chance.IntN(3) == 0])
				case 6:
					stop()
					m, stop = life()
				case 7:
					polls = !polls
					d.change(func() { d.fault = nil })
					m.commitEvents("web", []event.Event{{Kind: map[bool]event.Kind{true: event.PollingEnabled, false: event.PollingDisabled}[polls], At: time.Now()}}, m)
				}
				pass(time.Duration(chance.IntN(40)) * time.Second)
			}
			d.change(func() { d.fault = nil })
			s3.fail(nil)
			pass(20 * time.Minute) // whatever looks again has done so
			version++
			s3.set("drop app.zip", fmt.Sprint("v", version))
			m.announce(t, 2)
			starts := map[string]int{}
			for _, in := range d.intents {
				starts[in.Change[0].RevisionID]++
			}
			for v, n := range starts {
				if n > 1 {
					t.Errorf("seed %d: %s is started %d times", seed, v, n)
				}
			}
			if starts[fmt.Sprint("v", version)] != 1 {
				t.Errorf("seed %d: the last revision, v%d, is not started: %v", seed, version, starts)
			}
			stop()
		})
	}
}
