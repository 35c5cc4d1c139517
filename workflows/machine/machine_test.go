package machine

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/identity"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// defined returns a world with a pipeline, and fails the test when it is refused.
func defined(t testing.TB, lines ...string) *story {
	t.Helper()
	s := &story{world: newWorld(), kind: "given"}
	if err := s.edit(person("ana"), "api", lines); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *story) must(t testing.TB, in workflows.Intent) event.Result {
	t.Helper()
	events, err := s.ask(person("ana"), in)
	if err != nil {
		t.Fatal(err)
	}
	return s.s.Result(in, events)
}

func TestSameInputSameEvents(t *testing.T) {
	s := defined(t, "Src: App", "Prod: Deploy")
	in := Input{At: s.at, By: person("ana"), Seed: [16]byte{7}, Intent: &workflows.Intent{Verb: workflows.Start}}
	first, err := s.s.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := s.s.Decide(in)
	if string(marshal(first)) != string(marshal(second)) {
		t.Error("deciding twice gave different events")
	}
	in.Seed[0]++
	third, _ := s.s.Decide(in)
	id, other := first[0].Execution, third[0].Execution
	if id == other || !identity.Valid(id) || id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("%s and %s should be two UUIDs of version 7", id, other)
	}
	if id[:13] != other[:13] {
		t.Errorf("%s and %s were made at the same time", id, other)
	}
}

// What a runner finds out about a failure is in the record and in the row.
func TestAFindingIsKept(t *testing.T) {
	s := defined(t, "Src: App", "Prod: Deploy")
	s.must(t, workflows.Intent{Verb: workflows.Start})
	found := &workflows.Finding{Class: "AccessDenied", Title: "no right", Fix: []string{"ask for it"}, Statement: json.RawMessage(`{"Effect":"Allow"}`), Retry: "afterFix"}
	id := s.s.Tasks()[0].ID
	events, err := s.s.Decide(Input{At: s.at, By: workflows.EnginePrincipal(), Outcome: &work.Outcome{Task: id, State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "no", Finding: found}}})
	if err != nil || events[0].Reason == nil || events[0].Reason.Finding != found {
		t.Fatalf("%s, %v", marshal(events), err)
	}
	for _, ev := range events {
		s.s.Evolve(ev)
	}
	rows := s.s.Departed()
	if text := string(marshal(rows)); len(rows) != 1 || !strings.Contains(text, `"finding":{"class":"AccessDenied","title":"no right","fix":["ask for it"],"statement":{"Effect":"Allow"},"retry":"afterFix"}`) {
		t.Errorf("the row: %s", text)
	}
}

// What starts with a run folder remembers whose host it is on; a gate has none,
// and a log from before hosts were known says nothing.
func TestTheHostOfAStart(t *testing.T) {
	for _, host := range []string{"build-1", ""} {
		s := defined(t, "Src: App", "Prod: OK{gate from=ana} > Deploy")
		events, err := s.s.Decide(Input{At: s.at, By: person("ana"), Host: host, Intent: &workflows.Intent{Verb: workflows.Start}})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			s.s.Evolve(ev)
		}
		tasks := s.s.Tasks()
		events, err = s.s.Decide(Input{At: s.at, By: workflows.EnginePrincipal(), Host: host, Outcome: &work.Outcome{Task: tasks[0].ID, State: work.Succeeded}})
		if err != nil || len(tasks) != 1 || tasks[0].Host != host {
			t.Fatalf("tasks %+v, %v", tasks, err)
		}
		gate := slices.IndexFunc(events, func(ev event.Event) bool { return ev.Kind == event.ActionStarted && ev.Action == "OK" })
		if gate < 0 || events[gate].Start.Host != "" {
			t.Errorf("host %q: a gate has none; events %s", host, marshal(events))
		}
		if text := string(marshal(s.s)); strings.Contains(text, `"host"`) != (host != "") {
			t.Errorf("host %q: %s", host, text)
		}
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	s := defined(t, "Src: App", "Prod: Deploy")
	events, err := s.s.Decide(Input{At: s.at.Add(-time.Hour), By: person("ana"), Intent: &workflows.Intent{Verb: workflows.Start}})
	if err != nil || !events[0].At.Equal(s.at) {
		t.Errorf("an input from the past is decided at %v, %v; want the time of the newest event, %v", events[0].At, err, s.at)
	}
}

