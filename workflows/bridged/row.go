package bridged

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// alike says whether a row shows all that is shown.
func alike(have, w *workflows.Execution) bool {
	row := overlay(*have, w)
	row.UpdatedAt = have.UpdatedAt
	return reflect.DeepEqual(*have, row)
}

// overlay is a row with what is shown of it in AWS; what is not shown stays. Its
// gates, requests, notes and counts are ours. Nothing of the row is written.
func overlay(e workflows.Execution, w *workflows.Execution) workflows.Execution {
	e.Status = w.Status
	e.SourceRevisions = brought(&e, w.SourceRevisions)
	if len(w.Variables) > 0 && !maps.Equal(e.Variables, w.Variables) {
		e.Variables = w.Variables
	}
	if !w.UpdatedAt.IsZero() && w.UpdatedAt.After(e.UpdatedAt) {
		e.UpdatedAt = utc(w.UpdatedAt)
	}
	e.Stages = slices.Clone(e.Stages)
	for i := range w.Stages {
		overlayStage(&e, &w.Stages[i])
	}
	switch {
	case w.Status.Final():
		e.WaitsFor = nil
		e.EndedAt = later(e.EndedAt, w.EndedAt, w.UpdatedAt)
		if e.StatusReason == nil {
			e.StatusReason = w.StatusReason
		}
	default:
		e.EndedAt, e.StatusReason = nil, nil
		if waits := w.WaitsFor; waits == nil || e.WaitsFor == nil || waits.Stage != e.WaitsFor.Stage || waits.For != e.WaitsFor.For {
			e.WaitsFor = waits
		}
	}
	return e
}

// later is when an execution ended: as shown, else as it is known, else when it last changed.
func later(have, shown *time.Time, updated time.Time) *time.Time {
	switch {
	case shown != nil:
		return same(have, shown)
	case have != nil:
		return have
	}
	return moment(updated)
}

// same is the time that is shown; the pointer that is there, when it is that one already.
func same(have, shown *time.Time) *time.Time {
	if shown == nil || have != nil && have.Equal(*shown) {
		return have
	}
	return moment(*shown)
}

// brought are the revisions with those that are shown.
func brought(e *workflows.Execution, shown []workflows.SourceRevision) []workflows.SourceRevision {
	x := workflows.Execution{SourceRevisions: e.SourceRevisions}
	for _, r := range shown {
		x.Bring(r)
	}
	return x.SourceRevisions
}

func overlayStage(e *workflows.Execution, w *workflows.StageExecution) {
	i := slices.IndexFunc(e.Stages, func(st workflows.StageExecution) bool { return st.Name == w.Name })
	if i < 0 {
		e.Stages = append(e.Stages, workflows.StageExecution{Name: w.Name, Status: workflows.StatusNotStarted, Actions: []workflows.ActionExecution{}})
		i = len(e.Stages) - 1
	}
	st := &e.Stages[i]
	if w.Status == "" || w.Status == workflows.StatusNotStarted && st.Status == workflows.StatusNotStarted {
		return
	}
	if st.Since == nil || st.Status != w.Status || ended(w.Status) { // since when it runs AWS does not say for certain
		st.Since = same(st.Since, w.Since)
	}
	st.Status = w.Status
	if st.Attempt == 0 && w.Status != workflows.StatusNotStarted {
		st.Attempt = 1
	}
	st.Actions = overlayActions(st.Actions, w.Actions)
	st.Conditions = slices.Clone(st.Conditions)
	for i := range w.Conditions {
		c := st.Condition(w.Conditions[i].Kind)
		if c == nil {
			st.Conditions = append(st.Conditions, workflows.ConditionExecution{Kind: w.Conditions[i].Kind})
			c = &st.Conditions[len(st.Conditions)-1]
		}
		shown := &w.Conditions[i]
		c.Status, c.Result = cmp.Or(shown.Status, c.Status), cmp.Or(shown.Result, c.Result)
		c.Rules = overlayActions(c.Rules, shown.Rules)
		if c.Reason == nil {
			c.Reason = shown.Reason
		}
	}
}

func overlayActions(have, shown []workflows.ActionExecution) []workflows.ActionExecution {
	all := slices.Clone(have)
	for i := range shown {
		at := slices.IndexFunc(all, func(a workflows.ActionExecution) bool { return a.Name == shown[i].Name })
		if at < 0 {
			all = append(all, workflows.ActionExecution{Name: shown[i].Name, RunOrder: shown[i].RunOrder, Provider: shown[i].Provider, Status: workflows.StatusNotStarted})
			at = len(all) - 1
		}
		overlayAction(&all[at], &shown[i])
	}
	return all
}

