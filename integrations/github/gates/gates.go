package gates

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	gatesName   = "github-gates"        // of the follower, and the source of the receipts
	gatesKeeper = "config:github.gates" // Intent.ManagedBy of the pipelines of gates, and of no others
)

// Row has deployments of GitHub Actions to an environment wait for people here.
type Row struct {
	Repository  string // owner/name; * stands for any text without a slash
	Environment string // the same
	Channel     string
	Owners      []string
	Approval    *workflows.ApprovalPolicy // nil: one of whoever may approve
	Minutes     int                       // until a request expires
	PastFreezes bool                      // freezes do not matter
}

// engine is what carries out what comes from GitHub.
type engine interface {
	wire.Receipts
	// Finish notes what a repeat is answered.
	Finish(ctx context.Context, key string, result []byte) error
	// Submit carries an intent out. A refusal is a *workflows.Problem.
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
}

// reader reads what was committed.
type reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	// Pipeline returns a version of a definition; 0: the one in force.
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
	// Executions lists those of a pipeline, newest first.
	Executions(ctx context.Context, viewer workflows.Principal, q record.Query) ([]workflows.Execution, error)
}

// Options is what Gates need.
type Options struct {
	Rows          []Row  // the first that matches counts
	APIURL        string // empty: https://api.github.com/
	Installations *api.Installations
	Usual         int64             // the installation that sees repositories of which no delivery came yet
	WebURL        string            // the web pages, up to OWNER/NAME, for payloads that name none; empty: it is not known
	PublicURL     string            // where an execution can be looked at: PublicURL/executions/ID; empty: no link
	People        map[string]string // GitHub login to e-mail address
	// InForce are the pipelines that are not archived, and who keeps each (Intent.ManagedBy).
	InForce func(ctx context.Context) (map[string]string, error)
	Log     *slog.Logger     // nil: slog.Default()
	Now     func() time.Time // nil: time.Now
}

// Gates make rollcall a deployment protection rule of GitHub Actions: each
// deployment that waits for it is an execution of a pipeline with one gate, the
// votes are told GitHub as status reports, the decision is the answer, which is
// repeated until GitHub has it. What passes or ends a deployment on GitHub ends
// the execution. It is a follower, hears deliveries through a github.Webhook, and is the
// source that knows what lies between two deployments ([Gates.Provider]).
type Gates struct {
	o       Options
	api     *url.URL
	history *history
	emails  delivery.Emails
	hints   chan news

	engine engine
	reader reader
	notes  api.Notes
	inbox  *wire.Inbox
}

// New checks the options; its errors are *workflows.Problem. [Gates.Connect] comes
// before anything is asked of it but what lies between deployments.
func New(o Options) (*Gates, error) {
	address, err := api.Address(o.APIURL)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	people := delivery.NewEmails(o.People)
	return &Gates{o: o, api: address, history: newHistory(o.Installations, o.Usual, people), emails: people, hints: make(chan news, mostNews)}, nil
}

// Connect gives it the engine that it works for, and where it remembers what GitHub
// was sent. It must be added as a follower then, and [Gates.Run] must run beside it.
func (g *Gates) Connect(e engine, r reader, notes api.Notes) {
	g.engine, g.reader, g.notes = e, r, notes
	g.inbox = wire.NewInbox(wire.InboxOptions{
		Source: gatesName, Receipts: e, Finish: e.Finish, Queue: queue, Process: g.process,
		Resume: true, ReportTries: true, Workers: 4, LongestPause: time.Minute, Final: refusedForGood, Log: g.o.Log,
	})
}

// Provider is what revisions of deployments have in place of the provider of a source
// action: Gates are the source of that name.
func (g *Gates) Provider() string { return "GitHubDeployment" }

// Run carries out what was accepted, keeps the pipelines as the rows say, and looks
// at what waits on GitHub, until ctx ends.
func (g *Gates) Run(ctx context.Context) error {
	var running sync.WaitGroup
	var err error
	running.Go(func() { err = g.inbox.Run(ctx) })
	wire.Backoff(ctx, time.Second, time.Minute, func() bool { return g.tried("the pipelines of github.gates could not be applied", g.define(ctx)) })
	g.watch(ctx)
	running.Wait()
	return err
}

// tried logs trouble, and says whether there was none.
func (g *Gates) tried(what string, err error) bool {
	if err != nil && !errors.Is(err, context.Canceled) {
		g.o.Log.Error(what+"; it is tried again", "error", wire.Scrub(err))
	}
	return err == nil
}

// define puts in force what the rows name whole, takes rows that have changed over
// into the pipelines that were made for patterns, and archives what no row covers.
func (g *Gates) define(ctx context.Context) error {
	known, err := g.pipelines(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]*workflows.Pipeline{}
	for i := range g.o.Rows {
		if r := &g.o.Rows[i]; !strings.ContainsAny(r.Repository+r.Environment, "*?[\\") {
			p := r.pipeline(r.Repository, r.Environment)
			wanted[p.Name] = cmp.Or(wanted[p.Name], p)
		}
	}
	for _, name := range known {
		view, err := g.reader.Pipeline(ctx, workflows.EnginePrincipal(), name, 0)
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		if p := view.Definition; p != nil && p.IsProtection() {
			if r := g.row(p.Protects.Repository, p.Protects.Environment); r != nil {
				wanted[name] = r.pipeline(p.Protects.Repository, p.Protects.Environment)
			}
		}
		if wanted[name] == nil {
			if err := g.submit(ctx, workflows.Intent{Verb: workflows.Archive, Pipeline: name, ManagedBy: gatesKeeper}); err != nil {
				return err
			}
			g.o.Log.Info("pipeline archived, no row of github.gates covers it", "pipeline", name)
		}
	}
	for _, name := range words.Keys(wanted) {
		if err := g.put(ctx, wanted[name]); err != nil {
			return err
		}
	}
	return nil
}