// Result is what callers are answered; a known token gets the first answer.
func TestResult(t *testing.T) {
	s := defined(t, "Src: App", "Prod: Deploy")
	if r := s.must(t, workflows.Intent{Verb: workflows.Edit, NewDefinition: s.s.definition(), ManagedBy: "api"}); r.Changed || r.Version != 1 {
		t.Errorf("equal content: %+v", r)
	}
	start := workflows.Intent{Verb: workflows.Start, Token: "t1"}
	r := s.must(t, start)
	if !r.Changed || r.Execution == nil || r.Execution.Number != 1 {
		t.Fatalf("start: %+v", r)
	}
	if again := s.must(t, start); again.Changed || again.Execution.ID != r.Execution.ID {
		t.Errorf("the same token again: %+v", again)
	}
	if err := s.bring("#1", "Prod", true); err != nil {
		t.Fatal(err)
	}
	if again := s.must(t, start); again.Execution.ID != r.Execution.ID || again.Execution.Status != "" {
		t.Errorf("after the end only the ID is known: %+v", again.Execution)
	}
	if r := s.must(t, workflows.Intent{Verb: workflows.Lock, Stage: "Prod", Reason: "audit"}); !r.Changed || r.Transition.Enabled {
		t.Errorf("disable: %+v", r)
	}
	if r := s.must(t, workflows.Intent{Verb: workflows.Lock, Stage: "Prod", Reason: "audit"}); r.Changed || r.Transition.Reason != "audit" {
		t.Errorf("disable again: %+v", r)
	}
	if r := s.must(t, workflows.Intent{Verb: workflows.Unlock, Stage: "Prod"}); !r.Changed || !r.Transition.Enabled || r.Execution != nil {
		t.Errorf("enable: %+v", r)
	}
	if err := s.bring("#2", "Prod", false); err != nil {
		t.Fatal(err)
	}
	back := workflows.Intent{Verb: workflows.RollBack, Stage: "Prod", Target: s.ids[1], WhileRunning: "wait", Token: "t2"}
	if r := s.must(t, back); r.Planned == nil || r.Execution != nil {
		t.Errorf("a planned rollback: %+v", r)
	}
	if err := s.bring("#2", "Prod", true); err != nil {
		t.Fatal(err)
	}
	if r := s.must(t, back); r.Execution == nil || r.Execution.Type != workflows.TypeRollback || r.Changed {
		t.Errorf("the token of a planned rollback, once it has begun: %+v", r)
	}
	if r := s.must(t, workflows.Intent{Verb: workflows.Archive, ManagedBy: "api"}); r.Pipeline != "webshop" {
		t.Errorf("archive: %+v", r)
	}
}

// A tick that is overdue may roll back by itself in the same decision; the
// caller is still told of what they asked for.
func TestResultBesideAnAutomaticRollback(t *testing.T) {
	s := defined(t, "Src: App", "Prod [onFailure=ROLLBACK]: Deploy{minutes=5}")
	for _, ref := range []string{"#1", "#2"} {
		if err := s.bring(ref, "Prod", ref == "#1"); err != nil {
			t.Fatal(err)
		}
	}
	s.at = s.at.Add(5 * time.Minute)
	if _, err := s.decide(Input{By: workflows.EnginePrincipal()}); err != nil {
		t.Fatal(err)
	}
	s.at = s.at.Add(time.Minute)
	r := s.must(t, workflows.Intent{Verb: workflows.Start})
	if r.Execution.Type != workflows.TypeStandard || r.Execution.Number != 4 {
		t.Errorf("started %s %s, want the new execution #4 behind the automatic rollback #3", r.Execution.Ref(), r.Execution.Type)
	}
}

func TestOutputLimit(t *testing.T) {
	for _, c := range []struct{ size, kept int }{{122_879, 1}, {122_880, 0}} {
		s := defined(t, "Src: App{namespace=Src}", "Prod: Deploy")
		s.must(t, workflows.Intent{Verb: workflows.Start})
		task := s.s.Tasks()[0].ID
		if _, err := s.answer(work.Outcome{Task: task, State: work.Succeeded, Outputs: map[string]string{"k": strings.Repeat("v", c.size)}}); err != nil {
			t.Fatal(err)
		}
		e, _ := s.execution(s.ids[1])
		if a := e.Stages[0].Actions[0]; a.Status != workflows.StatusSucceeded || len(a.OutputVariables) != c.kept || (c.kept == 0) != strings.Contains(a.Summary, "none was") {
			t.Errorf("%d bytes of output: %s, %d kept, %q", c.size, a.Status, len(a.OutputVariables), a.Summary)
		}
	}
}