func overlayAction(a, w *workflows.ActionExecution) {
	if w.Status == "" || w.Status == workflows.StatusNotStarted && a.Status == workflows.StatusNotStarted {
		return
	}
	if a.Status != workflows.StatusNotStarted && newer(a, w) { // an attempt of which nothing was seen
		attempt := a.Attempt
		a.Reset()
		a.Attempt = attempt + 1
	}
	a.Status, a.StartedAt = w.Status, same(a.StartedAt, w.StartedAt)
	if w.Status != workflows.StatusNotStarted {
		a.Attempt = max(a.Attempt, w.Attempt, 1)
	}
	a.ExternalID, a.ExternalURL = cmp.Or(w.ExternalID, a.ExternalID), cmp.Or(w.ExternalURL, a.ExternalURL)
	if ended(w.Status) {
		a.EndedAt, a.Needs = same(a.EndedAt, w.EndedAt), ""
	}
	if len(w.OutputVariables) > 0 && !maps.Equal(a.OutputVariables, w.OutputVariables) {
		a.OutputVariables = w.OutputVariables
	}
	if a.IsGate() {
		overlayGate(a, w)
		return
	}
	a.Summary = cmp.Or(w.Summary, a.Summary)
	if w.Error != nil && (a.Error == nil || !reflect.DeepEqual(a.Error, w.Error)) {
		a.Error = w.Error
	}
}

// overlayGate keeps our record of a gate. Of one that was never open here, because
// it was answered between two looks, there is the answer that AWS knows.
func overlayGate(a, w *workflows.ActionExecution) {
	if !ended(w.Status) {
		a.Handle = cmp.Or(w.Handle, a.Handle)
		return
	}
	v := answerOf(w)
	if w.Status == workflows.StatusFailed && a.Error == nil {
		a.Error = notApproved(v)
	}
	if a.Approval == nil && v != nil {
		a.Approval = &workflows.Approval{Required: 1, Comment: "optional", Votes: []workflows.Vote{*v}, Missing: []string{}, OpenedAt: v.At, ExpiresAt: v.At, Closed: closedAs(w)}
		if a.StartedAt != nil {
			a.Approval.OpenedAt = *a.StartedAt
		}
		a.Summary = cmp.Or(a.Summary, w.Summary)
	}
}

// ended says whether an action or a rule has ended.
func ended(s workflows.Status) bool {
	return s != workflows.StatusInProgress && s != workflows.StatusNotStarted && s != ""
}

// newer says whether an action is shown in another attempt than the one that is known.
func newer(a, w *workflows.ActionExecution) bool {
	switch {
	case w.Status == "" || w.Status == workflows.StatusNotStarted:
		return false
	case a.Status == workflows.StatusNotStarted, w.Attempt > a.Attempt:
		return true
	case a.StartedAt != nil && w.StartedAt != nil && w.StartedAt.After(*a.StartedAt):
		return true
	}
	again := ended(a.Status) && !ended(w.Status)
	return again || a.IsGate() && a.Handle != "" && w.Handle != "" && a.Handle != w.Handle && !ended(w.Status)
}

// retried says whether an execution that had ended was taken up again.
func retried(have, w *workflows.Execution) bool {
	if have.Status != workflows.StatusFailed && have.Status != workflows.StatusStopped {
		return false
	}
	if !w.Status.Final() {
		return true
	}
	for i := range have.Stages {
		ws, ok := w.Stage(have.Stages[i].Name)
		if ok && again(&have.Stages[i], ws) {
			return true
		}
	}
	return false
}

// again says whether something ran again in a stage.
func again(st, w *workflows.StageExecution) bool {
	for i := range st.Actions {
		wa, ok := w.Action(st.Actions[i].Name)
		if ok && st.Actions[i].Status != workflows.StatusNotStarted && newer(&st.Actions[i], wa) {
			return true
		}
	}
	return false
}

// resumedIn is the stage in which an execution was taken up again, and whether all of it was.
func resumedIn(have, w *workflows.Execution) (stage string, all bool) {
	for i := range have.Stages {
		st := &have.Stages[i]
		if st.Status == workflows.StatusNotStarted || st.Status == workflows.StatusSkipped {
			break
		}
		stage, all = st.Name, allAgain(st, w)
		if st.Status != workflows.StatusSucceeded {
			break
		}
	}
	return stage, all
}

// allAgain says whether also what had succeeded in a stage runs again.
func allAgain(st *workflows.StageExecution, w *workflows.Execution) bool {
	ws, ok := w.Stage(st.Name)
	for i := range st.Actions {
		if a := &st.Actions[i]; ok && a.Status == workflows.StatusSucceeded {
			wa, shown := ws.Action(a.Name)
			if shown && (wa.Status == workflows.StatusNotStarted || newer(a, wa)) {
				return true
			}
		}
	}
	return false
}
