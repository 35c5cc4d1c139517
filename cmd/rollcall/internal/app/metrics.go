package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/metrics"
	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/hooks"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// timed is the store whose commits are counted.
type timed struct {
	*store.DB
	metrics *metrics.Metrics
}

// Commit is the store's.
func (t timed) Commit(ctx context.Context, c *record.Commit) error {
	began := time.Now()
	err := t.DB.Commit(ctx, c)
	t.metrics.Committed(time.Since(began), err)
	return err
}

// readings is the engine as the metrics ask it.
type readings struct{ *runtime.Engine }

// FollowerLag is the engine's.
func (s readings) FollowerLag(ctx context.Context) (map[string]metrics.Lag, error) {
	lags, err := s.Engine.FollowerLag(ctx)
	all := map[string]metrics.Lag{}
	for name, l := range lags {
		all[name] = metrics.Lag(l)
	}
	return all, err
}

// measure has what happens counted from now on.
func (a *App) measure(ctx context.Context) error {
	follow, err := a.metrics.Follow(ctx, a.engine, a.db)
	if err != nil {
		return err
	}
	a.background = append(a.background, follow)
	return nil
}

// receiptSources are the vendors whose requests leave receipts.
func (a *App) receiptSources() (all []string) {
	if a.config.Slack != nil {
		all = append(all, "slack")
	}
	if g := a.config.GitHub; g != nil && g.WebhookSecret.Set() {
		all = append(all, "github")
		if a.gates != nil {
			all = append(all, a.gates.Name())
		}
	}
	if b := a.config.Bitbucket; b != nil && b.WebhookSecret.Set() {
		all = append(all, "bitbucket")
	}
	if g := a.config.GitLab; g != nil && g.WebhookSecret.Set() {
		all = append(all, "gitlab")
	}
	if j := a.config.Jira; j != nil && j.WebhookSecret.Set() {
		all = append(all, "jira")
	}
	if len(a.config.Hooks) > 0 {
		all = append(all, hooks.Source)
	}
	if c := a.config.AWS; c != nil && c.Events.QueueURL != "" {
		all = append(all, aws.EventReceipts)
	}
	return all
}

// scrape lets somebody read the metrics who may see every pipeline: their names are in it.
func (a *App) scrape(ctx context.Context, by workflows.Principal) (http.Handler, error) {
	refusal, holders, err := a.engine.Verdict(ctx, by, workflows.View, "", "")
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		refusal.Hint = cmp.Or(strings.Join(holders, ", "), "nobody") + " may; the metrics need the right view"
		return nil, refusal
	}
	return a.metrics.Handler(), nil
}

// serveMetrics has the metrics served on an address of their own, without a
// token, until ctx ends. Whoever reaches it may read them.
func (a *App) serveMetrics(ctx context.Context) error {
	if a.config.MetricsListen == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.config.MetricsListen)
	if err != nil {
		return fmt.Errorf("metricsListen: cannot listen on %s: %w", a.config.MetricsListen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	a.background = append(a.background, func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { _ = server.Close() })
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("metricsListen: %w", err)
		}
		return nil
	})
	a.on = append(a.on, "metrics at http://"+l.Addr().String()+"/metrics")
	return nil
}
