package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
)

// drainFor is how long calls under way may take when the engine ends, and then
// how long they may take to hear that they are cut off.
const drainFor = 2 * time.Second

// owner is under which the engine keeps memos of its own.
const owner = "runtime"

// Options are what an [Engine] works with. Store, History, Inbox, Memos and
// Blobs are needed; everything else may be left out.
type Options struct {
	Store   Store
	History History
	Inbox   Inbox
	Memos   Memos
	Blobs   Blobs

	Runners   map[string]Runner  // by the provider of the actions they carry out; CodePipeline is the engine's own
	Sources   map[string]Source  // by the provider of the source actions they look at
	Followers []Follower         // more through AddFollower
	Freezes   []workflows.Freeze // those of the configuration; each pipeline they name gets them
	Policy    *access.Policy     // nil: members may look, nobody may act
	Directory Directory          // nil: asking for an outside group ends as "could not check"

	Log          *slog.Logger     // nil: slog.Default()
	Now          func() time.Time // nil: time.Now
	Rand         io.Reader        // where IDs come from; nil: crypto/rand
	PollInterval time.Duration    // between two looks at a polled branch; 0: 30 s
}

// Engine runs pipelines: it decides, makes durable, carries out, tells. Its
// methods may be called from any goroutine; they wait until Run is ready.
type Engine struct {
	o   Options
	log *slog.Logger

	loops     []*loop
	writer    *writer
	timers    *timers
	tasks     *tasks
	feed      *feed
	replicas  *replicas
	catalog   *catalog
	receipts  *receipts
	sources   *sources
	freezes   *freezes
	invoker   *invoker
	followers []*following

	known    heads         // what pipelines there are, as committed
	ready    chan struct{} // closed when everything can be asked
	stopping chan struct{} // closed when nothing new is accepted
	began    atomic.Bool
	rand     sync.Mutex // guards o.Rand

	background sync.WaitGroup  // goroutines that end with the run's context
	crew       crew            // short-lived ones: calls of runners, followers, sources
	acting     context.Context // of calls that may take a little longer than the run's context
}

// New checks the options and returns an engine that does nothing before Run.
func New(o Options) (*Engine, error) {
	if o.Store == nil || o.History == nil || o.Inbox == nil || o.Memos == nil || o.Blobs == nil {
		return nil, errors.New("the engine needs a store, its history, inbox and memos, and blobs")
	}
	if o.Policy == nil {
		o.Policy = &access.Policy{}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.PollInterval <= 0 {
		o.PollInterval = 30 * time.Second
	}
	e := &Engine{o: o, log: o.Log, acting: context.Background(), ready: make(chan struct{}), stopping: make(chan struct{})}
	e.known.last = map[string]uint64{}
	e.timers = newTimers(o.Now)
	e.feed = newFeed(o.History)
	e.replicas = newReplicas(e)
	e.catalog = newCatalog(e)
	e.receipts = newReceipts(e)
	e.tasks = newTasks(e)
	e.sources = newSources(e)
	e.freezes = newFreezes(e)
	e.invoker = newInvoker(e)
	e.o.Runners = withInvoker(o.Runners, e.invoker)
	e.writer = newWriter(e)
	for range runtime.GOMAXPROCS(0) {
		e.loops = append(e.loops, newLoop(e))
	}
	seen := map[string]bool{}
	for _, f := range o.Followers {
		if seen[f.Name()] {
			return nil, fmt.Errorf("two followers are named %q; their memories would mix", f.Name())
		}
		seen[f.Name()] = true
		e.AddFollower(f)
	}
	return e, nil
}

// AddFollower adds a follower, for those that need the engine to be made. Only
// before Run; a follower with a name that is taken replaces the earlier one.
func (e *Engine) AddFollower(f Follower) {
	for i, g := range e.followers {
		if g.f.Name() == f.Name() {
			e.followers[i] = newFollowing(e, f)
			return
		}
	}
	e.followers = append(e.followers, newFollowing(e, f))
}

// crew are goroutines that come and go. None is added once the end has begun.
type crew struct {
	mu     sync.Mutex
	ending bool
	all    sync.WaitGroup
}

// do runs f on a goroutine of its own.
func (c *crew) do(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		c.all.Go(f)
	}
}

// end waits for everybody, at most so long; false: some are still there.
func (c *crew) end(within time.Duration) bool {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.all.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(within):
		return false
	}
}

