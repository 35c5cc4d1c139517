package metrics

import (
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Outside returns the transport to a vendor with every call counted.
func (m *Metrics) Outside(s wire.System) http.RoundTripper {
	return wire.Counted(nil, s, outside{m})
}

// Calls hears of calls to vendors, for who makes a transport of its own.
func (m *Metrics) Calls() wire.Calls { return outside{m} }

// MadeGood counts what a vendor had not delivered, by how it was made good.
func (m *Metrics) MadeGood(how string) { m.missed.WithLabelValues(how).Inc() }

// CredentialEnds shows when a credential ends; the zero time: it does not, or nobody
// knows, and it is not shown. refused shows it as long over.
func (m *Metrics) CredentialEnds(name string, at time.Time, refused bool) {
	switch {
	case refused:
		m.ends.WithLabelValues(name).Set(1)
	case at.IsZero():
		m.ends.DeleteLabelValues(name)
	default:
		m.ends.WithLabelValues(name).Set(float64(at.Unix()))
	}
}

// outside hears of calls.
type outside struct{ m *Metrics }

// Called is for [wire.Calls].
func (o outside) Called(system, operation, result string) {
	o.m.calls.WithLabelValues(system, operation, result).Inc()
}

// Remaining is for [wire.Calls].
func (o outside) Remaining(system string, calls int) {
	o.m.remaining.WithLabelValues(system).Set(float64(calls))
}
