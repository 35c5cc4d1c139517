package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Readings says what gauges show. Asking is cheap.
type Readings interface {
	// OpenGates counts the approvals that wait; oldest is when the first of them opened.
	OpenGates(ctx context.Context) (n int, oldest time.Time, err error)
	// FollowerLag says by name how far the followers are behind.
	FollowerLag(ctx context.Context) (map[string]Lag, error)
	// Pending returns the receipts of a source that were accepted and not finished, oldest first.
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
}

// Lag is how far a follower is behind.
type Lag struct {
	Commits uint64 // that it has not yet taken
	Behind  int    // pipelines for which it failed, or has something left to do, and is called again
}

// scrapeTakes is how long reading the gauges may take.
const scrapeTakes = 5 * time.Second

// gauges are read when they are asked for.
type gauges struct {
	*Metrics
	from    Readings
	sources []string // of receipts

	waiting, oldest, lag, behind, pending, inbox *prometheus.Desc
}

// Gauges adds what is read when it is asked for. Sources are those whose receipts are counted.
func (m *Metrics) Gauges(from Readings, sources ...string) {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	m.registry.MustRegister(&gauges{
		Metrics: m, from: from, sources: sources,
		waiting: describe("gates_waiting", "Approvals that wait now."),
		oldest:  describe("gates_waiting_oldest_seconds", "How long the approval that has waited longest has waited; 0: none waits."),
		lag:     describe("follower_lag", "Commits that a follower (chat, tickets, commit statuses) has not yet taken.", "follower"),
		behind:  describe("follower_behind", "Pipelines for which a follower failed and is called again.", "follower"),
		pending: describe("inbox_pending", "Requests from outside that were acknowledged and are not yet carried out.", "source"),
		inbox:   describe("inbox_lag_seconds", "How long the oldest of them has waited; 0: there is none.", "source"),
	})
}

// Describe is for the registry.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.waiting, g.oldest, g.lag, g.behind, g.pending, g.inbox} {
		to <- d
	}
}

// Collect reads them. What cannot be read is left out, and said in the log.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTakes) // of whoever asks
	defer cancel()
	set := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if n, oldest, err := g.from.OpenGates(ctx); g.readable("the open approvals", err) {
		set(g.waiting, float64(n))
		set(g.oldest, since(oldest))
	}
	if lags, err := g.from.FollowerLag(ctx); g.readable("the followers", err) {
		for name, l := range lags {
			set(g.lag, float64(l.Commits), name)
			set(g.behind, float64(l.Behind), name)
		}
	}
	for _, source := range g.sources {
		if all, err := g.from.Pending(ctx, source); g.readable("the receipts of "+source, err) {
			oldest := time.Time{}
			if len(all) > 0 {
				oldest = all[0].At
			}
			set(g.pending, float64(len(all)), source)
			set(g.inbox, since(oldest), source)
		}
	}
}

func (g *gauges) readable(what string, err error) bool {
	if err != nil {
		g.log.Warn("a metric could not be read", "what", what, "err", err)
	}
	return err == nil
}

// since is in seconds; the zero time is 0.
func since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(time.Since(t).Seconds(), 0)
}
