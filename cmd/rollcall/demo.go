package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/app"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/demo"
	engine "github.com/rollcall-bot/rollcall/workflows/runtime"
)

type demoCmd struct {
	File, Listen, Data   string
	AWS, Verbose, NoOpen bool
}

func (c *demoCmd) command() *cobra.Command {
	cmd := command(c.Run, "demo", "Try rollcall on this machine, without any setup.", "rollcall demo\nrollcall demo pipelines/webshop.yaml",
		one(&c.File, "FILE", "Run this pipeline file with simulated actions instead of the web shop; get-pipeline output works too.").orNone())
	f := cmd.Flags()
	f.StringVar(&c.Listen, "listen", "127.0.0.1:8484", "`HOST:PORT`, on loopback.")
	f.StringVar(&c.Data, "data", "", "The `FOLDER` of the demo; default .rollcall-demo here.")
	f.BoolVar(&c.AWS, "aws", false, "Two pipelines that stay in a local AWS CodePipeline instead of the web shop.")
	f.BoolVar(&c.NoOpen, "no-open", false, "Do not open the page in a browser.")
	f.BoolVarP(&c.Verbose, "verbose", "v", false, "Log what the service does.")
	return cmd
}

// Run is rollcall with a world around it, until it is told to stop.
func (c *demoCmd) Run(ctx context.Context, o *output) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed: nobody can end the demo any more
	defer stop()
	log := slog.New(slog.NewTextHandler(o.err, &slog.HandlerOptions{Level: slog.LevelError}))
	if c.Verbose {
		log = logger(o.err, true)
	}
	d, err := demo.Open(ctx, demo.Options{Data: c.Data, Listen: c.Listen, File: c.File, AWS: c.AWS, Log: log, Again: restartAfterKill})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(o.err)) }()
	for name, value := range d.Environment() {
		if err := setOrUnset(name, value); err != nil {
			return err
		}
	}
	settings, err := config.Load(d.ConfigFile())
	if err != nil {
		return err
	}
	x := app.Extras{Listener: d.Listener(), Address: d.Address(), Unpaced: true, Handler: d.Handler, Now: d.Now,
		Beside: func(ctx context.Context, e *engine.Engine) error {
			go c.show(ctx, o, d.Address())
			return d.Run(ctx, e)
		}}
	if all := d.Simulated(); all != nil {
		x.Runners, x.Sources = map[string]engine.Runner{}, map[string]engine.Source{}
		for provider, r := range all {
			x.Runners[provider] = r
		}
	}
	a, err := app.New(settings, log, x)
	if err != nil {
		return err
	}
	fmt.Fprint(o.err, d.Welcome())
	return untilStopped(a.Run(ctx, o.out))
}

// show opens the page in the browser of whoever started the demo on a terminal;
// the demo listens already. A demo that goes on after a kill has its page open.
func (c *demoCmd) show(ctx context.Context, o *output, address string) {
	name := browser(o.out)
	if c.NoOpen || name == "" || os.Getenv(startedAgain) != "" {
		return
	}
	_ = exec.CommandContext(ctx, name, address).Run() //nolint:gosec // a fixed program, and the demo's own address; without it the address stands on the terminal
}

// startedAgain is the variable of the environment that a demo has which took the place of another.
const startedAgain = "ROLLCALL_DEMO_AGAIN"

// setOrUnset changes this process's environment; an empty value removes the name.
func setOrUnset(name, value string) error {
	if value == "" {
		return os.Unsetenv(name)
	}
	return os.Setenv(name, value)
}

// restartAfterKill replaces this process by a new one of the same program. It returns only an error.
func restartAfterKill(args []string) error {
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		var err error
		if self, err = os.Executable(); err != nil {
			return err
		}
	}
	return syscall.Exec(self, append([]string{os.Args[0]}, args...), append(os.Environ(), startedAgain+"=1"))
}
