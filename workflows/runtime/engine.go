package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
	"github.com/rollcall-bot/rollcall/workflows/runtime/contents"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
	"github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
)

// drainFor is how long calls under way may take when the engine ends, and then
// how long they may take to hear that they are cut off.
const drainFor = 2 * time.Second

// owner is under which the engine keeps memos of its own.
const owner = record.RuntimeOwner

// Options are what an [Engine] works with. Store, History, Inbox, Memos,
// Runs and Objects are needed; everything else may be left out.
type Options struct {
	Store   Store
	History History
	Inbox   Inbox
	Memos   Memos
	Runs    Runs
	Objects Objects
	// Retention says how long things are kept; zero: for ever. Rows and Files are what
	// there is to remove; without them nothing is.
	Retention retention.Policy
	Rows      retention.Rows
	Files     Files
	Host      string // where the run folders are; empty: not known

	Restored event.Restored // what the store says it was restored from last

	Runners   map[string]Runner  // by "Category/Provider" of the actions they carry out, or by the provider alone; CodePipeline is the engine's own
	Sources   map[string]Source  // by the provider of the source actions they look at
	Followers []Follower         // more through AddFollower
	Freezes   []workflows.Freeze // those of the configuration; each pipeline they name gets them
	Policy    *access.Policy     // nil: members may look, nobody may act
	// Directories know the members of outside groups, by kind ("slack-group"). Of
	// a kind without one nobody is certain to be a member, or not to be.
	Directories  map[string]Directory
	People       People            // nil: everybody is for good who their surface says
	OutsideLogs  OutsideLogs       // nil: logs of actions in AWS cannot be read
	Pulls        Pulls             // nil: by which pull requests commits came is not asked
	Issues       Issues            // nil: which issues are mentioned is not asked
	NoteHeadings []changes.Heading // of release notes, by label

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

	timers    *decider.Timers
	decider   *decider.Decider
	tasks     *acting.Tasks
	feed      *following.Feed
	models    *following.ReadModels
	catalogue *inbound.Catalogue
	starter   *inbound.Starter
	receipts  *inbound.Receipts
	sources   *inbound.Sources
	ranges    *inbound.Ranges
	contents  *contents.Contents
	freezes   *inbound.Freezes
	invoker   *acting.Invoker
	followers *following.Followers
	retention *retention.Retention

	outsideLogs outsideLogs

	memoOwners map[string]MemoOwner // followers, by their names
	heap       heap
	looks      looks

	ready    chan struct{} // closed when everything can be asked
	stopping chan struct{} // closed when nothing new is accepted
	began    atomic.Bool
	rand     sync.Mutex // guards o.Rand

	background sync.WaitGroup // goroutines that end with the run's context
	group      group          // short-lived ones: calls of runners, followers, sources
}

// New checks the options and returns an engine that does nothing before Run.
func New(o Options) (*Engine, error) {
	if o.Store == nil || o.History == nil || o.Inbox == nil || o.Memos == nil || o.Runs == nil || o.Objects == nil {
		return nil, errors.New("the engine needs a store, its history, inbox and memos, run folders, and objects")
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
	e := &Engine{o: o, log: o.Log, ready: make(chan struct{}), stopping: make(chan struct{}), memoOwners: map[string]MemoOwner{}}
	e.timers = decider.NewTimers(o.Now)
	e.withFollowing()
	e.withActing()
	e.withDecider()
	e.withRetention()
	e.withInbound()
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

// ClockMoved has the engine look at Options.Now again, after a jump forward: what is due by now happens.
func (e *Engine) ClockMoved() { e.timers.Look() }

// AddFollower adds a follower, for those that need the engine to be made. Only
// before Run; a follower with a name that is taken replaces the earlier one.
func (e *Engine) AddFollower(f Follower) {
	e.followers.Add(f)
	if r, ok := f.(MemoOwner); ok {
		e.memoOwners[f.Name()] = r
	}
}

// Ready is closed once the engine can decide and write.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run works until ctx ends, then drains: nothing new is accepted, what is
// decided is committed, loaded pipelines are written down. It returns within
// seconds; work outside goes on, and is taken up by the next run. The store
// stays open. Run may be called once. The error says why it could not begin, or,
// wrapping record.ErrFenced, that another process has taken over.
func (e *Engine) Run(ctx context.Context) error {
	if e.began.Swap(true) {
		return errors.New("an engine runs once; make a new one")
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	calls, stopCalls := context.WithCancel(context.WithoutCancel(ctx)) // may take a little longer than ctx
	defer stopCalls()
	e.tasks.Start(calls)
	e.receipts.Start(calls)
	e.decider.Start(calls)
	e.background.Go(func() { e.timers.Run(ctx) })

	err := e.load(ctx)
	if err == nil {
		close(e.ready)
		select {
		case <-ctx.Done():
		case <-e.decider.Fenced():
			err = fmt.Errorf("the engine ends: %w", e.decider.Err())
		}
	}
	stop()
	close(e.stopping)
	e.background.Wait()
	e.tasks.Stop()
	if !e.group.wait(drainFor) {
		stopCalls()
		if !e.group.wait(drainFor) {
			e.log.Warn("a runner or follower does not come back; the engine ends without it")
		}
	}
	e.decider.Finish()
	return err
}

// load reads what there is and takes up what was under way.
func (e *Engine) load(ctx context.Context) error {
	if err := e.catalogue.Load(ctx); err != nil {
		return fmt.Errorf("read which repositories the pipelines follow: %w", err)
	}
	heads, err := e.decider.Load(ctx)
	if err != nil {
		return err
	}
	if heads, err = e.takeUpRestore(ctx, heads); err != nil {
		return fmt.Errorf("take up that a backup was restored: %w", err)
	}
	if err := e.completeCatalogue(ctx); err != nil {
		return fmt.Errorf("read the current definitions: %w", err)
	}
	if err := e.followers.Load(ctx); err != nil {
		return err
	}
	if err := e.collector().Collect(ctx, e.group.Go); err != nil {
		return fmt.Errorf("look for what the last run has left: %w", err)
	}
	e.freezes.Start(ctx)
	e.decider.Resume(heads)
	for _, run := range e.followers.Runs() {
		e.background.Go(func() { run(ctx) })
	}
	e.background.Go(func() {
		<-e.ready
		e.receipts.Run(ctx)
	})
	e.background.Go(func() {
		<-e.ready
		e.retention.Run(ctx)
	})
	e.sources.Start(ctx)
	return nil
}

// wait waits until the engine runs, and refuses when it is about to end.
func (e *Engine) wait(ctx context.Context) error {
	select {
	case <-e.stopping:
		return decider.Stopped()
	default:
	}
	select {
	case <-e.ready:
		return nil
	case <-e.stopping:
		return decider.Stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
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
