// Package clock tells when: schedules and deployment windows in named time
// zones. It is pure: it is told what time it is.
//
// A [Cron] is a cron expression: five fields as on Unix, or CodePipeline's and
// EventBridge's six or seven. As an instant it fires ([Cron.Next]); as a window
// it covers every minute that its fields match ([Cron.Covers]). At changes of
// the clock it does what EventBridge Scheduler does: a time that is skipped
// does not fire, one that comes twice fires the first time only; expressions
// that fire every hour go on in real time, so they neither pause nor repeat.
//
// The parser is our own, because none of the libraries reads both dialects
// with L, W, # and years, and none keeps the rule above at changes of the clock
// (two fire twice in the hour that comes twice). It is small: fields are sets of
// numbers, the days that depend on the month ("the last Friday") are rules.
package clock

import "time"

// Cron is a parsed expression. The zero value never fires and covers nothing.
type Cron struct {
	text string

	minutes, hours, months, years set
	monthDays, weekDays           days
	either                        bool // a day that one of the two day fields matches will do: Unix, both restricted

	every time.Duration // rate(…): counted from 1970-01-01 00:00 UTC; the fields are empty
}

// horizon is the end of the years that an expression can name.
var horizon = time.Date(lastYear+1, 1, 1, 0, 0, 0, 0, time.UTC)

// String is the expression as it was written.
func (c Cron) String() string { return c.text }

// Next is the first moment after a time at which the expression fires in a
// zone; false: never again (nothing fires after the year 2199). A rate fires at
// whole multiples of its length since 1970-01-01 00:00 UTC, whatever the zone, so
// that it needs no memory of when it began.
func (c Cron) Next(after time.Time, in *time.Location) (time.Time, bool) {
	if c.every > 0 {
		step := int64(c.every / time.Second)
		return time.Unix((floor(after.Unix(), step)+1)*step, 0).In(in), true
	}
	return c.walk(after, in, c.hours == fullDay)
}

// Covers says whether a moment lies in a minute that the expression matches, by
// the wall clock of the zone: an hour that comes twice is covered twice.
func (c Cron) Covers(at time.Time, in *time.Location) bool {
	if c.every > 0 {
		return floor(at.Unix(), 60)*60%int64(c.every/time.Second) == 0
	}
	wall := at.In(in)
	return c.minutes.has(wall.Minute()) && c.hours.has(wall.Hour()) && c.on(wall.Date())
}

// Opens is the first moment at or after a time that the window covers; false: never again.
func (c Cron) Opens(at time.Time, in *time.Location) (time.Time, bool) {
	if c.Covers(at, in) {
		return at, true
	}
	if c.every > 0 {
		return c.Next(at, in)
	}
	return c.walk(at, in, true)
}

// LastYear is the last year, from 1970 to 2199, in which the expression matches a
// moment; false: in none, so that it can never fire and its window never opens.
// The zone moves a moment by less than a year and does not matter.
func (c Cron) LastYear() (int, bool) {
	if c.every > 0 {
		return lastYear, true
	}
	for year := lastYear; year >= firstYear; year-- {
		if c.years.has(year - firstYear) {
			begin := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
			if _, ok := c.seek(begin, begin.AddDate(1, 0, 0)); ok {
				return year, true
			}
		}
	}
	return 0, false
}

// Ends says whether the expression names years: it fires until one of them and not for ever.
func (c Cron) Ends() bool { return c.every == 0 && !c.years.has(lastYear-firstYear) }

// walk finds the first matching minute after a time, one stretch of constant
// offset after the other: within a stretch the wall clock is a plain UTC clock,
// and what is skipped lies in none. What the stretch before has already shown
// is left out unless repeats are wanted.
func (c Cron) walk(after time.Time, in *time.Location, repeats bool) (time.Time, bool) {
	at := after.Add(1) // strictly after
	if first := time.Date(firstYear, 1, 1, 0, 0, 0, 0, in); at.Before(first) {
		at = first
	}
	for {
		begin, end := at.In(in).ZoneBounds()
		if !end.IsZero() && !end.After(at) {
			end = at.Add(24 * time.Hour) // on the 366th day of far years ZoneBounds answers with the past
		}
		offset := offsetAt(at, in)
		from := at.UTC().Add(offset)
		if !repeats && !begin.IsZero() {
			if shown := begin.UTC().Add(offsetAt(begin.Add(-1), in)); shown.After(from) {
				from = shown
			}
		}
		until := horizon
		if !end.IsZero() && end.Before(horizon) {
			until = end.UTC().Add(offset)
		}
		if wall, ok := c.seek(from, until); ok {
			return wall.Add(-offset).In(in), true
		}
		if end.IsZero() || !end.Before(horizon) {
			return time.Time{}, false
		}
		at = end
	}
}

// seek finds the first matching minute in [from, until) on a clock that never changes.
func (c Cron) seek(from, until time.Time) (time.Time, bool) {
	from = from.Add(time.Minute - 1).Truncate(time.Minute)
	minute := from.Hour()*60 + from.Minute()
	day := from.Truncate(24 * time.Hour)
	for day.Before(until) {
		year, month, _ := day.Date()
		switch {
		case !c.years.has(year - firstYear):
			day = time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
		case !c.months.has(int(month)):
			day = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		default:
			if c.on(day.Date()) {
				if m, ok := c.minuteFrom(minute); ok {
					at := day.Add(time.Duration(m) * time.Minute)
					return at, at.Before(until)
				}
			}
			day = day.Add(24 * time.Hour)
		}
		minute = 0
	}
	return time.Time{}, false
}

// minuteFrom is the first matching minute of a day, counted from midnight, not before another.
func (c Cron) minuteFrom(minute int) (int, bool) {
	for ; minute < 24*60; minute++ {
		if !c.hours.has(minute / 60) {
			minute += 59 - minute%60
		} else if c.minutes.has(minute % 60) {
			return minute, true
		}
	}
	return 0, false
}

// on says whether the fields of the date match a day.
func (c Cron) on(year int, month time.Month, day int) bool {
	if !c.years.has(year-firstYear) || !c.months.has(int(month)) {
		return false
	}
	byMonth, byWeek := c.monthDays.match(year, month, day, day), c.weekDays.match(year, month, day, int(weekday(year, month, day)))
	if c.either {
		return byMonth || byWeek
	}
	return byMonth && byWeek
}

func offsetAt(at time.Time, in *time.Location) time.Duration {
	_, seconds := at.In(in).Zone()
	return time.Duration(seconds) * time.Second
}

// floor is a/b rounded down, also below zero.
func floor(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}
