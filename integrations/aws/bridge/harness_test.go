package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	bob     = "arn:aws:iam::111122223333:user/bob"
	role    = "arn:aws:iam::111122223333:role/rollcall-bridge"
)

// world is an AWS, and bridges that look at it, in the time of a bubble.
type world struct {
	t       *testing.T
	aws     *awsfake.Server
	engine  *engine
	bridges *Bridges
	queue   *events.Reader // nil: none
	runner  *Runner
	stop    func()
	about   string // the pipeline that requests are about; empty: webshop
}

// engine keeps what it was told, as the real one decides about it.
type engine struct {
	mu      sync.Mutex
	edits   []workflows.Intent
	seen    map[string]work.Snapshot                  // the last one of each pipeline
	rows    map[string]map[string]workflows.Execution // by pipeline and AWS's ID
	numbers map[string][]string                       // AWS's IDs in the order in which they were first told
	first   map[string]time.Time                      // when a pipeline was first seen
	lost    map[string]*workflows.Reason
	changes int
	tasks   []work.Task // of actions that run here
}

func (e *engine) OpenTasks(string) []work.Task {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tasks
}

func newEngine() *engine {
	return &engine{seen: map[string]work.Snapshot{}, rows: map[string]map[string]workflows.Execution{}, numbers: map[string][]string{}, first: map[string]time.Time{}, lost: map[string]*workflows.Reason{}}
}

func (e *engine) Observe(_ context.Context, s work.Snapshot) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.Lost != nil {
		e.lost[s.Pipeline] = s.Lost
		return nil
	}
	delete(e.lost, s.Pipeline)
	if !same(e.seen[s.Pipeline].Stages, s.Stages) {
		e.changes++
	}
	e.seen[s.Pipeline] = s
	if e.rows[s.Pipeline] == nil {
		e.rows[s.Pipeline], e.first[s.Pipeline] = map[string]workflows.Execution{}, time.Now()
	}
	for _, x := range s.Executions {
		was, known := e.rows[s.Pipeline][x.ExternalID]
		if !known {
			e.numbers[s.Pipeline] = append(e.numbers[s.Pipeline], x.ExternalID)
		}
		if !same(was, x) {
			e.changes++
		}
		e.rows[s.Pipeline][x.ExternalID] = x
	}
	return nil
}

func (e *engine) Submit(_ context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !by.IsEngine() || in.Verb != workflows.Edit {
		return event.Result{}, fmt.Errorf("%s by %s", in.Verb, by.ID)
	}
	e.edits = append(e.edits, in)
	return event.Result{Changed: true, Version: in.Version}, nil
}

func (e *engine) Executions(_ context.Context, _ workflows.Principal, q record.Query) (all []workflows.Execution, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.rows[q.Pipeline] {
		if x.Status == q.Status && (q.Before == 0 || x.Number < q.Before) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b workflows.Execution) int { return b.Number - a.Number })
	return all[:min(len(all), q.Limit)], nil
}

// in runs a test against a world of its own.
func in(t *testing.T, bridges []Bridge, test func(w *world)) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, aws: awsfake.New(awsfake.Options{Now: time.Now}), engine: newEngine()}
		w.aws.Roles(awsfake.Role{ARN: role})
		w.open(bridges, "")
		defer func() { w.stop() }()
		test(w)
	})
}

// open makes the bridges that look at the world; run lets them.
func (w *world) open(bridges []Bridge, queue string) {
	a := accounts.Open(accounts.Options{Region: region, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.aws) }})
	w.bridges = New(Options{Bridges: bridges, Accounts: a, Engine: func() Engine { return w.engine }, Log: slog.New(slog.DiscardHandler)})
	w.queue = nil
	if queue != "" {
		w.queue = events.NewReader(events.Options{QueueURL: queue, Accounts: a, Handlers: []events.Handler{w.bridges.Handler()}, Log: slog.New(slog.DiscardHandler)})
	}
	w.runner = NewRunner(w.bridges)
	w.stop = func() {}
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.bridges.Run(ctx) })
	if w.queue != nil {
		g.Go(func() error { return w.queue.Run(ctx) })
	}
	w.stop = func() {
		cancel()
		if err := g.Wait(); err != nil {
			w.t.Error(err)
		}
	}
}

// bridge is one of these rows, by name or "name in AWS as name".
func bridgeOf(mode string, rows ...string) []Bridge {
	b := Bridge{Name: "prod-eu", Region: region, Role: role, Mode: mode, Outside: "tell", Poll: time.Minute}
	for _, name := range rows {
		b.Rows = append(b.Rows, Row{Name: name, External: name + "-pipeline", Lock: "always", Environments: map[string]string{"Production": "production"},
			Approvals: map[string]*workflows.ApprovalPolicy{"Production/SignOff": {Required: 2, Comment: "optional"}}})
	}
	return []Bridge{b}
}

