package runtime_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// calls is a pipeline whose one stage of work starts another pipeline.
func calls(name, other, more string) string {
	return strings.Replace(named(name), `{name: Ship, provider: Commands, commands: ["true"], inputArtifacts: [app]}`,
		fmt.Sprintf(`{name: Call, actionTypeId: {category: Invoke, owner: AWS, provider: CodePipeline, version: "1"}, configuration: {PipelineName: %s%s}}`, other, more), 1)
}

// holdUp lets actions of the stage Deploy run until the returned function is called.
func (w *world) holdUp() (release func()) {
	w.t.Helper()
	done := false
	w.outside.acts(func() {
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if t.Action.IsSource() || done {
				return succeeded(t), nil
			}
			return work.Outcome{State: work.Running, Handle: "h"}, nil
		}
		w.outside.poll = func(t work.Task) (work.Outcome, error) {
			if done {
				return succeeded(t), nil
			}
			return work.Outcome{State: work.Running, Handle: "h"}, nil
		}
	})
	return func() { w.outside.acts(func() { done = true }) }
}

func (w *world) call(id string) workflows.ActionExecution {
	w.t.Helper()
	x := w.execution(id)
	return x.Stages[1].Actions[0]
}

func TestAPipelineThatStartsAPipelineWaitsForIt(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(strings.Replace(named("deploy"), "stages:", "variables: [{name: canary, defaultValue: \"0\"}]\nstages:", 1),
			calls("shop", "deploy", `, Variables: '[{"name":"canary","value":"10"}]', SourceRevisions: '[{"actionName":"App","revisionType":"COMMIT_ID","revisionValue":"c7c7c7c"}]'`))
		release := w.holdUp()
		parent := w.begin("shop")
		w.status(parent, workflows.StatusInProgress)
		child := w.execution("deploy#1")
		if a := w.call(parent); a.ExternalID != child.ID || a.Handle != child.ID || !strings.Contains(a.Summary, "deploy#1") {
			t.Errorf("the action says %+v, want what it has started", a)
		}
		by := child.Trigger
		if by.Type != workflows.TriggerStart || by.Detail != "shop#1 Deploy/Call" || by.Execution != parent || by.By.ID != ben.ID {
			t.Errorf("it was started by %+v, want who started shop#1, and from where", by)
		}
		if child.Variables["canary"] != "10" || child.SourceRevisions[0].RevisionID != "c7c7c7c" || child.SourceRevisions[0].AnyBranch {
			t.Errorf("it has the variables %v and the revisions %+v", child.Variables, child.SourceRevisions)
		}
		pass(10 * time.Minute)
		w.status(parent, workflows.StatusInProgress)
		release()
		for w.execution(child.ID).Status == workflows.StatusInProgress {
			pass(time.Second)
		}
		synctest.Wait()
		w.status(parent, workflows.StatusSucceeded) // at once: nobody waits for the next poll
	})
}

func TestWhatBecomesOfTheOtherPipelineBecomesOfTheAction(t *testing.T) {
	for about, c := range map[string]struct {
		other string
		end   func(w *world)
		want  string
	}{
		"failed": {other: named("deploy"), want: "deploy#1 failed", end: func(w *world) {
			w.outside.acts(func() {
				w.outside.poll = func(work.Task) (work.Outcome, error) {
					return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "out of disk"}}, nil
				}
			})
		}},
		"stopped": {other: named("deploy"), want: "deploy#1 was stopped", end: func(w *world) {
			w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: "deploy#1", Abandon: true, Reason: "not now"})
		}},
		"not there":     {other: named("elsewhere"), want: `there is no pipeline "deploy"`},
		"refused":       {other: strings.Replace(named("deploy"), "stages:", "variables: [{name: canary}]\nstages:", 1), want: "deploy was not started: "},
		"archived":      {other: named("deploy"), want: "deploy was not started: deploy is archived"},
		"starts itself": {other: calls("deploy", "shop", ""), want: "shop would start itself: shop -> deploy -> shop"},
	} {
		t.Run(about, func(t *testing.T) {
			play(t, func(w *world) {
				w.boot()
				w.define(c.other, calls("shop", "deploy", ""))
				if about == "archived" {
					w.submit(ana, workflows.Intent{Verb: workflows.Archive, Pipeline: "deploy"})
				}
				w.holdUp()
				parent := w.begin("shop")
				if c.end != nil {
					c.end(w)
				}
				pass(time.Minute)
				w.status(parent, workflows.StatusFailed)
				failed := w.call(parent)
				if about == "starts itself" {
					w.status("deploy#1", workflows.StatusFailed)
					failed = w.call(w.execution("deploy#1").ID)
				}
				if failed.Error == nil || !strings.Contains(failed.Error.Message, c.want) {
					t.Errorf("the action says %+v, want %q", failed.Error, c.want)
				}
			})
		})
	}
}

func TestAChainOfPipelinesHasAnEnd(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		for i := range 8 {
			w.define(calls(fmt.Sprint("p", i), fmt.Sprint("p", i+1), ""))
		}
		w.define(named("p8"))
		w.begin("p0")
		pass(time.Minute)
		if n := w.disk.count(event.ExecutionStarted); n != 6 {
			t.Errorf("%d executions, want the first and five below it", n)
		}
		if a := w.call(w.execution("p5#1").ID); a.Error == nil || !strings.Contains(a.Error.Message, "more than 5 pipelines") {
			t.Errorf("the last one says %+v", a.Error)
		}
		w.status("p0#1", workflows.StatusFailed)
	})
}

// TestACrashStartsNoSecondChild ends the process at each commit around the start of the other pipeline.
func TestACrashStartsNoSecondChild(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for at := 1; at <= 6; at++ {
			play(t, func(w *world) {
				w.boot()
				w.define(named("deploy"), strings.Replace(calls("shop", "deploy", ""), "{name: Call,", "{name: Call, timeoutInMinutes: 4000,", 1))
				w.holdUp()
				w.plug.fail(func(n int) string {
					if n < at {
						return ""
					}
					w.plug.kill()
					return when
				})
				go w.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Start, Pipeline: "shop"}, ben)
				pass(time.Second)
				w.crash()
				pass(36 * time.Hour) // longer than the token of a start is remembered, and not longer than the action may take
				w.boot()
				pass(time.Minute)
				all, err := w.Executions(w.t.Context(), ana, record.Query{Pipeline: "deploy"})
				if err != nil {
					t.Fatal(err)
				}
				of := map[string]int{}
				for _, x := range all {
					if of[x.Trigger.Execution]++; of[x.Trigger.Execution] > 1 {
						t.Errorf("%s commit %d: %s has started two executions", when, at, x.Trigger.Detail)
					}
				}
			})
		}
	}
}

func TestACancelStopsWhatWasStarted(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("deploy"), calls("shop", "deploy", ""))
		release := w.holdUp()
		parent := w.begin("shop")
		w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: parent, Abandon: true})
		synctest.Wait()
		x := w.execution("deploy#1")
		if x.Status != workflows.StatusStopping || !strings.Contains(x.Stop.Reason, "shop#1 Deploy/Call") {
			t.Errorf("it is %s, %+v", x.Status, x.Stop)
		}
		release() // what runs there may finish
		pass(30 * time.Second)
		w.status("deploy#1", workflows.StatusStopped)
		w.status(parent, workflows.StatusStopped)
		if left := w.execution(parent).Orphans; len(left) != 0 {
			t.Errorf("%v is said to go on outside", left)
		}
	})
}
