// Package hours knows when a team is left in peace and when it reads its digest.
// It is pure: times in, times out, in the time zone that the team named, also
// where the clock is changed.
package hours

import "time"

const day = 24 * 60 // minutes

// Quiet is when only what cannot wait is posted. The zero value is never.
type Quiet struct {
	// From and To are minutes of the day: 20:00 is 1200. To may be before From:
	// then it is the next morning. Equal: no time of day is quiet.
	From, To int
	Zone     *time.Location // nil: UTC
	Weekends bool           // Saturdays and Sundays are quiet as a whole
}

// Until returns when the quiet time in which at lies is over; ok is false when
// at does not lie in one.
func (q Quiet) Until(at time.Time) (end time.Time, ok bool) {
	if !q.quiet(at) {
		return time.Time{}, false
	}
	y, m, d := at.In(zone(q.Zone)).Date()
	// It ends at To or at midnight after a weekend. Where the clock skips that
	// time it ends at the next whole hour; a week has an hour that is not quiet, or never ends.
	for i := range 10 {
		for _, minute := range []int{0, q.To} {
			c := time.Date(y, m, d+i, 0, minute, 0, 0, zone(q.Zone))
			for _, c := range []time.Time{c, c.Add(time.Hour)} {
				if c.After(at) && !q.quiet(c) {
					return c, true
				}
			}
		}
	}
	return time.Time{}, false
}

func (q Quiet) quiet(at time.Time) bool {
	local := at.In(zone(q.Zone))
	if w := local.Weekday(); q.Weekends && (w == time.Saturday || w == time.Sunday) {
		return true
	}
	minute := local.Hour()*60 + local.Minute()
	if q.From <= q.To {
		return q.From <= minute && minute < q.To
	}
	return minute >= q.From || minute < q.To
}

// Daily is a time of day on some days of the week.
type Daily struct {
	At   int            // minute of the day
	Zone *time.Location // nil: UTC
	Days [7]bool        // by time.Weekday
}

// Last returns the latest of its times that is not after at; ok is false when it has none.
func (d Daily) Last(at time.Time) (last time.Time, ok bool) {
	y, m, today := at.In(zone(d.Zone)).Date()
	for back := range 9 {
		t := time.Date(y, m, today-back, 0, d.At%day, 0, 0, zone(d.Zone))
		if d.Days[t.Weekday()] && !t.After(at) {
			return t, true
		}
	}
	return time.Time{}, false
}

func zone(z *time.Location) *time.Location {
	if z == nil {
		return time.UTC
	}
	return z
}
