package jira

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// ApprovalsName is the follower's name, and the owner of its memos.
const ApprovalsName = "jira-approval"

const (
	lookEvery  = 30 * time.Second // at the issues of open gates, beside what webhooks say
	lookWithin = time.Minute      // one look at one gate
	looksAtOne = 4                // gates that are looked at side by side
)

// ApprovalEngine is what Approvals needs of the runtime.
type ApprovalEngine interface {
	Submitter
	Approvals(ctx context.Context, viewer workflows.Principal) ([]say.OpenApproval, error)
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	// Pipeline returns a version of a definition; 0: the one in force.
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
}

// ApprovalsOptions is what Approvals needs.
type ApprovalsOptions struct {
	URL       string   // for people
	APIURL    string   // where calls go; empty: URL
	Account   *Account // a service account, in place of User and Token
	User      string   // empty: Token is a server's personal token
	Token     string
	Project   string // where issues are opened
	IssueType string // of those; empty: Task
	PublicURL string // as Options.PublicURL
	// People are e-mail addresses by who has them in Jira: account IDs on Cloud,
	// user names or keys on a server. Nobody else's move of an issue counts.
	People map[string]string
	Engine ApprovalEngine
	// Commits says what an execution brings into a stage, for change requests; nil: nobody knows.
	Commits   func(ctx context.Context, execution, stage string) (Commits, error)
	Notes     Notes
	Log       *slog.Logger      // nil: slog.Default()
	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// Commits is what an execution brings into a stage.
type Commits struct {
	Total   int           // also where List is cut
	List    []work.Commit // newest first
	Compare string        // the page that shows both ends; empty: none is known
	Why     string        // what is not known of it; empty: all is
}

// Approvals lets people answer gates in Jira: it opens or watches an issue for
// each open gate whose definition says so, and submits the answer of whoever moves
// it. It is a follower that takes from the feed only that something has changed;
// which gates are open it asks the engine, so that a restart is like any other look.
type Approvals struct {
	ApprovalsOptions
	jira *client
	wake chan struct{}

	mu     sync.Mutex
	wanted wanted
	own    string // who rollcall is in Jira; empty: not asked yet
}

// wanted is what the next look is about, beside gates that are new or have closed.
type wanted struct {
	all       bool
	issues    map[string]bool
	pipelines map[string]bool // whose executions have gone on
}

// NewApprovals asks nothing yet. Its errors are *workflows.Problem.
func NewApprovals(o ApprovalsOptions) (*Approvals, error) {
	c, err := newPacedClient(site{o.URL, o.APIURL, o.User, o.Token, o.Account}, o.Transport, wire.Pacing{Timeout: 15 * time.Second, PerSecond: 10, Burst: 20})
	if err != nil {
		return nil, err
	}
	o.IssueType = or(o.IssueType, "Task")
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	return &Approvals{ApprovalsOptions: o, jira: c, wake: make(chan struct{}, 1), wanted: wanted{all: true}}, nil
}

// Name is the follower's name.
func (a *Approvals) Name() string { return ApprovalsName }

// Concerns says whether a frame can change what is to be seen in Jira.
func (a *Approvals) Concerns(f event.Frame) bool {
	return slices.ContainsFunc(f.Events, func(e event.Event) bool {
		switch e.Kind {
		case event.GateOpened, event.GateClosed, event.StageSucceeded, event.StageFailed, event.StageStopped, event.StageCancelled, event.PipelineDefined:
			return true
		}
		return false
	})
}

// Follow has [Approvals.Run] look at the pipeline. What it finds there is not in the events.
func (a *Approvals) Follow(_ context.Context, b event.Batch) error {
	a.want(func(w *wanted) { w.pipelines = event.With(w.pipelines, b.Pipeline, true) })
	return nil
}

// Changed has Run look at an issue at once. It is false when no gate waits for
// that issue.
func (a *Approvals) Changed(ctx context.Context, issue string) (bool, error) {
	_, ours, err := a.Notes.Memo(ctx, watchedKey(issue))
	if err == nil && ours {
		a.want(func(w *wanted) { w.issues = event.With(w.issues, issue, true) })
	}
	return ours, err
}

func (a *Approvals) want(what func(w *wanted)) {
	a.mu.Lock()
	what(&a.wanted)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run looks at gates and their issues until ctx ends: at once, when something has
// changed, and regularly, because a webhook's delivery may be lost.
func (a *Approvals) Run(ctx context.Context) error {
	next := time.NewTimer(lookEvery)
	defer next.Stop()
	for {
		a.mu.Lock()
		w := a.wanted
		a.wanted = wanted{}
		a.mu.Unlock()
		if err := a.look(ctx, w); err != nil && ctx.Err() == nil {
			a.Log.Warn("the approvals that are asked for in Jira could not be looked at; it is tried again", "error", err)
		}
		if w.all {
			next.Reset(lookEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-next.C:
			a.want(func(w *wanted) { w.all = true })
		}
	}
}

// look looks at the gates that are wanted, new or have closed, a few side by side.
func (a *Approvals) look(ctx context.Context, w wanted) error {
	gates, err := a.gates(ctx)
	if err != nil {
		return err
	}
	var side sync.WaitGroup
	room := make(chan struct{}, looksAtOne)
	for _, token := range slices.Sorted(maps.Keys(gates)) {
		g := gates[token]
		if !g.due(w) {
			continue
		}
		room <- struct{}{}
		side.Go(func() {
			defer func() { <-room }()
			ctx, cancel := context.WithTimeout(ctx, lookWithin)
			defer cancel()
			if err := a.lookAt(ctx, g); err != nil && !errors.Is(err, context.Canceled) {
				a.Log.With(g.about()...).Warn("an approval in Jira is behind; it is tried again", "issue", g.Issue, "error", err)
			}
		})
	}
	side.Wait()
	return nil
}

// gates are those that are open and may be answered in Jira, and those that were, by their token.
func (a *Approvals) gates(ctx context.Context) (map[string]*asked, error) {
	all, err := a.load(ctx)
	if err != nil {
		return nil, err
	}
	open, err := a.Engine.Approvals(ctx, workflows.EnginePrincipal())
	if err != nil {
		return nil, fmt.Errorf("list the open approvals: %w", err)
	}
	for i := range open {
		o := &open[i]
		g := all[o.Approval.Token]
		switch {
		case o.Approval.Jira == nil:
			continue
		case g == nil:
			g = &asked{Pipeline: o.Pipeline, Execution: o.Execution, Stage: o.Stage, Action: o.Action, Token: o.Approval.Token,
				Ref: fmt.Sprintf("%s#%d", o.Pipeline, o.Number), OpenedAt: o.Approval.OpenedAt, Jira: *o.Approval.Jira, new: true}
			all[g.Token] = g
		default:
			g.Jira.Status, g.Jira.RejectedStatus, g.Jira.Change = o.Approval.Jira.Status, o.Approval.Jira.RejectedStatus, o.Approval.Jira.Change
		}
		g.open = o
	}
	return all, nil
}

// due says whether a gate is to be looked at.
func (g *asked) due(w wanted) bool {
	switch {
	case w.all, g.new, w.issues[g.Issue], len(g.Remarks) > 0, (g.open == nil) != g.Closed:
		return true
	}
	return g.Closed && w.pipelines[g.Pipeline]
}
