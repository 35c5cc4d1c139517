// Package ledger keeps what a stage runs, what ran there before, and what people
// went away from.
//
// A [Stage] is the record of one stage. Whatever succeeds in a stage *runs*
// there from then on; a rollback makes its target run again. [Success] is one
// execution whose content has run, with the stretches of time in which it did.
// [Left] is what people rolled back from: its revisions are in quarantine, and
// executions that bring them again carry a warning. After a failed deployment
// what runs is uncertain until something succeeds. A [Target] is what people are
// shown when they choose what to roll back to.
//
// The package is pure. Values behind pointers are replaced, never written, so
// copies of a Stage may share them.
package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	successesKept = 20
	leftKept      = 10
	recent        = 5 // successes back from now whose approval a rollback need not repeat
)

// Stage is the record of one stage. Its zero value is a stage in which nothing has succeeded yet.
type Stage struct {
	Runs      *workflows.Running `json:"runs,omitempty"`
	Successes Successes          `json:"successes,omitzero"`
	Left      []Left             `json:"left,omitempty"` // newest first
	// Touched is the execution of which an action was the last to start here, and
	// Brought are its revisions, slim. Without Touched, in earlier records, they
	// are those of the execution that entered last.
	Touched *workflows.LatestIn        `json:"touched,omitempty"`
	Brought []workflows.SourceRevision `json:"brought,omitempty"`
}

// Success is the record of an execution that succeeded in a stage, and of when its content ran there.
type Success struct {
	Execution string `json:"execution"`
	Number    int    `json:"number"`
	Version   int    `json:"version"`
	Digest    string `json:"digest"` // of the stage as it ran
	Ran       []Span `json:"ran"`    // newest first
	// LeftBy is the ROLLBACK execution by which people went away from it. It is
	// never chosen automatically again, until people go back to it.
	LeftBy string `json:"leftBy,omitempty"`
	// Without is what somebody's right set aside when it came here.
	Without string `json:"without,omitempty"`
	// Revisions are what it brought in, slim: enough to know them again.
	Revisions []workflows.SourceRevision `json:"revisions,omitempty"`
}

// Left is an execution that people went away from.
type Left struct {
	Execution string                     `json:"execution"`
	Number    int                        `json:"number"`
	Revisions []workflows.SourceRevision `json:"revisions,omitempty"` // slim
	By        string                     `json:"by"`                  // name
	Reason    string                     `json:"reason,omitempty"`
	// Passed: something newer has succeeded here since, so that only the
	// revisions themselves are suspicious, no longer all that came after.
	Passed bool `json:"passed,omitempty"`
}

// slim keeps of revisions what tells them apart.
func slim(all []workflows.SourceRevision) []workflows.SourceRevision {
	var few []workflows.SourceRevision
	for _, r := range all {
		few = append(few, workflows.SourceRevision{ActionName: r.ActionName, RevisionID: r.RevisionID, Branch: r.Branch, Repository: r.Repository})
	}
	return few
}

// sameRevision says whether a revision was made slim from another.
func sameRevision(few, r workflows.SourceRevision) bool {
	return few.ActionName == r.ActionName && few.RevisionID == r.RevisionID && few.Branch == r.Branch && few.Repository == r.Repository
}

// Succeed records that the execution succeeded in the stage: its content (of a
// rollback: the target's) runs there now.
func (st *Stage) Succeed(e *workflows.Execution, in *workflows.StageExecution, at time.Time) {
	st.closeSpan(at)
	runs := workflows.Running{Execution: e.ID, Number: e.Number, Since: at, Certain: true, Without: in.Without()}
	if e.Rollback != nil {
		runs.Execution, runs.Number, runs.By = e.Rollback.Target, e.Rollback.TargetNumber, e.ID
		if was := st.Success(runs.Execution); was != nil && runs.Without == "" {
			runs.Without = was.Without
		}
	}
	st.Runs = &runs
	st.forgive(e, runs.Execution)
	if st.Successes.find(runs.Execution) >= 0 {
		st.rewrite(runs.Execution, func(s *Success) {
			s.LeftBy = ""
			s.Ran = append([]Span{{From: at}}, s.Ran...)
		})
		return
	}
	st.Successes = st.Successes.with(&Success{Execution: runs.Execution, Number: runs.Number, Version: e.Version, Digest: in.Digest, Without: runs.Without, Revisions: slim(e.SourceRevisions), Ran: []Span{{From: at}}})
}

// Revisions are what the stage runs, slim; none where nothing has run, or long ago.
func (st *Stage) Revisions() []workflows.SourceRevision {
	if st.Runs != nil {
		if runs := st.Success(st.Runs.Execution); runs != nil {
			return runs.Revisions
		}
	}
	return nil
}

// rewrite replaces the record of an execution's success, if there is one.
func (st *Stage) rewrite(execution string, change func(*Success)) {
	i := st.Successes.find(execution)
	if i < 0 {
		return
	}
	s := *st.Successes.at(i)
	change(&s)
	st.Successes = st.Successes.rewritten(i, &s)
}

