package machine

import (
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/schedule"
)

// idlePolling is how long a pipeline may be idle before its branches are no longer looked at, as with CodePipeline.
const idlePolling = 30 * 24 * time.Hour

// scheduled is the definition whose schedules fire; an archived pipeline has none.
func (s *State) scheduled() *workflows.Pipeline {
	if s.Archived {
		return nil
	}
	return s.definition()
}

func (s *State) fire(f *event.Scheduled) {
	s.Fired = event.With(s.Fired, schedule.Key(f.Cron, f.Timezone), f.Nominal)
}

// fireSchedules starts what schedules want started; where that is refused, the event says why.
func (d *decision) fireSchedules() error {
	for _, fired := range d.s.timings.Fire(d.s.scheduled(), d.s.Fired, d.in.At) {
		s := fired.Schedule
		in := &workflows.Intent{Verb: workflows.Start, Trigger: &workflows.StartedBy{Type: workflows.TriggerSchedule, By: d.by,
			Detail: s.Cron + " " + s.Timezone + " at " + s.Nominal.Format(time.RFC3339)}}
		err := d.startable(in)
		if problem, ok := errors.AsType[*workflows.Problem](err); ok && !s.Missed {
			fired.Reason = &workflows.Reason{Code: problem.Code, Message: problem.Error()}
		}
		if d.emit(fired); err == nil && !s.Missed {
			if err := d.start(in); err != nil {
				return err
			}
		}
	}
	return nil
}

// PollingOff says whether the pipeline's branches are no longer to be looked
// at: nothing has started for 30 days. A start or an edit ends that.
func (s *State) PollingOff() bool { return s.Unpolled != nil }

func (s *State) polls() bool { return schedule.Polls(s.scheduled()) }

func (s *State) poll(ev event.Event) {
	s.Unpolled, s.Busy = nil, ev.At
	if ev.Kind == event.PollingDisabled {
		at := ev.At
		s.Unpolled = &at
	}
}

// stopPolling ends the polling of a pipeline that has been idle for long.
func (d *decision) stopPolling() {
	if d.s.Unpolled == nil && d.s.polls() && !d.s.Busy.IsZero() && d.in.At.Sub(d.s.Busy) >= idlePolling {
		d.emit(event.Event{Kind: event.PollingDisabled})
	}
}

// resumePolling begins to poll again.
func (d *decision) resumePolling() {
	if d.s.Unpolled != nil {
		d.emit(event.Event{Kind: event.PollingEnabled})
	}
}
