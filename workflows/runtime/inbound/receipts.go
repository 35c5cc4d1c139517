package inbound

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// tries is how often a delivery is begun that somebody else wrote at the same
// moment, or of which it is unknown whether it was written.
const tries = 3

// Receipts makes outside requests durable before they are acknowledged, and sees
// to it that each is carried out once: the names of a delivery are claimed in the
// commit that acts on it.
type Receipts struct {
	o       *Options
	starter *Starter
	calls   context.Context // in which a delivery is carried out

	unfinished chan struct{} // full: a delivery may be half-done
}

// NewReceipts returns receipts that start pipelines by the starter.
func NewReceipts(o *Options, s *Starter) *Receipts {
	return &Receipts{o: o, starter: s, calls: context.Background(), unfinished: make(chan struct{}, 1)}
}

// Start says in which context deliveries are carried out: it may end a little
// later than the calls that bring them. It comes before anything else.
func (r *Receipts) Start(calls context.Context) { r.calls = calls }

// lookUp says what is known of a delivery: its receipt, or the name under which
// another one came first. Its free names become d.claims.
func (r *Receipts) lookUp(ctx context.Context, d *delivery) (prior work.Receipt, taken string, err error) {
	if prior, d.known, err = r.o.Inbox.Receipt(ctx, d.Receipt.Key); err != nil {
		return prior, "", unreadable(err, "the receipt")
	}
	d.claims = nil
	for _, n := range d.names(r.o.Now()) {
		there, known, err := r.o.Inbox.Receipt(ctx, n.Key)
		switch {
		case err != nil:
			return prior, "", unreadable(err, "the receipt")
		case !known || !n.Taken(there):
			d.claims = append(d.claims, n)
		case string(there.Result) != d.Receipt.Key && taken == "":
			taken = n.Key
		}
	}
	return prior, taken, nil
}

// leads is the receipt to which a name leads. Where that is forgotten: its key.
func (r *Receipts) leads(ctx context.Context, name string) (work.Receipt, error) {
	there, _, err := r.o.Inbox.Receipt(ctx, name)
	first, known := work.Receipt{}, false
	if err == nil {
		first, known, err = r.o.Inbox.Receipt(ctx, string(there.Result))
	}
	if err != nil {
		return first, unreadable(err, "the receipt")
	}
	if !known {
		first = work.Receipt{Key: string(there.Result), Source: there.Source, At: there.At, Done: true}
		first = record.Result{}.Finish(first)
	}
	return first, nil
}

// Accept makes a receipt durable; the caller then acknowledges, carries it out
// and calls Finish. fresh is false for a key or a print seen before, and prior
// is then the earlier receipt: nothing is to be done.
func (r *Receipts) Accept(ctx context.Context, one work.Receipt) (prior work.Receipt, fresh bool, err error) {
	if one.At.IsZero() {
		one.At = r.o.Now()
	}
	d := delivery{Receipt: one}
	var found work.Receipt
	err = r.starter.locks.exclusively(ctx, r.calls, d.keys(), func(ctx context.Context) (err error) {
		for range tries {
			if found, err = r.accept(ctx, &d); !errors.Is(err, record.ErrConflict) {
				break
			}
		}
		return err
	})
	if err != nil {
		return prior, false, err
	}
	return found, !d.known, nil
}

// accept makes a receipt durable, unless it is known; then it is returned as it is.
func (r *Receipts) accept(ctx context.Context, d *delivery) (work.Receipt, error) {
	there, taken, err := r.lookUp(ctx, d)
	switch {
	case err != nil || d.known:
		return there, err
	case taken != "":
		d.known = true
		return r.leads(ctx, taken)
	}
	return d.Receipt, r.o.Commits.Persist(ctx, d.rows(d.Receipt))
}

// Finish notes that an accepted receipt was carried out, and what a repeat is answered.
func (r *Receipts) Finish(ctx context.Context, key string, result []byte) error {
	one, known, err := r.o.Inbox.Receipt(ctx, key)
	if err != nil {
		return unreadable(err, "the receipt")
	}
	if !known {
		return fmt.Errorf("the receipt %s was never accepted", key)
	}
	one.Done, one.Result, one.Payload = true, result, nil
	return r.o.Commits.Persist(ctx, record.Commit{Receipts: []work.Receipt{one}})
}

