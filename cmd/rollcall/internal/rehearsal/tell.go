package rehearsal

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// tell says in words what happened; empty: nothing worth a line.
func (w *world) tell(e event.Event) string {
	ref := w.ref(e.Execution)
	switch e.Kind {
	case event.PipelineDefined:
		return fmt.Sprintf("version %d is in force", e.Defined.Version) + weaker(e.Defined.Weakened)
	case event.ExecutionStarted:
		return w.tellStart(e, ref)
	case event.ExecutionWaiting:
		return fmt.Sprintf("%s waits before %s: %s", ref, e.Wait.Stage, waitsFor(e.Wait)) + and(e.Wait.Warning)
	case event.ExecutionStopping:
		return ref + " is stopping" + and(e.Stop.Reason)
	case event.ExecutionResumed:
		return fmt.Sprintf("%s is taken up again in %s by %s", ref, e.Stage, e.By.Name)
	case event.ReturnPlanned:
		return fmt.Sprintf("%s will go back to %s as soon as it is free", e.Stage, w.ref(e.Planned.Target))
	case event.TransitionDisabled, event.TransitionEnabled:
		return w.tellDoor(e)
	case event.ScheduleFired:
		return fmt.Sprintf("the schedule %s (%s) fires", e.Schedule.Cron, e.Schedule.Timezone) + because(e.Reason)
	case event.FreezesSet:
		var names []string
		for _, f := range e.Freezes {
			names = append(names, f.Name)
		}
		return "freezes: " + strings.Join(names, ", ")
	case event.ActionTracked, event.OrphanConfirmed:
		return ""
	}
	if e.Action != "" {
		return w.tellAction(e, ref+" "+e.Stage+"/"+e.Action)
	}
	return w.tellOther(e, ref)
}

// tellOther tells of everything that one word says, new kinds too.
func (w *world) tellOther(e event.Event, ref string) string {
	word, known := map[event.Kind]string{
		event.ExecutionSteppedBack: "steps back before", event.ExecutionSuperseded: "is superseded", event.ExecutionStopped: "is stopped",
		event.ExecutionSucceeded: "has succeeded", event.ExecutionFailed: "has failed", event.ExecutionCancelled: "is cancelled",
		event.StageEntered: "enters", event.StageSucceeded: "succeeds in", event.StageFailed: "fails in", event.StageStopped: "stops in",
		event.StageCancelled: "is cancelled in", event.StageSkipped: "skips", event.StageResumed: "tries again by itself in",
		event.ConditionStarted: "checks", event.ConditionSucceeded: "passes", event.ConditionFailed: "does not pass",
		event.ConditionOverridden: "goes past", event.ConditionAbandoned: "no longer needs", event.ReturnDropped: "will not go back in",
		event.PipelineArchived: "the pipeline is archived", event.PollingDisabled: "branches are no longer looked at", event.PollingEnabled: "branches are looked at again",
	}[e.Kind]
	if !known {
		word = spaced(string(e.Kind))
	}
	words := []string{ref, word, e.Stage}
	if strings.HasPrefix(string(e.Kind), "condition") {
		words = append(words, e.Text)
	}
	line := strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	if e.Override != nil {
		line += overridden(e.Override)
	}
	return line + because(e.Reason)
}

