package machine

import (
	"errors"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/alarm"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// eachWatched visits every stage whose alarms are watched, as it is defined by now (nil: no more), and what it runs.
func (s *State) eachWatched(visit func(stage string, def *workflows.Stage, runs *workflows.Running)) {
	var names []string
	for name, st := range s.Stages {
		if st.Runs != nil && st.Runs.WatchedUntil != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		def, _ := s.definition().Stage(name)
		visit(name, def, s.Stages[name].Runs)
	}
}

// endWatches ends the watches that are over.
func (d *decision) endWatches() {
	d.s.eachWatched(func(stage string, def *workflows.Stage, runs *workflows.Running) {
		if why := alarm.Over(def, &d.s.Stages[stage].Stage, d.in.At, d.s.Restored); why != nil {
			d.emit(event.Event{Kind: event.AlarmWatchEnded, Execution: runs.Execution, Stage: stage, Reason: why})
		}
	})
}

// watched takes the answer about alarms that are watched. One that rings leads back to what the
// stage ran before, like a failure: only to the same work, and never to what people left.
func (d *decision) watched(stage string, runs *workflows.Running, o *work.Outcome) error {
	if !alarm.Rings(o) {
		if ev := alarm.News(stage, runs, o); ev != nil {
			d.emit(*ev)
		}
		return nil
	}
	name, why, st := o.ExternalID, alarm.Reason(o.ExternalID, runs, d.in.At), d.s.peek(stage)
	back, err := d.automatic(stage, st.Before(d.s.onlyVersion(stage)), why, map[string]string{"AlarmName": name, "PipelineExecutionId": runs.Execution})
	inside := d.s.occupants(nil, stage)
	if i := slices.IndexFunc(inside, func(x *workflows.Execution) bool { return x.Works() && x.Inside().Worked() }); i >= 0 && err == nil {
		err = workflows.Refuse(workflows.CodeUnableToRollback, "roll it back when that has ended", "%s runs in %s", inside[i].Ref(), inside[i].Inside().Name)
	}
	problem, refused := errors.AsType[*workflows.Problem](err)
	if err != nil && !refused {
		return err
	}
	if d.emit(alarm.Rang(stage, runs, o, why, problem)); refused {
		return nil
	}
	return d.replace(back, inside)
}
