package machine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// TestWalks takes random walks through everything that can happen to a
// pipeline, and checks after every step what must always hold. That folding the
// log gives the same state is checked by world.
func TestWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &walk{world: newWorld(), t: t}
		w.edit(t)
		t.Repeat(map[string]func(*rapid.T){
			"":         func(t *rapid.T) { w.check(t) },
			"start":    w.start,
			"outcome":  w.outcome,
			"outcome2": w.outcome,
			"outcome3": w.outcome,
			"late":     w.late,
			"vote":     w.vote,
			"vote2":    w.vote,
			"stop":     w.stop,
			"retry":    w.retry,
			"rollback": w.rollback,
			"lock":     w.lock,
			"resolve":  w.resolve,
			"edit":     w.edit,
			"archive":  w.archiveIt,
			"time":     w.time,
			"note":     w.note,
			"override": w.override,
			"freeze":   w.freeze,
			"restore":  w.restored,
		})
	})
}

type walk struct {
	*world
	t      *rapid.T
	tasks  []string        // every task that was ever wanted
	ended  map[string]bool // superseded or cancelled: never heard of again
	tokens int
}

// pipelines are what a walk edits to and fro between: work that changes, policy
// that changes, stages, conditions and modes that change.
func pipelines() []*workflows.Pipeline {
	var all []*workflows.Pipeline
	for _, lines := range [][]string{
		{"Src: App{out=app namespace=Src}", "Build [onAlarm=slow/5h]: Make{restartable in=app} + Lint", "Prod [onFailure=ROLLBACK onAlarm=5xx,slow/31m]: SignOff{gate from=group:a required=2 remindAt=50%,90%} > Deploy{minutes=30}", "Edge: Push"},
		{"Src: App{out=app namespace=Src}", "Build: Make{restartable in=app} + Lint", "Prod [onFailure=ROLLBACK lock=never onAlarm=5xx/10m]: SignOff{gate from=group:a,group:b required=1} > Deploy{minutes=30}", "Edge: Push"},
		{"Src: App{out=app namespace=Src}", "Build: Make{restartable in=app} + Lint", "Prod [onFailure=ROLLBACK approval=require]: SignOff{gate required=2 atLeast=group:b/1} > Deploy{minutes=30} + Smoke", "Edge: SignOff{gate from=group:b} + Push"},
		{"Src: App{out=app}", "Build: Make + Lint", "Production [lock=manual eligible=sameVersion]: Deploy{run=x_#{Src.CommitId}}", "Edge: Push"},
		{"schedule: 0 */5 * * * Europe/Berlin", "Src: App{polls}", "Build [onFailure=RETRY]: Make{restartable} + Lint", "Prod [onFailure=ROLLBACK]: SignOff{gate from=group:a} > Deploy{minutes=30}",
			"entry of Prod [FAIL]: Up{run=health} + Hours{provider=DeploymentWindow Cron=*_*_9-13_?_*_*}", "success of Prod [ROLLBACK]: Quiet{run=errors minutes=10}", "Edge: Push",
			"entry of Edge [SKIP]: Wanted{provider=VariableCheck Variable=#{variables.edge} Operator=EQ Value=yes}", "variables: edge=yes", "failure of Edge [ROLLBACK]: Down{run=ping}"},
		{"mode: QUEUED", "Src: App{out=app namespace=Src}", "Build: Make{restartable in=app} + Lint", "Prod [onFailure=RETRY/ALL_ACTIONS]: SignOff{gate from=group:b required=2} > Deploy{minutes=30}",
			"success of Prod [FAIL]: Quiet{run=errors minutes=10}", "Edge: Push"},
		{"mode: PARALLEL", "Src: App{out=app namespace=Src}", "Build: Make{restartable in=app} + Lint", "Prod: A + B + C + D + E + F", "Edge: SignOff{gate} > Push"},
	} {
		p, err := define(lines)
		if err != nil {
			panic(err)
		}
		all = append(all, p)
	}
	return all
}

