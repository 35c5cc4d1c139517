package jira

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
	At        time.Time            `json:"at,omitzero"`
	Print     string               `json:"print,omitempty"`  // of what kind the failure is
	Folded    int                  `json:"folded,omitempty"` // more failures of the kind, whose executions are no longer named

	Tried          bool     `json:"tried,omitempty"`    // the clock says when it is tried again
	Refused        int      `json:"refused,omitempty"`  // times that Jira refused it, or failed at it
	Denied         int      `json:"denied,omitempty"`   // times that somebody had to mend something for it
	Reduced        bool     `json:"reduced,omitempty"`  // in a second form
	Without        []string `json:"without,omitempty"`  // these fields
	Minimal        bool     `json:"minimal,omitempty"`  // without what comes from commits, logs and findings
	Basic          bool     `json:"basic,omitempty"`    // without characters that an old database cannot store
	ServerFailures int      `json:"stumbles,omitempty"` // of Jira over this form of it
	LastError      string   `json:"words,omitempty"`    // Jira's, about it

	execution *workflows.Execution // as it stands now
	runs      *workflows.Running   // in the stage, as that stands now
}

// at is when the failure happened; earlier versions did not keep it.
func (j *job) at() time.Time {
	switch {
	case !j.At.IsZero():
		return j.At
	case j.execution.EndedAt != nil:
		return *j.execution.EndedAt
	}
	return j.execution.UpdatedAt
}

// lighten drops what is shown of the first and the newest failure of a kind only.
func (j *job) lighten() {
	j.Reason = workflows.Reason{Code: j.Reason.Code, Message: words.Cut(j.Reason.Message, 200)}
	j.Others, j.Next = nil, nil
}

// waiting is what the execution's note says while the ticket is not there; empty: nothing.
func (j *job) waiting() string {
	for _, n := range j.execution.Notes {
		if n.Name == noteName && n.State == "waiting" {
			return n.Text
		}
	}
	return ""
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

// countServerFailure counts, and reduces the next request by optional fields and
// texts from outside; at once where there is something in it that an old database
// cannot store.
func (j *job) countServerFailure(suspect bool, optional ...string) {
	if j.ServerFailures++; !j.Reduced && (suspect || j.ServerFailures >= maxServerFailures) {
		j.Reduced, j.Basic, j.Minimal, j.Without, j.ServerFailures = true, true, !suspect, optional, 0
	}
}

// reduce makes the second form of a ticket that Jira refused: without the optional
// fields that it names, and else without all of them or, when it is the text, without
// what comes from outside.
func (j *job) reduce(d *newIssue, err error) {
	j.Reduced, j.Without, j.LastError = true, nil, err.Error()
	optional, text := d.optional(), false
	var r *refusal
	if errors.As(err, &r) {
		for _, f := range r.fields {
			text = text || f == "summary" || f == "description"
			if slices.Contains(optional, f) {
				j.Without = append(j.Without, f)
			}
		}
	}
	j.Basic, j.Minimal = text || len(j.Without) == 0, text || len(j.Without) == 0
	if !text && len(j.Without) == 0 {
		j.Without = optional
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
				j.ID, j.At = fmt.Sprintf("%s/%s/%d", failed, e.Execution, f.Seq), e.At
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
