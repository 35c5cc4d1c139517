// Package history says what happened: one line per event, the same on every
// surface that shows a pipeline's past (the command line's watch, the trace of
// `rollcall test`, the API's feed).
//
// A line begins where it happened ("Production/Deploy started") and does not
// name its own execution, which each surface shows in its own way. Pure.
package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Line is an event in one line: what happened, by whom where somebody decided
// it, and why.
func Line(f *say.Format, e *event.Event) string {
	l := liner{Format: *f, e: e}
	text := l.what()
	if place := strings.Trim(e.Stage+"/"+e.Action, "/"); place != "" && !l.placed {
		text = place + " " + text
	}
	return strings.Join(strings.Fields(text), " ")
}

// liner writes the line of one event.
type liner struct {
	say.Format
	e      *event.Event
	placed bool // the text names its place itself
}

// word is what one word says of an event; empty: its facts say it.
func word(k event.Kind) string {
	switch k {
	case event.PipelineArchived:
		return "archived"
	case event.ExecutionSteppedBack:
		return "left, so that a rollback can run"
	case event.ExecutionSuperseded:
		return "superseded"
	case event.ExecutionStopped, event.StageStopped:
		return "stopped"
	case event.ExecutionStopping:
		return "stop requested"
	case event.ExecutionSucceeded, event.StageSucceeded, event.ActionSucceeded:
		return "succeeded"
	case event.ExecutionFailed, event.StageFailed, event.ActionFailed:
		return "failed"
	case event.ExecutionCancelled, event.StageCancelled:
		return "cancelled"
	case event.ExecutionResumed:
		return "retried"
	case event.StageEntered:
		return "entered"
	case event.StageSkipped, event.ActionSkipped:
		return "skipped"
	case event.StageResumed:
		return "retried automatically"
	case event.ActionStarted:
		return "started"
	case event.ActionTracked:
		return "running"
	case event.ActionAbandoned:
		return "abandoned"
	case event.ActionCancelling:
		return "is being cancelled"
	case event.ActionInDoubt:
		return "result unknown"
	case event.ActionRetrying:
		return "is tried again"
	case event.OrphanConfirmed:
		return "cancel confirmed"
	case event.OrphanLeft:
		return "could not be cancelled"
	case event.ReturnDropped:
		return "planned rollback dropped"
	case event.PollingDisabled:
		return "branches are no longer polled: nothing had started for 30 days"
	case event.PollingEnabled:
		return "branches are polled again"
	case event.AlarmsUnseen:
		return "alarms cannot be looked at"
	case event.AlarmsSeen:
		return "alarms are looked at again"
	case event.AlarmWatchEnded:
		return "alarms are no longer watched"
	case event.BridgeLost:
		return "not seen in AWS any more"
	case event.BridgeSeen:
		return "seen in AWS"
	}
	return ""
}

// what is the event without its place.
func (l *liner) what() string {
	e := l.e
	switch k := e.Kind; {
	case e.Defined != nil:
		return l.defined(e.Defined)
	case k == event.ExecutionStarted && e.Started != nil:
		l.placed = true
		return l.started(e.Started)
	case e.Request != nil:
		l.placed = true
		return l.request(&e.Request.Request)
	case k == event.ExecutionObserved && e.Started != nil:
		l.placed = true
		return l.observed(e.Started)
	case e.Wait != nil:
		l.placed = true
		return l.warned(l.Wait(e.Wait), e.Wait.Warning)
	case k == event.ExecutionNoted && e.Note != nil:
		return l.because(e.Note.Name, e.Note.Text)
	case e.Start != nil:
		return l.actionStarted()
	case k == event.ActionResolved:
		return l.by("marked as " + e.Text)
	case e.Transition != nil:
		return l.transition(e.Transition)
	case e.Planned != nil:
		return l.Planned(e.Planned)
	case strings.HasPrefix(string(k), "gate"):
		return l.gate()
	case strings.HasPrefix(string(k), "condition"):
		return l.condition()
	case e.Schedule != nil:
		return l.schedule(e.Schedule)
	case e.Restored != nil:
		return l.restored(e.Restored)
	case k == event.FreezesSet:
		return l.freezes()
	case k == event.AlarmRang && e.Reason != nil:
		return l.because("alarm "+l.Clean(e.Text)+" rang", e.Reason.Message)
	case e.Refused != nil:
		return l.because("refused", e.Refused.Problem.Message)
	}
	return l.plain()
}

// plain is an event of which one word and a reason say all, new kinds too.
func (l *liner) plain() string {
	e := l.e
	text := word(e.Kind)
	if text == "" {
		text = words.Spaced(string(e.Kind))
		if e.Text != "" {
			text += " " + e.Text
		}
	}
	switch {
	case e.Stop != nil && e.Stop.Code != "":
		return e.Stop.Reason
	case e.Stop != nil:
		return l.because(l.by(text), e.Stop.Reason)
	case e.Resumed != nil:
		return l.by(text)
	case e.Reason != nil:
		return l.because(text, strings.TrimPrefix(e.Reason.Message, "it ")) // a runner that cannot be asked: "it is tried again since …"
	case e.Outcome != nil:
		return l.because(text, e.Outcome.Summary)
	}
	return text
}

