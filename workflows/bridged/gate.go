package bridged

import (
	"cmp"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// gate brings an open approval to what is shown: it asks people once its token is
// known, and ends as AWS says.
func (d *Decision) gate(e *workflows.Execution, st *workflows.StageExecution, a, w *workflows.ActionExecution) {
	if !ended(w.Status) {
		d.open(e, st, a, w)
		return
	}
	if a.Needs != workflows.NeedsApproval {
		d.ended(e, st, a, w)
		return
	}
	v, how := answerOf(w), closedAs(w)
	past := v != nil && !d.ours(e, st, a, v)
	if past {
		ev := of(event.GateVoted, e, st, a, v.By)
		ev.Vote = v
		d.Emit(ev)
	}
	by := d.decidedBy(a.Approval, v, past)
	closed := of(event.GateClosed, e, st, a, by)
	closed.Text = how
	if how == "rejected" {
		closed.Reason = notApproved(lastVote(a.Approval, "reject"))
	}
	if how == "expired" {
		closed.Reason = notApproved(nil)
	}
	d.Emit(closed)
	ev := of(event.ActionSucceeded, e, st, a, workflows.Principal{})
	ev.When, ev.Outcome = w.EndedAt, &event.Outcome{Summary: (&say.Format{}).Decision(a.Approval, false)}
	switch {
	case how == "expired" && w.Status == workflows.StatusSucceeded:
		ev.Outcome.Summary = w.Summary
	case how == "rejected", how == "expired":
		ev.Kind, ev.Reason, ev.Outcome = event.ActionFailed, closed.Reason, &event.Outcome{}
	case how == "withdrawn":
		ev.Kind, ev.Outcome = event.ActionAbandoned, &event.Outcome{}
		ev.Reason = cmp.Or(w.Error, &workflows.Reason{Code: "Stopped", Message: "abandoned in AWS"})
	}
	d.Emit(ev)
	if past && how == "approved" && d.bridge().Outside == workflows.OutsideLock {
		d.lockBehind(e, st, a)
	}
}

// of addresses an event to an attempt of an action.
func of(kind event.Kind, e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, by workflows.Principal) event.Event {
	return event.Event{Kind: kind, By: by, Execution: e.ID, Stage: st.Name, Action: a.Name, Attempt: a.Attempt}
}

// open asks people, once, when the token is known that AWS wants with the answer.
func (d *Decision) open(e *workflows.Execution, st *workflows.StageExecution, a, w *workflows.ActionExecution) {
	asked := a.Approval != nil && a.Approval.Closed == ""
	if w.Handle != "" && a.Needs == "" && !asked && !ended(a.Status) {
		d.OpenGate(e, st, a, d.asks(e, st, a, w), &event.Outcome{Handle: w.Handle})
	}
}

// asks are the texts of a gate, as AWS shows them or as the definition has them, and when it expires.
func (d *Decision) asks(e *workflows.Execution, st *workflows.StageExecution, a, w *workflows.ActionExecution) workflows.Approval {
	asks := workflows.Approval{}
	if def := d.Gate(e, st.Name, a.Name); def != nil {
		asks.Text, asks.Link = def.Configuration["CustomData"], def.Configuration["ExternalEntityLink"]
		if a.StartedAt != nil {
			asks.ExpiresAt = a.StartedAt.Add(def.TimeLimit())
		}
	}
	if says := w.Approval; says != nil {
		asks.Text, asks.Link, asks.NotificationArn = cmp.Or(says.Text, asks.Text), cmp.Or(says.Link, asks.Link), says.NotificationArn
		if !says.ExpiresAt.IsZero() {
			asks.ExpiresAt = utc(says.ExpiresAt)
		}
	}
	return asks
}

// openGates asks people at all approvals of an execution that wait, where that is not done yet.
func (d *Decision) openGates(e, w *workflows.Execution) {
	for i := range w.Stages {
		st, ok := e.Stage(w.Stages[i].Name)
		for j := range w.Stages[i].Actions {
			shown := &w.Stages[i].Actions[j]
			if !ok || shown.Status != workflows.StatusInProgress {
				continue
			}
			if a, there := st.Action(shown.Name); there && a.IsGate() && a.Status == workflows.StatusInProgress {
				d.open(e, st, a, shown)
			}
		}
	}
}

// answerOf is the answer to an approval that AWS knows; nil: none.
func answerOf(w *workflows.ActionExecution) *workflows.Vote {
	if w.Approval == nil || len(w.Approval.Votes) == 0 {
		return nil
	}
	v := w.Approval.Votes[0]
	v.Via, v.At = workflows.ViaOutside, utc(v.At)
	return &v
}

// closedAs is how an approval ended in AWS. A hook of ECS of which the time has run
// out may have let the deployment go on.
func closedAs(w *workflows.ActionExecution) string {
	switch {
	case w.Approval != nil && w.Approval.Closed == "expired":
		return "expired"
	case w.Status == workflows.StatusSucceeded:
		return "approved"
	case w.Status != workflows.StatusFailed:
		return "withdrawn"
	case answerOf(w) != nil:
		return "rejected"
	}
	return "expired"
}

// ours says whether an answer is the one that AWS was asked to take for people here.
// ECS says of an answer neither who gave it nor what they said: one like ours is ours.
func (d *Decision) ours(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, v *workflows.Vote) bool {
	verb := workflows.Approve
	if v.Answer == "reject" {
		verb = workflows.Reject
	}
	r := d.Memory().asked(verb, e.ExternalID, st.Name, a.Name)
	return r != nil && r.Token == a.Handle && (v.Comment == r.Text || r.State == workflows.RequestDone || say.IsECS(d.bridge()))
}

// decidedBy is who is said to have closed a gate.
func (d *Decision) decidedBy(g *workflows.Approval, v *workflows.Vote, past bool) workflows.Principal {
	switch {
	case past:
		return v.By
	case v != nil && len(g.Votes) > 0:
		return g.Votes[len(g.Votes)-1].By
	}
	return workflows.Principal{}
}

func lastVote(g *workflows.Approval, answer string) *workflows.Vote {
	for i := len(g.Votes) - 1; i >= 0; i-- {
		if g.Votes[i].Answer == answer {
			return &g.Votes[i]
		}
	}
	return nil
}

// notApproved is why an approval failed: somebody rejected, or nobody decided (nil).
func notApproved(v *workflows.Vote) *workflows.Reason {
	if v == nil {
		return &workflows.Reason{Code: "ApprovalExpired", Message: "nobody decided in time"}
	}
	return &workflows.Reason{Code: "NotApproved", Message: words.Because("not approved by "+v.By.Called(), v.Comment)}
}

// withdraw ends an attempt of which nothing more will be seen, and its gate with it.
func (d *Decision) withdraw(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, why string) {
	reason := &workflows.Reason{Code: "Stopped", Message: why}
	if a.Needs == workflows.NeedsApproval {
		closed := of(event.GateClosed, e, st, a, workflows.Principal{})
		closed.Text, closed.Reason = "withdrawn", reason
		d.Emit(closed)
	}
	ev := of(event.ActionAbandoned, e, st, a, workflows.Principal{})
	ev.Reason, ev.Outcome = reason, &event.Outcome{}
	d.Emit(ev)
}

// lockBehind locks the next stage, because an approval was given past rollcall.
func (d *Decision) lockBehind(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
	at := slices.IndexFunc(d.Definition.Stages, func(s workflows.Stage) bool { return s.Name == st.Name })
	if at < 0 || at+1 >= len(d.Definition.Stages) {
		return
	}
	if next := d.Definition.Stages[at+1].Name; d.Transition(next).Enabled {
		d.lock(next, "", a.Name+" of "+e.Ref()+" was approved outside rollcall")
	}
}
