package runtime

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// mostLookedAt is how many people are looked at: of a gate that so many can answer
// nobody asks whether that is enough.
const mostLookedAt = 50

// Roster is a [Directory] that can list the members of an outside group too, each
// with an e-mail address.
type Roster interface {
	Members(ctx context.Context, group string) ([]workflows.Principal, error)
}

// Answerable says whether enough people can still approve an open gate, by what
// Submit would answer each of them now: who has voted, who may not approve their
// own and who has left are not among them. Once there are enough nobody else is
// looked at. An error is a look-up that failed.
func (e *Engine) Answerable(ctx context.Context, execution, token string) (a say.Answerable, err error) {
	n, err := e.needed(ctx, execution, token)
	if err != nil || n == nil {
		return a, err
	}
	people, countable, err := n.asked(ctx)
	if err != nil || !countable || len(people) > mostLookedAt {
		return a, err
	}
	return n.look(ctx, people)
}

// openGateIn finds an open gate of an execution by its token.
func openGateIn(x *workflows.Execution, token string) (at gateMemo, ok bool) {
	openGates(x, func(g gateMemo) {
		if g.Token == token {
			at, ok = g, true
		}
	})
	return at, ok
}

// needed is a gate of which somebody asks whether enough people can approve it.
type needed struct {
	e   *Engine
	x   *workflows.Execution
	at  gateMemo
	pol *workflows.ApprovalPolicy
}

// needed reads an open gate by its token; nil: it is not open any more.
func (e *Engine) needed(ctx context.Context, execution, token string) (*needed, error) {
	x, err := e.Execution(ctx, workflows.EnginePrincipal(), execution)
	if err != nil {
		return nil, err
	}
	at, ok := openGateIn(&x, token)
	if !ok {
		return nil, nil
	}
	n := &needed{e: e, x: &x, at: at}
	return n, e.read(ctx, x.Pipeline, func(s *machine.State) error {
		n.pol = s.Policy(&x, at.Stage, at.Action)
		return nil
	})
}

// asked are all whom the gate asks; false: nobody can count them.
func (n *needed) asked(ctx context.Context) (people []workflows.Principal, countable bool, err error) {
	who := n.pol.From
	if len(who) == 0 {
		verdict, err := n.e.judge(workflows.EnginePrincipal()).may(ctx, workflows.Approve, access.Resource{Pipeline: n.x.Pipeline, Stage: n.at.Stage})
		if err != nil {
			return nil, false, err
		}
		who = verdict.Holders
	}
	if n.pol.Jira != nil && n.pol.FollowsChange() {
		return nil, false, nil // what is decided about a change request counts as somebody
	}
	for _, leaf := range n.e.o.Policy.Leaves(who...) {
		switch kind, _, _ := subject.Split(leaf); kind {
		case subject.Mail:
			people = append(people, workflows.Principal{ID: "mail:" + leaf, Name: leaf, Email: leaf, Via: "slack"})
		case subject.Token:
			people = append(people, workflows.Principal{ID: leaf, Via: "api"})
		default:
			roster, lists := n.e.o.Directories[kind].(Roster)
			if !lists {
				return nil, false, nil
			}
			members, err := roster.Members(ctx, leaf)
			if err != nil {
				return nil, false, unchecked(err, "who is in "+leaf)
			}
			people = append(people, members...)
		}
	}
	slices.SortStableFunc(people, func(a, b workflows.Principal) int { return cmp.Compare(a.Key(), b.Key()) })
	return slices.CompactFunc(people, workflows.Principal.Is), true, nil
}

// look asks for each of the people what Submit would answer, until there are enough.
func (n *needed) look(ctx context.Context, people []workflows.Principal) (a say.Answerable, err error) {
	var able []workflows.Principal
	for _, p := range people {
		can, own, err := n.try(ctx, p)
		if err != nil {
			return a, err
		}
		if own {
			a.Excluded = append(a.Excluded, p)
		}
		if !can {
			continue
		}
		able = append(able, p)
		if a.Short, err = n.short(ctx, able); err != nil || len(a.Short) == 0 {
			return say.Answerable{}, err
		}
	}
	a.Short, err = n.short(ctx, able)
	return a, err
}

// try says whether somebody could approve now; own: they may not because it is their own.
func (n *needed) try(ctx context.Context, p workflows.Principal) (can, own bool, err error) {
	err = n.e.Try(ctx, workflows.Intent{Verb: workflows.Approve, Pipeline: n.x.Pipeline, Execution: n.x.ID, Gate: n.at.Token, Reason: "…"}, p)
	problem, refused := asProblem(err)
	switch {
	case err == nil:
		return true, false, nil
	case !refused:
		return false, false, err
	}
	switch problem.Code {
	case workflows.CodeStageDisabled: // a freeze: it will be over
		return true, false, nil
	case workflows.CodeSelfApproval:
		return false, true, nil
	case workflows.CodeUnavailable:
		return false, false, err
	}
	return false, false, nil
}

// short is what these people cannot give. A deputy is one person, and nobody
// stands in for those who are here themselves.
func (n *needed) short(ctx context.Context, able []workflows.Principal) (short []say.Shortage, err error) {
	here := make([]string, len(able))
	for i, p := range able {
		here[i] = p.Key()
	}
	can, of := 0, map[string]int{}
	for _, p := range able {
		if len(n.pol.From)+len(n.pol.AtLeast) == 0 {
			can++
			continue
		}
		fits, err := n.e.judge(p).count(ctx, &machine.NeedFacts{Who: gate.AsksFor(n.pol), Gate: n.pol}, here)
		if err != nil {
			return nil, err
		}
		_, isMachine := p.Machine()
		if isMachine || len(n.pol.From) == 0 || slices.ContainsFunc(n.pol.From, func(who string) bool { return fits[who] }) {
			can++
			for who := range n.pol.AtLeast {
				if fits[who] {
					of[who]++
				}
			}
		}
	}
	return n.missing(can, of), nil
}

// missing compares what the gate still needs with what people can give.
func (n *needed) missing(can int, of map[string]int) (short []say.Shortage) {
	g := n.at.Open.Approval
	if need := n.pol.Required - g.Approvals(); need > can {
		short = append(short, say.Shortage{Need: need, Can: can})
	}
	for _, who := range slices.Sorted(maps.Keys(n.pol.AtLeast)) {
		need := n.pol.AtLeast[who]
		for i := range g.Votes {
			if v := &g.Votes[i]; v.Answer == "approve" && slices.Contains(v.In, who) {
				need--
			}
		}
		if need > of[who] {
			short = append(short, say.Shortage{Who: who, Need: need, Can: of[who]})
		}
	}
	return short
}
