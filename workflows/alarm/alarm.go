// Package alarm holds the rules of watching alarms after a success that need no
// state: what is watched and for how long, what the outside is asked, what its
// answer means, and when it is over. Pure.
//
// What a stage runs ([workflows.Running]) is watched from the success on that
// brought it there, as the stage's policy says that is in force. Only a run
// through the pipeline is: what a rollback brought is not left by itself again.
// The watch ends when its time has passed, when an alarm rang, and when people
// took the stage into their hands, by a lock or a rollback, or when the actions of
// another execution began to work there: an alarm would tell nothing of this one
// any more.
package alarm

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// name is that of the watch's action: no action of a stage can have it.
const name = "rollback:onAlarm"

// reasonUnseen is the code where nobody says why the alarms cannot be looked at.
const reasonUnseen = "AlarmsUnseen"

// Concerns says whether the watch of a stage may follow an event.
func Concerns(ev event.Event) bool {
	switch ev.Kind {
	case event.StageSucceeded, event.ReturnPlanned, event.AlarmRang, event.AlarmsUnseen, event.AlarmsSeen, event.AlarmWatchEnded:
		return true
	case event.TransitionDisabled:
		return !ev.By.IsEngine()
	case event.ExecutionStarted:
		return ev.Started.Rollback != nil
	}
	return false
}

// Evolve lets the watch of a stage follow an event that concerns it: p is the
// definition in force, e the execution, where there is one.
func Evolve(st *ledger.Stage, p *workflows.Pipeline, e *workflows.Execution, ev event.Event) {
	switch ev.Kind {
	case event.StageSucceeded:
		if def, ok := p.Stage(ev.Stage); ok && def.Rollback.Watches() > 0 && e != nil && e.Type == workflows.TypeStandard {
			in, _ := e.Stage(ev.Stage)
			st.Watch(ev.At.Add(def.Rollback.Watches()), in.From)
		}
	case event.TransitionDisabled, event.ReturnPlanned, event.ExecutionStarted, event.AlarmWatchEnded:
		st.Unwatch()
	case event.AlarmsUnseen, event.AlarmsSeen:
		st.Alarm(ev.Reason)
	case event.AlarmRang:
		st.Unwatch()
		st.Alarm(ev.Reason)
	}
}

// Tasks are what asks the outside how the alarms stand of what a stage runs: one, or none
// where the definition has the stage no more (nil). It is made from what is kept
// alone: after a restart it is the same.
func Tasks(p *workflows.Pipeline, def *workflows.Stage, runs *workflows.Running) []work.Task {
	if def == nil {
		return nil
	}
	on, id := &def.Rollback.OnAlarm, taskID(def.Name, runs)
	names, err := json.Marshal(on.Alarms)
	if err != nil {
		panic("alarm: a list of texts always marshals: " + err.Error())
	}
	configuration := map[string]string{work.WatchedAlarms: string(names)}
	return []work.Task{{
		ID: id, Kind: work.Poll, Handle: id, PipelineRole: p.RoleArn, Pipeline: p.Name, Execution: runs.Execution, Number: runs.Number, Stage: def.Name, Attempt: 1,
		Action: workflows.Action{Name: name, ActionType: workflows.ActionType{Category: "Rule", Owner: "AWS", Provider: "CloudWatchAlarm", Version: "1"},
			RunOrder: 1, Configuration: configuration, Restartable: true, Region: on.Region, RoleArn: on.RoleArn},
		Configuration: configuration, Deadline: *runs.WatchedUntil, Restartable: true,
	}}
}

func taskID(stage string, runs *workflows.Running) string {
	return strings.Join([]string{runs.Execution, stage, name, "1"}, "/")
}

// Asks says whether a task is the watch of what a stage runs.
func Asks(task, stage string, runs *workflows.Running) bool {
	return runs != nil && runs.WatchedUntil != nil && task == taskID(stage, runs)
}

// Rings says whether an answer is that an alarm rings.
func Rings(o *work.Outcome) bool {
	return o.State == work.Failed && o.Error != nil && o.Error.Code == work.AlarmRang
}

// News is the event of an answer that says more of a stage's alarms than is known: they
// cannot be looked at, why, or they are seen again; nil: it says nothing new.
func News(stage string, runs *workflows.Running, o *work.Outcome) *event.Event {
	ev := &event.Event{Kind: event.AlarmsSeen, Execution: runs.Execution, Stage: stage}
	if o.State != work.Running && o.State != work.Succeeded {
		ev.Kind, ev.Reason = event.AlarmsUnseen, o.Why(reasonUnseen, "nobody says why")
	}
	if runs.Alarm == ev.Reason || runs.Alarm != nil && ev.Reason != nil && runs.Alarm.Message == ev.Reason.Message {
		return nil
	}
	return ev
}

// Over says why what a stage runs is not watched any longer; nil: it is. def is the
// stage as the definition in force has it; nil: that has it no more. What ran at the
// time of a restore is nobody's any more to judge.
func Over(def *workflows.Stage, st *ledger.Stage, at, restored time.Time) *workflows.Reason {
	runs := st.Runs
	switch {
	case def == nil || def.Rollback.Watches() == 0:
		return &workflows.Reason{Code: "Cancelled", Message: "the pipeline was edited, and the stage watches no alarm any more"}
	case !runs.Since.After(restored):
		return &workflows.Reason{Code: "Restored", Message: "rollcall was restored from a backup, and what runs in the stage by now is not known"}
	case st.Touched != nil && st.Touched.Number > runs.Number:
		return &workflows.Reason{Code: "Superseded", Message: fmt.Sprintf("#%d works in the stage by now", st.Touched.Number)}
	case !runs.WatchedUntil.After(at):
		return &workflows.Reason{Code: "Quiet", Message: "no alarm rang within " + words.Span(runs.WatchedUntil.Sub(runs.Since))}
	}
	return nil
}

// Rang is the event of an alarm that rings; not, when it is not nil, is why nothing follows.
func Rang(stage string, runs *workflows.Running, o *work.Outcome, why string, not *workflows.Problem) event.Event {
	if not != nil {
		why += "; it is not rolled back: " + not.Error()
	}
	return event.Event{Kind: event.AlarmRang, Execution: runs.Execution, Stage: stage, Text: o.ExternalID, Reason: &workflows.Reason{Code: "AlarmRang", Message: why},
		Outcome: &event.Outcome{ExternalID: o.ExternalID, ExternalURL: o.ExternalURL, Summary: o.Summary}}
}

// Reason says of a rollback why it follows: "alarm shop-5xx rang 4 minutes after the deployment".
func Reason(alarm string, runs *workflows.Running, at time.Time) string {
	after := at.Sub(runs.Since)
	if after < time.Minute {
		return "alarm " + alarm + " rang right after the deployment"
	}
	return "alarm " + alarm + " rang " + words.Span(after.Round(time.Minute)) + " after the deployment"
}
