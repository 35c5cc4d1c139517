package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	deliveryPrefix = "delivery/" // KEY: a delivery whose pipelines are not all started
	pushPrefix     = "push/"     // HASH: a push that was acted on

	samePush = 10 * time.Minute // within which the same push under another key is a repeat
)

// receipts makes outside requests durable before they are acknowledged, and
// sees to it that each is carried out once.
type receipts struct {
	e *Engine

	mu   sync.Mutex
	busy map[string]chan struct{} // by key: being carried out; closed at the end
}

// received is a delivery's result, as its sender is told.
type received struct {
	Started []string `json:"started"` // execution IDs
	Ignored []string `json:"ignored"` // "pipeline: reason"
}

// delivery is what must be finished after a crash.
type delivery struct {
	Receipt work.Receipt  `json:"receipt"`
	Changes []work.Change `json:"changes"`
}

// pushNote remembers a push for as long as it may be repeated under another key.
type pushNote struct {
	Key string    `json:"key"`
	At  time.Time `json:"at"`
}

func newReceipts(e *Engine) *receipts { return &receipts{e: e, busy: map[string]chan struct{}{}} }

// hold waits until nobody else works on the key, and takes it.
func (r *receipts) hold(ctx context.Context, key string) (release func(), err error) {
	for {
		r.mu.Lock()
		other := r.busy[key]
		if other == nil {
			mine := make(chan struct{})
			r.busy[key] = mine
			r.mu.Unlock()
			return func() {
				r.mu.Lock()
				delete(r.busy, key)
				r.mu.Unlock()
				close(mine)
			}, nil
		}
		r.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Accept makes a receipt durable; the caller then acknowledges, carries it out
// and calls Finish. fresh is false for a key seen before, and prior is then the
// earlier receipt: nothing is to be done.
func (e *Engine) Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error) {
	if err := e.wait(ctx); err != nil {
		return prior, false, err
	}
	release, err := e.receipts.hold(ctx, r.Key)
	if err != nil {
		return prior, false, err
	}
	defer release()
	prior, known, err := e.o.Inbox.Receipt(ctx, r.Key)
	if err != nil {
		return prior, false, e.unreadable(err, "the receipt")
	}
	if known {
		return prior, false, nil
	}
	if r.At.IsZero() {
		r.At = e.o.Now()
	}
	return r, true, e.persist(ctx, []work.Receipt{r}, nil)
}

// Finish notes that an accepted receipt was carried out, and what a repeat is answered.
func (e *Engine) Finish(ctx context.Context, key string, result []byte) error {
	r, known, err := e.o.Inbox.Receipt(ctx, key)
	if err != nil {
		return e.unreadable(err, "the receipt")
	}
	if !known {
		return fmt.Errorf("the receipt %s was never accepted", key)
	}
	r.Done, r.Result, r.Payload = true, result, nil
	return e.persist(ctx, []work.Receipt{r}, nil)
}

// Pending returns the receipts of a source that were accepted and not finished, oldest first.
func (e *Engine) Pending(ctx context.Context, source string) ([]work.Receipt, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	return e.o.Inbox.Pending(ctx, source)
}

// Receive makes a delivery durable and starts every pipeline that a change of
// it triggers. fresh is false for a delivery seen before: the receipt then
// holds what came of the first. The receipt's Result is
// {"started":[execution IDs],"ignored":["pipeline: reason"]}. Once the receipt
// is durable the starts follow, even when ctx ends or the process dies.
func (e *Engine) Receive(ctx context.Context, r work.Receipt, changes []work.Change) (prior work.Receipt, fresh bool, err error) {
	if err := e.wait(ctx); err != nil {
		return prior, false, err
	}
	if r.At.IsZero() {
		r.At = e.o.Now()
	}
	release, err := e.receipts.hold(ctx, r.Key)
	if err != nil {
		return prior, false, err
	}
	defer release()
	for try := range 3 {
		prior, fresh, err = e.receipts.receive(ctx, delivery{Receipt: r, Changes: changes})
		if p, ok := asProblem(err); !ok || p.Code != workflows.CodeCommitUnknown {
			return prior, err == nil && (fresh || try > 0), err // what is known now, a try of this call has written
		}
	}
	return prior, fresh, err
}

// receive looks whether the delivery is known, and starts what it starts.
func (r *receipts) receive(ctx context.Context, d delivery) (work.Receipt, bool, error) {
	prior, known, err := r.e.o.Inbox.Receipt(ctx, d.Receipt.Key)
	if err != nil {
		return prior, false, r.e.unreadable(err, "the receipt")
	}
	if known && prior.Done {
		return prior, false, nil
	}
	if first, repeated, err := r.repeated(ctx, d); err != nil || repeated {
		return first, false, err
	}
	done, err := r.carryOut(ctx, d) // of a known one: it was only accepted, or an earlier try got half-way
	return done, !known, err
}

// repeated answers a push that was acted on a moment ago under another key.
func (r *receipts) repeated(ctx context.Context, d delivery) (work.Receipt, bool, error) {
	if len(d.Changes) != 1 {
		return d.Receipt, false, nil
	}
	c := d.Changes[0]
	value, ok, err := r.e.o.Memos.Memo(ctx, owner, pushKey(c))
	if err != nil {
		return d.Receipt, false, r.e.unreadable(err, "the pushes of the last minutes")
	}
	var note pushNote
	if !ok || json.Unmarshal(value, &note) != nil || note.Key == d.Receipt.Key || r.e.o.Now().Sub(note.At) >= samePush {
		return d.Receipt, false, nil
	}
	first, known, err := r.e.o.Inbox.Receipt(ctx, note.Key)
	if err != nil {
		return d.Receipt, false, r.e.unreadable(err, "the receipt")
	}
	result := received{Started: []string{}, Ignored: []string{}}
	if known {
		_ = json.Unmarshal(first.Result, &result) // not done yet: it has none, and the repeat still starts nothing
	}
	result.Ignored = append(result.Ignored, fmt.Sprintf("%s: the same push came a moment ago as %s", c.Repository, note.Key))
	done := finished(d.Receipt, result)
	over := Memo{Owner: owner, Key: deliveryPrefix + d.Receipt.Key} // should an earlier try have got half-way
	return done, true, r.e.persist(ctx, []work.Receipt{done}, []Memo{over})
}

// pushKey names a push by what it says. Not one of those: an empty change list.
func pushKey(c work.Change) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{c.Provider, c.Event, c.PullEvent, c.Repository, c.Branch, c.Tag, c.Commit, fmt.Sprint(c.Deleted)}, "\n")))
	return pushPrefix + hex.EncodeToString(sum[:16])
}

