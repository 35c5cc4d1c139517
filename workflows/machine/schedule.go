package machine

import (
	"errors"
	"maps"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	// lateStart is how late a schedule may still start something: a nightly
	// release must not surprise people at noon, because the service was away.
	lateStart = time.Hour
	// idlePolling is how long a pipeline may be idle before its branches are no longer looked at (engine.md 15.1).
	idlePolling = 30 * 24 * time.Hour
)

// scheduleKey names a schedule: an edit that keeps it keeps what it has fired.
func scheduleKey(sched *workflows.Schedule) string { return sched.Timezone + " " + sched.Cron }

// next is the first moment after another at which a schedule wants a start.
// One that means nothing never fires; the reader of files refuses it.
func (s *State) next(sched *workflows.Schedule, after time.Time) (time.Time, bool) {
	t := s.timings[scheduleKey(sched)]
	if t == nil {
		t = clock.NewTiming(sched.Cron, sched.Timezone)
		if s.timings == nil {
			s.timings = map[string]*clock.Timing{}
		}
		s.timings[scheduleKey(sched)] = t
	}
	return t.Next(after)
}

// schedules lists those of the definition in force; an archived pipeline has none.
func (s *State) schedules() []*workflows.Schedule {
	var all []*workflows.Schedule
	if p := s.definition(); p != nil && !s.Archived {
		for _, t := range p.Triggers {
			if t.Schedule != nil {
				all = append(all, t.Schedule)
			}
		}
	}
	return all
}

// arm has the schedules that a definition adds begin now: nothing is started for the past.
func (s *State) arm(p *workflows.Pipeline, at time.Time) {
	fired := map[string]time.Time{}
	for _, t := range p.Triggers {
		if t.Schedule == nil {
			continue
		}
		key := scheduleKey(t.Schedule)
		fired[key] = at
		if last, known := s.Fired[key]; known && !s.Archived {
			fired[key] = last
		}
	}
	s.Fired = fired
}

func (s *State) fire(f *event.Scheduled) {
	s.Fired = maps.Clone(s.Fired)
	s.Fired[scheduleKey(&workflows.Schedule{Cron: f.Cron, Timezone: f.Timezone})] = f.Nominal
}

// ring starts what schedules want started. Of several moments that passed
// unseen only the newest counts, and none that is long past: that is recorded as missed.
func (d *decision) ring() error {
	for _, sched := range d.s.schedules() {
		last := d.s.Fired[scheduleKey(sched)]
		if horizon := d.in.At.Add(-lateStart); last.Before(horizon) {
			if first, ever := d.s.next(sched, last); ever && !first.After(horizon) {
				d.emit(event.Event{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: sched.Cron, Timezone: sched.Timezone, Nominal: horizon, Missed: true},
					Reason: &workflows.Reason{Code: "Missed", Message: "nobody was there at " + first.Format(time.RFC3339) + " to start it, and it is too late now"}})
				last = horizon
			}
		}
		nominal, due := time.Time{}, false
		for next, ever := d.s.next(sched, last); ever && !next.After(d.in.At); next, ever = d.s.next(sched, next) {
			nominal, due = next, true
		}
		if !due {
			continue
		}
		if err := d.startOnSchedule(sched, nominal); err != nil {
			return err
		}
	}
	return nil
}

func (d *decision) startOnSchedule(sched *workflows.Schedule, nominal time.Time) error {
	fired := event.Event{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: sched.Cron, Timezone: sched.Timezone, Nominal: nominal}}
	in := &workflows.Intent{Verb: workflows.Start, Trigger: &workflows.StartedBy{Type: workflows.TriggerSchedule, By: d.by,
		Detail: sched.Cron + " " + sched.Timezone + " at " + nominal.Format(time.RFC3339)}}
	var problem *workflows.Problem
	err := d.startable(in)
	if errors.As(err, &problem) {
		fired.Reason = &workflows.Reason{Code: problem.Code, Message: problem.Error()}
	}
	d.emit(fired)
	if err != nil {
		return nil // the event says why
	}
	return d.start(in)
}

// polls says whether a source action of the pipeline has its branch looked at.
func (s *State) polls() bool {
	p := s.definition()
	if p == nil || s.Archived || len(p.Stages) == 0 {
		return false
	}
	for i := range p.Stages[0].Actions {
		if p.Stages[0].Actions[i].Polls() {
			return true
		}
	}
	return false
}

// PollingOff says whether the pipeline's branches are no longer to be looked
// at: nothing has started for 30 days. A start or an edit ends that.
func (s *State) PollingOff() bool { return s.Unpolled != nil }

func (s *State) poll(ev event.Event) {
	s.Unpolled, s.Busy = nil, ev.At
	if ev.Kind == event.PollingDisabled {
		at := ev.At
		s.Unpolled = &at
	}
}

// rest ends the polling of a pipeline that has been idle for long.
func (d *decision) rest() {
	if d.s.Unpolled == nil && d.s.polls() && !d.s.Busy.IsZero() && d.in.At.Sub(d.s.Busy) >= idlePolling {
		d.emit(event.Event{Kind: event.PollingDisabled})
	}
}

// wake begins to poll again.
func (d *decision) wake() {
	if d.s.Unpolled != nil {
		d.emit(event.Event{Kind: event.PollingEnabled})
	}
}
