// Package metrics counts what the service does, for Prometheus.
//
// A [Metrics] owns a registry; nothing is global. Counters and durations come
// from the committed feed ([Metrics.Follow]): every event is counted once in the
// life of the process, and after a restart they begin at 0, as Prometheus
// expects. Gauges are read when they are asked for, so they are right at once.
// Commits are timed by whoever makes them ([Metrics.Committed]), calls to vendors around
// their transport ([Metrics.Outside]).
//
// A label says a pipeline, a provider, a status or the like, of which there are
// few; never an execution, a commit, a number or a person.
// docs/monitoring/README.md says what each metric means.
package metrics

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace begins the name of every metric of ours.
const namespace = "rollcall"

// Buckets of durations, in seconds. What waits for people takes hours; what
// machines do, seconds to an hour; a commit, milliseconds.
var (
	peopleBuckets   = []float64{10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600, 168 * 3600}
	machineBuckets  = []float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600}
	pipelineBuckets = []float64{1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 72 * 3600, 168 * 3600}
	commitBuckets   = []float64{0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1, 5}
)

// Metrics is everything that is counted. Its methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger

	executions, rollbacks, doubts, refusals *prometheus.CounterVec
	executionSeconds, actionSeconds         *prometheus.HistogramVec
	gateSeconds                             *prometheus.HistogramVec
	commits                                 prometheus.Histogram
	failures, calls, missed                 *prometheus.CounterVec
	remaining, ends                         *prometheus.GaugeVec
}

// New returns metrics that have counted nothing.
func New(log *slog.Logger) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	durations := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(), log: log,
		executions:       counter("executions_total", "Executions that ended, by how.", "pipeline", "status"),
		rollbacks:        counter("rollbacks_total", "Rollbacks that began: by people (manual) or after a failure (automatic).", "pipeline", "trigger"),
		doubts:           counter("actions_in_doubt_total", "Actions whose result nobody can know: a person must say it.", "pipeline"),
		refusals:         counter("refusals_total", "Requests that were refused, by the error's code.", "code"),
		executionSeconds: durations("execution_seconds", "From the start of an execution, or of its retry, to its end.", pipelineBuckets, "status"),
		actionSeconds:    durations("action_seconds", "From the start of an action's attempt to its end, approvals left out.", machineBuckets, "provider", "status"),
		gateSeconds:      durations("gate_seconds", "From the opening of an approval to its end.", peopleBuckets, "answer"),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "commit_seconds",
			Help: "Durable commits of the database; one holds what many pipelines decided.", Buckets: commitBuckets}),
		failures: counter("commit_failures_total", "Commits that failed: conflict (nothing was written), fenced, or unknown.", "result"),
		calls:    counter("outside_calls_total", "Calls to vendors, by result: ok, refused, limited, failed.", "system", "operation", "result"),
		missed:   counter("missed_deliveries_total", "Deliveries of GitHub that had not arrived and were made good: by their payload, by redelivery, or by looking at a repository's branches.", "by"),
		remaining: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "outside_limit_remaining",
			Help: "Calls that the vendor's rate limit still allows, as its last answer said."}, []string{"system"}),
		ends: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "credential_expiry_timestamp_seconds",
			Help: "When a credential of the configuration ends, as a Unix time; 1: its vendor refuses it."}, []string{"credential"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.executions, m.rollbacks, m.doubts, m.refusals, m.executionSeconds, m.actionSeconds, m.gateSeconds, m.commits, m.failures, m.calls, m.missed, m.remaining, m.ends)
	return m
}

// Handler answers a scrape. What cannot be read just now is left out.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}
