package metrics

import (
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Committed counts a commit of the database: what it took, and what became of it.
func (m *Metrics) Committed(took time.Duration, err error) {
	switch {
	case err == nil:
		m.commits.Observe(took.Seconds())
	case errors.Is(err, record.ErrConflict):
		m.failures.WithLabelValues("conflict").Inc()
	case errors.Is(err, record.ErrFenced):
		m.failures.WithLabelValues("fenced").Inc()
	default:
		m.failures.WithLabelValues("unknown").Inc()
	}
}
