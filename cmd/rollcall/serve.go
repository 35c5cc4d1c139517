package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/app"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
)

type serveCmd struct {
	Config  string `help:"The configuration file." default:"rollcall.yaml" placeholder:"FILE"`
	Verbose bool   `help:"Log more." short:"v"`
}

// Run is the service until it is told to stop.
func (s *serveCmd) Run(ctx context.Context, o *output) error {
	c, err := config.Load(s.Config)
	var faults config.Problems
	if errors.As(err, &faults) {
		fmt.Fprintf(o.err, "rollcall: %s cannot be used, nothing was started\n%s\n", s.Config, faults)
		return errTold
	}
	if err != nil {
		return err
	}
	a, err := app.New(c, logger(o.err, s.Verbose))
	if err != nil {
		return err
	}
	return a.Run(ctx, o.out)
}

// logger writes text on a terminal and JSON elsewhere.
func logger(w io.Writer, verbose bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		opts.Level = slog.LevelDebug
	}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(slog.NewTextHandler(w, opts))
		}
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

type versionCmd struct{}

// Run prints what was built.
func (versionCmd) Run(o *output) error {
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

type healthcheckCmd struct {
	URL string `help:"The service's address." env:"ROLLCALL_URL" default:"http://127.0.0.1:8484"`
}

// Run asks whether the service can decide and write, for a container's health check.
func (h *healthcheckCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(h.URL, "/")+"/readyz", nil)
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
