// Package aws connects rollcall to AWS: it opens the accounts of a configuration,
// and what works with them. Its parts are in the folders below.
package aws

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/bridge"
	"github.com/rollcall-bot/rollcall/integrations/aws/build"
	"github.com/rollcall-bot/rollcall/integrations/aws/deploy"
	"github.com/rollcall-bot/rollcall/integrations/aws/deploy/stack"
	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/integrations/aws/invoke"
	"github.com/rollcall-bot/rollcall/integrations/aws/publish"
	"github.com/rollcall-bot/rollcall/integrations/aws/rule"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/source"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Options are the AWS part of a configuration.
type Options struct {
	Accounts accounts.Options
	Bridges  []bridge.Bridge
	QueueURL string        // of a queue that EventBridge sends events to; empty: none
	Engine   func() Engine // once everything is wired
	// Artifacts say where artifacts are kept in S3; nil: nowhere. Accounts are filled in.
	Artifacts *artifacts.Options
	// CommandsOn is the CodeBuild project that the lines of Commands actions run on; empty: they run here.
	CommandsOn string
	// Calls hears of every call; nil: nobody does.
	Calls wire.Calls
	Log   *slog.Logger
}

// Engine is what decides about what AWS tells.
type Engine interface {
	bridge.Engine
	// Look has the source actions looked at that an event concerns.
	Look(concerns func(workflows.Action) bool, done func()) bool
	// ReceiveEvent takes in an event that pipelines wait for.
	ReceiveEvent(r work.Receipt, c work.Change, done func()) bool
	// LookAgain has running actions asked about now.
	LookAgain(taskIDs ...string)
}

// AWS is rollcall in AWS. Opening it asks nobody.
type AWS struct {
	bridges *bridge.Bridges
	runner  *bridge.Runner
	logs    *bridge.Logs
	frame   *runner.Frame
	runners map[string]*runner.Runner
	store   *artifacts.Store
	who     *accounts.Accounts
	sources map[string]*source.Watch
	events  *events.Reader // nil: no queue
}

// callsPerSecond is the pace of actions in one account and Region. Bridges, which
// only look most of the time, have a slower one of their own.
const callsPerSecond = 10

// Open wires what the configuration asks for.
func Open(o Options) *AWS {
	o.Accounts.Log = o.Log
	if o.Calls != nil {
		o.Accounts.Transport = func(base http.RoundTripper) http.RoundTripper { return wire.Counted(base, system(), o.Calls) }
	}
	a := &AWS{runners: map[string]*runner.Runner{}}
	fast := o.Accounts
	fast.Calls = callsPerSecond
	who := accounts.Open(fast)
	a.who = who
	a.frame = runner.New(runner.Options{Accounts: who, Objects: a.openArtifacts(o.Artifacts, who), Log: o.Log})
	a.sources = source.Watches(who, o.QueueURL != "")
	for _, k := range Kinds(o.CommandsOn) {
		a.runners[k.Name()] = a.frame.Runner(k)
	}
	b := bridge.New(bridge.Options{Bridges: o.Bridges, Accounts: accounts.Open(o.Accounts), Engine: func() bridge.Engine { return o.Engine() }, Log: o.Log})
	a.bridges, a.runner, a.logs = b, bridge.NewRunner(b), bridge.NewLogs(b)
	a.events = openEvents(o, b.Handler(), sourceEvents(o.Engine), actionEvents(a.frame, o.Engine), triggerEvents(o.Engine))
	return a
}

// Kinds are all kinds of action that are carried out by AWS's services.
// commandsOn is as in [Options].
func Kinds(commandsOn string) []runner.Kind {
	all := slices.Concat(build.Kinds(), deploy.Kinds(), stack.Kinds(), invoke.Kinds(), source.Kinds(), rule.Kinds())
	if commandsOn != "" {
		all = append(all, build.Commands(commandsOn)...)
	}
	return all
}

// Runners carry out actions in AWS, by "Category/Provider".
func (a *AWS) Runners() map[string]*runner.Runner { return a.runners }

// openArtifacts opens where artifacts are kept in S3; nil: nowhere.
func (a *AWS) openArtifacts(o *artifacts.Options, who *accounts.Accounts) runner.Objects {
	if o == nil {
		return nil
	}
	kept := *o
	kept.Accounts = who
	a.store = artifacts.Open(kept)
	return a.store
}

// Artifacts is where artifacts are kept in S3; nil: nowhere.
func (a *AWS) Artifacts() *artifacts.Store { return a.store }

// Followers tell AWS what happens in pipelines that run here, as far as that is
// switched on. Accounts are filled in.
func (a *AWS) Followers(o publish.Options) []*publish.Follower {
	o.Accounts = a.who
	return publish.Followers(o)
}

// Login says when the base credentials end, as far as the SDK does not renew them,
// and whether AWS takes them.
func (a *AWS) Login(ctx context.Context) (accounts.Login, error) { return a.who.Login(ctx) }

// Sources look for changes of what AWS keeps, by provider.
func (a *AWS) Sources() map[string]*source.Watch { return a.sources }

// Runner carries out what bridges are asked for.
func (a *AWS) Runner() *bridge.Runner { return a.runner }

// Logs reads the logs of actions that ran in AWS.
func (a *AWS) Logs() *bridge.Logs { return a.logs }

// Run watches the bridges' pipelines, and reads the queue of events, until ctx ends.
func (a *AWS) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.bridges.Run(ctx) })
	if a.events != nil {
		g.Go(func() error { return a.events.Run(ctx) })
	}
	return g.Wait()
}

// Manager stands before a bridge's name in what manages its pipelines.
const Manager = bridge.Manager

// system is AWS for those who count calls.
func system() wire.System { return wire.System{Name: "aws", Operation: operation} }

// operation is what a call does, as far as its header or path says it, else the
// service that it is signed for: "S3", "SNS".
func operation(r *http.Request) string {
	if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return target
	}
	if _, called, ok := strings.Cut(r.URL.Path, "/operation/"); ok && r.Header.Get("Smithy-Protocol") != "" {
		return called
	}
	scope, _, _ := strings.Cut(r.Header.Get("Authorization"), "/aws4_request")
	service := scope[strings.LastIndexByte(scope, '/')+1:]
	if service == "" || len(service) > 32 {
		return "other" // it is not signed
	}
	return strings.ToUpper(service)
}
