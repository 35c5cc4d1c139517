package ledger

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Target is an execution that a stage could be rolled back to, or why not.
type Target struct {
	Execution       string                     `json:"execution"`
	Number          int                        `json:"number"`
	Eligible        bool                       `json:"eligible"`
	Why             string                     `json:"why,omitempty"` // why not
	StageChanged    bool                       `json:"stageChanged"`  // what the stage runs differs from today's definition
	Ran             []Span                     `json:"ran"`           // newest first
	LeftBy          string                     `json:"leftBy,omitempty"`
	Now             bool                       `json:"now,omitempty"`       // runs there now
	Uncertain       bool                       `json:"uncertain,omitempty"` // with Now: the last deployment there failed
	Without         string                     `json:"without,omitempty"`   // as [workflows.Running] has it
	Preselected     bool                       `json:"preselected,omitempty"`
	SourceRevisions []workflows.SourceRevision `json:"sourceRevisions"`
	// Compared: it is known what differs from what runs now. Undoes are the commits
	// that would be lost, Brings those that would come, CompareURL the page that shows them.
	Compared   bool   `json:"compared,omitempty"`
	Undoes     int    `json:"undoes,omitempty"`
	Brings     int    `json:"brings,omitempty"`
	CompareURL string `json:"compareUrl,omitempty"`
	// Lines are the first of those commits, as people read them.
	Lines []string `json:"lines,omitempty"`
	// Whose are the people whose commits would be lost, each once, those with most of
	// them first. Pulls and Issues are what would leave with them, as far as that is known.
	Whose  []string  `json:"whose,omitempty"`
	Pulls  []Leaving `json:"pulls,omitempty"`
	Issues []Leaving `json:"issues,omitempty"`
	// Unsafe are the commits between here and there that are marked as not to be
	// rolled back past, by a trailer of theirs or a label of their pull request.
	Unsafe []string `json:"unsafe,omitempty"`
	// By is who started it.
	By workflows.Principal `json:"by,omitzero"`
	// Left is who rolled back from it, and why; nil: nobody, or longer ago than is remembered.
	Left *Leave `json:"left,omitempty"`
	// Took is how many seconds its actions worked in the stage, without waiting for people; 0: not known.
	Took int `json:"tookSeconds,omitempty"`
	// Approvals is how many approvals a rollback to it waits for; 0: none is asked again.
	Approvals int `json:"approvals,omitempty"`
}

// Leaving is a pull request or an issue that a rollback takes out of a stage.
type Leaving struct {
	Text string `json:"text"`
	URL  string `json:"url,omitempty"`
}

// Leave is who rolled back from an execution, when, and why.
type Leave struct {
	By     string     `json:"by"` // name
	Reason string     `json:"reason,omitempty"`
	At     *time.Time `json:"at,omitempty"`
}

// SkipsApprovals says whether people need not approve again what somebody goes
// back to. Going back by itself never asks: it would leave the stage broken until
// somebody comes.
func (st *Stage) SkipsApprovals(def *workflows.Stage, target string) bool {
	switch def.Rollback.Approval {
	case "skip":
		return true
	case "require":
		return false
	}
	return st.Recent(target)
}

// AsksAgain is how many approvals a rollback to a target waits for; outside: of a
// stage in AWS, which asks whenever it runs.
func (st *Stage) AsksAgain(def *workflows.Stage, target string, outside bool) (n int) {
	if !outside && st.SkipsApprovals(def, target) {
		return 0
	}
	for i := range def.Actions {
		if a := &def.Actions[i]; a.IsApproval() && a.Approval != nil {
			n += max(a.Approval.Required, 1)
		} else if a.IsApproval() {
			n++
		}
	}
	return n
}

// Worked is how many seconds the actions of a stage worked, waiting for people
// not counted: of those that run side by side the time of all together.
func Worked(st *workflows.StageExecution) int {
	type span struct{ from, to time.Time }
	orders := map[int]span{}
	for i := range st.Actions {
		a := &st.Actions[i]
		if a.Approval != nil || a.StartedAt == nil || a.EndedAt == nil {
			continue
		}
		o, ok := orders[a.RunOrder]
		if !ok || a.StartedAt.Before(o.from) {
			o.from = *a.StartedAt
		}
		if a.EndedAt.After(o.to) {
			o.to = *a.EndedAt
		}
		orders[a.RunOrder] = o
	}
	var all time.Duration
	for _, o := range orders {
		all += o.to.Sub(o.from)
	}
	return int(all.Round(time.Second) / time.Second)
}

