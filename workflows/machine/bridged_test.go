package machine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// follower is a world that follows a pipeline in AWS.
type follower struct {
	*world
	*cloud
	last time.Time // of the newest look
	was  *work.Snapshot
}

// t.Fatal of both kinds of test.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func follow(t fataler, execMode, mode, outside string) *follower {
	t.Helper()
	f := &follower{world: newWorld()}
	f.cloud = newCloud(f.world.at.Add(-time.Hour), execMode)
	f.members["group:a"] = []string{"ana@acme.example", "ben@acme.example", "cho@acme.example"}
	in := workflows.Intent{Verb: workflows.Edit, NewDefinition: f.definition(mode, outside), ManagedBy: "bridge:prod-eu", Version: f.version}
	if _, err := f.ask(workflows.EnginePrincipal(), in); err != nil {
		t.Fatal(err)
	}
	return f
}

// observe takes a look in.
func (f *follower) observe(t fataler, seen *work.Snapshot) []event.Event {
	t.Helper()
	if f.world.at = f.world.at.Add(time.Second); seen.At.After(f.world.at) {
		f.world.at = seen.At
	}
	events, err := f.decide(Input{By: workflows.EnginePrincipal(), Snapshot: seen})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// see looks, takes it in, and checks that the state shows what AWS shows then, and
// that the same look again is no news.
func (f *follower) see(t fataler) []event.Event {
	t.Helper()
	seen := f.look(f.last)
	f.last, f.was = seen.At, seen
	events := f.observe(t, seen)
	if again := f.observe(t, seen); len(again) > 0 {
		t.Fatalf("the same look again is news: %s", marshal(again))
	}
	f.compare(t)
	return events
}

// compare checks that state and rows show what AWS shows.
func (f *follower) compare(t fataler) {
	t.Helper()
	open := 0
	for i, r := range f.runs {
		e := f.mine(r.ExternalID)
		if e == nil {
			t.Fatalf("%s is not known", r.ExternalID)
		}
		if e.Number != i+1 || e.Status != r.Status || !e.StartedAt.Equal(r.StartedAt) || e.Type != r.Type {
			t.Fatalf("run %d is #%d, %s, %s; in AWS %s since %s", i+1, e.Number, e.Status, e.StartedAt, r.Status, r.StartedAt)
		}
		if !r.Status.Final() {
			open++
		}
		for j := range r.Stages {
			f.compareStage(t, e, &r.Stages[j])
		}
		if waits := f.waits[r.ExternalID]; (e.WaitsFor != nil) != (waits != "") || waits != "" && e.WaitsFor.Stage != waits {
			t.Fatalf("%s waits for %+v, in AWS before %q", e.Ref(), e.WaitsFor, waits)
		}
		if r.Rollback != nil && (f.mine(r.Rollback.Target) == nil || e.Rollback.Target != f.mine(r.Rollback.Target).ID) {
			t.Fatalf("%s was rolled back to %+v, in AWS to %s", e.Ref(), e.Rollback, r.Rollback.Target)
		}
	}
	if len(f.s.Executions) != open {
		t.Fatalf("%d unfinished, in AWS %d", len(f.s.Executions), open)
	}
	view := f.s.View()
	for _, st := range view.Stages {
		if in := f.transitions[st.Name]; st.Transition.Enabled != in.Enabled || !in.Enabled && st.Transition.Reason != in.Reason {
			t.Fatalf("%s: %+v, in AWS %+v", st.Name, st.Transition, in)
		}
	}
}

func (f *follower) compareStage(t fataler, e *workflows.Execution, w *workflows.StageExecution) {
	t.Helper()
	st, ok := e.Stage(w.Name)
	if !ok || st.Status != w.Status || !ended(w.Status) && st.Status != w.Status {
		t.Fatalf("%s of %s is %+v, in AWS %s", w.Name, e.Ref(), st, w.Status)
	}
	for i := range w.Actions {
		wa := &w.Actions[i]
		a, _ := st.Action(wa.Name)
		if a.Status != wa.Status || !same(a.StartedAt, wa.StartedAt) || wa.EndedAt != nil && !same(a.EndedAt, wa.EndedAt) || a.ExternalID != wa.ExternalID {
			t.Fatalf("%s of %s: %s, in AWS %s", wa.Name, e.Ref(), marshal(a), marshal(wa))
		}
		asks := wa.Provider == "Manual" && wa.Status == workflows.StatusInProgress
		if asks != (a.Needs == workflows.NeedsApproval) || asks && (a.Handle != wa.Handle || a.Approval.Closed != "") {
			t.Fatalf("%s of %s asks: %s, in AWS %s", wa.Name, e.Ref(), marshal(a), marshal(wa))
		}
	}
}

func ended(s workflows.Status) bool { return s.Final() }

func same(a, b *time.Time) bool { return (a == nil) == (b == nil) && (a == nil || a.Equal(*b)) }

// mine is a run of AWS's as it is known here.
func (f *follower) mine(external string) *workflows.Execution {
	for _, e := range f.s.Executions {
		if e.ExternalID == external {
			return e
		}
	}
	for _, e := range f.archive {
		if e.ExternalID == external {
			return e
		}
	}
	return nil
}

// TestWalksInAWS takes random walks through what can happen to a pipeline in AWS,
// seen now and then, and through what people ask for meanwhile.
func TestWalksInAWS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := follow(t, rapid.SampledFrom([]string{workflows.ModeSuperseded, workflows.ModeQueued, workflows.ModeParallel}).Draw(t, "mode"), workflows.BridgeActs, rapid.SampledFrom([]string{workflows.OutsideTell, workflows.OutsideLock}).Draw(t, "outside"))
		for range rapid.IntRange(0, 12).Draw(t, "before") {
			f.happen(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"happens": func(t *rapid.T) { f.happen(t) },
			"more":    func(t *rapid.T) { f.happen(t) },
			"look":    func(t *rapid.T) { f.see(t) },
			"lost": func(t *rapid.T) {
				f.observe(t, &work.Snapshot{Pipeline: "webshop", At: f.cloud.at, Lost: &workflows.Reason{Code: "ExpiredToken", Message: "the security token is expired"}})
			},
			"asked":    f.asked,
			"answered": f.answered,
			"time": func(t *rapid.T) {
				if _, err := f.pass(time.Hour); err != nil {
					t.Fatal(err)
				}
			},
		})
		f.see(t)
	})
}