// Receive makes a delivery durable and starts every pipeline that a change of
// it triggers. fresh is false for a delivery seen before: the receipt then
// holds what came of the first. Its Result is a record.Result. Once the receipt
// is durable the starts follow, even when ctx ends or the process dies.
func (r *Receipts) Receive(ctx context.Context, one work.Receipt, changes []work.Change) (prior work.Receipt, fresh bool, err error) {
	if one.At.IsZero() {
		one.At = r.o.Now()
	}
	d := delivery{Receipt: one, Changes: changes}
	var found work.Receipt
	var first bool
	err = r.starter.locks.exclusively(ctx, r.calls, d.keys(), func(ctx context.Context) (err error) {
		var maybe error // an earlier try may have been written
		for range tries {
			found, first, err = r.receive(ctx, d, maybe != nil)
			if p := (*workflows.Problem)(nil); errors.As(err, &p) && p.Code == workflows.CodeCommitUnknown {
				maybe = err
			} else if !errors.Is(err, record.ErrConflict) { // after a conflict somebody else has what was claimed
				break
			}
		}
		if err == nil {
			return nil
		}
		r.finishLater()
		return cmp.Or(maybe, err)
	})
	if err != nil {
		return prior, false, err
	}
	return found, first, nil
}

// receive looks whether the delivery is known, and starts what it starts. maybe
// says that an earlier try may have been written: it has, when what is known is
// of this very moment.
func (r *Receipts) receive(ctx context.Context, d delivery, maybe bool) (work.Receipt, bool, error) {
	prior, taken, err := r.lookUp(ctx, &d)
	fresh := !d.known || maybe && prior.At.Equal(d.Receipt.At)
	switch {
	case err != nil:
		return prior, false, err
	case d.known && prior.Done:
		return prior, fresh, nil
	case taken != "":
		done, err := r.repeat(ctx, d, taken)
		return done, false, err
	}
	done, err := r.startAll(ctx, d) // of a known one: it was only accepted, or an earlier try got half-way
	return done, fresh, err
}

// repeat answers what was acted on under another key. Somebody who sends the
// very same bytes again leaves no trace; another delivery is kept, with its names.
// So is one that was accepted before the other came and has not been carried out
// since: the other one did its work, and nothing of it is open any more.
func (r *Receipts) repeat(ctx context.Context, d delivery, taken string) (work.Receipt, error) {
	first, err := r.leads(ctx, taken)
	if err != nil {
		return first, err
	}
	var result record.Result
	if len(first.Result) > 0 { // not done yet: it has none, and the repeat still starts nothing
		_ = json.Unmarshal(first.Result, &result)
	}
	replayed, why := strings.HasPrefix(taken, printPrefix), d.Receipt.Source+": the same delivery came before"
	if !replayed {
		why = d.Changes[0].Repository + ": the same push came a moment ago"
	}
	result.Ignored = append(result.Ignored, why+" as "+first.Key)
	done := result.Finish(d.Receipt)
	switch {
	case d.known:
		return done, r.o.Commits.Persist(ctx, d.rows(done, d.finished()))
	case replayed:
		return done, nil
	}
	return done, r.o.Commits.Persist(ctx, d.rows(done))
}

// startAll starts what a delivery starts. When that is one pipeline, receipt
// and decision are one commit; otherwise the receipt goes first, with a memo
// from which a crash in between is made good.
func (r *Receipts) startAll(ctx context.Context, d delivery) (work.Receipt, error) {
	starts, ignored := r.starter.match(d)
	result := record.Result{Ignored: ignored}
	pushers := slices.Clip(r.starter.pushers(d.Changes))
	if len(starts) == 1 {
		receipt := &record.OpenReceipt{Receipt: d.Receipt, Stored: d.known, Result: result}
		got, err := r.starter.start(ctx, starts[0], record.Attachment{Claims: d.claims, Memos: append(pushers, d.finished()), Receipt: receipt})
		if err != nil {
			return d.Receipt, err
		}
		return receipt.Finished(starts[0].pipeline, got.execution, got.refusal()), nil
	}
	if len(starts) > 0 {
		if err := r.o.Commits.Persist(ctx, d.rows(d.Receipt, append(pushers, d.unfinished())...)); err != nil {
			return d.Receipt, err
		}
		d.known, d.claims = true, nil
		got, err := r.starter.startAll(ctx, starts)
		if err != nil {
			return d.Receipt, err
		}
		for i, one := range got {
			result = result.Add(starts[i].pipeline, one.execution, one.refusal())
		}
	}
	done := result.Finish(d.Receipt)
	return done, r.o.Commits.Persist(ctx, d.rows(done, append(pushers, d.finished())...))
}
