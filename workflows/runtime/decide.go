package runtime

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// ask is one thing to decide about in one pipeline: an intent, an outcome, or
// the passing of time.
type ask struct {
	pipeline string
	by       workflows.Principal
	intent   *workflows.Intent
	outcome  *work.Outcome
	tick     bool
	facts    machine.Facts
	asOf     uint64 // facts.Executions are rows at least as new as this frame

	refusal *workflows.Problem                        // already refused: only to be recorded
	ride    func(got answer) ([]work.Receipt, []Memo) // rows for the same commit; may be nil

	// reply is called exactly once, after the commit, on a loop's goroutine: it must not block.
	reply func(got answer)
}

// answer is what became of an ask. err is a *workflows.Problem, or a
// *machine.NeedFacts, after which nothing has happened.
type answer struct {
	events []event.Event
	result workflows.Result
	err    error
}

// unknown is the answer after a commit whose end nobody knows.
func unknown() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeCommitUnknown, Message: "it is unknown whether this was saved", Hint: "look how it stands before you try again"}
}

// decide decides about an ask, on top of what is decided and not yet committed.
func (l *loop) decide(a *ask) {
	u, err := l.unit(a.pipeline)
	if err != nil {
		a.reply(answer{err: err})
		return
	}
	if u.broken {
		u.waiting = append(u.waiting, a)
		return
	}
	if !l.contained(u.name, func() { l.decideIn(u, a) }) {
		a.reply(answer{err: broken(u.name)})
		l.crash(u)
	}
}

func (l *loop) decideIn(u *unit, a *ask) {
	in := machine.Input{At: later(u.at, l.e.o.Now()), By: a.by, Seed: l.e.seed(), Intent: a.intent, Outcome: a.outcome, Facts: a.facts}
	var got answer
	switch {
	case a.refusal != nil:
		got.err = a.refusal
	case u.outdated(a):
		got.err = &machine.NeedFacts{} // the same ones again
	default:
		got.events, got.err = u.state.Decide(in)
	}
	var need *machine.NeedFacts
	if errors.As(got.err, &need) {
		l.answer(u, a, got) // what has just left the state is looked up where it is only after the commit
		return
	}
	if problem := (*workflows.Problem)(nil); a.intent != nil && errors.As(got.err, &problem) {
		got = l.refused(u, in, *problem)
	}
	u.at = in.At
	l.take(u, a, got)
	if a.tick && len(got.events) == 0 {
		l.armAfterNothing(u, in)
	}
}

