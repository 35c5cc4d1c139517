package jira

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Kinds of jobs.
const (
	failed    = "failed"
	recovered = "recovered"
)

// job is one change that Jira must get, taken from the events. Its ID is
// the same whenever the events come again.
type job struct {
	ID        string               `json:"id"`
	Kind      string               `json:"kind"`
	Execution string               `json:"execution"`
	Stage     string               `json:"stage,omitempty"`
	Action    string               `json:"action,omitempty"`
	Attempt   int                  `json:"attempt,omitempty"`
	Reason    workflows.Reason     `json:"reason,omitzero"`
	Others    []failedAction       `json:"others,omitempty"` // what failed beside the action
	Next      *workflows.Execution `json:"next,omitempty"`   // the automatic rollback that followed, as far as the ticket names it

	Tried          bool   `json:"tried,omitempty"`    // the clock says when it is tried again
	Refused        int    `json:"refused,omitempty"`  // times that Jira refused it, or failed at it
	Reduced        bool   `json:"reduced,omitempty"`  // without optional fields
	Basic          bool   `json:"basic,omitempty"`    // without characters that an old database cannot store
	ServerFailures int    `json:"stumbles,omitempty"` // of Jira over this form of it
	LastError      string `json:"words,omitempty"`    // Jira's, about it

	execution *workflows.Execution // as it stands now
	runs      *workflows.Running   // in the stage, as that stands now
}

// about are the attributes of a log line about the job.
func (j *job) about() []any { return words.LogAttrs(j.execution.Ref(), j.Stage, j.Action) }

// failedAction is an action that failed.
type failedAction struct {
	Action  string           `json:"action"`
	Attempt int              `json:"attempt,omitempty"`
	Reason  workflows.Reason `json:"reason,omitzero"`
}

// maxServerFailures is how often Jira may fail at one form of a request.
const maxServerFailures = 2

// countServerFailure counts, and reduces the next request; at once where there is
// something in it that an old database cannot store.
func (j *job) countServerFailure(suspect bool) {
	if j.ServerFailures++; !j.Reduced && (suspect || j.ServerFailures >= maxServerFailures) {
		j.Reduced, j.Basic, j.ServerFailures = true, true, 0
	}
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
				j.ID = fmt.Sprintf("%s/%s/%d", failed, e.Execution, f.Seq)
				failures[e.Execution] = j
				list = append(list, j)
			case event.ExecutionStarted:
				if s := e.Started; s != nil && s.Rollback != nil && failures[s.Rollback.FailedExecution] != nil {
					failures[s.Rollback.FailedExecution].Next = &workflows.Execution{ID: s.ID, Number: s.Number, Pipeline: s.Pipeline, Rollback: s.Rollback}
				}
			case event.StageSucceeded:
				list = append(list, &job{Kind: recovered, Execution: e.Execution, Stage: e.Stage,
					ID: fmt.Sprintf("%s/%s/%d", recovered, e.Execution, f.Seq)})
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
// in a stage: since it entered, or was retried, by people or by itself.
// Several actions may have failed; the first one names the failure. nothingRan
// says that an entry condition refused the execution.
func failureOf(events []event.Event, end event.Event) (j *job, nothingRan bool) {
	j = &job{Kind: failed, Execution: end.Execution, Stage: end.Stage, Action: end.Action, Attempt: end.Attempt}
	if end.Reason != nil {
		j.Reason = *end.Reason
	}
	var found []failedAction // newest first
	keptOut, broken := false, false
	for i := len(events) - 1; i >= 0 && !entersStage(events[i], end.Execution); i-- {
		e := events[i]
		if e.Execution != end.Execution {
			continue
		}
		switch e.Kind {
		case event.StageFailed:
			j.Stage = e.Stage
			broken = e.Reason != nil && e.Reason.Code == reasonCondition
		case event.ConditionFailed:
			keptOut = keptOut || e.Text == workflows.BeforeEntry
		case event.ActionFailed, event.ActionAbandoned:
			if e.Reason != nil && !isFailure(e.Reason.Code) || isRule(e.Action) {
				continue
			}
			j.Stage = e.Stage
			found = append(found, failedAction{Action: e.Action, Attempt: e.Attempt, Reason: j.Reason})
			if e.Reason != nil {
				found[len(found)-1].Reason = *e.Reason
			}
		}
	}
	slices.Reverse(found)
	if len(found) > 0 {
		j.Action, j.Attempt, j.Reason, j.Others = found[0].Action, found[0].Attempt, found[0].Reason, found[1:]
	}
	return j, broken && keptOut && len(found) == 0
}

const reasonCondition = "ConditionFailed"

// entersStage says whether with this event an execution's last stay in a stage began.
func entersStage(e event.Event, execution string) bool {
	if e.Execution != execution {
		return false
	}
	switch e.Kind {
	case event.StageEntered, event.StageResumed, event.ExecutionResumed, event.ExecutionStarted:
		return true
	}
	return false
}

// isRule says whether an action is a rule that was asked before the stage's
// actions ran, or after they had failed: its failing is an answer, no defect.
func isRule(action string) bool {
	kind, _, rule := strings.Cut(action, ":")
	return rule && kind != workflows.OnSuccess
}

// addFromExecution fills in from the execution what the events of this batch did not
// say, because an earlier batch held them. It is false when nothing knows the stage.
func (j *job) addFromExecution() bool {
	for i := range j.execution.Stages {
		st := &j.execution.Stages[i]
		if j.Stage != "" && st.Name != j.Stage || j.Stage == "" && st.Status != workflows.StatusFailed {
			continue
		}
		j.Stage = st.Name
		actions := st.Actions
		if c := st.Condition(workflows.OnSuccess); c != nil {
			actions = append(slices.Clone(actions), c.Rules...)
		}
		for _, a := range actions {
			if a.Approval != nil || j.Action != "" && a.Name != j.Action || j.Action == "" && a.Status != workflows.StatusFailed {
				continue
			}
			j.Action = a.Name
			if j.Attempt == 0 {
				j.Attempt = a.Attempt
			}
			if a.Error != nil && a.Attempt == j.Attempt {
				j.Reason = *a.Error
			}
			break
		}
		j.addOtherFailures(actions)
		break
	}
	return j.Stage != ""
}

// addOtherFailures adds what failed together with the action, when an earlier batch held
// the events of it.
func (j *job) addOtherFailures(actions []workflows.ActionExecution) {
	for _, a := range actions {
		known := a.Name == j.Action || slices.ContainsFunc(j.Others, func(f failedAction) bool { return f.Action == a.Name })
		if known || a.Approval != nil || a.Status != workflows.StatusFailed || a.Error == nil || !isFailure(a.Error.Code) {
			continue
		}
		j.Others = append(j.Others, failedAction{Action: a.Name, Attempt: a.Attempt, Reason: *a.Error})
	}
}
