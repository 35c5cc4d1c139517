package card

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// shortest is what is too short to be told.
const shortest = time.Second

// stageDetail is what stands behind a stage's word: how long, since when, until when
// usually, why it waits.
func (v *View) stageDetail(s *workflows.StageExecution) string {
	e := &v.Execution
	if e.WaitsFor != nil && e.WaitsFor.Stage == s.Name {
		return layout.Join(v.format().WaitReason(e, &v.Pipeline), "waiting since "+layout.Moment(e.WaitsFor.Since), v.mayPass())
	}
	parts := []string{}
	if began, worked, ended := Worked(s); ended && worked >= shortest {
		parts = append(parts, layout.Duration(worked))
	} else if s.Status == workflows.StatusInProgress && s.Since != nil {
		parts = append(parts, "since "+layout.Moment(*s.Since), v.expected(s, began))
	}
	switch by := say.Retried(s); {
	case by != "":
		parts = append(parts, by)
	case s.Attempt > 1:
		parts = append(parts, "attempt "+strconv.Itoa(s.Attempt))
	}
	for i := range s.Actions {
		if g := s.Actions[i].Approval; g != nil && s.Status == workflows.StatusSucceeded {
			parts = append(parts, v.format().Outside(g))
		}
	}
	return layout.Join(parts...)
}

// expected is when a stage that runs is usually done; empty: that is not known, or
// people have to act before.
func (v *View) expected(s *workflows.StageExecution, began time.Time) string {
	usual := v.Usual[s.Name]
	if usual == 0 || began.IsZero() || say.Stage(&v.Execution, s) != say.Running {
		return ""
	}
	return "usually done by " + layout.Clock(began.Add(usual))
}

// Worked is when the work in a stage began, how long it took, and whether it has
// ended. Work is what actions do that wait for nobody: a gate is none, and with the
// last gate of the stage it begins again. Zero where nothing has begun, or a gate is
// still to come.
func Worked(s *workflows.StageExecution) (began time.Time, took time.Duration, ended bool) {
	var answered, last time.Time
	for _, a := range s.Actions {
		switch {
		case a.Approval == nil:
		case a.EndedAt == nil:
			return time.Time{}, 0, false
		case a.EndedAt.After(answered):
			answered = *a.EndedAt
		}
	}
	for _, a := range s.Actions {
		if a.Approval != nil || a.StartedAt == nil || a.StartedAt.Before(answered) && a.EndedAt != nil && !a.EndedAt.After(answered) {
			continue
		}
		if began.IsZero() || a.StartedAt.Before(began) {
			began = *a.StartedAt
		}
		if a.EndedAt != nil && a.EndedAt.After(last) {
			last = *a.EndedAt
		}
	}
	switch s.Status {
	case workflows.StatusSucceeded, workflows.StatusFailed, workflows.StatusStopped:
		return began, max(last.Sub(began), 0), !began.IsZero() && !last.IsZero()
	}
	return began, 0, false
}

// took is how long an execution has taken: what people let it wait, apart from what it
// did in the stages with an environment, else from the rest.
func (v *View) took() string {
	e := &v.Execution
	if e.EndedAt == nil || !e.Status.Final() {
		return ""
	}
	type span struct{ from, to time.Time }
	var gates []span
	var deployed time.Duration
	for i := range e.Stages {
		s := &e.Stages[i]
		for _, a := range s.Actions {
			if a.Approval != nil && a.StartedAt != nil && a.EndedAt != nil {
				gates = append(gates, span{*a.StartedAt, *a.EndedAt})
			}
		}
		if p, ok := v.Pipeline.Stage(s.Name); ok && p.Environment != "" && s.Status == workflows.StatusSucceeded {
			_, worked, _ := Worked(s)
			deployed += worked
		}
	}
	slices.SortFunc(gates, func(a, b span) int { return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to)) })
	var waited time.Duration // two gates at the same time are one wait
	var until time.Time
	for _, g := range gates {
		if g.from.Before(until) {
			g.from = until
		}
		if g.to.After(g.from) {
			waited, until = waited+g.to.Sub(g.from), g.to
		}
	}
	parts := []string{}
	if waited >= shortest {
		parts = append(parts, "waited "+layout.Duration(waited))
	}
	switch rest := e.EndedAt.Sub(e.StartedAt) - waited; {
	case deployed >= shortest:
		parts = append(parts, "deployed "+layout.Duration(deployed))
	case rest >= shortest:
		parts = append(parts, "took "+layout.Duration(rest))
	}
	return layout.Join(parts...)
}

func (v *View) footer() string {
	return layout.Join("version "+strconv.Itoa(v.Execution.Version), v.took(), v.console("console"), v.inAWS())
}