// happen is something that happens in AWS.
func (f *follower) happen(t *rapid.T) {
	any := func(label string) *workflows.Execution {
		if len(f.runs) == 0 {
			return f.start("")
		}
		return rapid.SampledFrom(f.runs).Draw(t, label)
	}
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0:
		f.start("")
	case 1:
		f.stop1(any("stopped"))
	case 2:
		f.retry(any("retried"))
	case 3:
		f.lock(rapid.SampledFrom(cloudStages[1:]).Draw(t, "stage"), rapid.SampledFrom([]string{"", "checkout errors", "freeze"}).Draw(t, "reason"))
	case 4:
		target := any("target")
		if st, ok := target.Stage("Production"); ok && st.Status == workflows.StatusSucceeded && target.Type == workflows.TypeStandard && f.inside("Production") == nil && f.mode != workflows.ModeParallel {
			f.start(target.ExternalID)
		}
	default:
		well := rapid.IntRange(0, 4).Draw(t, "well") > 0
		answer := map[bool]string{true: "approve", false: "reject"}[well]
		vote := &workflows.Vote{By: workflows.Principal{ID: "aws:bob", Name: "bob"}, Answer: answer, Comment: "lgtm"}
		if !well && rapid.Bool().Draw(t, "expires") {
			vote = nil
		}
		f.finish(any("goes on"), well, vote)
	}
}

func (f *follower) stop1(r *workflows.Execution) {
	if !r.Status.Final() {
		f.stop(r)
	}
}

