// Package app wires rollcall together: it is the one place that knows every
// part. It opens the data folder, builds the engine with its runners, sources
// and followers, mounts every integration's handler on one mux, reads the
// pipeline files, and runs all of it until it is told to stop.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/auditor"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/credentials"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/datadir"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/limit"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/metrics"
	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/github/gates"
	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/web/session"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
)

// drain is how long open requests may take once the service is told to stop.
const drain = 5 * time.Second

// App is a service, ready to run once.
type App struct {
	config       *config.Config
	policy       *access.Policy
	log          *slog.Logger
	db           *store.DB
	engine       *runtime.Engine
	metrics      *metrics.Metrics
	mux          *http.ServeMux
	slackInbound *slack.Receiver
	bot          *bot.Bot             // nil without Slack
	sessions     *session.Sessions    // nil without Slack
	aws          *aws.AWS             // nil: nothing of the configuration needs it
	account      *jira.Account        // made by jiraAccount
	hub          *transport.Transport // made by githubTransport
	calendar     *credentials.Watch   // nil: no credential ends
	gates        *gates.Gates         // nil: the service is no GitHub App
	on           []string             // what is switched on, for people to read
	present      bot.Present          // who people are now; nil: there is no chat
	extras       Extras
	// background runs beside the engine, from ready until the end.
	background []func(context.Context) error
}

// Extras make the service part of a larger program, such as the demo. The zero
// value is the service alone.
type Extras struct {
	Listener net.Listener              // where it serves; nil: config.Listen
	Address  string                    // the http address that the ready line shows; empty: the listener's
	Runners  map[string]runtime.Runner // besides the service's own, or in their place
	Sources  map[string]runtime.Source // in place of the service's own; nil: those
	Now      func() time.Time          // the engine's clock; nil: time.Now
	Unpaced  bool                      // Slack is a local workspace, whose rate limits need not be kept
	New      bool                      // the data folder may have lost its database: a new beginning is wanted

	Handler func(own http.Handler) http.Handler                // put around the service's own; nil: nothing
	Beside  func(ctx context.Context, e *runtime.Engine) error // runs from ready until the end; nil: nothing
}