// pipelines are the names of those that github.gates keeps.
func (g *Gates) pipelines(ctx context.Context) (names []string, err error) {
	all, err := g.o.InForce(ctx)
	for _, name := range words.Keys(all) {
		if all[name] == gatesKeeper {
			names = append(names, name)
		}
	}
	return names, err
}

// put puts a definition in force; one that is there already changes nothing.
func (g *Gates) put(ctx context.Context, p *workflows.Pipeline) error {
	return g.submit(ctx, workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: gatesKeeper})
}

func (g *Gates) submit(ctx context.Context, in workflows.Intent) error {
	_, err := g.engine.Submit(ctx, in, workflows.EnginePrincipal())
	return err
}

// row is the row for an environment of a repository; nil: none.
func (g *Gates) row(repository, environment string) *Row {
	i := slices.IndexFunc(g.o.Rows, func(r Row) bool { return like(r.Repository, repository) && like(r.Environment, environment) })
	if i < 0 {
		return nil
	}
	return &g.o.Rows[i]
}

// like says whether a name is one that a pattern stands for. Names at GitHub are the
// same in capitals.
func like(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	ok, err := path.Match(pattern, name)
	return ok && err == nil || pattern == name
}

// The action of the one gate, and the name of the revision that it is about.
const (
	gateAction   = "Approve"
	gateRevision = "Deployment"
)

// Variables of an execution, which say what it is about.
const (
	varRun          = "run"
	varPage         = "runUrl"
	varRef          = "ref"
	varEvent        = "event"
	varDeployment   = "deployment"
	varInstallation = "installation"
)

// pipeline is the definition for one environment of one repository.
func (r *Row) pipeline(repository, environment string) *workflows.Pipeline {
	approval := r.Approval
	if approval == nil {
		approval = &workflows.ApprovalPolicy{Required: 1, Comment: "optional"}
	}
	text := fmt.Sprintf("GitHub Actions waits to deploy #{variables.%s} of %s to %s (run #{variables.%s}, %s).", varRef, plainName(repository), plainName(environment), varRun, "#{variables."+varEvent+"}")
	gate := workflows.Action{Name: gateAction, RunOrder: 1, ActionType: workflows.ActionType{Category: "Approval", Owner: "AWS", Provider: "Manual", Version: "1"},
		Configuration: map[string]string{"CustomData": text, "ExternalEntityLink": "#{variables." + varPage + "}"}, TimeoutMinutes: r.Minutes, Approval: approval}
	p := &workflows.Pipeline{
		Name: gatePipeline(repository, environment), ExecutionMode: workflows.ModeParallel, Channel: r.Channel, Owners: r.Owners,
		Stages: []workflows.Stage{{Name: fitting(environment, 100), Announce: "never", Actions: []workflows.Action{gate},
			Rollback: workflows.RollbackPolicy{Lock: "never", Eligible: "any", Approval: "require"}}},
	}
	p.Protects.Repository, p.Protects.Environment, p.Protects.PastFreezes = repository, environment, r.PastFreezes
	for _, name := range []string{varRun, varPage, varRef, varEvent, varDeployment, varInstallation} {
		none := ""
		p.Variables = append(p.Variables, workflows.Variable{Name: name, DefaultValue: &none})
	}
	return p
}

// plainName is a name in a text in which #{…} stands for a variable.
func plainName(s string) string { return strings.ReplaceAll(words.Cut(s, 100), "#{", "# {") }

// gatePrefix begins the names of the pipelines of gates.
const gatePrefix = "github-"

// gatePipeline is the name of the pipeline for an environment of a repository:
// "github-acme.webshop.production". Where other names would give the same, it ends in
// a sum of them.
func gatePipeline(repository, environment string) string {
	name := gatePrefix + fitting(strings.Replace(repository, "/", ".", 1), 50) + "." + fitting(environment, 30)
	if owner, rest, _ := strings.Cut(repository, "/"); name != gatePrefix+owner+"."+rest+"."+environment || strings.Contains(rest+environment, ".") {
		sum := sha256.Sum256([]byte(repository + "\n" + environment))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	return name
}

// fitting is a text as part of a name: what may not stand there is a dash.
func fitting(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && (api.IsName(string(r)) || r == '.' || r == '@') {
			return r
		}
		return '-'
	}, s)
	return cmp.Or(s[:min(len(s), most)], "-")
}

// refusedForGood says whether an error is a decision, not trouble that passes.
func refusedForGood(err error) bool {
	p, ok := errors.AsType[*workflows.Problem](err)
	passes := []string{workflows.CodeCommitUnknown, workflows.CodeUnavailable, workflows.CodeAWSUnavailable}
	return ok && !slices.Contains(passes, p.Code)
}

// signed is the status of an answer that says that a delivery was taken.
func signed(fresh bool) int {
	if fresh {
		return http.StatusAccepted
	}
	return http.StatusOK
}