// asked is something that somebody asks for.
func (f *follower) asked(t *rapid.T) {
	by := person(rapid.SampledFrom([]string{"ana", "ben", "cho", "dan"}).Draw(t, "by"))
	in := workflows.Intent{Verb: rapid.SampledFrom([]workflows.Verb{workflows.Approve, workflows.Approve, workflows.Reject, workflows.Start, workflows.StopExecution, workflows.Retry, workflows.RollBack, workflows.Lock, workflows.Unlock}).Draw(t, "verb"),
		Stage: "Production", Reason: "because"}
	if len(f.runs) > 0 {
		if e := f.mine(rapid.SampledFrom(f.runs).Draw(t, "run").ExternalID); e != nil {
			in.Execution, in.Target = e.ID, e.ID
		}
	}
	if in.Verb == workflows.Start || in.Verb == workflows.Lock || in.Verb == workflows.Unlock {
		in.Execution, in.Target = "", ""
	}
	events, err := f.ask(by, in)
	var refused *workflows.Problem
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	for _, ev := range events {
		switch ev.Kind {
		case event.RequestOpened, event.GateVoted, event.GateVoteDropped, event.GateReminded:
		default:
			t.Fatalf("%s decided what AWS decides: %s", in.Verb, ev.Kind)
		}
	}
}

// answered is AWS's answer to a request; what it did shows in the next look.
func (f *follower) answered(t *rapid.T) {
	tasks := f.s.Tasks()
	if len(tasks) == 0 {
		return
	}
	task := rapid.SampledFrom(tasks).Draw(t, "task")
	o := work.Outcome{Task: task.ID, State: work.Failed, Error: &workflows.Reason{Code: "StageNotRetryable", Message: "the stage runs"}}
	if rapid.Bool().Draw(t, "done") {
		o = f.perform(task.Request)
	}
	if _, err := f.answer(o); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(f.s.Tasks(), func(left work.Task) bool { return left.ID == task.ID }) {
		t.Fatal("the request is still open")
	}
	if events, err := f.answer(o); err != nil || len(events) > 0 {
		t.Fatalf("a second answer is news: %s %v", marshal(events), err)
	}
}

// perform does in AWS what is asked.
func (f *follower) perform(r *work.Request) work.Outcome {
	o := work.Outcome{Task: r.ID, State: work.Succeeded}
	no := func(code string) work.Outcome {
		return work.Outcome{Task: r.ID, State: work.Failed, Error: &workflows.Reason{Code: code, Message: "no"}}
	}
	run := f.run(r.ExternalID)
	switch r.Verb {
	case workflows.Start:
		o.ExternalID = f.start("").ExternalID
	case workflows.RollBack:
		if f.inside("Production") != nil {
			return no("UnableToRollbackStage")
		}
		o.ExternalID = f.start(r.ExternalID).ExternalID
	case workflows.StopExecution:
		f.stop1(run)
	case workflows.Retry:
		f.retry(run)
	case workflows.Lock:
		f.lock(r.Stage, r.Text)
	case workflows.Unlock:
		f.lock(r.Stage, "")
	case workflows.Approve, workflows.Reject:
		st := run.Inside()
		if st == nil || st.Name != "Production" || st.Actions[0].Handle != r.Token {
			return no("ApprovalAlreadyCompleted")
		}
		f.finish(run, r.Verb == workflows.Approve, &workflows.Vote{By: workflows.Principal{ID: "aws:role", Name: "role"}, Answer: string(r.Verb), Comment: r.Text})
	}
	return o
}

// kinds are the events in short: kind and place.
func kinds(events []event.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, strings.Trim(fmt.Sprintf("%s %s/%s", e.Kind, e.Stage, e.Action), " /"))
	}
	return strings.Join(all, "\n")
}