// New opens the data folder and builds everything; nothing runs yet. Its
// errors are sentences for people.
func New(c *config.Config, log *slog.Logger, x Extras) (*App, error) {
	if err := checkDatabase(c.DataDir, x.New); err != nil {
		return nil, err
	}
	a := &App{config: c, policy: c.Policy(), log: log, mux: http.NewServeMux(), extras: x, metrics: metrics.New(log)}
	a.aws = a.openAWS()
	disk, err := files.Open(c.DataDir, a.filesOptions())
	if err != nil {
		return nil, err
	}
	sweep(c.DataDir)
	db, err := store.Open(filepath.Join(c.DataDir, database), store.Options{})
	if err != nil {
		return nil, err
	}
	a.db = db
	if err := a.build(disk); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

// contents sets who knows what is in a release, and how its notes are laid out.
func (a *App) contents(o *runtime.Options) (err error) {
	if o.Pulls, err = a.pulls(); err != nil {
		return err
	}
	if o.Issues, err = a.issues(); err != nil {
		return err
	}
	for _, h := range a.config.Notes.Headings {
		o.NoteHeadings = append(o.NoteHeadings, changes.Heading{Title: h.Title, Labels: h.Labels})
	}
	return nil
}

func (a *App) build(disk *files.Files) error {
	runners, sources, err := a.runners(disk.Host())
	if err != nil {
		return err
	}
	restored, err := a.db.Restored(context.Background())
	if err != nil {
		return err
	}
	chat := a.newSlack()
	o := runtime.Options{Restored: restored, Store: timed{a.db, a.metrics}, History: a.db, Inbox: a.db, Memos: a.db, Runs: disk, Objects: disk, Host: disk.Host(), Runners: runners, Sources: sources,
		Retention: kept(a.config.Retention), Rows: a.db, Files: disk,
		Policy: a.policy, Freezes: a.config.Freezes(), Log: a.log, PollInterval: a.config.Sources.PollInterval, Now: a.extras.Now}
	if o.Directories, err = a.directories(chat); err != nil {
		return err
	}
	if chat != nil {
		o.People, a.present = chat, chat
	}
	if a.aws != nil {
		runners[bridgeRunner] = a.aws.Runner()
		for kind, r := range a.aws.Runners() {
			runners[kind] = r
		}
		for provider, w := range a.aws.Sources() {
			if a.extras.Sources == nil {
				sources[provider] = w
			}
		}
		o.OutsideLogs = a.aws.Logs()
	}
	if err := a.openGates(sources); err != nil {
		return err
	}
	if err := a.contents(&o); err != nil {
		return err
	}
	if a.engine, err = runtime.New(o); err != nil {
		return err
	}
	a.metrics.Gauges(readings{a.engine}, a.receiptSources()...)
	if chat != nil {
		a.openSessions(chat, restored.At)
		a.connectSlack(chat, restored.At)
	}
	for _, connect := range []func() error{a.connectGitHub, a.connectHosts, a.connectJira, a.connectHooks} {
		if err := connect(); err != nil {
			return err
		}
	}
	a.connectPublish()
	a.watchCredentials(chat)
	notes := a.engine.MemosOf("app")
	a.background = append(a.background, auditor.NewAnchors(a.engine, a.db, notes, a.log).Run, a.runBridges)
	look := &probe{dir: a.config.DataDir, started: a.engine.Ready(), log: a.log, now: time.Now,
		commit: func(ctx context.Context, row []byte) error { return notes.Note(ctx, "ready", row) }}
	api := web.Options{Doer: a.engine, Reader: shown{a.engine, a.bot}, Watcher: shown{a.engine, a.bot}, History: a.engine, Contents: a.engine, Explainer: a.engine, Declare: declare, Tokens: a.tokens(), Ready: look.ready, Backup: a.backup, Metrics: a.scrape, Auditor: auditor.New(a.db, a.engine), Standing: a.connectionTrouble, Log: a.log, Heartbeat: 15 * time.Second}
	if a.sessions != nil {
		api.Sessions = a.sessions
	}
	a.serveWeb(web.Handler(api))
	return nil
}

func (a *App) tokens() map[string]string {
	secrets := map[string]string{}
	for _, t := range a.config.API.Tokens {
		secrets[t.Name] = t.Token.Reveal()
	}
	return secrets
}

// backup lets somebody have a copy of the data folder who may read the record
// and change pipelines.
func (a *App) backup(ctx context.Context, by workflows.Principal) (func(io.Writer) error, error) {
	for _, verb := range []workflows.Verb{workflows.Audit, workflows.Edit} {
		refusal, holders, err := a.engine.Verdict(ctx, by, verb, "", "")
		if err != nil {
			return nil, err
		}
		if refusal != nil {
			refusal.Hint = cmp.Or(strings.Join(holders, ", "), "nobody") + " may; a backup needs the rights audit and edit"
			return nil, refusal
		}
	}
	return func(w io.Writer) error { return datadir.Backup(ctx, a.config.DataDir, a.db, w) }, nil
}

// connectionTrouble says how it stands with the connection to Slack, for /readyz.
func (a *App) connectionTrouble() []string {
	if a.slackInbound == nil {
		return nil
	}
	if s := a.slackInbound.Status(); s != "" {
		return []string{s}
	}
	return nil
}

// Run serves until ctx ends, then drains: no new requests, what is decided is
// written, running commands are left to their supervisors. It prints one line
// on stdout when the service can take requests.
func (a *App) Run(ctx context.Context, stdout io.Writer) (err error) {
	defer func() { err = errors.Join(err, a.db.Close()) }()
	listener, err := a.listen(ctx)
	if err != nil {
		return err
	}
	if err := a.serveMetrics(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	// The engine outlives the requests: it ends when everything else has.
	engineCtx, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngine()
	engineDone := make(chan error, 1)
	defs := a.definitions()
	first := defs.firstScan(ctx)
	defer first.wait()
	go func() { engineDone <- a.engine.Run(engineCtx) }()
	select {
	case <-a.engine.Ready():
	case err := <-engineDone:
		return errors.Join(err, listener.Close())
	case <-ctx.Done():
		stopEngine()
		return errors.Join(<-engineDone, listener.Close())
	}
	if err := a.measure(ctx); err != nil {
		a.log.Error("nothing is counted for the metrics: the feed could not be read", "err", err)
	}
	if err := first.apply(ctx); err != nil {
		a.log.Error("the pipeline files could not be read", "err", err)
	}
	a.say()
	g, gctx := errgroup.WithContext(ctx)
	if a.extras.Beside != nil {
		a.background = append(a.background, func(ctx context.Context) error { return a.extras.Beside(ctx, a.engine) })
	}
	for _, work := range append(a.background, defs.watch, releaseStart) {
		g.Go(func() error { return work(gctx) })
	}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return gctx }, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)}
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error { return a.shutdown(gctx, server) })
	fmt.Fprintf(stdout, "rollcall is ready at %s\n", cmp.Or(a.extras.Address, "http://"+listener.Addr().String()))
	g.Go(func() error {
		select {
		case err := <-engineDone:
			engineDone <- err
			return errors.Join(errors.New("the engine ended"), err)
		case <-gctx.Done():
			return nil
		}
	})
	err = g.Wait()
	stopEngine()
	return errors.Join(err, <-engineDone)
}

