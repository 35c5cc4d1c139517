package runtime_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// A click, the end of its gate, the next stage and its actions are one commit;
// and so are the end of a stage's actions, the next stage and its actions.
func TestOneCommitFromClickToAction(t *testing.T) {
	play(t, func(w *world) {
		w.options.Runners = map[string]runtime.Runner{"Git": instant{}, "Wait": instant{}}
		w.boot()
		w.define(strings.ReplaceAll(benchPipeline(), "NAME", "webshop"))
		w.begin("webshop")
		frames, commits := len(w.disk.frames), w.disk.made()
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: "webshop#1"})
		synctest.Wait()
		w.status("webshop#1", workflows.StatusSucceeded)
		if n := w.disk.made() - commits; n != 5 {
			t.Errorf("%d commits for a click and four stages", n)
		}
		started := slices.Repeat([]event.Kind{event.ActionStarted}, 3)
		ended := slices.Repeat([]event.Kind{event.ActionSucceeded}, 3)
		want := [][]event.Kind{
			slices.Concat([]event.Kind{event.GateVoted, event.GateClosed, event.ActionSucceeded, event.StageSucceeded, event.StageEntered}, started),
			slices.Concat(ended, []event.Kind{event.StageSucceeded, event.StageEntered}, started),
			slices.Concat(ended, []event.Kind{event.StageSucceeded, event.StageEntered}, started),
			slices.Concat(ended, []event.Kind{event.StageSucceeded, event.StageEntered}, started),
			slices.Concat(ended, []event.Kind{event.StageSucceeded, event.ExecutionSucceeded}),
		}
		var got [][]event.Kind
		for _, f := range w.disk.frames[frames:] {
			var kinds []event.Kind
			for _, ev := range f.Events {
				kinds = append(kinds, ev.Kind)
			}
			got = append(got, kinds)
		}
		if !slices.EqualFunc(got, want, slices.Equal[[]event.Kind]) {
			t.Errorf("frames\n%v, want\n%v", got, want)
		}
	})
}
