package runtime_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// The host of a run folder is decided with the start and kept with it: whoever
// goes on with the work later, under another name, is told where it began.
func TestTheHostOfATaskStays(t *testing.T) {
	play(t, func(w *world) {
		told := map[string][]string{} // by action, in the order of calls
		w.outside.acts(func() {
			w.outside.answer = func(t work.Task) (work.Outcome, error) {
				told[t.Action.Name] = append(told[t.Action.Name], "start on "+t.Host)
				return work.Outcome{State: work.Running, Handle: "h", PollAfter: time.Minute}, nil
			}
			w.outside.poll = func(t work.Task) (work.Outcome, error) {
				told[t.Action.Name] = append(told[t.Action.Name], "poll of "+t.Host)
				return succeeded(t), nil
			}
		})
		w.options.Host = "build-1"
		w.boot()
		w.define(named("web"))
		id := w.begin("web")
		w.options.Host = "build-2"
		w.reboot()
		pass(5 * time.Minute)
		w.status(id, workflows.StatusSucceeded)
		for action, want := range map[string][]string{"App": {"start on build-1", "poll of build-1"}, "Ship": {"start on build-2", "poll of build-2"}} {
			if got := told[action]; len(got) < 2 || got[0] != want[0] || got[len(got)-1] != want[1] {
				t.Errorf("%s: %q, want %q", action, got, want)
			}
		}
		for _, st := range w.execution(id).Stages {
			for _, a := range st.Actions {
				if want := map[string]string{"App": "build-1", "Ship": "build-2"}[a.Name]; a.Host != want {
					t.Errorf("%s is said to have run on %q, want %q", a.Name, a.Host, want)
				}
			}
		}
	})
}
