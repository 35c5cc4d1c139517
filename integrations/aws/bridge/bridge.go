// Package bridge shows pipelines that stay in AWS CodePipeline, and carries out
// there what people ask for here.
//
// The watcher looks at each pipeline, makes a [work.Snapshot] of what it saw, and
// hands it to the engine, which finds the differences. It polls: an idle pipeline
// every so often, one in which something runs every few seconds; an event ([Bridges.Handler])
// only makes it look sooner, so that one that is lost, repeated, late or
// forged does no harm. What a look needs is held by a [reader], which has no way
// to change anything. The [Runner] carries requests out, for bridges that may act.
//
// The pause hooks of services of Amazon ECS ([Hooks]) are shown in the same way: a row
// of them is a pipeline of one gate, and a hook that a deployment waits at an execution.
package bridge

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Manager stands before a bridge's name in what manages its pipelines.
const Manager = "bridge:"

// Bridge is a role that sees, or steers, some pipelines of a Region.
type Bridge struct {
	Name    string
	Region  string
	Role    string // ARN; empty: the base credentials
	Mode    string // watch|act
	Outside string // tell|lock
	Poll    time.Duration
	Rows    []Row
}

// Row is a pipeline, and what rollcall adds to what AWS says of it.
type Row struct {
	Name         string // here
	External     string // in AWS
	Channel      string
	Owners       []string
	Environments map[string]string                    // by stage
	Approvals    map[string]*workflows.ApprovalPolicy // by "STAGE/ACTION"
	Ticket       *workflows.Ticket
	Lock         string // which rollbacks lock the stage
	// Hooks has the row show pause hooks of ECS instead of a pipeline; External,
	// Environments, Approvals, Ticket and Lock mean nothing then.
	Hooks *Hooks
}

// Engine is what decides about what was seen.
type Engine interface {
	Observe(ctx context.Context, seen work.Snapshot) error
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
	Executions(ctx context.Context, viewer workflows.Principal, q record.Query) ([]workflows.Execution, error)
	OpenTasks(kind string) []work.Task
}

// Accounts say how AWS is called from some place.
type Accounts interface {
	Config(ctx context.Context, p accounts.Place) (aws.Config, error)
}

// Options are what a watcher works with.
type Options struct {
	Bridges  []Bridge
	Accounts Accounts
	Engine   func() Engine // once everything is wired
	Log      *slog.Logger
}

// Bridges are all of a configuration, looked at and acted for.
type Bridges struct {
	o    Options
	rows []*watched
}

// New returns bridges that have asked nobody yet.
func New(o Options) *Bridges {
	b := &Bridges{o: o}
	lines := map[string]*line{}
	for i := range o.Bridges {
		of := &o.Bridges[i]
		l := lines[of.Role+" "+of.Region]
		if l == nil {
			l = &line{turns: make(chan struct{}, looksAtOnce)}
			lines[of.Role+" "+of.Region] = l
		}
		for k := range of.Rows {
			l.calls += 2 / of.Poll.Seconds()
			w := newWatched(b, of, &of.Rows[k], l)
			if w.row.Hooks != nil {
				w.pauses = newPauses(w, b.rows)
			}
			b.rows = append(b.rows, w)
		}
	}
	return b
}

// line is what pipelines share that are looked at with the same role in the same Region.
type line struct {
	turns chan struct{} // one for each look under way
	calls float64       // per second, if each idle pipeline cost two calls per interval
}

const looksAtOnce = 4 // a call that hangs must not keep all the others waiting

// Run looks at the pipelines until ctx ends.
func (b *Bridges) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range b.rows {
		g.Go(func() error { w.run(ctx); return nil })
	}
	return g.Wait()
}

// row finds the row of a pipeline by its name here.
func (b *Bridges) row(pipeline string) *watched {
	for _, w := range b.rows {
		if w.row.Name == pipeline {
			return w
		}
	}
	return nil
}

// place is where a bridge's calls go, for somebody or for the service itself.
func (b *Bridge) place(person string) accounts.Place {
	return accounts.Place{Roles: []string{b.Role}, Region: b.Region, Session: b.Name, Person: person}
}
