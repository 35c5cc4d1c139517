package say

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Wait says what an execution waits for before a stage: "blocked: Production is
// locked", "waiting for Production".
func (f *Format) Wait(w *workflows.Wait) string {
	switch stage := f.Clean(w.Stage); w.For {
	case workflows.WaitsForTransition:
		return "blocked: " + stage + " is locked"
	case workflows.WaitsForFreeze:
		return "blocked: " + stage + " is " + f.Frozen(w.Freeze, nil)
	default:
		return "waiting for " + stage
	}
}

// WaitReason says why the wait lasts, as far as the pipeline tells: "locked by
// Ana: checkout errors", "frozen (year-end) until 4 Jan", "busy with #43".
func (f *Format) WaitReason(e *workflows.Execution, p *workflows.PipelineView) string {
	w := e.WaitsFor
	s, ok := p.Stage(w.Stage)
	switch {
	case w.For == workflows.WaitsForFreeze:
		return f.Frozen(w.Freeze, p.Freezes)
	case w.For == workflows.WaitsForTransition && ok && !s.Transition.Enabled:
		return f.Lock(&s.Transition)
	case w.For == workflows.WaitsForTransition:
		return "locked"
	}
	busy := "busy"
	if ok && s.LatestExecution != nil && s.LatestExecution.Execution != e.ID {
		busy = fmt.Sprintf("busy with #%d", s.LatestExecution.Number)
	}
	if ok && p.ExecutionMode == workflows.ModeQueued {
		if i := slices.Index(s.Inbound, e.ID); i > 0 {
			return words.Ordinal(i+1) + " in line, " + busy
		}
	}
	return busy
}

// Frozen names a freeze and when it ends, if that is among all.
func (f *Format) Frozen(name string, all []workflows.Freeze) string {
	text := "frozen"
	if name != "" {
		text += " (" + f.Clean(name) + ")"
	}
	for i := range all {
		if all[i].Name == name {
			return text + f.Until(all[i].To)
		}
	}
	return text
}

// rolledBackTo begins the reason of a lock that a rollback set.
const rolledBackTo = "rolled back to "

// LockReason is the reason that the record of such a lock keeps: "rolled back
// to webshop#41: checkout is broken". [Format.Lock] reads it.
func LockReason(target, why string) string { return words.Because(rolledBackTo+target, why) }

// Lock says that a stage is locked, since when, by whom and why: "locked since
// 04:43 by Ana: checkout errors", "locked since 04:43, rolled back to #41 (checkout
// is broken); only #45 may enter".
func (f *Format) Lock(t *workflows.Transition) string {
	text := "locked"
	if t.At != nil {
		text += f.at("since", *t.At)
	}
	switch to, rolledBack := strings.CutPrefix(t.Reason, rolledBackTo); {
	case t.Cause == "rollback" && t.Reason == "":
		text += " after a rollback"
	case t.Cause == "rollback" && rolledBack:
		to, why, _ := strings.Cut(to, ": ")
		if i := strings.LastIndexByte(to, '#'); i > 0 {
			to = to[i:]
		}
		text += ", " + rolledBackTo + f.Clean(to)
		if t.By != nil && !t.By.IsEngine() {
			text += " by " + f.Who(*t.By)
		}
		if why != "" {
			text += " (" + f.Clean(why) + ")"
		}
	case t.Cause == "definition":
		text = f.because(text+" by its definition", t.Reason)
	default:
		if t.By != nil && t.Cause != "rollback" {
			text += " by " + f.Who(*t.By)
		}
		text = f.because(text, t.Reason)
	}
	return text + f.Only(t)
}

// Only names the one execution that may enter a stage all the same, behind
// another sentence: "; only #45 may enter".
func (f *Format) Only(t *workflows.Transition) string {
	if t.Only == "" || t.Enabled && !t.PastFreeze {
		return ""
	}
	return "; only " + f.Other(t.Only) + " may enter"
}