func finished(r work.Receipt, result received) work.Receipt {
	r.Done, r.Payload, r.Result = true, nil, encode(result)
	return r
}

// carryOut starts what a delivery starts. When that is one pipeline, receipt
// and decision are one commit; otherwise the receipt goes first, with a note
// from which a crash in between is made good.
func (r *receipts) carryOut(ctx context.Context, d delivery) (work.Receipt, error) {
	starts, ignored := r.matches(d)
	result := received{Started: []string{}, Ignored: ignored}
	var pushes []Memo
	for _, c := range d.Changes {
		pushes = append(pushes, Memo{Owner: owner, Key: pushKey(c), Value: encode(pushNote{Key: d.Receipt.Key, At: r.e.o.Now()})})
	}
	open := Memo{Owner: owner, Key: deliveryPrefix + d.Receipt.Key}
	if len(starts) == 1 {
		var done work.Receipt
		err := r.start(ctx, starts[0], func(got answer) ([]work.Receipt, []Memo) {
			done = finished(d.Receipt, result.with(starts[0].pipeline, got))
			return []work.Receipt{done}, append(pushes, open)
		})
		if err != nil {
			return d.Receipt, err
		}
		return done, nil
	}
	if len(starts) > 0 {
		open.Value = encode(d)
		if err := r.e.persist(ctx, []work.Receipt{d.Receipt}, append(pushes, open)); err != nil {
			return d.Receipt, err
		}
		got, err := r.startAll(context.WithoutCancel(ctx), starts)
		if err != nil {
			return d.Receipt, err
		}
		for i, one := range got {
			result = result.with(starts[i].pipeline, one)
		}
		open.Value = nil
	}
	done := finished(d.Receipt, result)
	return done, r.e.persist(context.WithoutCancel(ctx), []work.Receipt{done}, append(pushes, open))
}

// with adds what became of one start.
func (r received) with(pipeline string, got answer) received {
	r.Started, r.Ignored = append([]string{}, r.Started...), append([]string{}, r.Ignored...)
	if got.err == nil && got.result.Execution != nil {
		r.Started = append(r.Started, got.result.Execution.ID)
		return r
	}
	reason := "nothing was started"
	if p, ok := asProblem(got.err); ok {
		reason = p.Message
	}
	r.Ignored = append(r.Ignored, pipeline+": "+reason)
	return r
}

// start starts one pipeline. A refusal is an answer, which rides in the same
// commit; the error means that it is not known, or not possible now.
func (r *receipts) start(ctx context.Context, s kickoff, ride func(got answer) ([]work.Receipt, []Memo)) error {
	return undecided(r.kick(ctx, s, ride).err)
}

// kick starts one pipeline. Where the branch is looked at as well, whoever
// comes second with the same commit, poll or webhook, gets the first one's execution.
func (r *receipts) kick(ctx context.Context, s kickoff, ride func(got answer) ([]work.Receipt, []Memo)) answer {
	if s.polled == nil {
		return r.e.ask(ctx, ask{pipeline: s.pipeline, by: workflows.EnginePrincipal(), intent: &s.intent, ride: ride})
	}
	release, err := r.hold(ctx, s.polled.key)
	if err != nil {
		return answer{err: err}
	}
	defer release()
	return r.kickPolled(ctx, s, ride)
}

// kickPolled is kick for a branch that is looked at; its key is held.
func (r *receipts) kickPolled(ctx context.Context, s kickoff, ride func(got answer) ([]work.Receipt, []Memo)) answer {
	seen, _, err := r.e.sources.seen(ctx, s.polled.key)
	if err != nil {
		return answer{err: r.e.unreadable(err, "what was last seen of the branch")}
	}
	if seen.Branch == s.polled.branch && seen.Commit == s.polled.commit && seen.Token != "" && s.at.Sub(seen.At) < samePush {
		s.intent.Token = seen.Token
	}
	return r.e.ask(ctx, ask{
		pipeline: s.pipeline, by: workflows.EnginePrincipal(), intent: &s.intent, ride: s.polled.riding(ride, s.intent.Token, s.at),
	})
}

// startAll starts pipelines side by side, so that one commit can hold them all.
func (r *receipts) startAll(ctx context.Context, starts []kickoff) ([]answer, error) {
	got := make([]answer, len(starts))
	var all sync.WaitGroup
	for i, s := range starts {
		all.Go(func() { got[i] = r.kick(ctx, s, nil) })
	}
	all.Wait()
	for _, one := range got {
		if err := undecided(one.err); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// undecided returns an error that leaves open what happens; a refusal is decided.
func undecided(err error) error {
	if p, ok := asProblem(err); ok && p.Code != workflows.CodeUnavailable && p.Code != workflows.CodeCommitUnknown {
		return nil
	}
	return err
}
