package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// Judge says whether the principal may do v on a resource. member tells for
// each of External() whether the principal is in that outside group.
func (p *Policy) Judge(pr workflows.Principal, v workflows.Verb, on Resource, member map[string]bool) Verdict {
	right := v.Right()
	if pr.IsEngine() {
		return Verdict{Allowed: true, Reason: "rollcall itself may do everything", Holders: p.holders(right, on)}
	}
	if !slices.Contains(Rights(), right) {
		return Verdict{Reason: fmt.Sprintf("only rollcall itself may %s", v), Own: true}
	}
	allowed, reason := p.judge(pr, right, on, member)
	return Verdict{Allowed: allowed, Reason: reason, Holders: p.holders(right, on)}
}

func (p *Policy) judge(pr workflows.Principal, right workflows.Verb, on Resource, member map[string]bool) (bool, string) {
	if pr.Stranger != "" {
		return false, pr.Called() + " has no rights here: " + stranger(pr.Stranger)
	}
	if token, ok := pr.Machine(); ok {
		if slices.Contains(p.Tokens[token], right) {
			return true, fmt.Sprintf("the token %s may %s", token, right)
		}
		return false, fmt.Sprintf("the token %s may not %s: its `may` does not list it", token, right)
	}
	if !isMember(pr) {
		return false, pr.Called() + " is not known as a member of the workspace, so nothing is allowed"
	}
	for _, who := range p.Admins {
		if p.Matches(pr, who, member) {
			return true, pr.Called() + " is an admin" + p.standsIn(pr, who)
		}
	}
	if p.AllowAll {
		return true, "access.allowAll is on: every member may do everything"
	}
	if len(p.Rules) == 0 && right == workflows.View {
		return true, "there are no access rules: every member may view"
	}
	for _, r := range p.Rules {
		if !r.gives(right, on) {
			continue
		}
		for _, who := range r.To {
			if p.Matches(pr, who, member) {
				return true, fmt.Sprintf("%s may %s on %s%s", who, right, r.where(), p.standsIn(pr, who))
			}
		}
	}
	return false, fmt.Sprintf("%s does not have the right %s on %s", pr.Called(), right, on)
}

// gives says whether the rule allows the right on the resource to its people.
// Whoever may do anything in a pipeline or in one of its stages may look at it.
func (r Rule) gives(right workflows.Verb, on Resource) bool {
	if right == workflows.View {
		return len(r.Allow) > 0 && scope.Touches(r.On, on.Pipeline)
	}
	return slices.Contains(r.Allow, right) && scope.Covers(r.On, on.Pipeline, on.Stage)
}

func (r Rule) where() string {
	if len(r.On) == 0 {
		return "everything"
	}
	return strings.Join(r.On, ", ")
}

// holders lists who has the right, rules first.
func (p *Policy) holders(right workflows.Verb, on Resource) []string {
	if p.AllowAll || len(p.Rules) == 0 && right == workflows.View {
		return []string{subject.Everyone}
	}
	var who []string
	add := func(more []string) {
		for _, w := range more {
			if !slices.Contains(who, w) {
				who = append(who, w)
			}
		}
	}
	if slices.Contains(Rights(), right) {
		for _, r := range p.Rules {
			if r.gives(right, on) {
				add(r.To)
			}
		}
		add(p.Admins)
	}
	return who
}

// Refusal is what somebody without the right hears: which one, and who has it.
// Of a verdict that allows it is nil.
func (v Verdict) Refusal() *workflows.Problem {
	if v.Allowed {
		return nil
	}
	p := &workflows.Problem{Code: workflows.CodeAccessDenied, Message: v.Reason, Hint: "nobody has this right; an admin can give it in the configuration"}
	switch {
	case v.Own:
		p.Hint = "no rule can allow it to anybody"
	case len(v.Holders) > 0:
		p.Hint = "ask " + strings.Join(v.Holders, ", ")
	}
	return p
}

func stranger(kind string) string {
	switch kind {
	case "guest":
		return "guests of the workspace may not act"
	case "bot":
		return "bots may not act"
	case "connect":
		return "people of other organisations (Slack Connect) may not act"
	case "deactivated":
		return "the account is deactivated"
	}
	return "the account is not known in the workspace"
}

// Stranger says in a word or two what somebody is instead of a full member, by
// Principal.Stranger; empty: they are one.
func Stranger(kind string) string {
	switch kind {
	case "", "deactivated":
		return kind
	case "guest":
		return "a guest"
	case "bot":
		return "a bot"
	case "connect":
		return "of another organisation"
	}
	return "not known in the workspace"
}
