package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wait"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// clicks is a service without a network: pipelines that wait at a gate, and what
// answers there. With TMPDIR in memory no disk takes part.
type clicks struct {
	b       *testing.B
	engine  *runtime.Engine
	handler http.Handler
	at      uint64 // of the feed
	stop    func()
	before  func(*runtime.Engine) // called before the engine runs; nil: nothing is to be done
}

// branch is a Git runner whose branch is always at the same commit.
type branch struct{}

func (branch) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Succeeded, Revision: &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: "c1"},
		Artifacts: []workflows.Artifact{{Name: "app", Digest: "d", Size: 1}}}, nil
}

func (branch) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Succeeded}, nil
}

func (branch) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}

func newClicks(b *testing.B, pipelines int) *clicks {
	c := &clicks{b: b}
	c.start(b.TempDir())
	for i := range pipelines {
		c.define(fmt.Sprintf("p%d", i))
	}
	return c
}

// start runs an engine on a data folder, anew: nothing is loaded that rests.
func (c *clicks) start(dir string) {
	if c.stop != nil {
		c.stop()
	}
	b := c.b
	disk, err := files.Open(dir, files.Options{})
	if err != nil {
		b.Fatal(err)
	}
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	engine, err := runtime.New(runtime.Options{Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Log: log,
		Policy:  &access.Policy{Tokens: map[string][]workflows.Verb{"me": {workflows.View, workflows.Edit, workflows.Start, workflows.Approve, workflows.StopExecution}}},
		Runners: map[string]runtime.Runner{"Git": branch{}, wait.Provider: wait.New(time.Now)}})
	if err != nil {
		b.Fatal(err)
	}
	if c.before != nil {
		c.before(engine)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = engine.Run(ctx) }()
	c.stop = sync.OnceFunc(func() { cancel(); <-done; _ = db.Close() })
	b.Cleanup(c.stop)
	<-engine.Ready()
	c.engine = engine
	c.handler = web.Handler(web.Options{Doer: engine, Reader: engine, Watcher: engine, History: engine,
		Declare: declare, Tokens: map[string]string{"me": "secret"}, Log: log, Heartbeat: time.Minute})
}

// define puts a pipeline in force: a source, a gate, and four stages of three actions.
func (c *clicks) define(name string) {
	text := &strings.Builder{}
	fmt.Fprintf(text, "name: %s\ntriggers: []\nstages:\n  - name: Source\n    actions: [{name: App, provider: Git, configuration: {Repository: \"https://git.example/a.git\", BranchName: main, PollForSourceChanges: \"false\"}, outputArtifacts: [app]}]\n", name)
	text.WriteString("  - name: Gate\n    actions: [{name: Ok, provider: Manual, approval: {from: [\"token:me\"], requesterMayApprove: true}}]\n")
	for s := range 4 {
		fmt.Fprintf(text, "  - name: S%d\n    actions: [{name: A0, provider: Wait}, {name: A1, provider: Wait}, {name: A2, provider: Wait}]\n", s)
	}
	p, faults := spec.Parse(name+".yaml", []byte(text.String()))
	if len(faults) > 0 {
		c.b.Fatal(faults)
	}
	c.submit(workflows.Intent{Verb: workflows.Edit, Pipeline: name, NewDefinition: p})
}

func (c *clicks) submit(in workflows.Intent) event.Result {
	r, err := c.engine.Submit(c.b.Context(), in, workflows.Principal{ID: "token:me", Name: "me", Via: "api"})
	if err != nil {
		c.b.Fatal(err)
	}
	return r
}

// until reads the feed up to an event.
func (c *clicks) until(is func(ev event.Event) bool) event.Event {
	for {
		frames, err := c.engine.Feed(c.b.Context(), workflows.EnginePrincipal(), c.at, 0)
		if err != nil {
			c.b.Fatal(err)
		}
		for _, f := range frames {
			c.at = f.Feed
			for _, ev := range f.Events {
				if is(ev) {
					return ev
				}
			}
		}
	}
}

// parked starts an execution and returns it once it waits at its gate.
func (c *clicks) parked(pipeline string) (id, token string) {
	id = c.submit(workflows.Intent{Verb: workflows.Start, Pipeline: pipeline}).Execution.ID
	opened := c.until(func(ev event.Event) bool { return ev.Kind == event.GateOpened && ev.Execution == id })
	return id, opened.Gate.Token
}

func (c *clicks) request(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer secret")
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		c.b.Fatal(w.Code, w.Body.String())
	}
	return w
}

// BenchmarkApproval is one answer at a gate, from the request to its answer: the
// commit and what it costs beside it. What follows from it is not counted.
func BenchmarkApproval(b *testing.B) {
	c := newClicks(b, 16)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		b.StopTimer()
		id, token := c.parked(fmt.Sprintf("p%d", i%16))
		b.StartTimer()
		c.request("POST", "/api/v1/approvals/"+token, `{"answer":"approve"}`)
		b.StopTimer()
		c.until(func(ev event.Event) bool { return ev.Kind == event.ExecutionSucceeded && ev.Execution == id })
		b.StartTimer()
	}
}

// BenchmarkFirstApproval is an answer at a gate of a pipeline that is not loaded,
// with what follows from it.
func BenchmarkFirstApproval(b *testing.B) {
	c := &clicks{b: b}
	dir := b.TempDir()
	c.start(dir)
	ids, tokens := make([]string, b.N), make([]string, b.N)
	for i := range b.N {
		c.define(fmt.Sprintf("p%d", i))
		ids[i], tokens[i] = c.parked(fmt.Sprintf("p%d", i))
	}
	c.start(dir)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		c.request("POST", "/api/v1/approvals/"+tokens[i], `{"answer":"approve"}`)
		c.until(func(ev event.Event) bool { return ev.Kind == event.ExecutionSucceeded && ev.Execution == ids[i] })
	}
}

// BenchmarkRead is one execution that waits at its gate, read again and again,
// and of more pipelines than are kept in memory.
func BenchmarkRead(b *testing.B) {
	for name, pipelines := range map[string]int{"warm": 1, "cold": 700} {
		b.Run(name, func(b *testing.B) {
			c := newClicks(b, pipelines)
			ids := make([]string, pipelines)
			for i := range ids {
				ids[i], _ = c.parked(fmt.Sprintf("p%d", i))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				c.request("GET", "/api/v1/executions/"+ids[i%pipelines], "")
			}
		})
	}
}

// BenchmarkOpenApprovals lists 300 gates, each of a pipeline of its own.
func BenchmarkOpenApprovals(b *testing.B) {
	c := newClicks(b, 300)
	for i := range 300 {
		c.parked(fmt.Sprintf("p%d", i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		c.request("GET", "/api/v1/approvals", "")
	}
}