// StageNow is a stage as it stands now: "succeeded (#43); runs #41, uncertain;
// locked by Ana: checkout errors; #45 and #46 waiting".
func (f *Format) StageNow(s *workflows.StageView) string {
	parts := []string{"nothing yet"}
	if l := s.LatestExecution; l != nil {
		parts[0] = fmt.Sprintf("%s (#%d)", Status(l.Status), l.Number)
	}
	if r := s.Running; r != nil {
		parts = append(parts, "runs "+f.Runs(r))
		if text := f.Alarms(r); text != "" {
			parts = append(parts, text)
		}
	}
	if !s.Transition.Enabled {
		parts = append(parts, f.Lock(&s.Transition))
	} else if only := f.Only(&s.Transition); only != "" {
		parts = append(parts, only[2:])
	}
	if n := len(s.Inbound); n > 0 {
		parts = append(parts, words.Count(n, "execution")+" waiting")
	}
	if s.Planned != nil {
		parts = append(parts, f.Planned(s.Planned))
	}
	return strings.Join(parts, "; ")
}

// Runs is what a stage runs: "#43 since 04:43, uncertain".
func (f *Format) Runs(r *workflows.Running) string {
	text := fmt.Sprintf("#%d", r.Number) + f.at("since", r.Since)
	if c := r.Caveat(); c != "" {
		text += ", " + f.Clean(c)
	}
	return text
}

// Alarms says how the alarms stand that are watched after a success; empty: none is.
func (f *Format) Alarms(r *workflows.Running) string {
	switch {
	case r.Alarm != nil && r.WatchedUntil != nil:
		return f.because("its alarms cannot be looked at", r.Alarm.Message)
	case r.Alarm != nil:
		return f.Clean(r.Alarm.Message)
	case r.WatchedUntil != nil:
		return "alarms are watched" + f.Until(*r.WatchedUntil)
	}
	return ""
}

// Planned is a rollback that waits until the stage is free.
func (f *Format) Planned(p *workflows.PlannedRollback) string {
	text := "will be rolled back"
	if to := f.ref(p.Target); to != "" {
		text += " to " + to
	}
	return f.because(text+" when it is free, by "+f.Who(p.By), p.Reason)
}

// Rollback is a whole sentence on what a ROLLBACK execution does: "Ana rolled
// Production back: #43 → #41. Reason: checkout is broken."
func (f *Format) Rollback(e *workflows.Execution) string {
	r := e.Rollback
	if r == nil || len(e.Stages) == 0 {
		return ""
	}
	stage, who := f.Clean(e.Stages[0].Name), f.Who(e.Trigger.By)
	automatic := e.Trigger.Type == workflows.TriggerAutomated
	var text string
	switch running := !e.Status.Final(); {
	case e.Status == workflows.StatusSucceeded && automatic:
		text = stage + " was rolled back automatically"
	case e.Status == workflows.StatusSucceeded:
		text = who + " rolled " + stage + " back"
	case running && automatic:
		text = stage + " is being rolled back automatically"
	case running:
		text = who + " is rolling " + stage + " back"
	case automatic:
		text = "The automatic rollback of " + stage + " " + string(Status(e.Status))
	default:
		text = "The rollback of " + stage + " by " + who + " " + string(Status(e.Status))
	}
	left := cmp.Or(r.FailedExecution, r.LeftExecution)
	if from := f.ref(left); from != "" && left != r.Target {
		text += ": " + Change(from, r.TargetNumber)
	} else {
		text += fmt.Sprintf(" to #%d", r.TargetNumber)
	}
	if why := strings.TrimRight(strings.TrimSpace(r.Reason), "."); why != "" {
		text += map[bool]string{true: ", because ", false: ". Reason: "}[r.Alarm != ""] + f.Clean(why)
	}
	text += "."
	if AsNow(r.Definition) {
		text += " It runs " + asNow + "."
	}
	return text
}

// Change is from what to what a stage goes: "#43 → #41".
func Change(from string, to int) string { return fmt.Sprintf("%s → #%d", from, to) }

// The two definitions under which a rollback can run, in words.
const (
	asThen = "as it was deployed then"
	asNow  = "as the pipeline is now"
)

// AsNow says whether a rollback's definition, as any version has written it, is
// the pipeline's in force.
func AsNow(definition string) bool { return definition == "current" }

// Definition is under which definition a rollback runs, in words.
func Definition(definition string) string {
	if AsNow(definition) {
		return asNow
	}
	return asThen
}
