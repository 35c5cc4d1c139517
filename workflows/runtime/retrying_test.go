package runtime_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// C2: a runner that cannot be asked, whichever call it is: within 10 s the
// execution says why and since when; a stop without abandon ends it within its
// bound; a cancel that nobody takes is named and given up.
func TestWhatIsTriedAgainIsSaidAndCanBeStopped(t *testing.T) {
	nobody := errors.New("the builder is\nnot  there")
	running := func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Running, Handle: "h"}, nil }
	unasked := func(work.Task) (work.Outcome, error) { return work.Outcome{}, nobody }
	for name, set := range map[string]func(o *outside){
		"start": func(o *outside) { o.answer = unasked },
		"poll":  func(o *outside) { o.answer, o.poll = running, unasked },
		"start panics": func(o *outside) {
			o.answer = func(work.Task) (work.Outcome, error) { panic("the builder is not there") }
		},
		"start, then cancel": func(o *outside) { o.answer, o.cancel = unasked, unasked },
		"every time says why": func(o *outside) {
			n := 0
			o.answer = func(work.Task) (work.Outcome, error) { n++; return work.Outcome{}, fmt.Errorf("try %d: %w", n, nobody) }
		},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, crash %v", name, crash), func(t *testing.T) {
				play(t, func(w *world) {
					w.boot()
					w.define(named("web"))
					set(w.outside)
					id := w.begin("web")
					pass(10 * time.Second)
					x := w.execution(id)
					a := x.Stages[0].Actions[0]
					if a.Status != workflows.StatusInProgress || a.Error == nil || a.Error.Code != "Retrying" ||
						!strings.Contains(a.Error.Message, "the builder is not there") || !strings.Contains(a.Error.Message, "since 1 Jan 00:0") {
						t.Fatalf("%s, error %+v", a.Status, a.Error)
					}
					if crash {
						w.crash()
						w.boot()
					}
					pass(50 * time.Minute) // below the time limit of an action
					if n := w.count(event.ActionRetrying); n == 0 || n > 12 {
						t.Errorf("it is said %d times", n)
					}
					w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: id})
					pass(2 * time.Minute)
					w.status(id, workflows.StatusStopped)
					pass(26 * time.Hour)
					if n := w.count(event.OrphanLeft); n != map[bool]int{true: 1}[strings.Contains(name, "cancel")] {
						t.Errorf("a cancel is given up %d times", n)
					}
				})
			})
		}
	}
}

// C2: it ends by itself too: by the runner's next answer, and by the time limit.
func TestWhatIsTriedAgainEnds(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.outside.acts(func() { w.outside.answer = func(work.Task) (work.Outcome, error) { return work.Outcome{}, errPower } })
		first := w.begin("web")
		pass(10 * time.Second)
		w.outside.acts(func() {
			w.outside.answer = func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Running, Handle: "h"}, nil }
			w.outside.poll = w.outside.answer
		})
		pass(time.Minute)
		if a := w.execution(first).Stages[0].Actions[0]; a.Status != workflows.StatusInProgress || a.Error != nil {
			t.Errorf("%s, error %+v", a.Status, a.Error)
		}
		w.outside.acts(func() { w.outside.poll = func(work.Task) (work.Outcome, error) { return work.Outcome{}, errPower } })
		pass(24 * time.Hour)
		x := w.execution(first)
		if a := x.Stages[0].Actions[0]; x.Status != workflows.StatusFailed || a.Error.Code != "ActionTimedOut" || !strings.Contains(a.Error.Message, errPower.Error()) {
			t.Errorf("%s, error %+v", x.Status, a.Error)
		}
	})
}

// count counts the events of a kind in the log of web.
func (w *world) count(kind event.Kind) (n int) {
	w.t.Helper()
	frames, err := w.plug.Frames(w.t.Context(), "web", 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range frames {
		for _, e := range f.Events {
			if e.Kind == kind {
				n++
			}
		}
	}
	return n
}
