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
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// drain is how long open requests may take once the service is told to stop.
const drain = 5 * time.Second

// App is a service, ready to run once.
type App struct {
	config *config.Config
	policy *access.Policy
	log    *slog.Logger
	db     *store.DB
	engine *runtime.Engine
	mux    *http.ServeMux
	chat   bot.Chat // nil without Slack
	on     []string // what is switched on, for people to read
	extras Extras
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
	Unpaced  bool                      // Slack is a local workspace, whose rate limits need not be kept

	Handler func(own http.Handler) http.Handler                // put around the service's own; nil: nothing
	Beside  func(ctx context.Context, e *runtime.Engine) error // runs from ready until the end; nil: nothing
}

// New opens the data folder and builds everything; nothing runs yet. Its
// errors are sentences for people.
func New(c *config.Config, log *slog.Logger) (*App, error) { return NewWith(c, log, Extras{}) }

// NewWith is New with extras.
func NewWith(c *config.Config, log *slog.Logger, x Extras) (*App, error) {
	blobs, err := files.Open(c.DataDir, files.Options{})
	if err != nil {
		return nil, err
	}
	db, err := store.Open(filepath.Join(c.DataDir, "rollcall.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	a := &App{config: c, policy: c.Policy(), log: log, db: db, mux: http.NewServeMux(), extras: x}
	if err := a.build(blobs); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

func (a *App) build(blobs *files.Files) error {
	runners, sources, err := a.runners()
	if err != nil {
		return err
	}
	chat := a.newSlack()
	o := runtime.Options{Store: a.db, History: a.db, Inbox: a.db, Memos: a.db, Blobs: blobs, Runners: runners, Sources: sources,
		Policy: a.policy, Freezes: a.config.Freezes(), Log: a.log, PollInterval: a.config.Sources.PollInterval}
	if chat != nil {
		o.Directory = chat
	}
	if a.engine, err = runtime.New(o); err != nil {
		return err
	}
	if chat != nil {
		a.connectSlack(chat)
	}
	if err := a.connectGitHub(); err != nil {
		return err
	}
	if err := a.connectJira(); err != nil {
		return err
	}
	a.mux.Handle("/", web.Handler(web.Options{Doer: a.engine, Reader: a.engine, Watcher: a.engine, History: a.engine, Declare: declare, Tokens: a.tokens(), Ready: a.ready, Log: a.log, Heartbeat: 15 * time.Second}))
	return nil
}

func (a *App) tokens() map[string]string {
	secrets := map[string]string{}
	for _, t := range a.config.API.Tokens {
		secrets[t.Name] = t.Token.Reveal()
	}
	return secrets
}

// ready says whether the engine decides and the disk takes a write.
func (a *App) ready(ctx context.Context) error {
	select {
	case <-a.engine.Ready():
	default:
		return errors.New("the engine is starting")
	}
	return a.engine.Notebook("app").Note(ctx, "ready", []byte("1"))
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
	// The engine outlives the requests: it ends when everything else has.
	engineCtx, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngine()
	engineDone := make(chan error, 1)
	go func() { engineDone <- a.engine.Run(engineCtx) }()
	select {
	case <-a.engine.Ready():
	case err := <-engineDone:
		return errors.Join(err, listener.Close())
	case <-ctx.Done():
		stopEngine()
		return errors.Join(<-engineDone, listener.Close())
	}
	defs := a.definitions()
	if err := defs.reload(ctx); err != nil {
		a.log.Error("the pipeline files could not be read", "err", err)
	}
	a.say()
	g, gctx := errgroup.WithContext(ctx)
	if a.extras.Beside != nil {
		a.background = append(a.background, func(ctx context.Context) error { return a.extras.Beside(ctx, a.engine) })
	}
	for _, work := range append(a.background, defs.watch) {
		g.Go(func() error { return work(gctx) })
	}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
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
	if a.extras.Handler != nil {
		return a.extras.Handler(a.mux)
	}
	return a.mux
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
	for _, open := range a.policy.Open() {
		a.log.Warn("open setting: " + open)
	}
	for _, w := range a.config.Warnings() {
		a.log.Warn(w)
	}
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
