package machine

import (
	"errors"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// How a gate was closed (Approval.Closed).
const (
	gateApproved   = "approved"
	gateOverridden = "overridden"
	gateRejected   = "rejected"
	gateExpired    = "expired"
	gateWithdrawn  = "withdrawn"
)

const (
	answerApprove = "approve"
	answerReject  = "reject"
)

// policyAction is the approval action as it is defined now: who may answer and who hears
// is never older than that. Where it no longer has the action, the execution's version says.
func (s *State) policyAction(e *workflows.Execution, stage, action string) *workflows.Action {
	if st, ok := s.definition().Stage(stage); ok {
		if a, ok := st.Action(action); ok && a.IsApproval() && a.Approval != nil {
			return a
		}
	}
	return s.actionOf(e, stage, action)
}

// Policy is what a gate of an execution asks for, by the current definition; only to be read.
func (s *State) Policy(e *workflows.Execution, stage, action string) *workflows.ApprovalPolicy {
	if a := s.policyAction(e, stage, action); a != nil && a.Approval != nil {
		return a.Approval
	}
	return &workflows.ApprovalPolicy{Required: 1, Comment: "optional"} // in AWS there are approvals of which no definition is known
}

// openGate asks people; asked has the texts, resolved, and when it expires.
func (d *decision) openGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, asked workflows.Approval, found *event.Outcome) {
	now := d.s.peek(st.Name)
	asked.Token, asked.Votes, asked.OpenedAt, asked.Warning = d.id(), []workflows.Vote{}, d.in.At, now.Warning(e)
	ev := of(event.GateOpened, e, st, a)
	ev.Gate, ev.Outcome = gate.Under(asked, d.s.Policy(e, st.Name, a.Name)), found
	d.emit(ev)
}

// evolveGate applies the events of gates. The record is replaced, never
// written, because copies of it are out.
func (s *State) evolveGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, ev event.Event) {
	if ev.Kind == event.GateOpened {
		a.Approval, a.Needs = ev.Gate, workflows.NeedsApproval
		ev.Outcome.Track(a)
		return
	}
	if a.Approval == nil {
		return
	}
	g := *a.Approval
	a.Approval = &g
	switch ev.Kind {
	case event.GateVoted:
		gate.Voted(&g, *ev.Vote)
		g.Missing = s.Policy(e, st.Name, a.Name).Missing(g.Votes)
	case event.GateVoteDropped:
		gate.Drop(&g, ev.Vote.By, ev.Reason)
		g.Missing = s.Policy(e, st.Name, a.Name).Missing(g.Votes)
	case event.GateOverridden:
		g.Override = ev.Override
	case event.GateReminded:
		g.Reminded = append(slices.Clip(g.Reminded), ev.Text)
	case event.GateClosed:
		g.Closed, a.Needs = ev.Text, ""
		if g.Closed != gateApproved && g.Closed != gateOverridden {
			g.Missing = []string{}
		}
		if s.base == nil { // a decision knows which gate it has closed
			s.Gates = s.Gates.With(gate.Closed{Token: g.Token, Ref: e.Ref(), Stage: st.Name, Action: a.Name, Closed: ev.Text, By: ev.By.Called(), At: ev.At})
		}
	}
}

// refreshGate brings an open gate's record up to the current definition.
func (s *State) refreshGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
	if a.Needs == workflows.NeedsApproval {
		a.Approval = gate.Under(*a.Approval, s.Policy(e, st.Name, a.Name))
	}
}

// vote takes an answer at a gate. Rights are looked at now, and for everybody
// again when the quorum is reached.
func (d *decision) vote(in *workflows.Intent) error {
	e, st, a, err := d.openGateOf(in)
	if err != nil {
		return err
	}
	if d.s.bridge() != nil {
		if done, err := d.inAWS().Answered(e, st, a); done {
			return err
		}
	}
	pol := d.s.Policy(e, st.Name, a.Name)
	if i := slices.IndexFunc(a.Approval.Votes, func(v workflows.Vote) bool { return v.By.Is(d.by) }); i >= 0 && !d.dry {
		v := a.Approval.Votes[i]
		return workflows.Refuse(workflows.CodeConflict, "an answer cannot be changed; still missing: "+words.List(a.Approval.Missing, "and"),
			"you have answered this gate of %s already: %s, %s", e.Ref(), v.Answer, words.Moment(v.At))
	}
	made, err := d.contributionsTo(e, st.Name, pol)
	if err != nil {
		return err
	}
	known, err := d.voters(e, st.Name, pol, made, []workflows.Principal{d.by})
	if err != nil {
		return err
	}
	mine := known[d.by.Key()]
	if !mine.may {
		return gate.NotAnApprover(d.by, e, st.Name, pol, say.AnyOf(gate.Asked(pol)))
	}
	answer := answerApprove
	if in.Verb == workflows.Reject {
		answer = answerReject
	}
	if why := gate.Involvement(e, made.by, d.by, mine.in); why != "" && answer == answerApprove && !pol.RequesterMayApprove && !d.dry {
		return gate.SelfApproval(d.by, e, pol, why)
	}
	if err := d.checkGateFreeze(e, st); err != nil && answer == answerApprove {
		return err
	}
	if pol.Comment == "required" && strings.TrimSpace(in.Reason) == "" && !d.dry {
		return workflows.Refuse(workflows.CodeValidation, "say in a few words why", "%s asks for a comment with every answer", a.Name).In("comment")
	}
	ev := of(event.GateVoted, e, st, a)
	ev.Vote = &workflows.Vote{By: d.by, Answer: answer, Comment: in.Reason, At: d.in.At, Via: d.by.Via, In: gate.Matching(pol, mine.in), Judged: made.judged}
	d.emit(ev)
	if answer == answerReject {
		d.closeGate(e, st, a, gateRejected, &workflows.Reason{Code: reasonNotApproved, Message: words.Because("not approved by "+d.by.Called(), in.Reason)})
		return nil
	}
	return d.tally(e, st, a)
}

