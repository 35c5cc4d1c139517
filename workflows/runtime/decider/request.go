package decider

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Request is one thing to decide about in one pipeline: an intent, an outcome, or what a bridge saw.
type Request struct {
	Pipeline   string
	By         workflows.Principal
	Intent     *workflows.Intent
	Outcome    *work.Outcome
	Snapshot   *work.Snapshot
	DryRun     bool               // only what the answer would be: nothing follows from it
	Refusal    *workflows.Problem // already refused: only to be recorded
	Attachment record.Attachment  // for the same commit
}

// Answer is what became of a request. Err is a *workflows.Problem, or the
// context's; record.ErrConflict and record.ErrFenced are wrapped in it.
type Answer struct {
	Result event.Result
	Err    error
}

// request is a Request on its way.
type request struct {
	Request
	tick    bool // the passing of time
	facts   machine.Facts
	asOf    uint64 // facts.Executions are rows at least as new as this frame
	retried bool   // decided again after a conflict

	// reply is called exactly once, after the commit: on a loop's goroutine, or,
	// when somebody only waits for it, on the writer's. It must not block.
	reply   func(got decision)
	waiting bool
}

// decision is an answer with the events that led to it. err may also be a
// *machine.NeedFacts, after which nothing has happened.
type decision struct {
	events []event.Event
	Answer
}

// refused is the decision not to do anything.
func refused(err error) decision { return decision{Answer: Answer{Err: err}} }

// repeatable says whether a request may be decided again after a conflict. One
// that claims a receipt may not: whoever came first has it.
func (r *request) repeatable() bool {
	receipt := r.Attachment.Receipt
	return !r.retried && len(r.Attachment.Claims) == 0 && (receipt == nil || receipt.Stored)
}

// Submit has a request decided and waits for its commit. When ctx ends first,
// the decision may still be made.
func (d *Decider) Submit(ctx context.Context, r Request) Answer {
	one := &request{Request: r}
	got := d.submit(ctx, *one)
	var need *machine.NeedFacts
	if errors.As(got.Err, &need) {
		got = d.resolveFacts(ctx, *one, need)
	}
	return got.Answer
}

// Peek calls f with a pipeline's state where it is loaded to be decided about: for
// whoever is going to have something decided, so that the state is read once. false:
// part of it is not durable yet, or it could not be read, and f was not called.
// f must not keep the state.
func (d *Decider) Peek(ctx context.Context, pipeline string, f func(s *machine.State)) bool {
	l, done := d.loopOf(pipeline), make(chan bool, 1)
	posted := l.box.post(func() {
		u, err := l.unit(pipeline)
		done <- err == nil && !u.broken && u.pending == nil && u.inFlight == 0 && l.contained(pipeline, func() { f(u.state) })
	})
	if !posted {
		return false
	}
	select {
	case ok := <-done:
		return ok
	case <-ctx.Done():
		return false
	}
}

// Post has a request decided without waiting. onCommit is called exactly once,
// after the commit, on another goroutine: it must not block.
func (d *Decider) Post(r Request, onCommit func(Answer)) {
	d.post(d.withFacts(&request{Request: r, reply: func(got decision) { onCommit(got.Answer) }}))
}

// post gives a request to its loop.
func (d *Decider) post(r *request) {
	if d.down.Load() {
		go r.reply(refused(unwritable())) // the caller may have locked what the reply locks
		return
	}
	l := d.loopOf(r.Pipeline)
	if !l.box.post(func() { l.decide(r) }) {
		go r.reply(refused(Stopped())) // the caller may have locked what the reply locks
	}
}

// withFacts returns a request for which the facts that the decision turns out to
// need are looked up in the background.
func (d *Decider) withFacts(r *request) *request {
	reply := r.reply
	r.reply = func(got decision) {
		var need *machine.NeedFacts
		if !errors.As(got.Err, &need) {
			reply(got)
			return
		}
		d.o.Go(func() { reply(d.resolveFacts(d.calls, *r, need)) })
	}
	return r
}

// submit has a request decided one time.
func (d *Decider) submit(ctx context.Context, r request) decision {
	done := make(chan decision, 1)
	r.reply, r.waiting = func(got decision) { done <- got }, true
	d.post(&r)
	select {
	case got := <-done:
		return got
	case <-ctx.Done():
		return refused(ctx.Err())
	}
}

// resolveFacts looks facts up and has the request decided again, as often as a
// decision can reasonably need.
func (d *Decider) resolveFacts(ctx context.Context, r request, need *machine.NeedFacts) decision {
	const rounds = 6
	var people []workflows.Principal // everybody whom the decision is about
	for range rounds {
		people = addPeople(people, need.People)
		need.Executions = append(need.Executions, slices.Collect(maps.Keys(r.facts.Executions))...) // all of them as of one time
		need.External = append(need.External, slices.Collect(maps.Keys(r.facts.External))...)
		r.asOf, _ = d.heads.seq(r.Pipeline)
		facts, err := d.o.Facts.LookUp(ctx, r.Pipeline, r.facts, need, people)
		if err != nil {
			return refused(err)
		}
		r.facts = facts
		got := d.submit(ctx, r)
		if need = nil; !errors.As(got.Err, &need) {
			return got
		}
	}
	d.log.Error("a decision never had enough facts", "pipeline", r.Pipeline, "wants", need.Error())
	return refused(Failed(r.Pipeline))
}

// addPeople adds people, each once.
func addPeople(people, more []workflows.Principal) []workflows.Principal {
	for _, p := range more {
		if !slices.ContainsFunc(people, func(q workflows.Principal) bool { return q.Key() == p.Key() }) {
			people = append(slices.Clip(people), p)
		}
	}
	return people
}
