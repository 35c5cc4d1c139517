package audit

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
)

// observed takes an execution as AWS showed it: where no step of it was seen, its
// row is all there is, the answers at its approvals too.
func (a *Assembler) observed(seq uint64, x *workflows.Execution) {
	t := &a.trail
	if t.ID == "" {
		a.start(x)
	}
	t.Status, t.StatusReason, t.EndedAt = x.Status, x.StatusReason, nil
	if x.EndedAt != nil {
		at := x.EndedAt.UTC()
		t.EndedAt = &at
	}
	if len(x.SourceRevisions) > 0 {
		t.SourceRevisions = slices.Clone(x.SourceRevisions)
	}
	for i := range x.Stages {
		for j := range x.Stages[i].Actions {
			act := &x.Stages[i].Actions[j]
			if act.Approval == nil {
				continue
			}
			for _, v := range act.Approval.Votes {
				a.vote(Vote{By: v.By, At: v.At.UTC(), Answer: v.Answer, Comment: v.Comment, Via: v.Via, Groups: v.In, Judged: v.Judged,
					Place: Place{Stage: x.Stages[i].Name, Action: act.Name, Attempt: act.Attempt}, Record: seq})
			}
		}
	}
}

// request notes what AWS was asked to do, or what it answered.
func (a *Assembler) request(seq uint64, r *workflows.Request) {
	all := &a.trail.Requests
	i := slices.IndexFunc(*all, func(one Request) bool { return one.ID == r.ID })
	switch {
	case r.State == workflows.RequestOpen && i < 0:
		*all = append(*all, Request{Request: *r, Record: seq})
	case i < 0:
		*all = append(*all, Request{Request: *r, Record: seq, Closed: seq})
	default:
		(*all)[i].Request, (*all)[i].Closed = *r, seq
	}
}