// closeSpan ends the stretch of time in which the present content ran.
func (st *Stage) closeSpan(at time.Time) {
	if st.Runs == nil {
		return
	}
	st.rewrite(st.Runs.Execution, func(s *Success) {
		s.Ran = slices.Clone(s.Ran)
		s.Ran[0].To = &at
	})
}

// Touch notes what the execution brings whose action starts to work in the stage.
func (st *Stage) Touch(e *workflows.Execution) {
	if st.Touched != nil && st.Touched.Execution == e.ID && slices.EqualFunc(st.Brought, e.SourceRevisions, sameRevision) {
		return
	}
	st.Touched = &workflows.LatestIn{Execution: e.ID, Number: e.Number, Type: e.Type}
	st.Brought = slim(e.SourceRevisions)
}

// Leave marks that people go away from what is in the stage, by a rollback.
// What they leave is what runs there, or, when that is uncertain, what was at
// work there last and did not succeed; entered is who entered last, nil when that is not known.
func (st *Stage) Leave(back *workflows.Execution, entered *workflows.LatestIn) {
	r, latest := back.Rollback, cmp.Or(st.Touched, entered)
	if r.LeftExecution != r.Target {
		st.rewrite(r.LeftExecution, func(s *Success) { s.LeftBy = back.ID })
	}
	left := Left{By: back.Trigger.By.Called(), Reason: r.Reason}
	i := st.Successes.find(r.LeftExecution)
	switch {
	case st.Runs != nil && !st.Runs.Certain && latest != nil && latest.Type == workflows.TypeStandard:
		left.Execution, left.Number, left.Revisions = latest.Execution, latest.Number, st.Brought
	case i >= 0 && r.LeftExecution != r.Target:
		s := st.Successes.at(i)
		left.Execution, left.Number, left.Revisions = r.LeftExecution, s.Number, s.Revisions
	default:
		return
	}
	if left.Execution == r.Target {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(st.Left), func(l Left) bool { return l.Execution == left.Execution })
	st.Left = append([]Left{left}, kept[:min(len(kept), leftKept-1)]...)
}

// forgive ends the quarantine of what people chose to run again, and what came
// after something that was left is no longer suspicious once it has worked.
func (st *Stage) forgive(e *workflows.Execution, runs string) {
	st.Left = slices.DeleteFunc(slices.Clone(st.Left), func(l Left) bool { return l.Execution == runs })
	for i := range st.Left {
		if e.Rollback == nil && e.Number > st.Left[i].Number {
			st.Left[i].Passed = true
		}
	}
	if len(st.Left) == 0 {
		st.Left = nil
	}
}

// Warning says what an execution has to do with a revision that people rolled
// back from, in words; empty: nothing. It contains it, or it comes after it on
// the same branch and nothing has proved since that what follows is good.
func (st *Stage) Warning(e *workflows.Execution) string {
	if e.Rollback != nil {
		return ""
	}
	for _, l := range st.Left {
		if l.Execution == e.ID {
			return quoted("was rolled back by "+l.By, l.Reason)
		}
		for _, bad := range l.Revisions {
			for _, r := range e.SourceRevisions {
				same := r.ActionName == bad.ActionName && r.Repository == bad.Repository
				it := same && r.RevisionID == bad.RevisionID && r.RevisionID != ""
				if !it && !(same && r.Branch == bad.Branch && e.Number > l.Number && !l.Passed) {
					continue
				}
				how := "includes"
				if !it && r.Type != "" { // an image or an object does not grow out of the one before it, as a commit does
					how = "comes after"
				}
				return quoted(fmt.Sprintf("%s %s, which %s rolled back", how, cmp.Or(words.Revision(bad.RevisionID), e.Pipeline+"#"+strconv.Itoa(l.Number)), l.By), l.Reason)
			}
		}
	}
	return ""
}

// quoted adds the reason that somebody gave, in their words.
func quoted(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + " (\"" + reason + "\")"
}

// Doubt marks that nobody can be sure what the stage runs, until something succeeds there.
func (st *Stage) Doubt() {
	if st.Runs != nil && st.Runs.Certain {
		r := *st.Runs
		r.Certain = false
		st.Runs = &r
	}
}

// LastGood is where to go back to: what ran before whatever is wrong now. That
// is what the stage ran, when that has become uncertain; else the newest
// success before it. What people rolled back from is passed over. version, when
// not 0, is the only one that counts. nil: nothing.
func (st *Stage) LastGood(version int) *Success {
	if st.Runs == nil {
		return nil
	}
	if s := st.Success(st.Runs.Execution); s != nil && !st.Runs.Certain && s.LeftBy == "" {
		return s
	}
	for i := range st.Successes.Len() {
		good := st.Successes.at(i)
		if good.Execution == st.Runs.Execution || good.LeftBy != "" || version != 0 && good.Version != version {
			continue
		}
		return good
	}
	return nil
}

// Success returns the record of an execution's success; nil: it has none.
func (st *Stage) Success(execution string) *Success {
	if i := st.Successes.find(execution); i >= 0 {
		return st.Successes.at(i)
	}
	return nil
}

// Recent says whether an execution is among the last successes, whose approval
// a rollback need not repeat.
func (st *Stage) Recent(execution string) bool {
	i := st.Successes.find(execution)
	return i >= 0 && i < recent
}
