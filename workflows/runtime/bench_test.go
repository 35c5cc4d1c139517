package runtime_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// ram is a store without a disk and without JSON: what is left of the whole path is the engine.
type ram struct {
	*plug
	mu      sync.Mutex
	newest  map[string]runtime.Checkpoint
	log     map[string][]event.Frame
	feed    uint64
	commits atomic.Int64
	ended   chan struct{} // one for each execution that ended
	parked  chan string   // the token of each gate that opened
}

// Commit keeps the frames that no checkpoint holds yet, and tells of gates and ends.
func (r *ram) Commit(_ context.Context, c *runtime.Commit) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commits.Add(1)
	var tokens []string
	ends := 0
	for i := range c.Frames {
		f := &c.Frames[i]
		r.feed++
		f.Feed = r.feed
		r.log[f.Pipeline] = append(r.log[f.Pipeline], *f)
		for _, ev := range f.Events {
			switch ev.Kind {
			case event.GateOpened:
				tokens = append(tokens, ev.Gate.Token)
			case event.ExecutionSucceeded:
				ends++
			}
		}
	}
	for _, cp := range c.Checkpoints {
		r.newest[cp.Pipeline] = cp
		r.log[cp.Pipeline] = slices.DeleteFunc(slices.Clone(r.log[cp.Pipeline]), func(f event.Frame) bool { return f.Seq <= cp.Seq })
	}
	for _, due := range c.Dues {
		cp := r.newest[due.Pipeline]
		cp.Due = due.At
		r.newest[due.Pipeline] = cp
	}
	r.plug.mu.Lock()
	for _, m := range c.Memos {
		if key := m.Owner + "\x00" + m.Key; len(m.Value) > 0 {
			r.memos[key] = m.Value
		} else {
			delete(r.memos, key)
		}
	}
	r.plug.mu.Unlock()
	for range ends {
		r.ended <- struct{}{}
	}
	for _, token := range tokens {
		r.parked <- token
	}
	return nil
}

func (r *ram) Load(_ context.Context, pipeline string) (runtime.Checkpoint, []event.Frame, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest[pipeline], r.log[pipeline], nil
}

func (r *ram) Frames(_ context.Context, pipeline string, after uint64, limit int) (frames []event.Frame, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.log[pipeline] {
		if f.Seq > after && len(frames) < limit {
			frames = append(frames, f)
		}
	}
	return frames, nil
}

// instant ends every action when it starts.
type instant struct{ runtime.Runner }

func (instant) Inline(work.Task) bool { return true }

func (instant) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return succeeded(t), nil
}

// BenchmarkPath takes an execution through each of n pipelines: a source, a gate
// that a token approves, four stages of three actions that end at once. One
// operation is one execution; of it all but the start and the source is counted.
//
//	commits/action  how far commits are shared
func BenchmarkPath(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("pipelines=%d", n), func(b *testing.B) { benchPath(b, n) })
	}
}

func benchPath(b *testing.B, n int) {
	r := &ram{plug: &plug{disk: newDisk()}, newest: map[string]runtime.Checkpoint{}, log: map[string][]event.Frame{}, ended: make(chan struct{}, n), parked: make(chan string, n)}
	desk := newDesk()
	e, err := runtime.New(runtime.Options{
		Store: r, History: r, Inbox: r, Memos: r, Runs: desk, Objects: desk, Log: slog.New(slog.DiscardHandler),
		Policy: &access.Policy{Admins: []string{ana.Email}}, Runners: map[string]runtime.Runner{"Git": instant{}, "Wait": instant{}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	for i := range n {
		p, faults := spec.Parse("bench.yaml", []byte(strings.ReplaceAll(benchPipeline(), "NAME", fmt.Sprint("p", i))))
		if p == nil {
			b.Fatal(faults)
		}
		benchSubmit(b, e, workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: "api"})
	}
	tokens, commits := make([]string, n), int64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for range (b.N + n - 1) / n {
		b.StopTimer()
		for i := range n {
			benchSubmit(b, e, ana, workflows.Intent{Verb: workflows.Start, Pipeline: fmt.Sprint("p", i)})
		}
		for i := range n {
			tokens[i] = <-r.parked
		}
		before := r.commits.Load()
		b.StartTimer()
		var people sync.WaitGroup
		for at := range min(n, 16) {
			people.Go(func() {
				for i := at; i < n; i += 16 {
					benchSubmit(b, e, ana, workflows.Intent{Verb: workflows.Approve, Gate: tokens[i]})
				}
			})
		}
		people.Wait()
		for range n {
			<-r.ended
		}
		commits += r.commits.Load() - before
	}
	b.ReportMetric(float64(commits)/12/float64((b.N+n-1)/n*n), "commits/action")
}

func benchSubmit(b *testing.B, e *runtime.Engine, by workflows.Principal, in workflows.Intent) {
	if _, err := e.Submit(context.Background(), in, by); err != nil {
		panic(err) // whoever waits for what follows would wait for ever
	}
}

func benchPipeline() string {
	text := `
name: NAME
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
  - name: Gate
    actions: [{name: Ok, provider: Manual, approval: {from: [ana@acme.example], requesterMayApprove: true}}]
`
	for s := range 4 {
		text += fmt.Sprintf("  - {name: S%d, actions: [{name: A0, provider: Wait}, {name: A1, provider: Wait}, {name: A2, provider: Wait}]}\n", s)
	}
	return text
}
