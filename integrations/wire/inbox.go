package wire

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// ErrFull is the error of Take when too many requests wait: nothing was accepted.
var ErrFull = errors.New("too many requests are waiting to be processed")

const (
	sweepEvery    = 30 * time.Second
	finishWithin  = 5 * time.Second // of noting a result, also while the process ends
	firstPause    = time.Second     // before the second try; doubles from there on
	longestPauses = time.Minute     // between two tries to read what is pending
)

// Receipts keeps requests durably. *runtime.Engine does.
type Receipts interface {
	// Accept makes the receipt durable. When its key is known already, fresh is
	// false and prior is what was stored.
	Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error)
	// Pending returns a source's receipts that are not finished, oldest first.
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
}

// Try runs f, bounded by the inbox's workers and its limit for a try, and again
// after a pause until it works, fails for good, has been tried for long enough,
// or ctx ends. The error is that of the last try; a panic is a *Panic.
type Try func(ctx context.Context, f func(context.Context) error) error

// InboxOptions says how an Inbox treats one vendor's requests.
type InboxOptions struct {
	Source   string // of the receipts: "slack"
	Receipts Receipts
	// Queue names the queue of a receipt; ok is false for one that is somebody
	// else's to process. The requests of one queue are processed one after the other.
	Queue func(r work.Receipt) (name string, ok bool)
	// Process does what the receipt asks for and returns its result. It may be
	// called again for the same receipt after a crash. An error leaves the
	// receipt pending, for a later sweep or the next start.
	Process func(ctx context.Context, r work.Receipt, try Try) (result []byte, err error)
	// Finish notes the result, which a repeat of the request is answered. Nil:
	// Process does, in the commit that it makes.
	Finish func(ctx context.Context, key string, result []byte) error

	Resume      bool // Take treats a repeat of a request that is not finished as the request itself
	ReportTries bool // a failed try, which is repeated, is also the answer to whoever waits in Take

	Workers      int              // tries at the same time, over all queues
	Limit        int              // requests that wait before Take answers ErrFull; 0: none
	RetryFor     time.Duration    // how long Try tries; 0: until ctx ends
	LongestPause time.Duration    // between two tries
	TryLimit     time.Duration    // of one try; 0: none
	Drain        time.Duration    // how much longer a try may take when the process ends
	Final        func(error) bool // says that another try would fail alike; nil: none does
	Log          *slog.Logger
}

// Inbox processes one vendor's requests after their acknowledgement: [Inbox.Take]
// makes a request durable and queues it; the caller acknowledges; a worker
// processes it and finishes its receipt. What a crash leaves between the
// acknowledgement and the finish is processed after the next start: a request
// may be processed twice, and is never lost.
type Inbox struct {
	o     InboxOptions
	slots chan struct{} // one element for each try that runs
	tasks sync.WaitGroup
	ended chan struct{} // closed when Run has ended

	mu       sync.Mutex
	ctx      context.Context // nil until queues may be worked on
	closed   bool            // no worker begins any more
	arriving map[string]int  // keys that Take is making durable; sweeps leave them to it
	queued   map[string]bool // keys in queues
	finished map[string]bool // keys that left the queues during a sweep; nil when there is none
	queues   map[string][]work.Receipt
	waiting  int // requests in queues, those that are being processed included
	callers  map[string][]chan outcome
}

// outcome is what those who wait in Take get: the finished receipt, or the
// error of a try.
type outcome struct {
	receipt work.Receipt
	err     error
}

// NewInbox returns an inbox. Requests are processed while its Run runs.
func NewInbox(o InboxOptions) *Inbox {
	return &Inbox{o: o, slots: make(chan struct{}, o.Workers), ended: make(chan struct{}), arriving: map[string]int{},
		queued: map[string]bool{}, queues: map[string][]work.Receipt{}, callers: map[string][]chan outcome{}}
}

// Take makes the request durable and queues it; after an error nothing was
// queued. fresh is false for a repeat, and the receipt is then the first one's.
// Take returns as soon as the request is finished, or has waited that long: a
// receipt that is not Done is processed later.
func (i *Inbox) Take(ctx context.Context, r work.Receipt, wait time.Duration) (got work.Receipt, fresh bool, err error) {
	if !i.arrives(r.Key) {
		return r, false, ErrFull
	}
	defer i.arrived(r.Key)
	got, fresh, err = i.o.Receipts.Accept(ctx, r)
	switch {
	case err != nil:
		return got, false, err
	case !fresh && (got.Done || !i.o.Resume):
		return got, false, nil
	case len(got.Payload) == 0: // accepted by an earlier version, which kept none
		got.Payload = r.Payload
	}
	done := i.add(got)
	defer i.forget(got.Key, done)
	if wait <= 0 {
		return got, true, nil
	}
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case out := <-done:
		if out.err != nil {
			return got, true, out.err
		}
		return out.receipt, true, nil
	case <-limit.C:
	case <-ctx.Done():
	case <-i.ended:
	}
	return got, true, nil
}

// Run queues what an earlier process accepted and did not finish, then begins
// to process, and from then on looks whether something durable was forgotten.
// It returns, without an error, when ctx has ended and what was being processed
// is finished or left for the next start.
func (i *Inbox) Run(ctx context.Context) error {
	defer close(i.ended)
	Backoff(ctx, firstPause, longestPauses, func() bool { return i.sweep(ctx) })
	i.start(ctx)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			i.sweep(ctx)
		case <-ctx.Done():
		}
	}
	i.mu.Lock()
	i.closed = true // under the lock that begins workers, so that none begins while they are waited for
	i.mu.Unlock()
	i.tasks.Wait()
	return nil
}

// sweep queues what is durable and in no queue: what an earlier process left,
// and what became durable although Accept could not say so in time. It says
// whether the receipts could be read.
func (i *Inbox) sweep(ctx context.Context) bool {
	i.mu.Lock()
	i.finished = map[string]bool{}
	i.mu.Unlock()
	pending, err := i.o.Receipts.Pending(ctx, i.o.Source)
	queues := map[string]string{} // by key
	for _, r := range pending {
		if name, ours := i.o.Queue(r); ours {
			queues[r.Key] = name
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	added := 0
	for _, r := range pending {
		// What was read may have changed since: it may have been finished, and what
		// Take has just made durable it queues itself.
		name, ours := queues[r.Key]
		if ours && !i.queued[r.Key] && !i.finished[r.Key] && i.arriving[r.Key] == 0 {
			i.put(name, r)
			added++
		}
	}
	i.finished = nil
	switch {
	case err != nil && ctx.Err() == nil:
		i.o.Log.Error("accepted requests cannot be read; trying again", "source", i.o.Source, "error", err)
	case added > 0:
		i.o.Log.Info("processing requests that were accepted and not finished", "source", i.o.Source, "count", added)
	}
	return err == nil
}

// process has one request processed and finishes its receipt.
func (i *Inbox) process(ctx context.Context, r work.Receipt) {
	log := i.o.Log.With("receipt", r.Key)
	result, err := i.o.Process(ctx, r, i.try(r.Key))
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("a request is left for the next start")
	case err != nil:
		log.Error("a request could not be processed; it is tried again later", "error", err)
	case i.o.Finish != nil:
		noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
		defer cancel()
		if err = i.o.Finish(noting, r.Key, result); err != nil {
			log.Error("a request was processed, but that could not be noted; it is processed again, which changes nothing more", "error", err)
		}
	}
	r.Done, r.Payload, r.Result = err == nil, nil, result
	i.report(r.Key, outcome{r, err})
}
