package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// TestSimulation lets people, pushes and polls work on three pipelines while
// commits fail, answers get lost and the process dies, all by a seed. In the
// end everything is mended and must be as if nothing had been wrong.
func TestSimulation(t *testing.T) {
	rounds := uint64(20)
	if testing.Short() {
		rounds = 8
	}
	for seed := range rounds {
		if !t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { tell(t, func(w *world) { simulate(w, seed) }) }) {
			return
		}
	}
}

// storm is what goes wrong, and how often, while it lasts.
type storm struct {
	mu   sync.Mutex
	dice *rand.Rand
	over bool
}

func (s *storm) chance(percent int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.over && s.dice.IntN(100) < percent
}

func (s *storm) pick(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dice.IntN(n)
}

func (s *storm) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

var errLost = errors.New("the answer was lost")

func simulate(w *world, seed uint64) {
	s := &storm{dice: rand.New(rand.NewPCG(seed, 1))}
	w.options.Rand = rand.NewChaCha8([32]byte{byte(seed)})
	git := &remote{head: "c0"}
	w.options.Sources = map[string]runtime.Source{"Git": git}
	w.outside.answer = func(t work.Task) (work.Outcome, error) {
		o := succeeded(t)
		switch {
		case s.chance(10):
			o = work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "bad luck"}}
		case s.chance(30):
			o = work.Outcome{State: work.Running, Handle: "h"}
		}
		if s.chance(15) {
			w.outside.begun[t.ID] = o
			return o, errLost
		}
		return o, nil
	}
	w.outside.poll = func(t work.Task) (work.Outcome, error) {
		switch {
		case s.chance(20):
			return work.Outcome{}, errLost
		case s.chance(30):
			return work.Outcome{State: work.Running, Handle: "h"}, nil
		}
		return succeeded(t), nil
	}
	told := newScribe("journal")
	told.do = func(context.Context, event.Batch) error {
		if s.chance(10) {
			return errLost
		}
		return nil
	}
	w.options.Followers = []runtime.Follower{told}
	w.boot()
	w.define(shop, named("one"), named("two"))
	pass(time.Minute)
	w.weather(s)
	for step := range 60 {
		w.disturb(s, git, step)
		if s.chance(6) {
			w.crash()
			w.boot()
			w.weather(s)
		}
		pass(time.Duration(s.pick(3000)) * time.Millisecond)
	}
	s.end()
	w.reboot()
	pass(3 * time.Minute)
	w.t.Logf("%d executions, %d frames, %d commits tried, %d actions started, %d look-ups", w.disk.count(event.ExecutionStarted), len(w.disk.frames), w.disk.made(), len(w.outside.starts), w.outside.finds)
	w.settled(told)
}

// weather makes commits fail now and then.
func (w *world) weather(s *storm) {
	w.plug.fail(func(int) string {
		switch {
		case s.chance(3):
			return "before"
		case s.chance(3):
			return "after"
		}
		return ""
	})
}

// disturb is somebody who does something, and does not mind a refusal.
func (w *world) disturb(s *storm, git *remote, step int) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	pipeline := []string{"webshop", "one", "two"}[s.pick(3)]
	in := workflows.Intent{Pipeline: pipeline, Token: fmt.Sprint(step)}
	x := workflows.Execution{}
	if all, err := w.Executions(ctx, ana, workflows.ExecutionQuery{Pipeline: pipeline, Limit: 4}); err == nil && len(all) > 0 {
		x = all[s.pick(len(all))]
	}
	switch s.pick(9) {
	case 0, 1:
		in.Verb = workflows.Start
	case 2, 3:
		in.Verb, in.Execution = workflows.Approve, x.ID
	case 4:
		in.Verb, in.Execution, in.Abandon = workflows.StopIt, x.ID, s.chance(50)
	case 5:
		in.Verb, in.Execution, in.Stage = workflows.Retry, x.ID, "Production"
	case 6:
		in.Verb, in.Target, in.Stage = workflows.RollBack, x.ID, []string{"Production", "Deploy"}[s.pick(2)]
	case 7:
		git.push(fmt.Sprintf("c%d", step))
		return
	default:
		_, _, _ = w.Receive(ctx, work.Receipt{Key: fmt.Sprintf("github/%d", s.pick(5)), Source: "github"}, push(fmt.Sprintf("d%d", step)))
		return
	}
	by := ben
	if in.Verb == workflows.Approve {
		by = ana
	}
	if in.Execution == "" && in.Verb != workflows.Start && in.Verb != workflows.RollBack {
		return
	}
	_, _ = w.Submit(ctx, in, by)
}

// settled checks what must hold once everything works again.
func (w *world) settled(told *scribe) {
	w.t.Helper()
	w.once()
	for _, name := range []string{"webshop", "one", "two"} {
		all, err := w.Executions(w.t.Context(), ana, workflows.ExecutionQuery{Pipeline: name, Limit: 100})
		if err != nil {
			w.t.Fatal(err)
		}
		for i, x := range all {
			if want := all[0].Number - i; x.Number != want {
				w.t.Errorf("%s: number %d is missing", name, want)
			}
			if !x.Status.Final() && !waits(x) {
				w.t.Errorf("%s is %s, and waits for nobody", x.Ref(), x.Status)
			}
		}
		last := w.disk.last(name)
		heard := map[uint64]bool{}
		for _, seq := range told.frames[name] {
			heard[seq] = true
		}
		if len(heard) != last {
			w.t.Errorf("the follower was told %d frames of %s, which has %d", len(heard), name, last)
		}
	}
	if open := w.gates(); len(open) > 1 {
		w.t.Errorf("%d gates are open in one stage", len(open))
	}
	pending := w.disk.memo("delivery/")
	for key := range w.disk.memos {
		if len(key) > 17 && key[:17] == "runtime\x00delivery/" {
			pending = key
		}
	}
	if pending != "" {
		w.t.Errorf("a delivery was never finished: %s", pending)
	}
	synctest.Wait()
}

// waits says whether an execution waits for a person: at a gate, at a door, or in doubt.
func waits(x workflows.Execution) bool {
	if x.WaitsFor != nil {
		return true
	}
	for _, st := range x.Stages {
		for _, a := range st.Actions {
			if a.Needs != "" {
				return true
			}
		}
	}
	return false
}
