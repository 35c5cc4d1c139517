// Package schedule holds the rules of schedules that need no state: which of them a
// definition has, when they fire, what of it was missed. Pure.
package schedule

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// lateStart is how late a schedule may still start something: a nightly
// release must not surprise people at noon, because the service was away.
const lateStart = time.Hour

// Key names a schedule: an edit that keeps it keeps what it has fired.
func Key(cron, zone string) string { return zone + " " + cron }

// of lists the schedules of a definition; none, nil, has none. What stays in AWS is started there.
func of(p *workflows.Pipeline) (all []*workflows.Schedule) {
	if p == nil || p.Bridge != nil {
		return nil
	}
	for _, t := range p.Triggers {
		if t.Schedule != nil {
			all = append(all, t.Schedule)
		}
	}
	return all
}

// Armed says what has fired once a definition is in force: what it keeps as fired
// says, and what it adds begins now, so that nothing is started for the past.
func Armed(p *workflows.Pipeline, fired map[string]time.Time, now time.Time) map[string]time.Time {
	armed := map[string]time.Time{}
	for _, s := range of(p) {
		key := Key(s.Cron, s.Timezone)
		armed[key] = now
		if last, known := fired[key]; known {
			armed[key] = last
		}
	}
	return armed
}

// Timings are what was computed of schedules, by key.
type Timings map[string]*clock.Timing

// next is the first moment after another at which a schedule wants a start.
// One that means nothing never fires; the reader of files refuses it.
func (t Timings) next(s *workflows.Schedule, after time.Time) (time.Time, bool) {
	key := Key(s.Cron, s.Timezone)
	if t[key] == nil {
		t[key] = clock.NewTiming(s.Cron, s.Timezone)
	}
	return t[key].Next(after)
}

// Next is when the first of a definition's schedules wants a start, of what has not
// fired; the zero time: never.
func (t Timings) Next(p *workflows.Pipeline, fired map[string]time.Time) (first time.Time) {
	for _, s := range of(p) {
		if next, ever := t.next(s, fired[Key(s.Cron, s.Timezone)]); ever && (first.IsZero() || next.Before(first)) {
			first = next
		}
	}
	return first
}

// Fire is what schedules want at a time. Of several moments that passed unseen only
// the newest counts, and none that is long past: that was missed.
func (t Timings) Fire(p *workflows.Pipeline, fired map[string]time.Time, now time.Time) (all []event.Event) {
	for _, s := range of(p) {
		last := fired[Key(s.Cron, s.Timezone)]
		if horizon := now.Add(-lateStart); last.Before(horizon) {
			if first, ever := t.next(s, last); ever && !first.After(horizon) {
				all = append(all, event.Event{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: s.Cron, Timezone: s.Timezone, Nominal: horizon, Missed: true},
					Reason: &workflows.Reason{Code: "Missed", Message: "rollcall was not running at " + first.UTC().Format("2006-01-02 15:04 UTC") + ", and it is too late to start now"}})
				last = horizon
			}
		}
		nominal, due := time.Time{}, false
		for next, ever := t.next(s, last); ever && !next.After(now); next, ever = t.next(s, next) {
			nominal, due = next, true
		}
		if due {
			all = append(all, event.Event{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: s.Cron, Timezone: s.Timezone, Nominal: nominal}})
		}
	}
	return all
}

// Polls says whether a source action of a definition has its branch looked at.
func Polls(p *workflows.Pipeline) bool {
	return p != nil && p.Bridge == nil && len(p.Stages) > 0 && slices.ContainsFunc(p.Stages[0].Actions, func(a workflows.Action) bool { return a.Polls() })
}
