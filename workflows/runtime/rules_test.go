package runtime_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// checked is a pipeline whose last stage has an entry condition.
func checked(name, rules string) string {
	return strings.Replace(named(name), "  - name: Deploy\n", "  - name: Deploy\n    beforeEntry: {result: FAIL, rules: ["+rules+"]}\n", 1)
}

// Rules are carried out as actions are, under names such as "beforeEntry:Ready".
func TestARuleRunsLikeAnAction(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(checked("web", `{name: Ready, provider: Commands, commands: ["check"], inputArtifacts: [app]}`))
		var seen work.Task
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if strings.Contains(t.ID, ":") {
				seen = t
			}
			return succeeded(t), nil
		}
		id := w.begin("web")
		w.status(id, workflows.StatusSucceeded)
		if seen.ID != id+"/Deploy/beforeEntry:Ready/1" || seen.Action.ActionType.Category != "Rule" || len(seen.Inputs) != 1 || len(seen.Commands) != 1 {
			t.Errorf("the runner was given %+v", seen)
		}
		if w.desk.released[seen.ID] != 1 {
			t.Error("its run folder stays")
		}
		w.desk.logs = map[string]string{"Deploy/beforeEntry:Ready/1": "all is well", "Deploy/Ship/1": "shipped"}
		for action, want := range map[string]string{"beforeEntry:Ready": "all is well", "Ship": "shipped", "": "shipped"} {
			log, err := w.Log(w.t.Context(), ana, id, "Deploy", action, 0)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(log); string(text) != want || err != nil {
				t.Errorf("the log of %q is %q, %v", action, text, err)
			}
		}
		if lines, err := w.Tail(w.t.Context(), id, "Deploy", "beforeEntry:Ready", 1, 5); err != nil || len(lines) != 1 {
			t.Errorf("its last lines are %q, %v", lines, err)
		}
		_, err := w.Log(w.t.Context(), ana, id, "Deploy", "beforeEntry:Steady", 0)
		w.problem(err, workflows.CodeActionNotFound)
	})
}

// A rule that nobody here can carry out fails, and says why.
func TestARuleWithoutARunnerFails(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(checked("web", `{name: Alarm, provider: CloudWatchAlarm, configuration: {AlarmName: shop}}`))
		id := w.begin("web")
		x := w.execution(id)
		if x.Status != workflows.StatusFailed || x.StatusReason == nil || !strings.Contains(x.StatusReason.Message, "CloudWatchAlarm") {
			t.Fatalf("it is %s: %+v", x.Status, x.StatusReason)
		}
		a, ok := x.Stages[1].Action("beforeEntry:Alarm")
		if !ok || a.Status != workflows.StatusFailed || a.Error == nil || !strings.Contains(a.Error.Message, "nothing here carries out") {
			t.Errorf("the rule says %+v", a)
		}
		if c := x.Stages[1].Condition(workflows.BeforeEntry); c == nil || c.Status != workflows.StatusErrored {
			t.Errorf("the condition is %+v: nobody could evaluate it", c)
		}
	})
}

// A crash while a rule runs leaves one rule that runs.
func TestARuleIsTakenUpAfterACrash(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(checked("web", `{name: Ready, provider: Commands, commands: ["check"], inputArtifacts: [app]}`))
		release := w.holdUp()
		id := w.begin("web")
		w.crash()
		w.boot()
		pass(time.Minute)
		w.status(id, workflows.StatusInProgress)
		release()
		pass(time.Minute)
		w.status(id, workflows.StatusSucceeded)
		w.once()
	})
}

// The right override is judged for the stage that is decided about, also of an
// execution that has ended, and by whatever name it is asked for.
func TestOverrideNeedsTheRightOnTheStage(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = &access.Policy{
			Rules: []access.Rule{
				{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{ana.Email, ben.Email, cho.Email}},
				{Allow: []workflows.Verb{workflows.Override}, To: []string{cho.Email}, On: []string{"*/Source"}},
				{Allow: []workflows.Verb{workflows.Lock, workflows.Unlock, workflows.StopExecution}, To: []string{ana.Email}},
				{Allow: []workflows.Verb{workflows.Override}, To: []string{ana.Email}, On: []string{"web/Deploy", "webshop/Production"}},
			},
		}
		w.boot()
		w.define(checked("web", `{name: Never, provider: VariableCheck, configuration: {Variable: "a", Operator: EQ, Value: b}}`), strings.Replace(shop, "ana@acme.example", "eve@acme.example", 1))
		id := w.begin("web")
		w.status(id, workflows.StatusFailed)
		for _, stage := range []string{"Deploy", ""} {
			in := workflows.Intent{Verb: workflows.Override, Execution: "web#1", Stage: stage, Condition: "BEFORE_ENTRY", Reason: "the check is wrong"}
			w.refused(ben, in, workflows.CodeAccessDenied)
			if p := w.refused(cho, in, workflows.CodeAccessDenied); !strings.Contains(p.Message, "web/Deploy") || !strings.Contains(p.Hint, ana.Email) {
				t.Errorf("the refusal is %+v: it must name the stage, and who has the right", p)
			}
		}
		w.submit(ana, workflows.Intent{Verb: workflows.Override, Execution: "web#1", Reason: "the check is wrong"})
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)

		w.submit(ana, workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Production"})
		early := w.begin("webshop") // it has left Build and waits before Production, where Ana has the right
		if p := w.refused(ana, workflows.Intent{Verb: workflows.Override, Execution: early, Reason: "now"}, workflows.CodeAccessDenied); !strings.Contains(p.Message, "webshop/Build") {
			t.Errorf("the refusal is %+v: what could be overridden is in Build", p)
		}
		w.submit(ana, workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Production"})
		w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: early, Abandon: true})

		gate := w.begin("webshop")
		in := workflows.Intent{Verb: workflows.Override, Execution: gate, Stage: "Production", Condition: "APPROVAL", Reason: "the shop is down"}
		w.refused(ben, in, workflows.CodeAccessDenied)
		w.submit(ana, in)
		synctest.Wait()
		w.status(gate, workflows.StatusSucceeded)
		if a, _ := w.execution(gate).Stages[2].Action("SignOff"); a.Approval.Override == nil || a.Approval.Override.Without == "" {
			t.Errorf("the gate says %+v, and not what was missing", a.Approval)
		}
	})
}
