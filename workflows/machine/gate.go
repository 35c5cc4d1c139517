package machine

import (
	"errors"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
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

// policyAction is the approval action as it stands in force: who may answer
// and who hears is never older than the newest definition. Where that no longer
// has the action, the execution's own version says.
func (s *State) policyAction(e *workflows.Execution, stage, action string) *workflows.Action {
	if st, ok := s.definition().Stage(stage); ok {
		if a, ok := st.Action(action); ok && a.IsApproval() && a.Approval != nil {
			return a
		}
	}
	return s.actionOf(e, stage, action)
}

func (s *State) policy(e *workflows.Execution, stage, action string) *workflows.ApprovalPolicy {
	return s.policyAction(e, stage, action).Approval
}

// openGate asks people. The texts are the action's configuration, resolved.
func (d *decision) openGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, texts map[string]string) {
	pol := d.s.policy(e, st.Name, a.Name)
	asked := workflows.Approval{
		Token: d.id(), Required: pol.Required, From: pol.From, Ask: gate.Asked(pol), Comment: pol.Comment,
		Text: texts["CustomData"], Link: texts["ExternalEntityLink"],
		Votes: []workflows.Vote{}, Missing: pol.Missing(nil),
		OpenedAt: d.in.At, ExpiresAt: *a.Deadline, NotificationArn: texts["NotificationArn"],
	}
	now := d.s.peek(st.Name)
	asked.Warning = now.Warning(e)
	ev := of(event.GateOpened, e, st, a)
	ev.Gate = &asked
	d.emit(ev)
}

// evolveGate applies the events of gates. The record is replaced, never
// written, because copies of it are out.
func (s *State) evolveGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, ev event.Event) {
	if ev.Kind == event.GateOpened {
		a.Approval, a.Needs = ev.Gate, workflows.NeedsApproval
		return
	}
	if a.Approval == nil {
		return
	}
	g := *a.Approval
	a.Approval = &g
	switch ev.Kind {
	case event.GateVoted:
		g.Votes = append(without(g.Votes, ev.Vote.By.Key()), *ev.Vote)
		slices.SortStableFunc(g.Votes, func(a, b workflows.Vote) int { return a.At.Compare(b.At) })
		g.Missing = s.policy(e, st.Name, a.Name).Missing(g.Votes)
	case event.GateVoteDropped:
		g.Votes = without(g.Votes, ev.Vote.By.Key())
		g.Missing = s.policy(e, st.Name, a.Name).Missing(g.Votes)
	case event.GateOverridden:
		g.Override = ev.Override
	case event.GateReminded:
		g.Reminded = append(slices.Clip(g.Reminded), ev.Text)
	case event.GateClosed:
		g.Closed, a.Needs = ev.Text, ""
		if g.Closed != gateApproved && g.Closed != gateOverridden {
			g.Missing = []string{}
		}
		closed := gate.Closed{Token: g.Token, Ref: e.Ref(), Stage: st.Name, Action: a.Name, Closed: ev.Text, By: ev.By.Name, At: ev.At}
		s.Gates = append([]gate.Closed{closed}, s.Gates[:min(len(s.Gates), gatesKept-1)]...)
	}
}

// refreshGate brings an open gate's record up to the definition in force.
func (s *State) refreshGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
	if a.Needs != workflows.NeedsApproval {
		return
	}
	g := *a.Approval
	pol := s.policy(e, st.Name, a.Name)
	g.Required, g.From, g.Ask, g.Comment, g.Missing = pol.Required, pol.From, gate.Asked(pol), pol.Comment, pol.Missing(g.Votes)
	a.Approval = &g
}

func without(votes []workflows.Vote, key string) []workflows.Vote {
	return slices.DeleteFunc(slices.Clone(votes), func(v workflows.Vote) bool { return v.By.Key() == key })
}

// vote takes an answer at a gate. Rights are looked at now, and for everybody
// again when the quorum is reached.
func (d *decision) vote(in *workflows.Intent) error {
	e, st, a, err := d.gate(in)
	if err != nil {
		return err
	}
	pol := d.s.policy(e, st.Name, a.Name)
	if i := slices.IndexFunc(a.Approval.Votes, func(v workflows.Vote) bool { return v.By.Key() == d.by.Key() }); i >= 0 && !d.dry {
		v := a.Approval.Votes[i]
		return workflows.Refuse(workflows.CodeConflict, "an answer cannot be changed; still missing: "+words.List(a.Approval.Missing, "and"),
			"you have answered this gate of %s already: %s, %s", e.Ref(), v.Answer, words.Moment(v.At))
	}
	standing, err := d.standing(e, st.Name, pol, []workflows.Principal{d.by})
	if err != nil {
		return err
	}
	mine := standing[d.by.Key()]
	if !mine.may {
		return gate.NotAnApprover(d.by, e, st.Name, pol)
	}
	answer := answerApprove
	if in.Verb == workflows.Reject {
		answer = answerReject
	}
	if why := gate.Involvement(e, d.by, mine.in); why != "" && answer == answerApprove && !pol.RequesterMayApprove && !d.dry {
		others := slices.DeleteFunc(slices.Clone(gate.Asked(pol)), func(who string) bool { return strings.EqualFold(who, d.by.Email) })
		return workflows.Refuse(workflows.CodeSelfApproval, strings.TrimSuffix("ask somebody else: "+strings.Join(others, ", "), ": "),
			"you cannot approve %s yourself: you %s", e.Ref(), why)
	}
	if err := d.keptFrozen(e, st); err != nil && answer == answerApprove {
		return err
	}
	if pol.Comment == "required" && strings.TrimSpace(in.Reason) == "" && !d.dry {
		return workflows.Invalid("comment", "say in a few words why", "%s asks for a comment with every answer", a.Name)
	}
	ev := of(event.GateVoted, e, st, a)
	ev.Vote = &workflows.Vote{By: d.by, Answer: answer, Comment: in.Reason, At: d.in.At, Via: d.by.Via, In: mine.expressions(pol)}
	d.emit(ev)
	if answer == answerReject {
		d.closeGate(e, st, a, gateRejected, &workflows.Reason{Code: reasonNotApproved, Message: words.Because("not approved by "+d.by.Name, in.Reason)})
		return nil
	}
	return d.tally(e, st, a)
}

