package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/app"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/demo"
	engine "github.com/rollcall-bot/rollcall/workflows/runtime"
)

type demoCmd struct {
	File    string `arg:"" optional:"" help:"Play this pipeline file with simulated actions instead of the web shop; get-pipeline output too."`
	Listen  string `help:"A loopback address and port." default:"127.0.0.1:8484" placeholder:"HOST:PORT"`
	Data    string `help:"The folder of the demo; default .rollcall-demo here." placeholder:"DIR"`
	Verbose bool   `help:"Log what the service does." short:"v"`
}

// Run is rollcall with a world around it, until it is told to stop.
func (c *demoCmd) Run(ctx context.Context, o *output) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed: nobody can end the demo any more
	defer stop()
	log := slog.New(slog.NewTextHandler(o.err, &slog.HandlerOptions{Level: slog.LevelError}))
	if c.Verbose {
		log = logger(o.err, true)
	}
	d, err := demo.Open(ctx, demo.Options{Data: c.Data, Listen: c.Listen, File: c.File, Log: log, Again: again})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(o.err)) }()
	settings, err := config.Load(d.ConfigFile())
	if err != nil {
		return err
	}
	x := app.Extras{Listener: d.Listener(), Address: d.Address(), Unpaced: true, Handler: d.Handler,
		Beside: func(ctx context.Context, e *engine.Engine) error { return d.Run(ctx, e) }}
	if all := d.Simulated(); all != nil {
		x.Runners, x.Sources = map[string]engine.Runner{}, map[string]engine.Source{}
		for provider, r := range all {
			x.Runners[provider] = r
		}
	}
	a, err := app.NewWith(settings, log, x)
	if err != nil {
		return err
	}
	return a.Run(ctx, o.out)
}

// again replaces this process by a new one of the same program. It returns only an error.
func again(args []string) error {
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		var err error
		if self, err = os.Executable(); err != nil {
			return err
		}
	}
	return syscall.Exec(self, append([]string{os.Args[0]}, args...), os.Environ())
}