// Target is an execution as a target of the stage, which nothing rules out yet; good
// is the one that is chosen unless people choose another, nil: none.
func (st *Stage) Target(row *workflows.Execution, good *Success) Target {
	t := Target{
		Eligible: true, Execution: row.ID, Number: row.Number, SourceRevisions: row.SourceRevisions, Ran: []Span{}, By: row.Trigger.By,
		Now: st.Runs != nil && st.Runs.Execution == row.ID, Preselected: good != nil && good.Execution == row.ID,
	}
	if ran := st.Success(row.ID); ran != nil {
		t.Ran, t.LeftBy, t.Without, t.Uncertain = slices.Clone(ran.Ran), ran.LeftBy, ran.Without, t.Now && !st.Runs.Certain
	}
	t.Left = st.leave(row.ID, t.Ran)
	return t
}

// leave is who rolled back from an execution; ran is when it ran, newest first.
func (st *Stage) leave(execution string, ran []Span) *Leave {
	for _, l := range st.Left {
		if l.Execution == execution {
			left := &Leave{By: l.By, Reason: l.Reason}
			if len(ran) > 0 {
				left.At = ran[0].To
			}
			return left
		}
	}
	return nil
}

// Span is a stretch of time in which an execution's content ran in a stage; To is nil while it does.
type Span struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// Caveat says what must be known of a target, as [workflows.Running.Caveat] does of what runs.
func (t *Target) Caveat() string {
	return (&workflows.Running{Certain: !t.Uncertain, Without: t.Without}).Caveat()
}

// Shows says whether the stage still runs what somebody saw; empty: whatever it runs.
func (st *Stage) Shows(execution string) bool {
	return execution == "" || st.Runs != nil && st.Runs.Execution == execution
}

// Changed refuses what was asked for by somebody who saw something else run in the stage.
func (st *Stage) Changed(pipeline, stage string) *workflows.Problem {
	name := "nothing yet"
	if st.Runs != nil {
		name = (&workflows.Execution{Pipeline: pipeline, Number: st.Runs.Number}).Ref()
	}
	return workflows.Refuse(workflows.CodeChanged, "look at what runs there now, then choose again", "%s has changed meanwhile: it runs %s now", stage, name)
}

// Eligible refuses an execution as the target of a rollback: first what rules out
// every target of the stage, then this one. nil: it may be. p is the definition in
// force, and version its number.
func Eligible(p *workflows.Pipeline, version int, st *workflows.Stage, target *workflows.Execution) *workflows.Problem {
	stage := st.Name
	no := func(hint, format string, args ...any) *workflows.Problem {
		return workflows.Refuse(workflows.CodeUnableToRollback, hint, format, args...)
	}
	switch {
	case p.IsSource(stage):
		return no("start a new execution with an older revision instead", "%s is the source stage of %s: it cannot be rolled back", stage, p.Name)
	case st.Rollback.Eligible == "sameVersion" && target.Version != version:
		return workflows.Refuse(workflows.CodeExecutionOutdated, "the stage's setting rollback.eligible allows only executions of the current version",
			"%s ran under version %d of %s, and the current version is %d", target.Ref(), target.Version, p.Name, version)
	case target.Type == workflows.TypeRollback:
		carried := workflows.Execution{Pipeline: p.Name, Number: target.Rollback.TargetNumber}
		return no("roll back to "+carried.Ref()+", which it carried", "%s is itself a rollback", target.Ref())
	}
	ran, ok := target.Stage(stage)
	hint := "see what can be chosen with: targets " + p.Name + " " + stage
	switch {
	case !ok || ran.Status == workflows.StatusNotStarted:
		return no(hint, "%s never came to %s", target.Ref(), stage)
	case ran.Status == workflows.StatusSucceeded:
		return nil
	}
	return no(hint, "%s never succeeded in %s: it is %s there", target.Ref(), stage, ran.Status)
}
