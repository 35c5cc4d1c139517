package decider

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Decider decides about pipelines and makes the decisions durable. Its methods
// may be called from any goroutine.
type Decider struct {
	o      Options
	log    *slog.Logger
	encode func(c *record.Commit) // of the store
	loops  []*loop
	writer *writer
	heads  heads
	calls  context.Context // of look-ups in the background

	restored atomic.Pointer[event.Restored] // while it is being taken up

	down      atomic.Bool   // the store could not be opened again, and is tried
	fenced    chan struct{} // closed when another process has taken over
	fencedErr error         // set before

	deciding, writing sync.WaitGroup
}

// New returns a decider that does nothing before Start.
func New(o Options) *Decider {
	d := &Decider{o: o, log: o.Logger, calls: context.Background(), fenced: make(chan struct{})}
	d.heads.last = map[string]uint64{}
	d.writer = newWriter(d)
	if e, ok := o.Log.(Encoder); ok {
		d.encode = e.Encode
	}
	for i := range o.Loops {
		d.loops = append(d.loops, newLoop(d, i))
	}
	return d
}

// Start has the loops and the writer work until Finish. calls is the context of
// look-ups in the background.
func (d *Decider) Start(calls context.Context) {
	d.calls = calls
	for _, l := range d.loops {
		d.deciding.Go(l.run)
	}
	d.writing.Go(d.writer.run)
}

// Load reads what pipelines there are. Their due times wait for Resume.
func (d *Decider) Load(ctx context.Context) ([]record.Head, error) {
	heads, err := d.o.Heads.Pipelines(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the pipelines: %w", err)
	}
	d.heads.reset(heads)
	return heads, nil
}

// Resume puts the due times of pipelines into the heap. One with work under way
// is due at once. It is the same at a start and after a commit of unknown end.
func (d *Decider) Resume(all []record.Head) {
	for _, h := range all {
		if !h.Due.IsZero() {
			d.loopOf(h.Pipeline).wakeAt(h.Pipeline, h.Due)
		}
	}
}

// Finish writes every loaded pipeline down and ends loops and writer.
func (d *Decider) Finish() {
	for _, l := range d.loops {
		l.box.post(l.finish)
	}
	d.deciding.Wait()
	d.writer.finish()
	d.writing.Wait()
}

// Ended is closed after the last commit.
func (d *Decider) Ended() <-chan struct{} { return d.writer.ended }

// Fenced is closed when another process has taken over: this one must end.
func (d *Decider) Fenced() <-chan struct{} { return d.fenced }

// Err is why the decider is fenced, wrapping record.ErrFenced; nil: it is not.
func (d *Decider) Err() error {
	select {
	case <-d.fenced:
		return d.fencedErr
	default:
		return nil
	}
}

// Last returns the sequence number of a pipeline's last committed frame; ok is
// false when there is no such pipeline.
func (d *Decider) Last(pipeline string) (seq uint64, ok bool) { return d.heads.seq(pipeline) }

// Pipelines are the names of all pipelines, in no order.
func (d *Decider) Pipelines() []string { return d.heads.names() }

// Fold returns a pipeline's state as committed, and the sequence number of its last frame.
func (d *Decider) Fold(ctx context.Context, pipeline string) (s *machine.State, seq uint64, err error) {
	s, checkpoint, frames, err := d.fold(ctx, pipeline)
	seq = checkpoint.Seq
	if n := len(frames); n > 0 {
		seq = frames[n-1].Seq
	}
	return s, seq, err
}

// Persist makes claims, receipts and memos durable that belong to no decision.
// The error is a *workflows.Problem, or ctx's; record.ErrConflict and
// record.ErrFenced are wrapped in it.
func (d *Decider) Persist(ctx context.Context, c record.Commit) error {
	if d.down.Load() {
		return unwritable()
	}
	done := make(chan error, 1)
	r := &commitRequest{commit: c, onCommit: func(err error) { done <- err }}
	select {
	case d.writer.loose <- r:
	case <-d.writer.ended:
		return Stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-d.writer.ended: // too late: the last commit was made
		return Stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RequestCommit has a commit made soon, for positions that are to be saved.
func (d *Decider) RequestCommit() {
	select {
	case d.writer.loose <- &commitRequest{onCommit: func(error) {}}:
	default: // one is coming anyway
	}
}

// loopOf returns the loop that decides for a pipeline.
func (d *Decider) loopOf(pipeline string) *loop {
	h := fnv.New32a()
	h.Write([]byte(pipeline))
	return d.loops[int(h.Sum32()%uint32(len(d.loops)))]
}
