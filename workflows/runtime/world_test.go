package runtime_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// shop is a pipeline from a branch to production, with a gate on the way.
const shop = `
name: webshop
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    actions:
      - {name: Test, provider: Commands, commands: ["true"], inputArtifacts: [app]}
      - {name: Lint, provider: Commands, commands: ["true"], inputArtifacts: [app]}
  - name: Production
    environment: production
    actions:
      - {name: SignOff, provider: Manual, approval: {from: [ana@acme.example]}, timeoutInMinutes: 60}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: ["true"], inputArtifacts: [app]}
`

// plain is a pipeline without a gate.
const plain = `
name: NAME
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Deploy
    actions: [{name: Ship, provider: Commands, commands: ["true"], inputArtifacts: [app]}]
`

func named(name string) string { return strings.ReplaceAll(plain, "NAME", name) }

var (
	ana = workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
	ben = workflows.Principal{ID: "slack:U2", Name: "Ben", Email: "ben@acme.example", Via: "slack"}
	eve = workflows.Principal{ID: "slack:U3", Name: "Eve", Email: "eve@acme.example", Via: "slack", Stranger: "guest"}
)

// outside is what runners work on: it outlives engines.
type outside struct {
	mu      sync.Mutex
	starts  map[string]int // by task ID
	finds   int
	cancels int
	begun   map[string]work.Outcome
	polls   map[string]int
	// answer is what a start leads to; nil: success with all artifacts.
	answer func(t work.Task) (work.Outcome, error)
	poll   func(t work.Task) (work.Outcome, error)
	cancel func(t work.Task) (work.Outcome, error)
}

// acts sets how the outside behaves from now on.
func (o *outside) acts(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func newOutside() *outside {
	return &outside{starts: map[string]int{}, begun: map[string]work.Outcome{}, polls: map[string]int{}}
}

func succeeded(t work.Task) work.Outcome {
	o := work.Outcome{State: work.Succeeded}
	for _, a := range t.Action.OutputArtifacts {
		o.Artifacts = append(o.Artifacts, workflows.Artifact{Name: a.Name, Digest: "d" + t.Execution, Size: 1})
	}
	if t.Action.IsSource() {
		o.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: "c1"}
		if t.Revision != nil {
			o.Revision = t.Revision
		}
	}
	return o
}

// hand is a Runner without Find.
type hand struct{ *outside }

func (h hand) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	w.Dir()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts[t.ID]++
	o, err := succeeded(t), error(nil)
	if h.answer != nil {
		o, err = h.answer(t)
	}
	if err == nil {
		h.begun[t.ID] = o
	}
	return o, err
}

func (h hand) Poll(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.polls[t.ID]++
	if h.poll == nil {
		return succeeded(t), nil
	}
	return h.poll(t)
}

func (h hand) Cancel(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancels++
	if h.cancel == nil {
		return work.Outcome{State: work.Cancelled}, nil
	}
	return h.cancel(t)
}

// finder is a Runner that can look starts up.
type finder struct{ hand }

func (f finder) Find(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finds++
	o, ok := f.begun[t.ID]
	return o, ok, nil
}

// world is one engine on one disk, and what is around it.
type world struct {
	t       *testing.T
	disk    *disk
	plug    *plug
	desk    *desk
	outside *outside
	log     *syncWriter
	options runtime.Options
	*runtime.Engine
	stop func()
}

// play runs a story in a bubble of synthetic time.
func play(t *testing.T, story func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: newDisk(), desk: newDesk(), outside: newOutside(), log: &syncWriter{}}
		w.options = runtime.Options{
			Runs: w.desk, Objects: w.desk, Log: slog.New(slog.NewTextHandler(w.log, nil)),
			Policy:  &access.Policy{Admins: []string{ana.Email, ben.Email}},
			Runners: map[string]runtime.Runner{"Git": finder{hand{w.outside}}, "Commands": finder{hand{w.outside}}},
			Rand:    rand.NewChaCha8([32]byte{7}),
		}
		defer func() {
			if w.stop != nil {
				w.stop()
			}
			if t.Failed() {
				t.Log("log of the service:\n" + w.log.String())
			}
		}()
		story(w)
	})
}

// boot starts an engine on the disk.
func (w *world) boot() {
	w.t.Helper()
	w.plug = &plug{disk: w.disk}
	w.start()
}

func (w *world) start() {
	w.t.Helper()
	o := w.options
	o.Store, o.Inbox, o.Memos = w.plug, w.plug, w.plug
	if o.Rows == nil {
		o.Rows = w.plug
	}
	if o.History == nil {
		o.History = w.plug
	}
	e, err := runtime.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	w.Engine = e
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		w.stop = nil
	}
	select {
	case <-e.Ready():
	case err := <-done:
		w.t.Fatalf("the engine did not start: %v", err)
	}
}

// crash ends the engine as kill -9 would: nothing it does from now on counts.
func (w *world) crash() {
	w.plug.kill()
	w.stop()
}

// reboot drains the engine and starts another.
func (w *world) reboot() {
	w.stop()
	w.boot()
}

func (w *world) define(files ...string) {
	w.t.Helper()
	for _, text := range files {
		p, faults := spec.Parse("test.yaml", []byte(text))
		if p == nil {
			w.t.Fatal(faults)
		}
		if _, err := w.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: "api"}, workflows.EnginePrincipal()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) submit(by workflows.Principal, in workflows.Intent) event.Result {
	w.t.Helper()
	r, err := w.Submit(w.t.Context(), in, by)
	if err != nil {
		w.t.Fatalf("%s: %v", in.Verb, err)
	}
	return r
}

// begin starts an execution and lets everything happen that happens by itself.
func (w *world) begin(pipeline string) string {
	w.t.Helper()
	id := w.submit(ben, workflows.Intent{Verb: workflows.Start, Pipeline: pipeline}).Execution.ID
	synctest.Wait()
	return id
}

func (w *world) execution(ref string) workflows.Execution {
	w.t.Helper()
	x, err := w.Execution(w.t.Context(), ana, ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return x
}

func (w *world) status(ref string, want workflows.Status) {
	w.t.Helper()
	if x := w.execution(ref); x.Status != want {
		w.t.Errorf("%s is %s (%v), want %s", x.Ref(), x.Status, x.StatusReason, want)
	}
}

// refused checks that an intent is refused with a code, and returns the refusal.
func (w *world) refused(by workflows.Principal, in workflows.Intent, code string) *workflows.Problem {
	w.t.Helper()
	_, err := w.Submit(w.t.Context(), in, by)
	return w.problem(err, code)
}

func (w *world) problem(err error, code string) *workflows.Problem {
	w.t.Helper()
	var p *workflows.Problem
	if !errors.As(err, &p) || p.Code != code {
		w.t.Fatalf("got %v, want the problem %s", err, code)
	}
	return p
}

// once checks that every task was started exactly once.
func (w *world) once() {
	w.t.Helper()
	w.outside.mu.Lock()
	defer w.outside.mu.Unlock()
	for id, n := range w.outside.starts {
		if n != 1 {
			w.t.Errorf("task %s was started %d times", id, n)
		}
	}
}

func (w *world) starts() map[string]int {
	w.outside.mu.Lock()
	defer w.outside.mu.Unlock()
	return maps.Clone(w.outside.starts)
}

// syncWriter is a log that several goroutines write.
type syncWriter struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *syncWriter) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var _ io.Writer = (*syncWriter)(nil)

// pass lets time go by.
func pass(d time.Duration) {
	time.Sleep(d) // synthetic: the bubble's clock jumps
	synctest.Wait()
}