// tally closes a gate that has enough votes. Everybody who voted is looked at
// again: whoever no longer matches falls out.
func (d *decision) tally(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) error {
	pol := d.s.policy(e, st.Name, a.Name)
	if a.Approval.Approvals() < pol.Required || d.dry {
		return nil
	}
	var voters []workflows.Principal
	for _, v := range a.Approval.Votes {
		voters = append(voters, v.By)
	}
	standing, err := d.standing(e, st.Name, pol, voters)
	if err != nil {
		return err
	}
	voter := d.by
	d.by = workflows.EnginePrincipal()
	for _, v := range a.Approval.Votes {
		now := standing[v.By.Key()]
		ev := of(event.GateVoted, e, st, a)
		ev.Vote = &v
		switch in := now.expressions(pol); {
		case !now.may:
			ev.Kind = event.GateVoteDropped
			ev.Reason = &workflows.Reason{Code: workflows.CodeNotAnApprover, Message: v.By.Name + " may no longer answer this gate"}
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

// closeGate ends a gate and its action with it.
func (d *decision) closeGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, how string, why *workflows.Reason) {
	ev := of(event.GateClosed, e, st, a)
	ev.Text, ev.Reason = how, why
	d.emit(ev)
	switch how {
	case gateOverridden:
		text := "overridden by " + a.Approval.Override.By.Name + " without " + a.Approval.Override.Without
		d.act(event.ActionSucceeded, e, st, a, nil, &event.Outcome{Summary: words.Because(text, a.Approval.Override.Reason)})
	case gateApproved:
		d.act(event.ActionSucceeded, e, st, a, nil, &event.Outcome{Summary: "approved by " + words.List(gate.Approvers(a.Approval), "and")})
	case gateWithdrawn:
		d.act(event.ActionAbandoned, e, st, a, why, nil)
	default:
		d.act(event.ActionFailed, e, st, a, why, nil)
	}
}

// gate finds the open gate that an answer is for, by its token or as the only one of an execution.
func (d *decision) gate(in *workflows.Intent) (e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, err error) {
	if in.Gate == "" {
		if e, err = d.find("execution", in.Execution); err != nil {
			return nil, nil, nil, err
		}
		st, a, err = e.Pick(in, "waiting for an approval", func(a *workflows.ActionExecution) bool { return a.Needs == workflows.NeedsApproval })
		var problem *workflows.Problem
		if errors.As(err, &problem) && problem.Code == workflows.CodeConflict {
			if answered := lastGate(e, in); answered != nil {
				err = answered
			}
		}
		return e, st, a, err
	}
	err = workflows.Refuse(workflows.CodeInvalidApprovalToken, "see what waits with: status "+d.s.Name, "no gate of %s has this token", d.s.Name)
	for _, g := range d.s.Gates {
		if g.Token == in.Gate {
			err = g.Refusal()
		}
	}
	d.s.eachOpen(func(oe *workflows.Execution, ost *workflows.StageExecution, oa *workflows.ActionExecution) {
		if oa.Needs == workflows.NeedsApproval && oa.Approval.Token == in.Gate {
			e, st, a, err = oe, ost, oa, gate.Mismatch(in, oe, ost.Name, oa.Name)
		}
	})
	return e, st, a, err
}

// lastGate tells somebody who answers by execution, too late, what became of its gate.
func lastGate(e *workflows.Execution, in *workflows.Intent) error {
	for i := len(e.Stages) - 1; i >= 0; i-- {
		st := &e.Stages[i]
		for j := len(st.Actions) - 1; j >= 0; j-- {
			a := &st.Actions[j]
			if a.Approval == nil || a.Approval.Closed == "" || in.Action != "" && in.Action != a.Name || in.Stage != "" && in.Stage != st.Name {
				continue
			}
			g := gate.Closed{Ref: e.Ref(), Action: a.Name, Closed: a.Approval.Closed, At: e.UpdatedAt}
			if a.EndedAt != nil {
				g.At = *a.EndedAt
			}
			if n := len(a.Approval.Votes); n > 0 {
				g.By = a.Approval.Votes[n-1].By.Name
			}
			return g.Refusal()
		}
	}
	return nil
}