// pipeline makes a pipeline of three stages in AWS: Source, Build with Compile,
// Production with SignOff and, after it, Deploy.
func (w *world) pipeline(name string, with map[string]any) *codepipeline.Service {
	w.t.Helper()
	action := func(name, category, provider string, order int, more map[string]any) map[string]any {
		a := map[string]any{"name": name, "runOrder": order, "actionTypeId": map[string]any{"category": category, "owner": "AWS", "provider": provider, "version": "1"}}
		maps.Copy(a, more)
		return a
	}
	artifact := []any{map[string]any{"name": "Source"}}
	d := map[string]any{
		"name": name + "-pipeline", "roleArn": "arn:aws:iam::111122223333:role/pipeline", "pipelineType": "V2", "executionMode": "SUPERSEDED",
		"artifactStore": map[string]any{"type": "S3", "location": "acme-art"},
		"stages": []any{
			map[string]any{"name": "Source", "actions": []any{action("Checkout", "Source", "CodeCommit", 1, map[string]any{"outputArtifacts": artifact, "namespace": "Src", "configuration": map[string]any{"RepositoryName": "webshop", "BranchName": "main"}})}},
			map[string]any{"name": "Build", "actions": []any{action("Compile", "Build", "CodeBuild", 1, map[string]any{"inputArtifacts": artifact, "configuration": map[string]any{"ProjectName": "webshop"}})}},
			map[string]any{"name": "Production", "actions": []any{
				action("SignOff", "Approval", "Manual", 1, map[string]any{"configuration": map[string]any{"CustomData": "Release it?", "ExternalEntityLink": "https://shop.example"}}),
				action("Deploy", "Deploy", "CodeDeploy", 2, map[string]any{"inputArtifacts": artifact, "configuration": map[string]any{"ApplicationName": "webshop"}})}},
		},
	}
	maps.Copy(d, with)
	w.console("CreatePipeline", map[string]any{"pipeline": d}, nil)
	return w.aws.Pipelines(account, region)
}

func (w *world) console(op string, in map[string]any, out any) {
	w.t.Helper()
	if err := w.aws.Console(bob, region).Do(op, in, out); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(name string) string {
	w.t.Helper()
	var out struct {
		PipelineExecutionID string `json:"pipelineExecutionId"`
	}
	w.console("StartPipelineExecution", map[string]any{"name": name + "-pipeline"}, &out)
	return out.PipelineExecutionID
}

// execution is the nth execution of a pipeline, as it was last told; n counts from 1.
func (w *world) execution(name string, n int) workflows.Execution {
	w.t.Helper()
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	if len(w.engine.numbers[name]) < n {
		w.t.Fatalf("%s has %d executions, not %d", name, len(w.engine.numbers[name]), n)
	}
	return w.engine.rows[name][w.engine.numbers[name][n-1]]
}

// story is how a pipeline stands, in short: a line for each stage and each execution.
func (w *world) story(name string) string {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	var b strings.Builder
	number := func(id string) string { return fmt.Sprint("#", 1+slices.Index(w.engine.numbers[name], id)) }
	for _, s := range w.engine.seen[name].Stages {
		fmt.Fprintf(&b, "%s:", s.Name)
		for _, id := range s.Inbound {
			fmt.Fprintf(&b, " <%s", number(id))
		}
		if !s.Transition.Enabled {
			fmt.Fprintf(&b, " locked(%s)", s.Transition.Reason)
		}
		b.WriteString("\n")
	}
	for _, id := range w.engine.numbers[name] {
		x := w.engine.rows[name][id]
		fmt.Fprintf(&b, "%s %s", number(id), x.Status)
		if x.Type != "STANDARD" {
			fmt.Fprintf(&b, " %s to %s", x.Type, number(x.Rollback.Target))
		}
		if x.StatusReason != nil {
			fmt.Fprintf(&b, " (%s: %s)", x.StatusReason.Code, x.StatusReason.Message)
		}
		for _, s := range x.Stages {
			fmt.Fprintf(&b, "; %s %s", s.Name, s.Status)
			for _, a := range s.Actions {
				if a.Attempt > 0 {
					fmt.Fprintf(&b, " %s.%d=%s", a.Name, a.Attempt, a.Status)
				}
				if a.Handle != "" {
					b.WriteString(" token")
				}
				if a.Approval != nil && len(a.Approval.Votes) > 0 {
					fmt.Fprintf(&b, " %s by %s: %s", a.Approval.Votes[0].Answer, a.Approval.Votes[0].By.Name, a.Approval.Votes[0].Comment)
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// calls counts what was called at AWS by rollcall, by operation.
func (w *world) calls() map[string]int {
	count := map[string]int{}
	for _, c := range w.aws.Calls() {
		if strings.Contains(c.Principal, "assumed-role") {
			count[c.Operation]++
		}
	}
	return count
}

// pace fails the test if more than two calls a second, and a quarter, were made to CodePipeline.
func (w *world) pace() {
	w.t.Helper()
	var at []time.Time
	for _, c := range w.aws.Calls() {
		if c.Service == "codepipeline" && strings.Contains(c.Principal, "assumed-role") {
			at = append(at, c.At)
		}
	}
	for i := range at {
		n := 0
		for _, later := range at[i:] {
			if later.Sub(at[i]) < 4*time.Second {
				n++
			}
		}
		if n > 10 {
			w.t.Fatalf("%d calls within 4 s from %v", n, at[i])
		}
	}
}

// pass lets time go by in the bubble.
func (w *world) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }
