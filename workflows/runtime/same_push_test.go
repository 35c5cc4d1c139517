package runtime_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// C1: one push comes under several delivery IDs at the same moment, as from a
// repository's hook beside an organization's, to a store whose commits take
// their time: it starts every pipeline that follows it once, one delivery is
// told that it was new, and all are told the same executions.
func TestOnePushToldAtOnceActsOnce(t *testing.T) {
	for _, pipelines := range []int{1, 2} {
		for _, deliveries := range []int{2, 3, 8} {
			t.Run(fmt.Sprintf("%d deliveries, %d pipelines", deliveries, pipelines), func(t *testing.T) {
				play(t, func(w *world) {
					w.boot()
					w.follow(pipelines)
					w.plug.slower(50 * time.Millisecond)
					for round := range 8 {
						w.deliverAtOnce(push(fmt.Sprint("c", round)), deliveries, w.Engine)
						if n := w.disk.count(event.ExecutionStarted); n != (round+1)*pipelines {
							t.Fatalf("%d executions after push %d", n, round+1)
						}
					}
				})
			})
		}
	}
}

// C1: the same with a second process on the store, which holds nothing in
// common with the first but the rows.
func TestOnePushToldToTwoProcessesActsOnce(t *testing.T) {
	for _, pipelines := range []int{1, 2} {
		play(t, func(w *world) {
			w.boot()
			w.follow(pipelines)
			other := *w
			other.boot()
			defer other.stop()
			for round := range 8 {
				w.plug.slower(50 * time.Millisecond)
				other.plug.slower(50 * time.Millisecond)
				w.deliverAtOnce(push(fmt.Sprint("c", round)), 4, w.Engine, other.Engine)
				if n := w.disk.count(event.ExecutionStarted); n != (round+1)*pipelines {
					t.Fatalf("%d executions after push %d to %d pipelines", n, round+1, pipelines)
				}
				pass(time.Minute)
			}
		})
	}
}

func (w *world) follow(pipelines int) {
	w.t.Helper()
	for i := range pipelines {
		w.define(named(fmt.Sprint("shop", i)))
	}
}

// deliverAtOnce delivers changes under several IDs behind a barrier, in turn to the engines.
func (w *world) deliverAtOnce(changes []work.Change, deliveries int, to ...*runtime.Engine) {
	w.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	barrier, fresh, started := make(chan struct{}), 0, map[string]bool{}
	for i := range deliveries {
		all.Go(func() {
			<-barrier
			key := fmt.Sprintf("github/%s-%d", changes[0].Commit, i)
			one := *w
			one.Engine = to[i%len(to)]
			got, first := one.receive(key, changes)
			mu.Lock()
			defer mu.Unlock()
			if first {
				fresh++
			}
			if len(got.Started) > 0 { // a second process may ask before the first one's start is over
				started[strings.Join(got.Started, " ")] = true
			}
		})
	}
	close(barrier)
	all.Wait()
	if fresh != 1 || len(started) != 1 {
		w.t.Fatalf("%d of %d deliveries were new, and told of %v", fresh, deliveries, started)
	}
}

// T6: what was signed acts once, under whichever key it comes again and
// whenever: the key may be something that nobody signed.
func TestASignedBodyActsOnce(t *testing.T) {
	deliver := func(w *world, key string) (told, bool) {
		w.t.Helper()
		return w.receivePrinted(key, "b0d7", push("c1"))
	}
	accept := func(w *world, key string) (told, bool) {
		w.t.Helper()
		prior, fresh, err := w.Accept(w.t.Context(), work.Receipt{Key: key, Source: "jira", Print: "b0d7"})
		if err != nil || prior.Key != "github/1" {
			w.t.Fatalf("accepted as %q: %v", prior.Key, err)
		}
		if fresh {
			err = w.Finish(w.t.Context(), key, []byte(`{"started":[],"ignored":[]}`))
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return told{}, fresh
	}
	for name, take := range map[string]func(*world, string) (told, bool){"delivered": deliver, "accepted": accept} {
		for when, replay := range map[string]func(w *world){
			"at once":                func(*world) {},
			"after 11 minutes":       func(*world) { pass(11 * time.Minute) },
			"after a day":            func(*world) { pass(24 * time.Hour) },
			"after six days":         func(*world) { pass(6 * 24 * time.Hour) },
			"after a restart":        func(w *world) { w.crash(); w.boot() },
			"after a restart, later": func(w *world) { w.reboot(); pass(time.Hour) },
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				play(t, func(w *world) {
					w.boot()
					w.follow(1)
					first, fresh := take(w, "github/1")
					if !fresh {
						t.Fatal("the first one is no news")
					}
					replay(w)
					for _, key := range []string{"github/1", "github/2", "github/3"} {
						if again, fresh := take(w, key); fresh || strings.Join(again.Started, " ") != strings.Join(first.Started, " ") {
							t.Errorf("%s: fresh %v, told %+v after %+v", key, fresh, again, first)
						}
					}
					if n := w.disk.count(event.ExecutionStarted); n != len(first.Started) {
						t.Errorf("%d executions", n)
					}
				})
			})
		}
	}
}

// T6: a delivery that told the same push a second time does not start it later either.
func TestARepeatCannotBeReplayedLater(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.follow(1)
		w.receivePrinted("github/1", "one", push("c1"))
		w.receivePrinted("github/2", "two", push("c1"))
		pass(11 * time.Minute)
		for _, print := range []string{"one", "two"} {
			if got, fresh := w.receivePrinted("github/9-"+print, print, push("c1")); fresh || len(got.Started) != 1 {
				t.Errorf("%s: fresh %v, %+v", print, fresh, got)
			}
		}
	})
}