// What was before the first look is history; what waits then asks; what happens
// between two looks is told step by step.
func TestTheFirstLookIsHistory(t *testing.T) {
	f := follow(t, workflows.ModeSuperseded, workflows.BridgeActs, "")
	one := f.start("")
	f.finish(one, true, nil)
	f.finish(one, true, nil)
	f.finish(one, true, &workflows.Vote{By: workflows.Principal{ID: "aws:bob", Name: "bob"}, Answer: "approve", Comment: "lgtm"})
	f.finish(one, true, nil)
	two := f.start("")
	f.finish(two, true, nil)
	f.finish(two, true, nil)
	events := f.see(t)
	if got, want := kinds(events), "bridgeSeen\nexecutionObserved\nexecutionObserved\ngateOpened Production/SignOff"; got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if events[1].Text != "history" || events[2].Text != "" {
		t.Errorf("history: %q and %q", events[1].Text, events[2].Text)
	}
	runs := f.s.View().Stages[2].Running
	deployed := one.Stages[2].Actions[1].EndedAt
	if runs == nil || runs.Number != 1 || !runs.Certain || !runs.Since.Equal(*deployed) {
		t.Errorf("Production runs %+v, in AWS #1 since %s", runs, deployed)
	}
	f.finish(two, true, &workflows.Vote{By: workflows.Principal{ID: "aws:bob", Name: "bob"}, Answer: "approve", Comment: "ship it"})
	f.finish(two, false, nil)
	three := f.start("")
	f.finish(three, false, nil)
	got := kinds(f.see(t))
	want := `gateVoted Production/SignOff
gateClosed Production/SignOff
actionSucceeded Production/SignOff
actionStarted Production/Deploy
actionFailed Production/Deploy
stageFailed Production
executionFailed
executionStarted
stageEntered Source
actionStarted Source/App
actionFailed Source/App
stageFailed Source
executionFailed`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	sign := f.mine(two.ExternalID).Stages[2].Actions[0]
	if len(sign.Approval.Votes) != 1 || sign.Approval.Votes[0].Via != workflows.ViaOutside || sign.Approval.Votes[0].By.ID != "aws:bob" || sign.Approval.Closed != "approved" {
		t.Errorf("the gate of #2: %s", marshal(sign.Approval))
	}
	if now := f.s.View().Stages[2].Running; now.Number != 1 || now.Certain {
		t.Errorf("after a failed deploy Production runs %+v", now)
	}
}

// What is seen step by step is told step by step: no whole row is needed.
func TestStepsTellAll(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	f.finish(r, true, &workflows.Vote{By: workflows.Principal{ID: "aws:bob", Name: "bob"}, Answer: "approve"})
	f.see(t)
	f.finish(r, false, nil)
	f.see(t)
	f.retry(r)
	f.see(t)
	f.finish(r, true, nil)
	f.see(t)
	for _, e := range f.log {
		if e.Kind == event.ExecutionObserved {
			t.Errorf("a whole row: %s", marshal(e))
		}
	}
}

// atGate follows a pipeline of which one run waits at the gate of Production.
func atGate(t *testing.T, mode, outside string) (*follower, *workflows.Execution) {
	t.Helper()
	f := follow(t, workflows.ModeSuperseded, mode, outside)
	f.see(t)
	r := f.start("")
	f.finish(r, true, nil)
	f.finish(r, true, nil)
	f.see(t)
	return f, r
}

func (f *follower) vote(name string, verb workflows.Verb, r *workflows.Execution) error {
	_, err := f.ask(person(name), workflows.Intent{Verb: verb, Execution: f.mine(r.ExternalID).ID, Reason: "tested"})
	return err
}

// The quorum is one request with the token and both names; then the look closes the gate as ours.
func TestAQuorumIsOneRequest(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	if err := f.vote("ana", workflows.Approve, r); err != nil {
		t.Fatal(err)
	}
	if tasks := f.s.Tasks(); len(tasks) != 0 {
		t.Fatalf("asked before the quorum: %s", marshal(tasks))
	}
	if err := f.vote("ben", workflows.Approve, r); err != nil {
		t.Fatal(err)
	}
	tasks := f.s.Tasks()
	if len(tasks) != 1 || tasks[0].Request.Verb != workflows.Approve || tasks[0].Request.Token != "token-1" || tasks[0].Request.Text != "ana, ben via rollcall: tested; tested" || tasks[0].Request.ExternalID != r.ExternalID {
		t.Fatalf("tasks %s", marshal(tasks))
	}
	for _, name := range []string{"cho", "ana"} {
		var refused *workflows.Problem
		if err := f.vote(name, workflows.Reject, r); !errors.As(err, &refused) || refused.Code != workflows.CodeApprovalCompleted {
			t.Errorf("%s answers after the quorum: %v", name, err)
		}
	}
	if _, err := f.answer(f.perform(tasks[0].Request)); err != nil {
		t.Fatal(err)
	}
	f.see(t)
	e := f.mine(r.ExternalID)
	gate := e.Stages[2].Actions[0]
	if len(gate.Approval.Votes) != 2 || gate.Approval.Closed != "approved" || gate.Summary != "approved by ana and ben" {
		t.Errorf("the gate: %s", marshal(gate))
	}
	if len(e.Requests) != 1 || e.Requests[0].State != workflows.RequestDone || e.Requests[0].Verb != workflows.Approve {
		t.Errorf("requests: %s", marshal(e.Requests))
	}
}