// did makes sure that an answer is either events or a refusal in words.
func (w *walk) did(t *rapid.T, events []event.Event, err error) {
	var problem *workflows.Problem
	if err != nil && !errors.As(err, &problem) {
		t.Fatal(err)
	}
	if problem != nil && (problem.Code == "" || problem.Message == "") {
		t.Fatalf("a refusal without words: %+v", problem)
	}
	for _, e := range events {
		if w.ended[e.Execution] && e.Kind != event.ExecutionNoted && e.Kind != event.OrphanConfirmed && e.Kind != event.OrphanLeft && e.Kind != event.ActionTracked && !strings.HasPrefix(string(e.Kind), "alarm") {
			t.Fatalf("%s happened to an execution that was superseded or cancelled", e.Kind)
		}
		if e.Kind == event.ExecutionSuperseded || e.Kind == event.ExecutionCancelled {
			if w.ended == nil {
				w.ended = map[string]bool{}
			}
			w.ended[e.Execution] = true
		}
	}
	for _, task := range w.s.Tasks() {
		if !slices.Contains(w.tasks, task.ID) {
			w.tasks = append(w.tasks, task.ID)
		}
	}
}

func (w *walk) do(t *rapid.T, by workflows.Principal, in workflows.Intent) {
	if rapid.IntRange(0, 9).Draw(t, "token") == 0 {
		in.Token = fmt.Sprint("t", rapid.IntRange(0, w.tokens).Draw(t, "which token"))
		w.tokens++
	}
	events, err := w.ask(by, in)
	w.did(t, events, err)
}

func (w *walk) who(t *rapid.T) workflows.Principal {
	return person(rapid.SampledFrom([]string{"ana", "ben", "cho", "dan", "token:ci"}).Draw(t, "who"))
}

// anyExecution draws an execution, known or not.
func (w *walk) anyExecution(t *rapid.T) string {
	return w.ids[rapid.IntRange(max(1, len(w.ids)-6), len(w.ids)+1).Draw(t, "execution")]
}

func (w *walk) stage(t *rapid.T) string {
	return rapid.SampledFrom([]string{"Src", "Build", "Prod", "Prod", "Production", "Edge"}).Draw(t, "stage")
}

func (w *walk) start(t *rapid.T) { w.do(t, w.who(t), workflows.Intent{Verb: workflows.Start}) }

func (w *walk) outcome(t *rapid.T) {
	tasks := w.s.Tasks()
	if len(tasks) == 0 {
		t.Skip("nothing runs")
	}
	w.bring(t, tasks[rapid.IntRange(0, len(tasks)-1).Draw(t, "task")].ID)
}

func (w *walk) late(t *rapid.T) {
	if len(w.tasks) == 0 {
		t.Skip("nothing has ever run")
	}
	w.bring(t, rapid.SampledFrom(w.tasks).Draw(t, "task"))
}

func (w *walk) bring(t *rapid.T, task string) {
	o := work.Outcome{Task: task, State: rapid.SampledFrom([]string{work.Succeeded, work.Succeeded, work.Succeeded, work.Failed, work.Running, work.Cancelled, work.InDoubt}).Draw(t, "state")}
	if o.State == work.Running {
		o.Handle = rapid.SampledFrom([]string{"", "h1", "h2"}).Draw(t, "handle")
	}
	if strings.HasSuffix(task, "/rollback:onAlarm/1") && o.State == work.Failed && rapid.Bool().Draw(t, "rings") {
		o.ExternalID, o.Error = "5xx", &workflows.Reason{Code: work.AlarmRang}
	}
	if o.State == work.Succeeded && rapid.Bool().Draw(t, "leaves") {
		o.Artifacts = []workflows.Artifact{{Name: "app", Digest: "d"}}
		o.Outputs = map[string]string{"CommitId": "c"}
		o.Revision = &workflows.SourceRevision{RevisionID: "c", Author: &workflows.Author{Email: "dan@acme.example"}}
	}
	events, err := w.answer(o)
	w.did(t, events, err)
}

func (w *walk) vote(t *rapid.T) {
	w.members["group:a"] = keys(rapid.SliceOfN(rapid.SampledFrom([]string{"ana", "ben", "cho"}), 0, 3).Draw(t, "a"))
	w.members["group:b"] = keys(rapid.SliceOfN(rapid.SampledFrom([]string{"ben", "cho", "dan"}), 0, 3).Draw(t, "b"))
	w.may = keys([]string{"ana", "dan", "ben"})
	in := workflows.Intent{Verb: workflows.Approve, Execution: w.anyExecution(t)}
	if rapid.IntRange(0, 7).Draw(t, "veto") == 0 {
		in.Verb = workflows.Reject
	}
	if len(w.world.tokens) > 0 && rapid.Bool().Draw(t, "by token") {
		in.Gate = w.world.tokens[rapid.IntRange(max(0, len(w.world.tokens)-4), len(w.world.tokens)-1).Draw(t, "gate")]
		in.Execution = ""
	}
	w.do(t, w.who(t), in)
}

