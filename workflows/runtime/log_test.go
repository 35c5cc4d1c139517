package runtime_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// A line about an execution or an action says which, under the same names everywhere.
func TestLogLinesSayWhatTheyAreAbout(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		w.outside.acts(func() {
			w.outside.answer = func(t work.Task) (work.Outcome, error) {
				switch t.Action.Name {
				case "Test":
					return work.Outcome{}, errors.New("connection refused")
				case "Lint":
					panic("a fault")
				}
				return succeeded(t), nil
			}
		})
		id := w.begin("webshop")
		w.refused(eve, workflows.Intent{Verb: workflows.StopExecution, Execution: id}, workflows.CodeExecutionNotFound)
		w.refused(ben, workflows.Intent{Verb: workflows.Retry, Execution: id, Stage: "Build"}, workflows.CodeStageNotRetryable)
		synctest.Wait()
		for what, attrs := range map[string]string{
			"an action's runner could not be asked": "pipeline=webshop execution=webshop#1 action=Build/Test",
			"a runner panicked":                     "pipeline=webshop execution=webshop#1 action=Build/Lint",
			"verb=retry":                            "pipeline=webshop execution=webshop#1 stage=Build",
		} {
			found := false
			for line := range strings.Lines(w.log.String()) {
				found = found || strings.Contains(line, what) && strings.Contains(line, attrs+" ")
			}
			if !found {
				t.Errorf("no line of %q has %s", what, attrs)
			}
		}
	})
}