// Whoever is first in AWS wins: our answer is refused, and the gate says what AWS says.
func TestAnAnswerOutsideInTheSameMoment(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, workflows.OutsideLock)
	for _, name := range []string{"ana", "ben"} {
		if err := f.vote(name, workflows.Approve, r); err != nil {
			t.Fatal(err)
		}
	}
	task := f.s.Tasks()[0]
	f.finish(r, false, &workflows.Vote{By: workflows.Principal{ID: "aws:bob", Name: "bob"}, Answer: "reject", Comment: "no"})
	if _, err := f.answer(f.perform(task.Request)); err != nil {
		t.Fatal(err)
	}
	f.see(t)
	e := f.mine(r.ExternalID)
	gate := e.Stages[2].Actions[0]
	if gate.Approval.Closed != "rejected" || gate.Error.Message != "not approved by bob: no" || len(gate.Approval.Votes) != 3 || e.StatusReason.Code != "NotApproved" {
		t.Errorf("the gate: %s, %+v", marshal(gate), e.StatusReason)
	}
	if q := e.Requests; len(q) != 1 || q[0].State != workflows.RequestRefused || q[0].Error.Code != "ApprovalAlreadyCompleted" {
		t.Errorf("requests: %s", marshal(q))
	}
	var refused *workflows.Problem
	if err := f.vote("cho", workflows.Approve, r); !errors.As(err, &refused) || refused.Code != workflows.CodeApprovalCompleted || !strings.Contains(refused.Message, "rejected by bob") {
		t.Errorf("a late click hears %v", err)
	}
}

// A request that AWS did not take for another reason is asked again by whoever answered.
func TestAskingAgain(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	if err := f.vote("ana", workflows.Reject, r); err != nil {
		t.Fatal(err)
	}
	task := f.s.Tasks()[0]
	if _, err := f.answer(work.Outcome{Task: task.ID, State: work.Failed, Error: &workflows.Reason{Code: "AccessDenied", Message: "not allowed"}}); err != nil {
		t.Fatal(err)
	}
	f.see(t)
	if err := f.vote("ana", workflows.Reject, r); err != nil {
		t.Fatal(err)
	}
	if tasks := f.s.Tasks(); len(tasks) != 1 || tasks[0].ID == task.ID || tasks[0].Request.Verb != workflows.Reject {
		t.Errorf("tasks %s", marshal(tasks))
	}
}

// What is watched is never asked for anything, and offers nothing.
func TestWatchingAsksForNothing(t *testing.T) {
	f, r := atGate(t, workflows.BridgeWatches, "")
	e := f.mine(r.ExternalID)
	for _, in := range []workflows.Intent{
		{Verb: workflows.Start}, {Verb: workflows.StopExecution, Execution: e.ID}, {Verb: workflows.Retry, Execution: e.ID}, {Verb: workflows.RollBack, Stage: "Production", Target: e.ID},
		{Verb: workflows.Approve, Execution: e.ID}, {Verb: workflows.Reject, Execution: e.ID}, {Verb: workflows.Lock, Stage: "Production"}, {Verb: workflows.Unlock, Stage: "Production"},
		{Verb: workflows.Override, Execution: e.ID}, {Verb: workflows.Resolve, Execution: e.ID}, {Verb: workflows.Start, Variables: map[string]string{"nothing": "such"}},
	} {
		var refused *workflows.Problem
		if _, err := f.ask(person("ana"), in); !errors.As(err, &refused) || refused.Code != workflows.CodeWatchOnly {
			t.Errorf("%s: %v", in.Verb, err)
		}
	}
	if offers := f.s.Offers(e.ID, Facts{}); len(offers) > 0 {
		t.Errorf("offers %v", offers)
	}
	for _, st := range f.s.View().Stages {
		if len(st.Offers) > 0 {
			t.Errorf("%s offers %v", st.Name, st.Offers)
		}
	}
}