func (w *walk) stop(t *rapid.T) {
	w.do(t, w.who(t), workflows.Intent{Verb: workflows.StopExecution, Execution: w.anyExecution(t), Abandon: rapid.Bool().Draw(t, "abandon")})
}

func (w *walk) retry(t *rapid.T) {
	w.do(t, w.who(t), workflows.Intent{Verb: workflows.Retry, Execution: w.anyExecution(t), All: rapid.Bool().Draw(t, "all")})
}

func (w *walk) rollback(t *rapid.T) {
	always := true
	target := w.anyExecution(t)
	stage := w.stage(t)
	if st := w.s.peek(stage); st.Successes.Len() > 0 && rapid.Bool().Draw(t, "sensible") {
		target = st.Successes.Newest(20)[rapid.IntRange(0, st.Successes.Len()-1).Draw(t, "success")].Execution
	}
	w.do(t, w.who(t), workflows.Intent{Verb: workflows.RollBack, Stage: stage, Target: target,
		Definition:   rapid.SampledFrom([]string{"", "original", "current"}).Draw(t, "definition"),
		WhileRunning: rapid.SampledFrom([]string{"", "stop", "wait"}).Draw(t, "while"),
		LockAfter:    rapid.SampledFrom([]*bool{nil, new(bool), &always}).Draw(t, "lock")})
}

func (w *walk) lock(t *rapid.T) {
	in := workflows.Intent{Verb: rapid.SampledFrom([]workflows.Verb{workflows.Lock, workflows.Unlock, workflows.Unlock}).Draw(t, "verb"), Stage: w.stage(t)}
	if in.Verb == workflows.Unlock && rapid.Bool().Draw(t, "only") {
		in.Execution = w.anyExecution(t)
	}
	w.do(t, w.who(t), in)
}

func (w *walk) resolve(t *rapid.T) {
	w.do(t, w.who(t), workflows.Intent{Verb: workflows.Resolve, Execution: w.anyExecution(t), As: rapid.SampledFrom([]string{"succeeded", "failed", "again", "?"}).Draw(t, "as")})
}

func (w *walk) edit(t *rapid.T) {
	w.do(t, w.who(t), workflows.Intent{Verb: workflows.Edit, ManagedBy: "api", NewDefinition: pipelines()[rapid.IntRange(0, 6).Draw(t, "definition")]})
}

func (w *walk) override(t *rapid.T) {
	w.do(t, w.who(t), workflows.Intent{Verb: workflows.Override, Execution: w.anyExecution(t), Stage: rapid.SampledFrom([]string{"", "Prod", "Edge"}).Draw(t, "override in"),
		Condition: rapid.SampledFrom([]string{"", "BEFORE_ENTRY", "ON_SUCCESS", "APPROVAL", "ON_FAILURE"}).Draw(t, "condition"), Reason: "night"})
}

func (w *walk) freeze(t *rapid.T) {
	in := workflows.Intent{Verb: workflows.ReplaceFreezes}
	if rapid.Bool().Draw(t, "freezes") {
		in.Freezes = []workflows.Freeze{{Name: "audit", From: w.at.Add(-time.Hour), To: w.at.Add(9 * time.Hour), On: []string{"*/Prod"}, MayPass: []string{"group:a"}}}
	}
	w.do(t, workflows.EnginePrincipal(), in)
}

func (w *walk) archiveIt(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "really") == 0 {
		w.do(t, w.who(t), workflows.Intent{Verb: workflows.Archive, ManagedBy: "api"})
	}
}

func (w *walk) time(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 31 * time.Minute, 5 * time.Hour, 7 * 24 * time.Hour, 31 * 24 * time.Hour}).Draw(t, "passes")
	if rapid.Bool().Draw(t, "unseen") { // nobody looks at the clock meanwhile
		w.at = w.at.Add(d)
		return
	}
	events, err := w.pass(d)
	w.did(t, events, err)
}