func (a *App) listen(ctx context.Context) (net.Listener, error) {
	if a.extras.Listener != nil {
		return a.extras.Listener, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.config.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", a.config.Listen, err)
	}
	return l, nil
}

func (a *App) handler() http.Handler {
	own := limit.Behind(a.config.ProxyNetworks(), limit.New(a.mux))
	if a.extras.Handler != nil {
		return a.extras.Handler(own)
	}
	return own
}

func (a *App) shutdown(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(late); err != nil {
		return server.Close()
	}
	return nil
}

// say tells the operator what is on, and every setting that is open or has no effect.
func (a *App) say() {
	a.log.Info("rollcall started", "on", a.on, "data", a.config.DataDir, "pipelines", a.config.Pipelines)
	for _, note := range tighten(a.config.DataDir, a.config.Runners.Commands.User != "") {
		a.log.Warn(note)
	}
	for _, open := range a.config.Open() {
		a.log.Warn("open setting: " + open)
	}
	for _, group := range a.policy.External(a.named()...) {
		if why := a.unanswered(group); why != "" {
			a.log.Warn(why)
		}
	}
	for _, w := range a.config.Warnings() {
		a.log.Warn(w)
	}
	a.sayRetention()
	for _, f := range a.config.Freezes() {
		on := strings.Join(f.On, ", ")
		if on == "" {
			on = "everything"
		}
		if f.To.After(time.Now()) {
			a.log.Info("freeze", "name", f.Name, "from", f.From, "until", f.To, "on", on, "mayPass", f.MayPass)
		} else {
			a.log.Warn("the freeze " + f.Name + " is over; it can be taken out of the configuration")
		}
	}
}

// sayRetention tells the operator what is removed, and what grows for ever.
func (a *App) sayRetention() {
	keep := a.config.Retention
	if keep == (config.Retention{}) {
		a.log.Info("retention is off: executions, logs and artifacts are kept for ever")
		return
	}
	a.log.Info("retention", "executions", keep.Executions.String(), "logs", keep.Logs.String(), "artifacts", keep.Artifacts.String())
}

// kept says how long things are kept, as the engine takes it.
func kept(r config.Retention) retention.Policy {
	return retention.Policy{Executions: r.Executions, Logs: r.Logs, Artifacts: r.Artifacts}
}
