package runtime_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestARunnerThatHangs(t *testing.T) {
	hangs := func(ctx context.Context, t work.Task) (work.Outcome, error) {
		<-ctx.Done()
		return work.Outcome{}, ctx.Err()
	}
	t.Run("is cut off by a stop", func(t *testing.T) {
		play(t, func(w *world) {
			w.options.Runners["Commands"] = stuck{finder{hand{w.outside}}, hangs}
			w.boot()
			w.define(named("web"))
			id := w.begin("web")
			w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true})
			pass(time.Second)
			w.status(id, workflows.StatusStopped)
		})
	})
	t.Run("is cut off by its deadline", func(t *testing.T) {
		play(t, func(w *world) {
			w.options.Runners["Commands"] = stuck{finder{hand{w.outside}}, hangs}
			w.boot()
			w.define(strings.Replace(named("web"), "provider: Commands,", "provider: Commands, timeoutInMinutes: 5,", 1))
			id := w.begin("web")
			pass(5*time.Minute + time.Second)
			w.status(id, workflows.StatusFailed)
			if x := w.execution(id); len(x.Orphans) != 0 {
				t.Errorf("the cancel was not sent in time: %v", x.Orphans)
			}
		})
	})
	t.Run("does not keep the engine from ending", func(t *testing.T) {
		play(t, func(w *world) {
			w.options.Runners["Commands"] = stuck{finder{hand{w.outside}}, hangs}
			w.boot()
			w.define(named("web"))
			id := w.begin("web")
			began := time.Now()
			w.stop()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("ending took %s", took)
			}
			w.options.Runners["Commands"] = finder{hand{w.outside}}
			w.boot()
			pass(time.Second)
			w.status(id, workflows.StatusSucceeded)
		})
	})
	t.Run("and one that panics is asked again", func(t *testing.T) {
		play(t, func(w *world) {
			panics := 2
			w.options.Runners["Commands"] = stuck{finder{hand{w.outside}}, func(_ context.Context, t work.Task) (work.Outcome, error) {
				if panics--; panics >= 0 {
					panic("a bug")
				}
				return succeeded(t), nil
			}}
			w.boot()
			w.define(named("web"))
			id := w.begin("web")
			pass(time.Minute)
			w.status(id, workflows.StatusSucceeded)
		})
	})
}

// stuck is a runner whose starts do what they are told.
type stuck struct {
	finder
	start func(ctx context.Context, t work.Task) (work.Outcome, error)
}

func (s stuck) Start(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return s.start(ctx, t)
}