// restored brings a backup back: nothing starts, nothing is asked of the outside
// any more, nothing is due at once, and a second look finds nothing to do.
func (w *walk) restored(t *rapid.T) {
	if w.s.Version == 0 || rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		t.Skip("no backup")
	}
	events, err := w.restore(time.Hour)
	w.did(t, events, err)
	for _, e := range events {
		switch e.Kind {
		case event.BackupRestored, event.ActionInDoubt, event.OrphanLeft, event.ReturnDropped, event.TransitionDisabled, event.ExecutionWaiting,
			event.ExecutionCancelled, event.PollingEnabled, event.PollingDisabled, event.AlarmWatchEnded:
		default:
			t.Fatalf("%s %s/%s follows from a restore", e.Kind, e.Stage, e.Action)
		}
	}
	if tasks := w.s.Tasks(); len(tasks) > 0 {
		t.Fatalf("%d tasks are open after a restore: %+v", len(tasks), tasks[0])
	}
	if due, ok := w.s.Due(); ok && !due.After(w.s.At) {
		t.Fatalf("due at %s, restored at %s", due, w.s.At)
	}
	again, err := w.s.Decide(Input{At: w.s.At, By: workflows.EnginePrincipal(), Restored: &event.Restored{Epoch: w.s.Epoch, At: w.at}})
	if err != nil || len(again) > 0 {
		t.Fatalf("the same restore once more: %v %+v", err, again)
	}
}

func (w *walk) note(t *rapid.T) {
	w.do(t, workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Annotate, Execution: w.anyExecution(t), Note: &workflows.Note{Name: "ticket", Text: "OPS-1"}})
}

// check is what must hold whatever has happened.
func (w *walk) check(t *rapid.T) {
	in, waiting := map[string]string{}, map[string]string{}
	tasks := map[string]bool{}
	for _, task := range w.s.Tasks() {
		if tasks[task.ID] {
			t.Fatalf("the task %s is wanted twice", task.ID)
		}
		tasks[task.ID] = true
		if task.Kind == work.Poll && task.Handle == "" {
			t.Fatalf("nobody knows how to poll %s", task.ID)
		}
	}
	for _, e := range w.s.Unfinished() {
		st := e.Inside()
		switch {
		case e.Status.Final():
			t.Fatalf("%s has ended and is still here", e.Ref())
		case st == nil && e.WaitsFor == nil:
			t.Fatalf("%s is nowhere", e.Ref())
		case st != nil && e.WaitsFor != nil:
			t.Fatalf("%s is in %s and waits before %s", e.Ref(), st.Name, e.WaitsFor.Stage)
		case st == nil:
			if other := waiting[e.WaitsFor.Stage]; other != "" && mode(&e) == workflows.ModeSuperseded {
				t.Fatalf("%s and %s both wait before %s", other, e.Ref(), e.WaitsFor.Stage)
			}
			if mode(&e) == workflows.ModeSuperseded {
				waiting[e.WaitsFor.Stage] = e.Ref()
			}
			w.checkWait(t, &e)
			continue
		}
		shares := mode(&e) == workflows.ModeParallel && e.Type == workflows.TypeStandard
		if other, taken := in[st.Name]; taken && (!shares || other != "") {
			t.Fatalf("%s and %s are both in %s", other, e.Ref(), st.Name)
		}
		in[st.Name] = e.Ref()
		if shares {
			in[st.Name] = ""
		}
		if w.s.Definitions[e.Version] == nil {
			t.Fatalf("the definition of %s is gone", e.Ref())
		}
		w.checkInside(t, &e, st, tasks)
	}
	if len(w.s.Definitions) > len(w.s.Executions)+1 {
		t.Fatalf("%d definitions are kept for %d executions", len(w.s.Definitions), len(w.s.Executions))
	}
	w.checkStable(t)
	w.checkOffers(t)
}

// checkWait: what an execution is said to wait for is so.
func (w *walk) checkWait(t *rapid.T, e *workflows.Execution) {
	name := e.WaitsFor.Stage
	transition, frozen := w.s.peek(name).Transition, w.s.frozen(name, w.s.At) != nil
	taken := len(w.s.occupants(nil, name)) > 0 || w.s.waiting(name)[0].ID != e.ID || len(w.s.occupantsOfVanished()) > 0
	if ok := map[string]bool{workflows.WaitsForTransition: !transition.Enabled && transition.Only != e.ID, workflows.WaitsForFreeze: frozen, workflows.WaitsForStage: taken}[e.WaitsFor.For]; !ok {
		t.Fatalf("%s waits before %s for %s, which is not so", e.Ref(), name, e.WaitsFor.For)
	}
}

