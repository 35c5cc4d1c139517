package runnertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Case is what a matrix runs again and again.
type Case struct {
	Kind func() runner.Kind // fresh lists for each run
	// Given sets the world up and returns the task, which succeeds when nothing goes wrong.
	Given func(w *World) work.Task
	// Once are the operations that must have happened at most once, whatever went wrong: "ecs:RegisterTaskDefinition".
	Once []string
	// Started counts how often AWS began what the action is for: at most once,
	// whatever went wrong. A repeat that AWS knows by its token does not count.
	Started func(w *World) int
	// Ways are others in which the action may go, which take rights of their own.
	Ways []Way
}

// Matrix runs a case with one fault after the other: for each operation that a
// run without faults calls, each error that AWS declares for it, a throttled
// call, a fault of the service, and a connection cut before and after the effect;
// each fault once with the same process and, of the cuts, once with a restart
// before every call. The action must end in a defined state, with what is to
// happen once happening once; what passes by itself must not fail the action.
func Matrix(t *testing.T, c Case) {
	t.Helper()
	for _, op := range operations(t, c) {
		service, name, _ := strings.Cut(op, ":")
		faults := []awsfake.Fault{{Trouble: awsfake.Throttle}, {Trouble: awsfake.ServerError}, {Trouble: awsfake.CutBefore}, {Trouble: awsfake.CutAfter}}
		for _, code := range shapes.Of(service).Operations[name].Errors {
			faults = append(faults, awsfake.Fault{Trouble: awsfake.Refuse, Code: code, Message: "refused by the test"})
		}
		for _, f := range faults {
			f.Operation, f.Times = op, 1
			passes := f.Trouble != awsfake.Refuse
			for _, restart := range []bool{false, true} {
				if restart && f.Trouble != awsfake.CutBefore && f.Trouble != awsfake.CutAfter {
					continue
				}
				t.Run(strings.Trim(fmt.Sprintf("%s %s%s restart=%v", op, f.Trouble, f.Code, restart), " "), func(t *testing.T) {
					In(t, c.Kind(), func(w *World) { c.one(w, f, restart, passes) })
				})
			}
		}
	}
}

func (c Case) one(w *World, f awsfake.Fault, restart, passes bool) {
	w.T.Helper()
	task := c.Given(w)
	w.Restart = restart
	w.AWS.Faults(f)
	o := w.Run(task)
	switch {
	case !Final(o.State), o.State == work.Failed && (o.Error == nil || o.Error.Code == "" || o.Error.Message == ""):
		w.T.Errorf("the action ended as %+v, error %+v", o, o.Error)
	case passes && o.State != work.Succeeded && (o.State != work.InDoubt || !w.Kind.Unrepeatable):
		w.T.Errorf("a fault that passes ended the action: %s, %+v", o.State, o.Error)
	}
	for _, op := range c.Once {
		n := w.Called(op)
		if n > 1 || n == 0 && o.State == work.Succeeded {
			w.T.Errorf("%s happened %d times, and the action %s", op, n, o.State)
		}
	}
	if c.Started == nil {
		return
	}
	if n := c.Started(w); n > 1 || n == 0 && o.State == work.Succeeded {
		w.T.Errorf("it was begun %d times, and the action %s", n, o.State)
	}
}

// operations are those that a run without faults calls.
func operations(t *testing.T, c Case) []string {
	t.Helper()
	called := map[string]bool{}
	In(t, c.Kind(), func(w *World) {
		o := w.Run(c.Given(w))
		if o.State != work.Succeeded {
			w.T.Fatalf("without a fault it ended as %s: %+v", o.State, o.Error)
		}
		for _, call := range w.AWS.Calls() {
			if call.Service != "sts" && strings.Contains(call.Principal, "assumed-role") {
				called[call.Name()] = true
			}
		}
	})
	return slices.Sorted(maps.Keys(called))
}
