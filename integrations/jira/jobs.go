package jira

import (
	"fmt"

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
	next      *workflows.Execution // the automatic rollback that followed

	e *workflows.Execution // as it stands now
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
				j := failureOf(events, e)
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

// failureOf looks back from an execution's end for the action that failed, in
// its last stay in a stage. Several may have failed; the first one names the failure.
func failureOf(events []event.Event, end event.Event) *job {
	j := &job{kind: failed, execution: end.Execution, stage: end.Stage, action: end.Action, attempt: end.Attempt}
	if end.Reason != nil {
		j.reason = *end.Reason
	}
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		if e.Execution != end.Execution {
			continue
		}
		switch e.Kind {
		case event.StageFailed:
			j.stage = e.Stage
		case event.ActionFailed, event.ActionAbandoned:
			if e.Reason != nil && !isFailure(e.Reason.Code) {
				continue
			}
			j.stage, j.action, j.attempt = e.Stage, e.Action, e.Attempt
			if e.Reason != nil {
				j.reason = *e.Reason
			}
		case event.StageEntered, event.ExecutionResumed, event.ExecutionStarted:
			return j
		}
	}
	return j
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
		for _, a := range st.Actions {
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
		break
	}
	return j.stage != ""
}
