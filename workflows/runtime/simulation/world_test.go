package simulation

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
)

// world is one seed: a disk, an outside and people, which outlive processes,
// and the process that runs the engine now.
type world struct {
	t     *testing.T
	dice  *rand.Rand // drawn from by the scheduler alone
	story *story
	calm  bool // everything works from now on
	// lastFault is how a first commit of the calm ends: what is left of a storm
	// must not need anybody to come by.
	lastFault string

	disk     disk
	ledger   *ledger
	outside  *outside
	people   *people
	names    []string           // of the pipelines
	freezes  []workflows.Freeze // of the configuration
	restored event.Restored     // what the disk comes from
	moves    []move
	keeps    retention.Policy     // of the configuration
	cellar   map[string]time.Time // artifacts, by digest: when they were stored; guarded by mu

	skew  atomic.Int64  // how far the clock of the service is off
	ahead time.Duration // the most that it ever was
	sight atomic.Bool   // false: the disk cannot be read

	process *process // nil: none runs
	boots   int
	clients []*client
	asked   int // clients so far

	mu     sync.Mutex // guards what follows, and what disk, ledger and outside hold
	parked []*call
	lanes  map[string]int // calls under way that must not be more than one
	broken string         // the first invariant that did not hold
}

// call is something the engine has asked and that is not answered yet.
type call struct {
	kind, key string // made of names, never of IDs, so that they sort alike in every run
	process   *process
	answer    chan fate
}

// fate is how a call ends. die is for whatever else is left to chance.
type fate struct {
	how string
	die uint64
}

const (
	fine   = "fine"
	gone   = "gone"   // the process was killed: nothing it does counts any more
	before = "before" // an error, and nothing happened
	after  = "after"  // an error, and yet it happened
	late   = "late"   // it happened, and the answer takes a while
	panics = "panics" // before anything happened
	bursts = "bursts" // panics after it happened
)

// process is one life of the engine.
type process struct {
	n      int
	dead   bool // guarded by world.mu
	unsure bool // the same: a commit is not answered yet, or of unknown end and the store not open again
	engine *runtime.Engine
	cancel context.CancelFunc
	ended  chan error
	ending bool // was asked to end
	calm   bool // began when everything worked

	pins map[string][]string // digests of artifacts, by task, until it is released; guarded by world.mu
}

// isReady says whether the engine has begun.
func (p *process) isReady() bool {
	select {
	case <-p.engine.Ready():
		return true
	default:
		return false
	}
}

// park asks the scheduler and waits for its answer. When ctx ends first, the
// call is taken back.
func (w *world) park(ctx context.Context, p *process, kind, key string) (fate, error) {
	c := &call{kind: kind, key: key, process: p, answer: make(chan fate, 1)}
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		return fate{how: gone}, errPower
	}
	w.parked = append(w.parked, c)
	w.mu.Unlock()
	select {
	case f := <-c.answer:
		return f, nil
	case <-ctx.Done():
		select {
		case f := <-c.answer: // it came first
			return f, nil
		default:
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.parked = slices.DeleteFunc(w.parked, func(o *call) bool { return o == c })
		return fate{how: gone}, ctx.Err()
	}
}

// waiting returns the calls that are parked, in an order that is the same in every run.
func (w *world) waiting() []*call {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.parked, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key))
	})
	return slices.Clone(w.parked)
}

// release answers a call.
func (w *world) release(c *call, f fate) {
	w.mu.Lock()
	w.parked = slices.DeleteFunc(w.parked, func(o *call) bool { return o == c })
	w.mu.Unlock()
	c.answer <- f
}

// violated notes that an invariant does not hold.
func (w *world) violated(invariant, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violatedLocked(invariant, format, args...)
}

// violatedLocked is violated for those who hold w.mu.
func (w *world) violatedLocked(invariant, format string, args ...any) {
	if w.broken == "" {
		w.broken = invariant + ": " + fmt.Sprintf(format, args...)
	}
}

func (w *world) now() time.Time {
	return time.Now().Round(0).Add(time.Duration(w.skew.Load()))
}