// spaced writes stageSkipped as "stage skipped".
func spaced(kind string) string {
	var b strings.Builder
	for _, r := range kind {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func weaker(gates []workflows.Weakened) string {
	text := ""
	for _, g := range gates {
		text += fmt.Sprintf("; %s/%s asks for less: %s, before %s", g.Stage, g.Action, g.New, g.Old)
	}
	return text
}

func (w *world) tellStart(e event.Event, ref string) string {
	x := e.Started
	if x.Rollback != nil {
		return fmt.Sprintf("%s starts: %s back to %s (%s by %s)", ref, e.Stage, w.ref(x.Rollback.Target), x.Trigger.Type, x.Trigger.By.Name) + and(x.Rollback.Reason)
	}
	line := fmt.Sprintf("%s starts (%s by %s)", ref, x.Trigger.Type, x.Trigger.By.Name)
	for _, r := range x.SourceRevisions {
		line += ", " + strings.Join(strings.Fields(r.ActionName+" "+r.Branch+" "+r.RevisionID), " ")
	}
	for _, name := range sortedKeys(x.Variables) {
		line += fmt.Sprintf(", %s=%s", name, x.Variables[name])
	}
	return line
}

func waitsFor(wait *workflows.Wait) string {
	switch wait.For {
	case workflows.WaitsForStage:
		return "it is taken"
	case workflows.WaitsForTransition:
		return "its door is closed"
	case workflows.WaitsForFreeze:
		return "freeze " + wait.Freeze
	}
	return wait.For
}

func (w *world) tellDoor(e event.Event) string {
	t := e.Transition
	switch {
	case t.Enabled:
		return fmt.Sprintf("the door into %s opens", e.Stage) + and(t.Reason)
	case t.Only != "":
		return fmt.Sprintf("the door into %s stays closed, but lets %s in", e.Stage, w.ref(t.Only))
	}
	return fmt.Sprintf("the door into %s closes (%s by %s)", e.Stage, t.Cause, t.By.Name) + and(t.Reason)
}

func (w *world) tellAction(e event.Event, what string) string {
	switch e.Kind {
	case event.ActionStarted:
		if e.Attempt > 1 {
			return fmt.Sprintf("%s starts, attempt %d", what, e.Attempt)
		}
		return what + " starts"
	case event.ActionSucceeded:
		line := what + " succeeds"
		if e.Outcome != nil {
			line += and(e.Outcome.Summary)
		}
		return line
	case event.ActionResolved:
		return fmt.Sprintf("%s is no longer in doubt: %s, says %s", what, e.Text, e.By.Name)
	case event.GateOpened:
		return fmt.Sprintf("%s asks %s: %s", what, strings.Join(e.Gate.Ask, ", "), strings.Join(e.Gate.Missing, ", ")) + and(e.Gate.Warning)
	case event.GateVoted:
		return fmt.Sprintf("%s: %s says %s", what, e.Vote.By.Name, e.Vote.Answer) + and(e.Vote.Comment)
	case event.GateVoteDropped:
		return fmt.Sprintf("%s: the answer of %s counts no more", what, e.Vote.By.Name) + because(e.Reason)
	case event.GateOverridden:
		return what + ": overridden" + overridden(e.Override)
	case event.GateClosed, event.GateReminded:
		return strings.TrimSpace(fmt.Sprintf("%s: %s %s", what, map[event.Kind]string{event.GateClosed: "the gate is", event.GateReminded: "reminder at"}[e.Kind], e.Text)) + because(e.Reason)
	}
	word := map[event.Kind]string{
		event.ActionFailed: "fails", event.ActionAbandoned: "is abandoned", event.ActionCancelling: "is being cancelled",
		event.ActionInDoubt: "is in doubt", event.ActionSkipped: "is skipped", event.OrphanLeft: "could not be cancelled",
	}[e.Kind]
	if word == "" {
		word = spaced(string(e.Kind)) + " " + e.Text
	}
	return strings.TrimSpace(what+" "+word) + because(e.Reason)
}

func (w *world) ref(id string) string {
	if n, ok := w.numbers[id]; ok {
		return fmt.Sprintf("#%d", n)
	}
	return id
}

func overridden(o *workflows.Overridden) string {
	if o == nil {
		return ""
	}
	line := " by " + o.By.Name
	if o.Without != "" {
		line += ", without " + o.Without
	}
	return line + and(o.Reason)
}

func because(r *workflows.Reason) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf(": %s (%s)", r.Message, r.Code)
}

func and(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
