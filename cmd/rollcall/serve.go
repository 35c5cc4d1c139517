package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/app"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/vault"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

type serveCmd struct {
	Config       string
	New, Verbose bool
}

func (c *serveCmd) command() *cobra.Command {
	cmd := command(c.Run, "serve", "Run the service.", "rollcall serve --config rollcall.yaml")
	f := cmd.Flags()
	configFlag(f, &c.Config, "The configuration `FILE`.")
	f.BoolVar(&c.New, "new", false, "Start from scratch if the data folder has lost its database.")
	f.BoolVarP(&c.Verbose, "verbose", "v", false, "Log more.")
	return cmd
}

// Run is the service until it is told to stop.
func (s *serveCmd) Run(ctx context.Context, o *output) error {
	c, err := loadConfig(s.Config, o)
	if err != nil {
		return err
	}
	if c, err = vault.Fill(ctx, c); err != nil {
		return faulty(s.Config, err, o)
	}
	moreThreads()
	log := logger(o.err, s.Verbose)
	a, err := app.New(c, log, app.Extras{New: s.New})
	if err != nil {
		return err
	}
	if terminal(os.Stdin) {
		log.Info("this terminal ends the service when it is closed; elsewhere SIGHUP reads the pipeline files again")
	}
	ctx, stop := untilClosed(ctx, os.Stdin)
	defer stop()
	return untilStopped(a.Run(ctx, o.out))
}

// untilStopped is no error of a service that ended because it was told to.
func untilStopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// leastThreads run Go code at the same time, also on fewer cores.
const leastThreads = 4

// moreThreads lets the kernel share few cores out, unless GOMAXPROCS says
// otherwise. Go looks for requests that have arrived when a thread runs out of
// work, and else every 10 ms: with a thread per core and both busy, each request
// takes that long before anybody sees it.
func moreThreads() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastThreads {
		runtime.GOMAXPROCS(leastThreads)
	}
}

// untilClosed ends with the terminal that the service was started from: SIGHUP
// says then that nobody can end it any more, and its port would stay taken.
func untilClosed(ctx context.Context, stdin any) (context.Context, context.CancelFunc) {
	if !terminal(stdin) {
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// logger writes text on a terminal and JSON elsewhere. What records quote of
// vendors and strangers is cleaned here, once for all that log.
func logger(w io.Writer, verbose bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: cleaned}
	if verbose {
		opts.Level = slog.LevelDebug
	}
	if terminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

func cleaned(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(clean.Text(v))
	case error:
		a.Value = slog.StringValue(clean.Text(v.Error()))
	case []string:
		list := make([]string, len(v))
		for i, s := range v {
			list[i] = clean.Text(s)
		}
		a.Value = slog.AnyValue(list)
	}
	return a
}

type versionCmd struct{}

func (c versionCmd) command() *cobra.Command {
	return command(c.Run, "version", "Print the version.", "rollcall version")
}

// Run prints what was built.
func (versionCmd) Run(_ context.Context, o *output) error {
	version, revision := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	fmt.Fprintf(o.out, "rollcall %s%s\n", version, revision)
	return nil
}

type healthcheckCmd struct{ URL string }

func (c *healthcheckCmd) command() *cobra.Command {
	cmd := command(c.Run, "healthcheck", "Ask whether the service is ready.", "rollcall healthcheck")
	cmd.Hidden = true
	cmd.Flags().StringVar(&c.URL, "url", "", "`URL` of the service ($ROLLCALL_URL; default "+defaultURL+").")
	return cmd
}

// Run asks whether the service can decide and write, for a container's health check.
func (c *healthcheckCmd) Run(ctx context.Context, _ *output) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(cmp.Or(c.URL, os.Getenv("ROLLCALL_URL"), defaultURL), "/")+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ROLLCALL_URL is not an address: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("not reachable: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", res.Status)
	}
	return nil
}