// A rollback is a request; when AWS has begun it, its stage is locked by a second one,
// and the execution is that of whoever asked.
func TestARollbackInAWS(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	bob := &workflows.Vote{By: workflows.Principal{ID: "aws:bob", Name: "bob"}, Answer: "approve"}
	f.finish(r, true, bob)
	f.finish(r, true, nil)
	two := f.start("")
	f.finish(two, true, nil)
	f.finish(two, true, nil)
	f.finish(two, true, bob)
	f.see(t)
	back := workflows.Intent{Verb: workflows.RollBack, Stage: "Production", Target: f.mine(r.ExternalID).ID, Reason: "Coupons are free", Token: "t1"}
	var refused *workflows.Problem
	if _, err := f.ask(person("ana"), back); !errors.As(err, &refused) || refused.Code != workflows.CodeUnableToRollback {
		t.Fatalf("while the stage is in use: %v", err)
	}
	f.finish(two, false, nil)
	f.see(t)
	if offers := f.s.Offers(f.mine(two.ExternalID).ID, Facts{Executions: f.archive}); !slices.ContainsFunc(offers, func(o workflows.Offer) bool { return o.Verb == workflows.RollBack && o.Target == back.Target }) {
		t.Errorf("offers %v", offers)
	}
	events, err := f.ask(person("ana"), back)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.s.Result(back, events); got.Request == nil || got.Execution != nil || !got.Changed {
		t.Errorf("the answer: %s", marshal(got))
	}
	task := f.s.Tasks()[0]
	if _, err := f.answer(f.perform(task.Request)); err != nil {
		t.Fatal(err)
	}
	lock := f.s.Tasks()
	if len(lock) != 1 || lock[0].Request.Verb != workflows.Lock || lock[0].Request.Stage != "Production" || lock[0].Request.Text != "rolled back to webshop#1: Coupons are free" || lock[0].Request.By.Name != "ana" {
		t.Fatalf("after the rollback: %s", marshal(lock))
	}
	if _, err := f.answer(f.perform(lock[0].Request)); err != nil {
		t.Fatal(err)
	}
	f.see(t)
	x := f.mine(f.runs[2].ExternalID)
	if x.Trigger.By.Name != "ana" || x.Rollback.TargetNumber != 1 || x.Rollback.Reason != "Coupons are free" || len(x.Requests) != 1 {
		t.Errorf("the rollback: %s", marshal(x))
	}
	if now := f.s.View().Stages[2].Transition; now.Enabled || now.Cause != "rollback" || now.By.Name != "ana" {
		t.Errorf("Production: %+v", now)
	}
	again, err := f.ask(person("ana"), back)
	if got := f.s.Result(back, again); err != nil || len(again) > 0 || got.Execution == nil || got.Execution.ID != x.ID {
		t.Errorf("the same token again: %s, %v", marshal(got), err)
	}
}

// The rules of AWS rule targets out, each in words.
func TestTargetsInAWS(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	f.finish(r, true, nil)
	f.finish(r, true, nil)
	f.see(t)
	row := *f.mine(r.ExternalID)
	rows := []workflows.Execution{row}
	if got := f.s.Targets("Production", rows); !got[0].Eligible {
		t.Errorf("%+v", got)
	}
	older := row
	older.Version = 2
	if got := f.s.Targets("Production", []workflows.Execution{older}); got[0].Eligible || !strings.Contains(got[0].Why, "version 2") {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		change func(*workflows.Pipeline)
		stage  string
		why    string
	}{
		{func(p *workflows.Pipeline) { p.Bridge.Type = "V1" }, "Production", "type V1"},
		{func(p *workflows.Pipeline) { p.ExecutionMode = workflows.ModeParallel }, "Production", "PARALLEL"},
		{func(*workflows.Pipeline) {}, "Source", "source stage"},
	} {
		p := f.definition(workflows.BridgeActs, "")
		c.change(p)
		if _, err := f.ask(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Edit, NewDefinition: p, ManagedBy: "bridge:prod-eu", Version: f.version}); err != nil {
			t.Fatal(err)
		}
		if got := f.s.Targets(c.stage, rows); got[0].Eligible || !strings.Contains(got[0].Why, c.why) {
			t.Errorf("%s: %+v", c.why, got)
		}
	}
}