// Ready is closed once the engine can decide and write.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run works until ctx ends, then drains: nothing new is accepted, what is
// decided is committed, loaded pipelines are written down. It returns within
// seconds; work outside goes on, and is taken up by the next run. The store
// stays open. Run may be called once. The error says why it could not begin.
func (e *Engine) Run(ctx context.Context) error {
	if e.began.Swap(true) {
		return errors.New("an engine runs once; make a new one")
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var stopActing context.CancelFunc
	e.acting, stopActing = context.WithCancel(context.WithoutCancel(ctx))
	defer stopActing()
	var deciding, writing sync.WaitGroup
	for _, l := range e.loops {
		deciding.Go(l.run)
	}
	writing.Go(e.writer.run)
	e.background.Go(func() { e.timers.run(ctx) })

	err := e.begin(ctx)
	if err == nil {
		close(e.ready)
		<-ctx.Done()
	}
	stop()
	close(e.stopping)
	e.background.Wait()
	e.tasks.stop()
	if !e.crew.end(drainFor) {
		stopActing()
		if !e.crew.end(drainFor) {
			e.log.Warn("a runner or follower does not come back; the engine ends without it")
		}
	}
	e.end(&deciding, &writing)
	return err
}

// begin reads what there is and takes up what was under way.
func (e *Engine) begin(ctx context.Context) error {
	if err := e.catalog.load(ctx); err != nil {
		return fmt.Errorf("read which repositories the pipelines follow: %w", err)
	}
	heads, err := e.o.Store.Pipelines(ctx)
	if err != nil {
		return fmt.Errorf("list the pipelines: %w", err)
	}
	e.known.reset(heads)
	for _, f := range e.followers {
		if err := f.load(ctx); err != nil {
			return fmt.Errorf("read how far the follower %s has come: %w", f.name, err)
		}
	}
	if err := e.sweepRuns(ctx); err != nil {
		return fmt.Errorf("look for what the last run has left: %w", err)
	}
	e.freezes.begin(ctx)
	e.takeUp(heads)
	for _, f := range e.followers {
		e.background.Go(func() { f.run(ctx) })
	}
	e.background.Go(func() { e.receipts.run(ctx) })
	e.sources.begin(ctx)
	return nil
}

// takeUp puts the due times of all pipelines into the heap. One with work under
// way is due at once. It is the same at a start and after a commit of unknown end.
func (e *Engine) takeUp(all []Head) {
	for _, h := range all {
		if !h.Due.IsZero() {
			e.loopOf(h.Pipeline).wakeAt(h.Pipeline, h.Due)
		}
	}
}

// end writes every loaded pipeline down and ends loops and writer.
func (e *Engine) end(deciding, writing *sync.WaitGroup) {
	for _, l := range e.loops {
		l.box.post(l.finish)
	}
	deciding.Wait()
	e.writer.finish()
	writing.Wait()
}

// wait waits until the engine runs, and refuses when it is about to end.
func (e *Engine) wait(ctx context.Context) error {
	select {
	case <-e.stopping:
		return stopped()
	default:
	}
	select {
	case <-e.ready:
		return nil
	case <-e.stopping:
		return stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopped is the refusal of an engine that is about to end.
func stopped() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: "rollcall is stopping; nothing was changed", Hint: "try again in a few seconds"}
}

// seed draws what the IDs of one decision are made from.
func (e *Engine) seed() (s [16]byte) {
	e.rand.Lock()
	defer e.rand.Unlock()
	if _, err := io.ReadFull(e.o.Rand, s[:]); err != nil {
		panic("runtime: the source of randomness is dry: " + err.Error())
	}
	return s
}

// heads is what pipelines there are, with the sequence number of the last committed frame of each.
type heads struct {
	mu   sync.RWMutex
	last map[string]uint64
}

func (h *heads) reset(all []Head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = make(map[string]uint64, len(all))
	for _, one := range all {
		h.last[one.Pipeline] = one.Last
	}
}

func (h *heads) seq(pipeline string) (seq uint64, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	seq, ok = h.last[pipeline]
	return seq, ok
}

func (h *heads) set(pipeline string, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[pipeline] = seq
}

func (h *heads) names() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	names := make([]string, 0, len(h.last))
	for name := range h.last {
		names = append(names, name)
	}
	return names
}