// outdated says whether a row that an ask brings along may have changed since
// it was read: two decisions about an execution that has ended would else both
// rest on the same row, and the later one undo the earlier.
func (u *unit) outdated(a *ask) bool {
	for id := range a.facts.Executions {
		if a.asOf < u.leftFrom || a.asOf < u.left[id] {
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
		l.wakeAt(u.name, in.At.Add(backoff(0)))
		return
	}
	l.arm(u)
}

// refused is a refusal with its ID, and the event that keeps it on record. A
// pipeline that nobody has defined has no record.
func (l *loop) refused(u *unit, in machine.Input, problem workflows.Problem) answer {
	problem.ID = refusalID(in.Seed)
	l.e.log.Info("refused", "id", problem.ID, "pipeline", u.name, "by", in.By.ID, "verb", in.Intent.Verb, "code", problem.Code, "problem", problem.Message)
	got := answer{err: &problem}
	if u.seq > 0 || u.draft != nil && len(u.draft.events) > 0 {
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
		Verb: in.Verb, Pipeline: cut(in.Pipeline), Execution: cut(in.Execution), Stage: cut(in.Stage), Action: cut(in.Action),
		Reason: cut(in.Reason), Target: cut(in.Target), As: cut(in.As), Condition: cut(in.Condition), Abandon: in.Abandon, All: in.All,
	}
	if t := in.Trigger; t != nil {
		kept.Trigger = &workflows.StartedBy{Type: t.Type, Detail: cut(t.Detail), By: t.By, Execution: t.Execution}
	}
	return kept
}

// cut shortens a text that somebody sent to what a record should hold.
func cut(text string) string {
	const longest = 200
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// take makes a decision part of the unit's draft. What somebody is told may
// rest on decisions that are not durable yet, so the answer waits for them too.
func (l *loop) take(u *unit, a *ask, got answer) {
	for _, ev := range got.events {
		u.state.Evolve(ev)
	}
	departed := u.state.Departed()
	u.changed(departed)
	if a.intent != nil && got.err == nil {
		got.result = u.state.Result(*a.intent, got.events)
		whole(got.result.Execution, departed)
	}
	var receipts []work.Receipt
	var memos []Memo
	if a.ride != nil {
		receipts, memos = a.ride(got)
	}
	if len(got.events) == 0 && len(receipts) == 0 && len(memos) == 0 {
		l.answer(u, a, got)
		return
	}
	d := l.draft(u)
	for _, ev := range got.events {
		if ev.Kind == event.ActionStarted && ev.Start != nil {
			d.opened = append(d.opened, ev.Start.Task)
		}
	}
	d.events = append(d.events, got.events...)
	d.departed = append(d.departed, departed...)
	d.receipts = append(d.receipts, receipts...)
	d.memos = append(d.memos, memos...)
	l.answer(u, a, got)
}

// answer replies once everything that was decided about the unit is durable.
func (l *loop) answer(u *unit, a *ask, got answer) {
	if u.draft == nil && u.inflight == 0 {
		a.reply(got)
		return
	}
	d := l.draft(u)
	d.settled = append(d.settled, func(err error) {
		if err != nil {
			got = answer{err: err}
		}
		a.reply(got)
	})
}

// whole fills in an execution of which only the ID is left in the state.
func whole(e *workflows.Execution, departed []workflows.Execution) {
	for i := range departed {
		if e != nil && departed[i].ID == e.ID {
			*e = departed[i]
		}
	}
}

// draft returns the unit's open draft.
func (l *loop) draft(u *unit) *draft {
	if u.draft == nil {
		u.draft = &draft{}
		l.drafts = append(l.drafts, u)
	}
	return u.draft
}

// post sends an ask on its way.
func (e *Engine) post(a *ask) {
	l := e.loopOf(a.pipeline)
	if !l.box.post(func() { l.decide(a) }) {
		go a.reply(answer{err: stopped()}) // whoever asks may hold a lock that the reply takes
	}
}

// chased returns an ask that looks up by itself, in the background, the facts
// that the decision turns out to need.
func (e *Engine) chased(a *ask) *ask {
	reply := a.reply
	first := *a
	first.reply = func(got answer) {
		var need *machine.NeedFacts
		if !errors.As(got.err, &need) {
			reply(got)
			return
		}
		e.crew.do(func() { reply(e.pursue(e.acting, *a, need)) })
	}
	return &first
}

// ask has an ask decided and waits for its commit. When ctx ends first, the
// decision may still be made.
func (e *Engine) ask(ctx context.Context, a ask) answer {
	got := e.once(ctx, a)
	var need *machine.NeedFacts
	if errors.As(got.err, &need) {
		return e.pursue(ctx, a, need)
	}
	return got
}

// once asks one time.
func (e *Engine) once(ctx context.Context, a ask) answer {
	done := make(chan answer, 1)
	a.reply = func(got answer) { done <- got }
	e.post(&a)
	select {
	case got := <-done:
		return got
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

// pursue looks facts up and asks again, as often as a decision can reasonably need.
func (e *Engine) pursue(ctx context.Context, a ask, need *machine.NeedFacts) answer {
	const rounds = 6
	var people []workflows.Principal // everybody whom the decision is about
	for range rounds {
		people = everybody(people, need.People)
		need.Executions = append(need.Executions, slices.Collect(maps.Keys(a.facts.Executions))...) // all of them as of one time
		a.asOf, _ = e.known.seq(a.pipeline)
		facts, err := e.lookUp(ctx, a.pipeline, a.facts, need, people)
		if err != nil {
			return answer{err: err}
		}
		a.facts = facts
		got := e.once(ctx, a)
		if need = nil; !errors.As(got.err, &need) {
			return got
		}
	}
	e.log.Error("a decision never had enough facts", "pipeline", a.pipeline, "wants", need.Error())
	return answer{err: broken(a.pipeline)}
}