// boot starts a process on what is durable.
func (w *world) boot() {
	w.boots++
	p := &process{n: w.boots, pins: map[string][]string{}, ended: make(chan error, 1), calm: w.calm}
	q := &port{w: w, p: p}
	e, err := runtime.New(runtime.Options{
		Store: q, History: q, Inbox: q, Memos: q, Runs: desk{w, p}, Objects: desk{w, p},
		Retention: w.keeps, Rows: q, Files: q, Restored: w.restored,
		Runners: map[string]runtime.Runner{"Git": finder{hand{w, p}}, "Commands": finder{hand{w, p}}, "Wait": hand{w, p}},
		Sources: map[string]runtime.Source{"Git": branches{w, p}},
		Freezes: w.freezes, Policy: w.people.policy, Directories: map[string]runtime.Directory{"slack-group": members{w, p}},
		Log: slog.New(&listener{w: w, p: p}), Now: w.now,
		Rand: rand.NewChaCha8([32]byte{byte(w.dice.Uint64()), byte(w.boots), byte(w.boots >> 8)}),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	p.engine = e
	for _, f := range w.followers(p) {
		e.AddFollower(f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { p.ended <- e.Run(ctx) }()
	w.process = p
	w.log("boot %d", p.n)
	w.janitor(p)
}

// kill ends the process as kill -9 would. What it had asked for and was not
// answered has happened, or has not.
func (w *world) kill() {
	p := w.process
	w.mu.Lock()
	p.dead = true
	w.mu.Unlock()
	for _, c := range w.waiting() {
		if c.process != p {
			continue
		}
		f := fate{how: gone, die: w.dice.Uint64()}
		if (c.kind == "commit" || c.kind == "start" || c.kind == "create") && !w.calm && w.dice.IntN(2) == 0 {
			f.how = after
			w.log("  %s %s had happened", c.kind, c.key)
		}
		w.release(c, f)
	}
	p.cancel()
	for _, c := range w.clients {
		if c.process == p {
			c.lost = true
			c.cancel()
		}
	}
	w.process = nil
	w.rest()
}

// reap notices a process that has ended by itself or as it was asked to.
func (w *world) reap() {
	p := w.process
	if p == nil {
		return
	}
	select {
	case err := <-p.ended:
		if err != nil && p.calm {
			w.violated("the engine starts", "it ended: %v", err)
		}
		w.log("process %d has ended: %v", p.n, err)
		w.kill() // what is left of it no longer counts
	default:
	}
}

// rest waits until nothing moves but what waits for an answer; reads are answered.
func (w *world) rest() {
	for {
		synctest.Wait()
		calls := w.waiting()
		i := slices.IndexFunc(calls, func(c *call) bool { return c.kind == "read" })
		if i < 0 {
			return
		}
		w.release(calls[i], fate{how: fine})
	}
}

// harvest looks at what people were answered.
func (w *world) harvest() {
	for {
		w.rest()
		w.mu.Lock()
		i := slices.IndexFunc(w.clients, func(c *client) bool { return c.done })
		var c *client
		if i >= 0 {
			c = w.clients[i]
			w.clients = slices.Delete(w.clients, i, i+1)
		}
		w.mu.Unlock()
		if c == nil {
			break
		}
		c.cancel()
		if c.judge != nil {
			c.judge(c.lost)
		}
	}
	w.reap()
	w.rest()
}

// whole stops the story when an invariant does not hold.
func (w *world) whole() {
	w.mu.Lock()
	broken := w.broken
	w.mu.Unlock()
	if broken != "" {
		w.t.Fatal(broken)
	}
}

// end leaves nothing behind in the bubble.
func (w *world) end() {
	for i := 0; i < 5; i++ {
		if w.process != nil {
			w.kill()
		}
		for _, c := range w.clients {
			c.cancel()
		}
		for _, c := range w.waiting() {
			w.release(c, fate{how: gone})
		}
		pass(10 * time.Second)
	}
	_ = w.disk.Close()
}

// pass lets time go by. The scheduler never wakes at the very moment at which
// something of the engine is due.
func pass(d time.Duration) {
	const odd = 37 * time.Nanosecond
	time.Sleep(d + odd) // synthetic: the bubble's clock jumps
	synctest.Wait()
}

// story is what happened, for people.
type story struct {
	lines []string
	began time.Time
	echo  func(string)
}

func (w *world) log(format string, args ...any) {
	line := fmt.Sprintf("%12s  ", time.Since(w.story.began).Round(time.Millisecond)) + fmt.Sprintf(format, args...)
	w.story.lines = append(w.story.lines, line)
	if w.story.echo != nil {
		w.story.echo(line)
	}
}

func (s *story) last(n int) string {
	return strings.Join(s.lines[max(0, len(s.lines)-n):], "\n")
}

// limbo says whether a commit is durable and not answered, or of unknown end: until
// then, or until the store is open again, what is read of it may be newer than
// what the engine knows.
func (w *world) limbo(p *process) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p.unsure
}

// listener hears what the engine logs: faults that it contains are faults all the same.
type listener struct {
	w *world
	p *process
}

func (l *listener) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError || l.w.story.echo != nil
}
func (l *listener) Handle(_ context.Context, r slog.Record) error {
	var text strings.Builder
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&text, " %s=%v", a.Key, a.Value); return true })
	for _, bad := range []string{"a decision panicked", "reading a pipeline panicked", "a decision never had enough facts", "an execution that ended has no row", "its row and its state do not agree"} {
		if strings.Contains(r.Message+text.String(), bad) && !l.w.limbo(l.p) {
			l.w.violated("nothing is contained that was not injected", "%s%s", r.Message, text.String())
		}
	}
	if l.w.story.echo != nil {
		l.w.story.echo("              [" + r.Level.String() + "] " + short(r.Message+text.String()))
	}
	return nil
}
func (l *listener) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *listener) WithGroup(string) slog.Handler      { return l }
