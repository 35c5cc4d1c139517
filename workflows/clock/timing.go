package clock

import (
	"errors"
	"time"
)

// Timing is a schedule that remembers its last answer: it is asked the same
// question many times over. Not safe for several goroutines.
type Timing struct {
	cron  Cron
	zone  *time.Location
	fault error
	after time.Time
	next  time.Time
	ever  bool
}

// NewTiming reads an expression and the name of a zone; a faulty one never fires.
func NewTiming(cron, zone string) *Timing {
	c, err := ParseCron(cron)
	in, zoneErr := Zone(zone)
	return &Timing{cron: c, zone: in, fault: errors.Join(err, zoneErr)}
}

// Next is the first moment after another at which it fires; false: never again.
func (t *Timing) Next(after time.Time) (time.Time, bool) {
	if t.fault != nil {
		return time.Time{}, false
	}
	if !t.after.Equal(after) || after.IsZero() {
		t.after = after
		t.next, t.ever = t.cron.Next(after, t.zone)
	}
	return t.next, t.ever
}
