package simulation

import (
	"errors"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/rule"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// judge judges one event on the state before it. w.mu is held.
func (l *ledger) judge(b *book, f event.Frame, ev event.Event) {
	if ev.At.Before(b.at) {
		l.violated("time never goes back within a pipeline", "%s/%d: %s at %s, after %s", b.name, f.Seq, ev.Kind, ev.At, b.at)
	}
	if b.at = ev.At; ev.Kind != event.IntentRefused {
		b.decided = ev.At
	}
	if status, over := b.finals[ev.Execution]; over && moves(ev.Kind) {
		l.violated("what was superseded, cancelled or has succeeded never moves again", "%s/%d: %s of %s, which is %s", b.name, f.Seq, ev.Kind, l.ref(ev.Execution), status)
	}
	if found := l.tokens[ev.Token]; ev.Token != "" && len(found) > 0 && ev.At.Sub(found[0].at) < tokenLife && !(found[0].kind == event.ReturnPlanned && ev.Kind == event.ExecutionStarted) {
		l.violated("a token acts once", "%s/%d: %s with the token of %+v", b.name, f.Seq, ev.Kind, found)
	}
	switch ev.Kind {
	case event.ExecutionNoted, event.OrphanConfirmed:
		l.judgeCarried(b, ev, ev.Started)
	case event.ExecutionResumed:
		l.judgeCarried(b, ev, &ev.Resumed.Execution)
	case event.ExecutionStarted:
		l.judgeStart(b, ev)
	case event.StageEntered:
		l.judgeEntry(b, ev)
	case event.ScheduleFired:
		key := ev.Schedule.Timezone + " " + ev.Schedule.Cron
		if last, known := b.fired[key]; known && !ev.Schedule.Nominal.After(last) {
			l.violated("a schedule fires once for a moment", "%s: %s, after %s", b.name, ev.Schedule.Nominal, last)
		}
		b.fired[key] = ev.Schedule.Nominal
	case event.ActionStarted:
		if l.opened[ev.Start.Task] {
			l.violated("an attempt opens once", "%s", ev.Start.Task)
		}
		l.judgeRestart(b, ev)
	case event.GateVoted:
		l.judgeVote(b, ev)
	case event.GateClosed:
		l.judgeClosing(b, ev)
	}
}

// judgeCarried: what had left the state comes back as it was.
func (l *ledger) judgeCarried(b *book, ev event.Event, carried *workflows.Execution) {
	if carried == nil {
		return
	}
	was, _ := b.execution(ev.Execution)
	if got, want := rendered(*carried), rendered(was); got != want {
		l.violated("an event brings an execution back as it was", "%s of %s:\nevent %s\nlog   %s", ev.Kind, was.Ref(), got, want)
	}
}

// moves says whether an event changes what an execution does. Beside it there
// are notes, and what became of cancels after the end.
func moves(k event.Kind) bool {
	return !slices.Contains([]event.Kind{event.ExecutionNoted, event.OrphanConfirmed, event.OrphanLeft, event.ActionTracked, event.IntentRefused,
		event.TransitionEnabled, event.TransitionDisabled}, k)
}

func (l *ledger) judgeStart(b *book, ev event.Event) {
	x := ev.Started
	if x.Number != len(b.numbers)+1 {
		l.violated("numbers have no gaps", "%s follows number %d", x.Ref(), len(b.numbers))
	}
	if b.archived && x.Type == workflows.TypeStandard {
		l.violated("an archived pipeline starts nothing", "%s", x.Ref())
	}
	if x.Type != workflows.TypeRollback {
		return
	}
	stage := x.Stages[0].Name
	if !slices.Contains(b.succeeded[stage], x.Rollback.Target) {
		l.violated("a rollback goes to what succeeded there", "%s goes to %s, which never succeeded in %s", x.Ref(), l.ref(x.Rollback.Target), stage)
	}
}

// judgeEntry: a stage is taken by one at a time, except in PARALLEL mode. A
// rollback has it for itself in any mode.
func (l *ledger) judgeEntry(b *book, ev event.Event) {
	x, _ := b.execution(ev.Execution)
	shares := func(x workflows.Execution) bool {
		return x.Mode == workflows.ModeParallel && x.Type == workflows.TypeStandard
	}
	for _, other := range b.state.Unfinished() {
		if other.ID == ev.Execution || inside(other) != ev.Stage || shares(x) && shares(other) {
			continue
		}
		l.violated("a stage is taken by one at a time", "%s enters %s, and %s is inside", x.Ref(), ev.Stage, other.Ref())
	}
	transition, known := b.transitions[ev.Stage]
	for _, f := range b.freezes {
		if scope.Frozen(&f, ev.At, b.name, ev.Stage) && x.Type == workflows.TypeStandard && !(transition.Only == x.ID && transition.PastFreeze) {
			l.violated("nobody passes a freeze", "%s enters %s in %s", x.Ref(), ev.Stage, f.Name)
		}
	}
	if known && !transition.Enabled && transition.Only != x.ID && x.Type == workflows.TypeStandard {
		l.violated("nobody enters a locked stage", "%s enters %s", x.Ref(), ev.Stage)
	}
}

// judgeRestart: attempts per action are bounded (C9). Who asks for one more has
// ended the doubt first, so what starts out of a doubt started by itself.
func (l *ledger) judgeRestart(b *book, ev event.Event) {
	x, _ := b.execution(ev.Execution)
	st, _ := x.Stage(ev.Stage)
	if a, ok := st.Action(ev.Action); !ok || a.Needs != workflows.NeedsResolve {
		return
	}
	key := ev.Execution + "/" + ev.Stage + "/" + ev.Action
	if l.restarts[key]++; l.restarts[key] > 3 {
		l.violated("attempts per action are bounded", "%s starts by itself for the time %d", key, l.restarts[key]+1)
	}
}

// inside is the stage that an execution is in; empty: none.
func inside(x workflows.Execution) string {
	for _, st := range x.Stages {
		if st.Status == workflows.StatusInProgress || st.Status == workflows.StatusStopping {
			return st.Name
		}
	}
	return ""
}

// judgeVote: one vote each, and none by those who are behind what is released.
func (l *ledger) judgeVote(b *book, ev event.Event) {
	x, _ := b.execution(ev.Execution)
	st, _ := x.Stage(ev.Stage)
	a, _ := st.Action(ev.Action)
	key := ev.Vote.By.Key()
	for _, v := range a.Approval.Votes {
		if v.By.Key() == key && (v.Answer != ev.Vote.Answer || !v.At.Equal(ev.Vote.At)) {
			l.violated("a person votes once", "%s votes again on %s", ev.Vote.By.Name, x.Ref())
		}
	}
	mine := x.Trigger.By.Key() == key || slices.ContainsFunc(x.SourceRevisions, func(r workflows.SourceRevision) bool {
		return r.Author != nil && r.Author.Email == ev.Vote.By.Email
	})
	if policy := b.approval(ev.Stage, ev.Action); mine && ev.Vote.Answer == "approve" && policy != nil && !policy.RequesterMayApprove {
		l.violated("nobody approves what is theirs", "%s approves %s", ev.Vote.By.Name, x.Ref())
	}
	if policy := b.approval(ev.Stage, ev.Action); policy != nil && len(policy.From) > 0 && !l.among(ev.Vote.By, policy.From) && !slices.ContainsFunc(policy.From, external) {
		l.violated("only those who are asked answer", "%s answers for %v", ev.Vote.By.Name, policy.From)
	}
	b.voters[a.Approval.Token][key] = ev.Vote.Answer == "approve"
}

func external(who string) bool {
	kind, _, _ := subject.Split(who)
	return kind == subject.SlackGroup
}

func (l *ledger) among(by workflows.Principal, from []string) bool {
	return slices.ContainsFunc(from, func(who string) bool { return l.w.people.policy.Matches(by, who, nil) })
}

// approval is the policy in force of a gate; nil: the definition no longer has it.
func (b *book) approval(stage, action string) *workflows.ApprovalPolicy {
	if st, ok := b.definition().Stage(stage); ok {
		if a, ok := st.Action(action); ok {
			return a.Approval
		}
	}
	return nil
}

// judgeClosing: a gate opens by as many different people as it asks for.
func (l *ledger) judgeClosing(b *book, ev event.Event) {
	x, _ := b.execution(ev.Execution)
	st, _ := x.Stage(ev.Stage)
	a, _ := st.Action(ev.Action)
	if ev.Text != "approved" {
		return
	}
	keys := map[string]bool{}
	for _, v := range a.Approval.Votes {
		if v.Answer == "approve" {
			keys[v.By.Key()] = true
		}
	}
	if len(keys) < a.Approval.Required {
		l.violated("a gate opens by as many people as it asks for", "%s of %s has %d of %d", a.Name, x.Ref(), len(keys), a.Approval.Required)
	}
}

// judgeState judges a pipeline as a commit has left it. w.mu is held.
func (l *ledger) judgeState(b *book) {
	var events []event.Event
	var err error
	if b.decided.Equal(b.state.At) { // else a refusal came later, and the passing of time until then is not decided about yet
		events, err = b.state.Decide(machine.Input{At: b.state.At, By: workflows.EnginePrincipal()})
	}
	var need *machine.NeedFacts
	if len(events) > 0 || err != nil && !errors.As(err, &need) {
		l.violated("a commit leaves nothing undone", "%s/%d: %v %+v", b.name, b.seq, err, events)
	}
	tasks := map[string]string{}
	for _, t := range b.state.Tasks() {
		if tasks[t.ID] != "" {
			l.violated("a task is wanted once", "%s", nameOf(t))
		}
		tasks[t.ID] = t.Kind
		if t.Kind == work.Poll && t.Handle == "" {
			l.violated("what is polled has a handle", "%s", nameOf(t))
		}
		if !l.opened[t.ID] {
			l.violated("what is wanted was opened", "%s", nameOf(t))
		}
	}
	for _, x := range b.state.Unfinished() {
		if why := b.stuck(x, tasks); why != "" {
			l.violated("nothing is stuck", "%s: %s", x.Ref(), why)
		}
	}
}

// stuck says what is wrong with an unfinished execution that nothing keeps going.
func (b *book) stuck(x workflows.Execution, tasks map[string]string) string {
	in := inside(x)
	switch {
	case x.Status.Final():
		return "it has ended and is still there"
	case x.WaitsFor != nil && in != "":
		return "it is in " + in + " and waits before " + x.WaitsFor.Stage
	case x.WaitsFor != nil:
		return b.falseReason(x)
	case in == "":
		return "it is nowhere"
	}
	st, _ := x.Stage(in)
	going := false
	for _, a := range open(st) {
		if a.Status != workflows.StatusInProgress {
			continue
		}
		going = true
		switch {
		case a.Needs == workflows.NeedsResolve:
		case a.Needs == workflows.NeedsApproval && (a.Approval == nil || a.Approval.Closed != "" || a.Deadline == nil):
			return a.Name + " waits at no gate"
		case a.Needs == workflows.NeedsApproval:
		case a.Deadline == nil:
			return a.Name + " runs for ever"
		case a.Provider == rule.DeploymentWindow: // waits for its time
		case tasks[machine.TaskID(x.ID, in, a.Name, a.Attempt)] == "":
			return a.Name + " runs, and nobody does anything about it"
		}
	}
	if _, due := b.state.Due(); going && !due && !needs(x, workflows.NeedsResolve) {
		return "nothing is due"
	}
	if !going {
		return "nothing goes on in " + in
	}
	return ""
}

// falseReason says what is wrong with why an execution waits.
func (b *book) falseReason(x workflows.Execution) string {
	stage := x.WaitsFor.Stage
	transition, known := b.transitions[stage]
	locked := known && !transition.Enabled && transition.Only != x.ID
	var ahead bool
	for _, other := range b.state.Unfinished() {
		if other.ID == x.ID {
			continue
		}
		in := inside(other)
		_, kept := b.definition().Stage(in)
		line := other.WaitsFor != nil && other.WaitsFor.Stage == stage && other.Number < x.Number
		ahead = ahead || in == stage || in != "" && !kept || line || b.planned[stage]
	}
	frozen := slices.ContainsFunc(b.freezes, func(f workflows.Freeze) bool { return scope.Frozen(&f, b.decided, b.name, stage) })
	switch x.WaitsFor.For {
	case workflows.WaitsForTransition:
		if !locked {
			return "it waits for the transition into " + stage + ", which is enabled"
		}
	case workflows.WaitsForStage:
		if !ahead {
			return "it waits for " + stage + ", which is free"
		}
	case workflows.WaitsForFreeze:
		if !frozen {
			return "it waits for a freeze of " + stage + ", and there is none"
		}
	default:
		return "it waits for " + x.WaitsFor.For
	}
	return ""
}
