package runtime

import (
	"context"
	"maps"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// withActing makes what carries out decisions.
func (e *Engine) withActing() {
	x := executions{e}
	e.invoker = acting.NewInvoker(pipelines{e}, x, e.o.Memos, e.LookAgain)
	runners := maps.Clone(e.o.Runners)
	if runners == nil {
		runners = map[string]Runner{}
	}
	if runners[acting.InvokeProvider] == nil {
		runners[acting.InvokeProvider] = e.invoker
	}
	e.tasks = acting.NewTasks(acting.Options{
		Runners: runners, Runs: e.o.Runs, Outcomes: outcomes{e}, Timers: e.timers, Now: e.o.Now, Go: e.group.Go, Log: e.log,
	})
}

// collector removes the run folders that an earlier process left.
func (e *Engine) collector() acting.Collector {
	return acting.Collector{Leftovers: e.o.Runs, Runs: e.o.Runs, Executions: executions{e}, Unfinished: unfinished{e}, Log: e.log}
}

// LookAgain has these tasks polled now instead of at their next time: a runner
// that is notified from outside, or polls many tasks in one call, calls it. IDs of
// tasks that are not open are ignored.
func (e *Engine) LookAgain(taskIDs ...string) { e.tasks.Wake(taskIDs...) }

// OpenTasks are what is under way of a kind of action ("Deploy/ECS"), in all pipelines.
func (e *Engine) OpenTasks(kind string) []work.Task { return e.tasks.Open(kind) }

// outcomes has the answers of runners decided about.
type outcomes struct{ e *Engine }

// Report is for package acting.
func (o outcomes) Report(pipeline string, out work.Outcome, done func(err error)) {
	o.e.decider.Post(decider.Request{Pipeline: pipeline, By: workflows.EnginePrincipal(), Outcome: &out}, func(got decider.Answer) { done(got.Err) })
}

// unfinished answers what of a pipeline is not over, as committed.
type unfinished struct{ e *Engine }

// Tasks are a pipeline's open tasks.
func (u unfinished) Tasks(ctx context.Context, pipeline string) (tasks []work.Task, err error) {
	err = u.e.read(ctx, pipeline, func(s *machine.State) error {
		tasks = s.Tasks()
		return nil
	})
	return tasks, err
}

// Executions are those that have not ended.
func (u unfinished) Executions(ctx context.Context, pipeline string) (all []workflows.Execution, err error) {
	err = u.e.read(ctx, pipeline, func(s *machine.State) error {
		all = s.Unfinished()
		return nil
	})
	return all, err
}

// pipelines decides what the engine itself asks for.
type pipelines struct{ e *Engine }

// Exists says whether there is a pipeline of that name.
func (p pipelines) Exists(name string) bool {
	_, known := p.e.decider.Last(name)
	return known
}

// Submit has an intent decided in the engine's name.
func (p pipelines) Submit(ctx context.Context, in workflows.Intent, with record.Attachment) (event.Result, *workflows.Problem, error) {
	got := p.e.decider.Submit(ctx, decider.Request{Pipeline: in.Pipeline, By: workflows.EnginePrincipal(), Intent: &in, Attachment: with})
	if err := undecided(got.Err); err != nil {
		return got.Result, nil, err
	}
	refused, _ := asProblem(got.Err)
	return got.Result, refused, nil
}

// executions finds executions as committed.
type executions struct{ e *Engine }

// Execution returns a row.
func (x executions) Execution(ctx context.Context, id string) (workflows.Execution, bool, error) {
	return x.e.o.History.Execution(ctx, id)
}

// Current returns an execution as of the last commit, without offers.
func (x executions) Current(ctx context.Context, pipeline, id string) (workflows.Execution, bool, error) {
	return x.e.current(ctx, pipeline, id, false)
}

// undecided returns an error that leaves open what happens; a refusal is decided.
func undecided(err error) error {
	if p, ok := asProblem(err); ok && p.Code != workflows.CodeUnavailable && p.Code != workflows.CodeCommitUnknown {
		return nil
	}
	return err
}