// occupantsOfVanished are those inside stages that the definition in force no longer has.
func (s *State) occupantsOfVanished() []string {
	var refs []string
	for _, e := range s.Executions {
		if st := e.Inside(); st != nil {
			if _, kept := s.definition().Stage(st.Name); !kept {
				refs = append(refs, e.Ref())
			}
		}
	}
	return refs
}

// checkInside: something is under way, so that the execution cannot be forgotten.
func (w *walk) checkInside(t *rapid.T, e *workflows.Execution, st *workflows.StageExecution, tasks map[string]bool) {
	underWay := false
	for _, a := range st.Open() {
		switch id := TaskID(e.ID, st.Name, a.Name, a.Attempt); {
		case a.Needs == workflows.NeedsResolve:
		case a.Waits() && a.Needs == "":
			if a.Deadline == nil {
				t.Fatalf("%s of %s waits for ever", a.Name, e.Ref())
			}
		case a.Needs == workflows.NeedsApproval:
			if a.Approval == nil || a.Approval.Closed != "" || a.Deadline == nil {
				t.Fatalf("%s of %s waits at no gate", a.Name, e.Ref())
			}
			seen := map[string]bool{}
			for _, v := range a.Approval.Votes {
				if seen[v.By.Key()] {
					t.Fatalf("%s has two votes", v.By.Name)
				}
				seen[v.By.Key()] = true
			}
		case !tasks[id] || a.Deadline == nil:
			t.Fatalf("nobody works on %s, or for ever", id)
		}
		underWay = true
	}
	if !underWay {
		t.Fatalf("nothing keeps %s going in %s", e.Ref(), st.Name)
	}
}

// checkStable: looking again at the same moment finds nothing to do.
func (w *walk) checkStable(t *rapid.T) {
	events, err := w.s.Decide(Input{At: w.s.At, By: workflows.EnginePrincipal()})
	if err != nil || len(events) > 0 {
		t.Fatalf("not stable: %v %+v", err, events)
	}
}

// checkOffers: what is offered is accepted, and a stop or a retry that is not offered is refused.
func (w *walk) checkOffers(t *rapid.T) {
	now := w.at
	w.at = w.s.At
	defer func() { w.at = now }()
	var offers []workflows.Offer
	for _, st := range w.s.View().Stages {
		offers = append(offers, st.Offers...)
	}
	for _, o := range offers {
		w.accepted(t, o, "")
	}
	for n := max(1, len(w.ids)-5); n <= len(w.ids); n++ {
		id := w.ids[n]
		e, _ := w.execution(id)
		verbs := map[workflows.Verb]bool{}
		for _, o := range w.s.Offers(id, Facts{Executions: map[string]*workflows.Execution{id: &e}}) {
			w.accepted(t, o, id)
			verbs[o.Verb] = true
		}
		for _, v := range []workflows.Verb{workflows.StopExecution, workflows.Retry} {
			if err := w.dry(workflows.Intent{Verb: v, Execution: id}); !verbs[v] && err == nil {
				t.Fatalf("%s of %s works and is not offered", v, e.Ref())
			}
		}
	}
}

func (w *walk) accepted(t *rapid.T, o workflows.Offer, execution string) {
	in := workflows.Intent{Verb: o.Verb, Execution: execution, Stage: o.Stage, Action: o.Action}
	switch o.Verb {
	case workflows.RollBack:
		in.Execution, in.Target, in.WhileRunning = "", o.Target, "wait"
	case workflows.Unlock:
		in.Execution = o.Target
	case workflows.Resolve:
		in.As = "failed"
	case workflows.StopExecution:
		in.Abandon = true
	case workflows.Override:
		in.Reason = "night"
	}
	if err := w.dry(in); err != nil {
		t.Fatalf("%+v is offered for %q and refused: %v", o, execution, err)
	}
}

// dry decides without applying, for somebody new who may everything.
func (w *walk) dry(in workflows.Intent) error {
	boss := person("boss")
	members, may := w.members, w.may
	w.members = map[string][]string{"group:a": {boss.Key()}, "group:b": {boss.Key()}}
	w.may = []string{boss.Key()}
	defer func() { w.members, w.may = members, may }()
	var facts Facts
	for range 8 {
		_, err := w.s.Decide(Input{At: w.s.At, By: boss, Intent: &in, Facts: facts})
		var need *NeedFacts
		if !errors.As(err, &need) {
			return err
		}
		facts = w.lookUp(facts, need)
	}
	return errors.New("facts without end")
}
