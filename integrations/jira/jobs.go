package jira

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Kinds of jobs.
const (
	failed    = "failed"
	recovered = "recovered"
)

// job is one thing that Jira must be told, taken from the events. Its ID is
// the same whenever the events come again.
type job struct {
	id        string
	kind      string
	execution string
	stage     string
	action    string
	attempt   int
	reason    workflows.Reason
	others    []defect             // what failed beside the action
	next      *workflows.Execution // the automatic rollback that followed

	e *workflows.Execution // as it stands now
}

// defect is an action that failed.
type defect struct {
	action  string
	attempt int
	reason  workflows.Reason
}

// jobs lists what the batch means for tickets, in order.
func jobs(b event.Batch) []*job {
	var list []*job
	var events []event.Event // so far
	failures := map[string]*job{}
	for _, f := range b.Frames {
		for _, e := range f.Events {
			events = append(events, e)
			switch e.Kind {
			case event.ExecutionFailed:
				if e.Reason != nil && !isFailure(e.Reason.Code) {
					continue
				}
				j, nothingRan := failureOf(events, e)
				if nothingRan {
					continue
				}
				j.id = fmt.Sprintf("%s/%s/%d", failed, e.Execution, f.Seq)
				failures[e.Execution] = j
				list = append(list, j)
			case event.ExecutionStarted:
				if s := e.Started; s != nil && s.Rollback != nil && failures[s.Rollback.FailedExecution] != nil {
					failures[s.Rollback.FailedExecution].next = s
				}
			case event.StageSucceeded:
				list = append(list, &job{kind: recovered, execution: e.Execution, stage: e.Stage,
					id: fmt.Sprintf("%s/%s/%d", recovered, e.Execution, f.Seq)})
			}
		}
	}
	return list
}

// isFailure leaves out what people decided or let pass: that is no defect.
func isFailure(code string) bool {
	switch code {
	case "NotApproved", "ApprovalExpired", "Superseded", "Stopped", "Cancelled":
		return false
	}
	return true
}

// failureOf looks back from an execution's end for what failed in its last stay
// in a stage: since it entered, or was taken up again, by people or by itself.
// Several actions may have failed; the first one names the failure. nothingRan
// says that it was an entry condition that kept the execution out.
func failureOf(events []event.Event, end event.Event) (j *job, nothingRan bool) {
	j = &job{kind: failed, execution: end.Execution, stage: end.Stage, action: end.Action, attempt: end.Attempt}
	if end.Reason != nil {
		j.reason = *end.Reason
	}
	var found []defect // newest first
	keptOut, broken := false, false
	for i := len(events) - 1; i >= 0 && !begins(events[i], end.Execution); i-- {
		e := events[i]
		if e.Execution != end.Execution {
			continue
		}
		switch e.Kind {
		case event.StageFailed:
			j.stage = e.Stage
			broken = e.Reason != nil && e.Reason.Code == reasonCondition
		case event.ConditionFailed:
			keptOut = keptOut || e.Text == workflows.BeforeEntry
		case event.ActionFailed, event.ActionAbandoned:
			if e.Reason != nil && !isFailure(e.Reason.Code) || asked(e.Action) {
				continue
			}
			j.stage = e.Stage
			found = append(found, defect{action: e.Action, attempt: e.Attempt, reason: j.reason})
			if e.Reason != nil {
				found[len(found)-1].reason = *e.Reason
			}
		}
	}
	slices.Reverse(found)
	if len(found) > 0 {
		j.action, j.attempt, j.reason, j.others = found[0].action, found[0].attempt, found[0].reason, found[1:]
	}
	return j, broken && keptOut && len(found) == 0
}

const reasonCondition = "ConditionFailed"

// begins says whether with this event an execution's last stay in a stage began.
func begins(e event.Event, execution string) bool {
	if e.Execution != execution {
		return false
	}
	switch e.Kind {
	case event.StageEntered, event.StageResumed, event.ExecutionResumed, event.ExecutionStarted:
		return true
	}
	return false
}

// asked says whether an action is a rule that was asked before the stage's
// actions ran, or after they had failed: its failing is an answer, no defect.
func asked(action string) bool {
	kind, _, rule := strings.Cut(action, ":")
	return rule && kind != workflows.OnSuccess
}

// locate fills in from the execution what the events of this batch did not
// say, because an earlier batch held them. It is false when nothing knows the stage.
func (j *job) locate() bool {
	for i := range j.e.Stages {
		st := &j.e.Stages[i]
		if j.stage != "" && st.Name != j.stage || j.stage == "" && st.Status != workflows.StatusFailed {
			continue
		}
		j.stage = st.Name
		actions := st.Actions
		if c := st.Condition(workflows.OnSuccess); c != nil {
			actions = append(slices.Clone(actions), c.Rules...)
		}
		for _, a := range actions {
			if a.Approval != nil || j.action != "" && a.Name != j.action || j.action == "" && a.Status != workflows.StatusFailed {
				continue
			}
			j.action = a.Name
			if j.attempt == 0 {
				j.attempt = a.Attempt
			}
			if a.Error != nil && a.Attempt == j.attempt {
				j.reason = *a.Error
			}
			break
		}
		j.beside(actions)
		break
	}
	return j.stage != ""
}

// beside adds what failed together with the action, when an earlier batch held
// the events of it.
func (j *job) beside(actions []workflows.ActionExecution) {
	for _, a := range actions {
		known := a.Name == j.action || slices.ContainsFunc(j.others, func(f defect) bool { return f.action == a.Name })
		if known || a.Approval != nil || a.Status != workflows.StatusFailed || a.Error == nil || !isFailure(a.Error.Code) {
			continue
		}
		j.others = append(j.others, defect{action: a.Name, attempt: a.Attempt, reason: *a.Error})
	}
}