// The limits are CodePipeline's, by category and provider.
func TestTimeLimits(t *testing.T) {
	for _, c := range []struct {
		action workflows.Action
		want   time.Duration
	}{
		{workflows.Action{ActionType: workflows.ActionType{Provider: "Manual"}}, 7 * 24 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "CodeDeploy"}}, 5 * 24 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "CloudFormation"}}, 3 * 24 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "CodeBuild", Category: "Test"}}, 36 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "Lambda", Category: "Invoke"}}, 24 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "Lambda", Category: "Deploy"}}, 48 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "LambdaInvoke", Category: "Rule"}}, 24 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "S3", Category: "Deploy"}}, 90 * time.Minute},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "S3", Category: "Source"}}, time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "Commands"}}, 55 * time.Minute},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "Jenkins", Owner: "Custom"}}, 24 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "DeviceFarm", Category: "Test"}}, 8 * time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "ECS"}}, time.Hour},
		{workflows.Action{ActionType: workflows.ActionType{Provider: "ECS"}, TimeoutMinutes: 20}, 20 * time.Minute},
	} {
		if got := c.action.TimeLimit(); got != c.want {
			t.Errorf("%s: %v, want %v", c.action.ActionType.Provider, got, c.want)
		}
	}
}

// Only the newest successes are kept, always with the one that runs.
func TestSuccessesAreBounded(t *testing.T) {
	s := defined(t, "Src: App", "Prod [lock=never]: Deploy")
	for n := 1; n <= 20+5; n++ {
		if err := s.bring("#"+itoa(n), "Prod", true); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.s.Stages["Prod"].Successes.Len(); n != 20 {
		t.Errorf("%d successes are kept, want %d", n, 20)
	}
	s.must(t, workflows.Intent{Verb: workflows.RollBack, Stage: "Prod", Target: s.ids[1], WhileRunning: "wait"})
	if err := s.outcome("Deploy", "#"+itoa(20+6), []string{"succeeds"}); err != nil {
		t.Fatal(err)
	}
	st := s.s.peek("Prod")
	if st.Runs.Execution != s.ids[1] || st.Success(s.ids[1]) == nil || st.Successes.Len() != 20 {
		t.Errorf("after going back to the oldest: runs %+v, %d successes", st.Runs, st.Successes.Len())
	}
}

func itoa(n int) string { return strings.TrimPrefix((&workflows.Execution{Number: n}).Ref(), "#") }

// Environment variables and configuration are resolved too; ours cannot be replaced.
func TestTaskIsFilledIn(t *testing.T) {
	s := defined(t, "variables: region=eu", "Src: App", "Prod: Deploy{in=app}")
	var p workflows.Pipeline
	if err := json.Unmarshal(marshal(s.s.definition()), &p); err != nil {
		t.Fatal(err)
	}
	deploy := &p.Stages[1].Actions[0]
	deploy.Configuration = map[string]string{"Region": "#{variables.region}-west", "Raw": "x"}
	deploy.EnvironmentVariables = []workflows.EnvironmentVar{{Name: "REGION", Value: "#{variables.region}"}, {Name: "ROLLCALL_STAGE", Value: "mine"}}
	s.must(t, workflows.Intent{Verb: workflows.Edit, NewDefinition: &p, ManagedBy: "api"})
	s.must(t, workflows.Intent{Verb: workflows.Start, Variables: map[string]string{"region": "us"}})
	if err := s.outcome("App", "#1", []string{"artifact=app", "succeeds"}); err != nil {
		t.Fatal(err)
	}
	task := s.s.Tasks()[0]
	if task.Configuration["Region"] != "us-west" || task.Action.Configuration["Region"] != "#{variables.region}-west" {
		t.Errorf("resolved %q, raw %q", task.Configuration["Region"], task.Action.Configuration["Region"])
	}
	if task.Environment["REGION"] != "us" || task.Environment["ROLLCALL_STAGE"] != "Prod" || task.Environment["ROLLCALL_EXECUTION"] != "webshop#1" {
		t.Errorf("environment %v", task.Environment)
	}
	if len(task.Inputs) != 1 || task.Inputs[0].Name != "app" || task.Restartable || task.Deadline.Sub(s.at) != 55*time.Minute {
		t.Errorf("task %+v", task)
	}
}

// Nobody answers a pipeline that was never defined; strange verbs and empty definitions are refused in words.
func TestRefusalsOfNonsense(t *testing.T) {
	empty := &story{world: newWorld()}
	for _, in := range []workflows.Intent{{Verb: workflows.Start}, {Verb: workflows.Edit}} {
		if _, err := empty.ask(person("ana"), in); err == nil {
			t.Errorf("%s of an undefined pipeline is accepted", in.Verb)
		}
	}
	if v := empty.s.View(); v.Version != 0 || len(v.Stages) != 0 || len(empty.s.Offers("x", Facts{})) != 0 {
		t.Errorf("view of nothing: %+v", v)
	}
	s := defined(t, "Src: App", "Prod: Deploy")
	if err := s.bring("#1", "Prod", true); err != nil {
		t.Fatal(err)
	}
	target := s.ids[1]
	for _, c := range []struct {
		in          workflows.Intent
		code, field string
	}{
		{workflows.Intent{Verb: "dance"}, workflows.CodeValidation, "verb"},
		{workflows.Intent{Verb: workflows.Override, Execution: target, Reason: "x"}, workflows.CodeNotOverridable, ""},
		{workflows.Intent{Verb: workflows.Lock}, workflows.CodeValidation, "stage"},
		{workflows.Intent{Verb: workflows.RollBack, Stage: "Prod", Target: target, Definition: "new"}, workflows.CodeValidation, "definition"},
		{workflows.Intent{Verb: workflows.RollBack, Stage: "Prod", Target: target, WhileRunning: "pray"}, workflows.CodeValidation, "whileRunning"},
		{workflows.Intent{Verb: workflows.RollBack, Stage: "Prod"}, workflows.CodeValidation, "target"},
		{workflows.Intent{Verb: workflows.Resolve, Execution: target, As: "maybe"}, workflows.CodeConflict, ""},
		{workflows.Intent{Verb: workflows.Retry, Execution: target, Stage: "Shop"}, workflows.CodeStageNotFound, ""},
		{workflows.Intent{Verb: workflows.Start, Revisions: []workflows.RevisionOverride{{ActionName: "App", RevisionType: "IMAGE_DIGEST", RevisionValue: "x"}}}, workflows.CodeValidation, "sourceRevisions"},
		{workflows.Intent{Verb: workflows.Start, Revisions: []workflows.RevisionOverride{{ActionName: "App", RevisionType: "COMMIT_ID"}}}, workflows.CodeValidation, "sourceRevisions"},
	} {
		before := len(s.log)
		_, err := s.ask(person("ana"), c.in)
		var p *workflows.Problem
		if !errors.As(err, &p) || p.Code != c.code || p.Field != c.field || len(s.log) != before {
			t.Errorf("%+v: %v, want %s of %q", c.in, err, c.code, c.field)
		}
	}
}

// An execution of another pipeline is as good as none.
func TestOtherPipelinesExecution(t *testing.T) {
	s := defined(t, "Src: App", "Prod: Deploy")
	id := "019cadc6-9a80-75ac-baa9-ff7e81f372b9"
	s.archive[id] = &workflows.Execution{ID: id, Pipeline: "shop", Status: workflows.StatusFailed}
	_, err := s.ask(person("ana"), workflows.Intent{Verb: workflows.RollBack, Stage: "Prod", Target: id})
	var p *workflows.Problem
	if !errors.As(err, &p) || p.Code != workflows.CodeExecutionNotFound {
		t.Errorf("rolling back to an execution of another pipeline: %v", err)
	}
}

// A definition that was only thought about must leave nothing behind.
func TestDecidingAboutAnEditLeavesNoDigest(t *testing.T) {
	lines := []string{"Src: App", "Prod: Deploy"}
	s := defined(t, lines...)
	if err := s.bring("#1", "Prod", false); err != nil {
		t.Fatal(err)
	}
	other, err := define([]string{"Src: App", "Prod: Deploy{minutes=7}"})
	if err != nil {
		t.Fatal(err)
	}
	st := s.s.scratch() // as a decision does that comes to nothing
	st.Evolve(event.Event{Kind: event.PipelineDefined, At: s.at, Defined: &event.Defined{Version: 2, Definition: *other}})
	thought := st.digest(2, "Prod")
	if err := s.edit(person("ana"), "api", []string{"Src: App", "Prod: Deploy{minutes=8}"}); err != nil {
		t.Fatal(err)
	}
	def, _ := s.s.definition().Stage("Prod")
	if got := s.s.digest(2, "Prod"); got == thought || got != def.Digest() {
		t.Errorf("digest of version 2 is %s, want %s", got, def.Digest())
	}
}

// TestCheckpoint pins the form in which states are stored. A field's name and
// meaning never change; when one is added, run with -update and look at the difference.
func TestCheckpoint(t *testing.T) {
	const file = "testdata/checkpoint.json"
	s := defined(t, "variables: region=eu", "Src: App{out=app namespace=Src}", "Build: Make{in=app}", "Prod [onFailure=ROLLBACK]: SignOff{gate from=ana,ben required=2 remindAt=50%} > Deploy{in=app}")
	for _, do := range []func() error{
		func() error { return s.bring("#1", "Prod", true) },
		func() error { return s.bring("#2", "Prod", true) },
		func() error { return s.wait("1h") },
		func() error { return s.bring("#3", "Prod", false) },
		func() error { return s.bring("#4", "Prod", false) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	s.must(t, workflows.Intent{Verb: workflows.StopExecution, Execution: s.ids[3], Abandon: true})
	if err := s.bring("#5", "Prod", false); err != nil {
		t.Fatal(err)
	}
	s.must(t, workflows.Intent{Verb: workflows.RollBack, Stage: "Prod", Target: s.ids[1], Token: "t1"})
	s.must(t, workflows.Intent{Verb: workflows.StopExecution, Execution: s.ids[6], Abandon: true, Reason: "hangs"})
	s.must(t, workflows.Intent{Verb: workflows.Unlock, Stage: "Prod", Execution: s.ids[5]})
	s.must(t, workflows.Intent{Verb: workflows.Approve, Execution: s.ids[5]})
	if err := s.bring("#7", "Build", false); err != nil {
		t.Fatal(err)
	}
	s.must(t, workflows.Intent{Verb: workflows.RollBack, Stage: "Build", Target: s.ids[1], WhileRunning: "wait", Token: "t2"})
	got, err := json.MarshalIndent(s.s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(stored) != string(got)+"\n" {
		t.Errorf("the form of the checkpoint has changed:\n%s", firstDifference(string(stored), string(got)+"\n"))
	}
	again := New("webshop")
	if err := json.Unmarshal(stored, again); err != nil || string(marshal(again)) != string(marshal(s.s)) {
		t.Errorf("a stored checkpoint does not give the state back: %v", err)
	}
}

// Every row that leaves the state is handed out once, as it must be stored.
func TestDeparted(t *testing.T) {
	s := defined(t, "Src: App", "Prod: Deploy")
	for _, in := range []Input{
		{Intent: &workflows.Intent{Verb: workflows.Start}},
	} {
		in.At, in.By = s.at, person("ana")
		events, err := s.s.Decide(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s.s.Evolve(e)
		}
	}
	id := s.s.Unfinished()[0].ID
	events, err := s.s.Decide(Input{At: s.at, By: person("ana"), Intent: &workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		s.s.Evolve(e)
	}
	gone := s.s.Departed()
	if len(gone) != 1 || gone[0].Status != workflows.StatusStopped || gone[0].EndedAt == nil || !slices.Equal(gone[0].Orphans, []string{TaskID(id, "Src", "App", 1)}) {
		t.Fatalf("departed: %+v", gone)
	}
	if len(s.s.Departed()) != 0 {
		t.Error("handed out twice")
	}
	if kinds := kindsOf(events); !slices.Equal(kinds, []event.Kind{event.ExecutionStopping, event.ActionAbandoned, event.StageStopped, event.ExecutionStopped}) {
		t.Errorf("events %v", kinds)
	}
}

func kindsOf(events []event.Event) []event.Kind {
	var kinds []event.Kind
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// BenchmarkRelease is a whole release of four actions: deciding, evolving, asking for tasks and the next deadline.
func BenchmarkRelease(b *testing.B) {
	s := defined(b, "Src: App{out=app namespace=Src}", "Build: Make{in=app run=make_#{Src.CommitId}}", "Prod [environment=production]: Deploy{in=app}", "Edge: Push{in=app}")
	st, at := s.s, s.at
	var seed [16]byte
	step := func(in Input) {
		at = at.Add(time.Millisecond)
		seed[0]++
		in.At, in.By, in.Seed = at, workflows.EnginePrincipal(), seed
		events, err := st.Decide(in)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range events {
			st.Evolve(e)
		}
		st.Departed()
		st.Due()
	}
	b.ReportAllocs()
	for b.Loop() {
		step(Input{Intent: &workflows.Intent{Verb: workflows.Start}})
		for tasks := st.Tasks(); len(tasks) > 0; tasks = st.Tasks() {
			step(Input{Outcome: &work.Outcome{Task: tasks[0].ID, State: work.Succeeded, Artifacts: []workflows.Artifact{{Name: "app"}}, Outputs: map[string]string{"CommitId": "c"}}})
		}
	}
}
