package runner_test

import (
	"context"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// A cancel that comes before anybody knows whether the action began says what is
// known: that it did not begin, that it runs, or that nobody can know.
func TestACancelBeforeTheStartIsAnswered(t *testing.T) {
	finds := func(o work.Outcome, ok bool) func(context.Context, *runner.Attempt) (work.Outcome, bool, error) {
		return func(context.Context, *runner.Attempt) (work.Outcome, bool, error) { return o, ok, nil }
	}
	for name, c := range map[string]struct {
		kind runner.Kind
		want string
	}{
		"nothing can find it": {runner.Kind{Unrepeatable: true}, work.InDoubt},
		"it did not begin":    {runner.Kind{Find: finds(work.Outcome{}, false)}, work.Cancelled},
		"it has ended":        {runner.Kind{Find: finds(work.Outcome{State: work.Succeeded}, true)}, work.Succeeded},
	} {
		c.kind.Category, c.kind.Provider = "Invoke", "Lambda"
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, c.kind, func(w *runnertest.World) {
				if o := w.Stop(w.Task(nil), 0); o.State != c.want {
					w.T.Errorf("the cancel was answered %s, %q, want %s", o.State, o.Summary, c.want)
				}
			})
		})
	}
}