// Who keeps a definition changes it, nobody else; what vanishes is archived, and what
// ran of it is followed no more.
func TestKeepingADefinitionInAWS(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	var refused *workflows.Problem
	p := f.definition(workflows.BridgeActs, "")
	p.Bridge = nil
	for _, by := range []string{"api", "file:shop.yaml"} {
		if _, err := f.ask(person("ana"), workflows.Intent{Verb: workflows.Edit, NewDefinition: p, ManagedBy: by}); !errors.As(err, &refused) || refused.Code != workflows.CodeManagedByBridge {
			t.Errorf("%s: %v", by, err)
		}
	}
	if err := f.vote("ana", workflows.Reject, r); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ask(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Archive, ManagedBy: "bridge:prod-eu"}); err != nil {
		t.Fatal(err)
	}
	if e := f.mine(r.ExternalID); e.Status != workflows.StatusCancelled || len(f.s.Tasks()) > 0 || e.Requests[0].State != workflows.RequestRefused {
		t.Errorf("after the archive: %s", marshal(e))
	}
	if events := f.observe(t, f.look(time.Time{})); len(events) > 0 {
		t.Errorf("a look at what is archived: %s", kinds(events))
	}
	if _, err := f.ask(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Edit, NewDefinition: f.definition(workflows.BridgeActs, ""), ManagedBy: "bridge:prod-eu", Version: f.version}); err != nil {
		t.Fatal(err)
	}
	f.see(t)
	if e := f.mine(r.ExternalID); e.Status != workflows.StatusInProgress || e.Number != 1 {
		t.Errorf("followed again: %s", marshal(e))
	}
	own := newWorld()
	if _, err := own.ask(person("ana"), workflows.Intent{Verb: workflows.Edit, NewDefinition: p, ManagedBy: "api"}); err != nil {
		t.Fatal(err)
	}
	if _, err := own.ask(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Edit, NewDefinition: f.definition(workflows.BridgeActs, ""), ManagedBy: "bridge:prod-eu", Version: 3}); !errors.As(err, &refused) || refused.Code != workflows.CodeConflict {
		t.Errorf("a bridge takes over what runs here: %v", err)
	}
}

// While AWS is not seen nothing is asked and nothing offered; that is said once.
func TestLostAndSeen(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	lost := &work.Snapshot{Pipeline: "webshop", At: f.cloud.at, Lost: &workflows.Reason{Code: "ExpiredToken", Message: "the security token is expired"}}
	if got := kinds(f.observe(t, lost)); got != "bridgeLost" {
		t.Fatal(got)
	}
	if got := f.observe(t, lost); len(got) > 0 {
		t.Errorf("said twice: %s", kinds(got))
	}
	view := f.s.View()
	if view.Bridge.Error == nil || view.Bridge.SeenAt == nil || view.ManagedBy != "bridge" {
		t.Errorf("the view: %+v", view.Bridge)
	}
	var refused *workflows.Problem
	if err := f.vote("ana", workflows.Approve, r); !errors.As(err, &refused) || refused.Code != workflows.CodeAWSUnavailable {
		t.Errorf("%v", err)
	}
	if got := kinds(f.see(t)); got != "bridgeSeen" {
		t.Error(got)
	}
	if err := f.vote("ana", workflows.Approve, r); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(f.s.View().Bridge, f.definition(workflows.BridgeActs, "").Bridge) {
		t.Errorf("the view: %+v", f.s.View().Bridge)
	}
}

// A restored backup closes what AWS was to be asked for: nobody knows whether it was.
func TestRestoredInAWS(t *testing.T) {
	f, r := atGate(t, workflows.BridgeActs, "")
	if err := f.vote("ana", workflows.Reject, r); err != nil {
		t.Fatal(err)
	}
	if _, err := f.restore(time.Hour); err != nil {
		t.Fatal(err)
	}
	if q := f.mine(r.ExternalID).Requests; len(f.s.Tasks()) > 0 || q[0].State != workflows.RequestRefused || q[0].Error.Code != "Restored" {
		t.Errorf("requests: %s", marshal(q))
	}
	f.see(t)
}
