package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// Another process has taken over: whoever asked hears that nothing was changed,
// and the engine ends, with that error, without having written anything more.
func TestAFencedEngineEnds(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		w.begin("webshop")
		w.stop()
		w.plug = &plug{disk: w.disk}
		o := w.options
		o.Store, o.Inbox, o.Memos, o.History = w.plug, w.plug, w.plug, w.plug
		o.Followers = []runtime.Follower{newScribe("scribe")}
		e, err := runtime.New(o)
		if err != nil {
			w.t.Fatal(err)
		}
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(w.t.Context())
		defer cancel()
		go func() { done <- e.Run(ctx) }()
		<-e.Ready()
		synctest.Wait()
		before := len(w.disk.shapes)
		w.plug.fail(func(int) string { return "fenced" })
		_, err = e.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, ben)
		if p := w.problem(err, workflows.CodeUnavailable); !strings.Contains(p.Message, "nothing was changed") {
			w.t.Errorf("got %v", err)
		}
		if err := <-done; !errors.Is(err, record.ErrFenced) {
			w.t.Errorf("Run ended with %v", err)
		}
		if n := len(w.disk.shapes) - before; n != 0 || w.plug.opens > 0 {
			w.t.Errorf("after another process has taken over: %d commits were written, the store opened again %d times", n, w.plug.opens)
		}
		w.boot() // the next process goes on
		pass(time.Minute)
		w.submit(ben, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"})
	})
}

// Somebody else wrote to the pipeline, in a process of their own: a click there is
// decided on what is there now. It is not told that the end is unknown.
func TestAConflictIsDecidedAgain(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("shop"), named("api"))
		other := *w
		other.boot()
		defer other.stop()
		for range 3 {
			w.begin("shop")
			other.begin("shop")
		}
		pass(time.Minute)
		if x := w.execution("shop#6"); x.Number != 6 {
			w.t.Errorf("the sixth is %+v", x)
		}
		if w.plug.opens+other.plug.opens > 0 {
			w.t.Error("a conflict was taken for an unknown end")
		}
		w.once()
	})
}