func (l *liner) by(text string) string { return text + " by " + l.Who(l.e.By) }

// because adds a reason; one that begins with what happened says all.
func (l *liner) because(text, reason string) string {
	if reason = l.Clean(reason); strings.HasPrefix(reason, text+" ") {
		return reason
	}
	return words.Because(text, reason)
}

func (l *liner) warned(text, warning string) string {
	if warning == "" {
		return text
	}
	return text + "; " + say.Warning(l.Clean(warning))
}

func (l *liner) defined(d *event.Defined) string {
	s := fmt.Sprintf("version %d applied", d.Version)
	for _, w := range d.Weakened {
		s += "; " + l.Clean(say.Weakened(w.Stage, w.Action, w.Old, w.New))
	}
	if len(d.Cancels) > 0 {
		s += "; cancels " + strings.Join(d.Cancels, ", ")
	}
	return s
}

// started says who started an execution and what it brings.
func (l *liner) started(x *workflows.Execution) string {
	if r := x.Rollback; r != nil && len(x.Stages) > 0 {
		text := fmt.Sprintf("started: %s, %s to #%d", l.Trigger(x), l.Clean(x.Stages[0].Name), r.TargetNumber)
		return l.because(text, r.Reason)
	}
	text := l.Trigger(x)
	for _, r := range x.SourceRevisions {
		text += ", " + l.Clean(strings.Join([]string{r.ActionName, r.Branch, words.Revision(r.RevisionID), r.RevisionSummary}, " "))
	}
	for _, name := range slices.Sorted(maps.Keys(x.Variables)) {
		text += ", " + l.Clean(name+"="+x.Variables[name])
	}
	return text
}

func (l *liner) actionStarted() string {
	text, e := "started", l.e
	if after := e.Start.After; after != nil && after.After(e.At) {
		text = "starts in " + words.Span(after.Sub(e.At))
	}
	if e.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	return text
}

func (l *liner) transition(t *workflows.Transition) string {
	f := l.Format
	f.Time = nil // the line itself is of that time
	switch {
	case t.Only != "":
		return l.by("unlocked only for " + l.Other(t.Only))
	case t.Enabled:
		return l.because(l.by("unlocked"), t.Reason)
	}
	return f.Lock(t)
}

func (l *liner) gate() string {
	e := l.e
	switch {
	case e.Override != nil:
		return l.Override(e.Override)
	case e.Kind == event.GateOpened && e.Gate != nil:
		return l.warned("waiting for approval: "+l.Quorum(e.Gate)+". "+l.Approvers(e.Gate), e.Gate.Warning)
	case e.Kind == event.GateVoteDropped && e.Vote != nil:
		text := "vote of " + l.Who(e.Vote.By) + " no longer counts"
		if e.Reason != nil {
			text = l.because(text, e.Reason.Message)
		}
		return text
	case e.Kind == event.GateVoted && e.Vote != nil:
		return l.Vote(e.Vote)
	case e.Kind == event.GateReminded:
		return "approvers reminded at " + e.Text
	case e.Reason != nil:
		return l.because("gate "+e.Text, e.Reason.Message)
	}
	return "gate " + e.Text
}

func (l *liner) condition() string {
	e := l.e
	what := say.ConditionName(e.Text) + " "
	switch e.Kind {
	case event.ConditionStarted:
		return what + "is being checked"
	case event.ConditionSucceeded:
		return what + "met"
	case event.ConditionOverridden:
		if e.Override != nil {
			return what + l.Override(e.Override)
		}
	case event.ConditionFailed:
		if e.Reason != nil {
			return l.because(what+"failed", e.Reason.Message)
		}
		return what + "failed"
	}
	return what + strings.ToLower(strings.TrimPrefix(string(e.Kind), "condition"))
}

func (l *liner) schedule(s *event.Scheduled) string {
	text := strings.TrimSpace("schedule " + s.Cron + " " + s.Timezone)
	if l.Time != nil {
		text += ", " + l.Time(s.Nominal)
	}
	if s.Missed {
		text += ", missed"
	}
	if l.e.Reason != nil {
		return l.because(text, l.e.Reason.Message)
	}
	return text
}

func (l *liner) restored(r *event.Restored) string {
	text := "restored from a backup"
	if l.Time != nil {
		text += " of " + l.Time(r.Backup)
	}
	return text
}

func (l *liner) freezes() string {
	names := make([]string, len(l.e.Freezes))
	for i, f := range l.e.Freezes {
		names[i] = l.Clean(f.Name) + l.Until(f.To)
	}
	if len(names) == 0 {
		return "no freezes"
	}
	return "freezes: " + strings.Join(names, ", ")
}