// tally closes a gate that has enough votes. Everybody who voted is looked at
// again: whoever no longer matches falls out.
func (d *decision) tally(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) error {
	pol := d.s.Policy(e, st.Name, a.Name)
	if a.Approval.Approvals() < pol.Required || d.dry {
		return nil
	}
	var voters []workflows.Principal
	for _, v := range a.Approval.Votes {
		voters = append(voters, v.By)
	}
	made, err := d.contributionsTo(e, st.Name, pol)
	if err != nil {
		return err
	}
	known, err := d.voters(e, st.Name, pol, made, voters)
	if err != nil {
		return err
	}
	voter := d.by
	d.by = workflows.EnginePrincipal()
	for _, v := range a.Approval.Votes {
		now := known[v.By.Key()]
		ev := of(event.GateVoted, e, st, a)
		ev.Vote = &v
		part := gate.Involvement(e, made.by, v.By, now.in)
		switch in := gate.Matching(pol, now.in); {
		case !now.may:
			ev.Kind, ev.Reason = event.GateVoteDropped, gate.NoLonger(v.By, workflows.CodeNotAnApprover, now.gone)
			d.emit(ev)
		case part != "" && !pol.RequesterMayApprove: // what the stage runs has changed, and with it what goes live
			ev.Kind, ev.Reason = event.GateVoteDropped, gate.NoLonger(v.By, workflows.CodeSelfApproval, "they "+part)
			d.emit(ev)
		case !slices.Equal(in, v.In):
			v.In = in
			d.emit(ev)
		}
	}
	d.by = voter
	if len(a.Approval.Missing) > 0 {
		return nil
	}
	d.closeGate(e, st, a, gateApproved, nil)
	return nil
}

// closeGate ends a gate and its action with it. One in AWS ends there.
func (d *decision) closeGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, how string, why *workflows.Reason) {
	if d.s.bridge() != nil {
		_ = d.inAWS().AskAnswer(e, st, a, how) // where AWS cannot be asked now, whoever answered may say it again
		return
	}
	ev := of(event.GateClosed, e, st, a)
	ev.Text, ev.Reason = how, why
	d.emit(ev)
	switch how {
	case gateOverridden:
		d.emitAction(event.ActionSucceeded, e, st, a, nil, &event.Outcome{Summary: (&say.Format{}).Override(a.Approval.Override)})
	case gateApproved:
		d.emitAction(event.ActionSucceeded, e, st, a, nil, &event.Outcome{Summary: (&say.Format{}).Decision(a.Approval, false)})
	case gateWithdrawn:
		d.emitAction(event.ActionAbandoned, e, st, a, why, nil)
	default:
		d.emitAction(event.ActionFailed, e, st, a, why, nil)
	}
}

// openGateOf finds the open gate that an answer is for, by its token or as the only one of an execution.
func (d *decision) openGateOf(in *workflows.Intent) (e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, err error) {
	if in.Gate == "" {
		if e, err = d.find("execution", in.Execution); err != nil {
			return nil, nil, nil, err
		}
		st, a, err = e.Pick(in, "waiting for an approval", func(a *workflows.ActionExecution) bool { return a.Needs == workflows.NeedsApproval })
		if problem, ok := errors.AsType[*workflows.Problem](err); ok && problem.Code == workflows.CodeConflict {
			if answered := gate.Answered(e, in); answered != nil {
				err = answered
			}
		}
		return e, st, a, err
	}
	err = workflows.Refuse(workflows.CodeInvalidApprovalToken, "see what waits with: status "+d.s.Name, "no gate of %s has this token", d.s.Name)
	if closed, ok := d.s.Gates.Find(in.Gate); ok {
		err = closed.Refusal()
	}
	d.s.eachOpen(func(oe *workflows.Execution, ost *workflows.StageExecution, oa *workflows.ActionExecution) {
		if oa.Needs == workflows.NeedsApproval && oa.Approval.Token == in.Gate {
			e, st, a, err = oe, ost, oa, gate.Mismatch(in, oe, ost.Name, oa.Name)
		}
	})
	return e, st, a, err
}
