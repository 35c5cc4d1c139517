package decider

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// decide decides about a request, on top of what is decided and not yet committed.
func (l *loop) decide(r *request) {
	u, err := l.unit(r.Pipeline)
	if err != nil {
		r.reply(refused(err))
		return
	}
	if u.broken {
		u.waiting = append(u.waiting, r)
		return
	}
	if !l.contained(u.name, func() { l.decideIn(u, r) }) {
		r.reply(refused(Failed(u.name)))
		l.crash(u)
	}
}

func (l *loop) decideIn(u *unit, r *request) {
	in := machine.Input{At: later(u.at, l.d.o.Now()), By: r.By, Host: l.d.o.Host, Seed: l.d.o.Seed(), Intent: r.Intent, Outcome: r.Outcome, Snapshot: r.Snapshot, Restored: l.d.restored.Load(), Facts: r.facts}
	var got decision
	switch {
	case r.Refusal != nil:
		got.Err = r.Refusal
	case u.outdated(r):
		got.Err = &machine.NeedFacts{} // the same ones again
	default:
		got.events, got.Err = u.state.Decide(in)
	}
	var need *machine.NeedFacts
	if r.DryRun {
		got.events = nil
	}
	if errors.As(got.Err, &need) || r.DryRun {
		l.answer(u, r, got) // facts are looked up in the store: what pending events move there is there only after the commit
		return
	}
	if problem := (*workflows.Problem)(nil); r.Intent != nil && errors.As(got.Err, &problem) {
		got = l.refused(u, in, *problem)
	}
	u.at = in.At
	l.take(u, r, got)
	if r.tick && len(got.events) == 0 {
		l.armAfterNothing(u, in)
	}
}

// outdated says whether a row that a request brings along may have changed since
// it was read: two decisions about an execution that has ended would else both
// rest on the same row, and the later one undo the earlier.
func (u *unit) outdated(r *request) bool {
	for id := range r.facts.Executions {
		if r.asOf < u.leftFrom || r.asOf < u.left[id] {
			return true
		}
	}
	return false
}

// changed notes rows that the next frame changes.
func (u *unit) changed(departed []workflows.Execution) {
	const most = 256
	if len(u.left) > most {
		clear(u.left)
		u.leftFrom = u.seq + 1
	}
	for i := range departed {
		u.left[departed[i].ID] = u.seq + 1
	}
}

// armAfterNothing keeps a tick that changed nothing from coming back at once.
func (l *loop) armAfterNothing(u *unit, in machine.Input) {
	if due, ok := u.state.Due(); ok && !due.After(in.At) {
		l.wakeAt(u.name, in.At.Add(work.Backoff(0)))
		return
	}
	l.arm(u)
}

// refused is a refusal with its ID, and the event that keeps it on record. A
// pipeline that nobody has defined has no record.
func (l *loop) refused(u *unit, in machine.Input, problem workflows.Problem) decision {
	problem.ID = refusalID(in.Seed)
	l.d.log.With(u.about(in.Intent)...).Info("refused", "id", problem.ID, "by", in.By.ID, "verb", in.Intent.Verb, "code", problem.Code, "problem", problem.Message)
	got := refused(&problem)
	if u.seq > 0 || u.pending != nil && len(u.pending.events) > 0 {
		intent := bounded(*in.Intent)
		got.events = []event.Event{{
			Kind: event.IntentRefused, At: in.At, By: in.By, Execution: intent.Execution, Stage: intent.Stage, Action: intent.Action,
			Refused: &event.Refused{Intent: intent, Problem: problem},
		}}
	}
	return got
}

// refusalID names a refusal in the log and to whom it was refused.
func refusalID(seed [16]byte) string { return hex.EncodeToString(seed[:6]) }

// bounded is the part of a refused intent that is worth keeping.
func bounded(in workflows.Intent) workflows.Intent {
	kept := workflows.Intent{
		Verb: in.Verb, Pipeline: clean.Cut(in.Pipeline), Execution: clean.Cut(in.Execution), Stage: clean.Cut(in.Stage), Action: clean.Cut(in.Action),
		Reason: clean.Cut(in.Reason), Target: clean.Cut(in.Target), As: clean.Cut(in.As), Condition: clean.Cut(in.Condition), Abandon: in.Abandon, All: in.All,
	}
	if t := in.Trigger; t != nil {
		kept.Trigger = &workflows.StartedBy{Type: t.Type, Detail: clean.Cut(t.Detail), By: t.By, Execution: t.Execution}
	}
	return kept
}

// take makes a decision part of what is pending. What somebody is told may rest
// on decisions that are not durable yet, so the answer waits for them too.
func (l *loop) take(u *unit, r *request, got decision) {
	for _, ev := range got.events {
		u.state.Evolve(ev)
	}
	departed := u.state.Departed()
	u.changed(departed)
	if r.Intent != nil && got.Err == nil {
		got.Result = u.state.Result(*r.Intent, got.events)
		whole(got.Result.Execution, departed)
	}
	extra := r.Attachment.Rows(u.name, u.at, got.Result.Execution, got.Err)
	if len(got.events) == 0 && extra.Empty() {
		l.answer(u, r, got)
		return
	}
	p := l.pendingOf(u)
	for _, ev := range got.events {
		if ev.Kind == event.ActionStarted && ev.Start != nil {
			p.opened = append(p.opened, ev.Start.Task)
		}
		if ev.Kind == event.RequestOpened {
			p.opened = append(p.opened, ev.Request.ID)
		}
	}
	if p.events == nil {
		p.events = got.events
	} else {
		p.events = append(p.events, got.events...)
	}
	p.departed = append(p.departed, departed...)
	p.extra.Add(extra)
	l.answer(u, r, got)
}

// answer replies once everything that was decided about the unit is durable.
func (l *loop) answer(u *unit, r *request, got decision) {
	if u.pending == nil && u.inFlight == 0 {
		r.reply(got)
		return
	}
	p := l.pendingOf(u)
	p.answers = append(p.answers, answered{r, got})
}

// whole fills in an execution of which only the ID is left in the state.
func whole(e *workflows.Execution, departed []workflows.Execution) {
	for i := range departed {
		if e != nil && departed[i].ID == e.ID {
			*e = departed[i]
		}
	}
}

// pendingOf returns what is pending in a unit.
func (l *loop) pendingOf(u *unit) *pending {
	if u.pending == nil {
		u.pending = &pending{}
		l.dirty = append(l.dirty, u)
	}
	return u.pending
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
