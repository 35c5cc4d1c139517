// Package gate holds the rules of approvals that need no state: whom a gate asks
// for, what a person has to do with what they approve, when people are reminded,
// and what is set aside when somebody opens a gate by right. Pure.
//
// Who-expressions are those of [workflows.Principal].
package gate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Matching are the matches of a person that a policy counts by, in its order.
func Matching(pol *workflows.ApprovalPolicy, in map[string]bool) (matches []string) {
	for _, who := range AsksFor(pol) {
		if in[who] {
			matches = append(matches, who)
		}
	}
	return matches
}

// AsksFor lists the who-expressions that a policy counts by: who may answer, and who must be among them.
func AsksFor(pol *workflows.ApprovalPolicy) []string {
	who := slices.Clone(pol.From)
	for _, group := range slices.Sorted(maps.Keys(pol.AtLeast)) {
		if !slices.Contains(who, group) {
			who = append(who, group)
		}
	}
	return who
}

// Asked is who is mentioned when the gate opens: `ask`, else `from`.
func Asked(pol *workflows.ApprovalPolicy) []string {
	if len(pol.Ask) > 0 {
		return pol.Ask
	}
	return pol.From
}

// Covers are the stages that an approval in a stage lets an execution into: that
// one, and those behind it as far as nobody is asked again. A rollback is of one stage.
func Covers(p *workflows.Pipeline, e *workflows.Execution, stage string) []string {
	covered := []string{stage}
	if p == nil || e.Rollback != nil {
		return covered
	}
	at := slices.IndexFunc(p.Stages, func(st workflows.Stage) bool { return st.Name == stage })
	for i := range p.Stages[at+1:] {
		st := &p.Stages[at+1+i]
		if at < 0 || slices.ContainsFunc(st.Actions, func(a workflows.Action) bool { return a.IsApproval() }) {
			break
		}
		covered = append(covered, st.Name)
	}
	return covered
}

// Authors are who-expressions for the people who wrote or pushed what is in an
// execution, or had a hand in what goes live with it, and are known by their
// name at GitHub: "github:LOGIN".
func Authors(e *workflows.Execution, also []workflows.Author) []string {
	var who []string
	add := func(login string) {
		if login != "" && !slices.Contains(who, "github:"+login) {
			who = append(who, "github:"+login)
		}
	}
	if login, ok := strings.CutPrefix(e.Trigger.By.ID, "github:"); ok {
		add(login)
	}
	for _, r := range e.SourceRevisions {
		for _, a := range writers(r) {
			add(a.Login)
		}
	}
	for _, a := range also {
		add(a.Login)
	}
	return who
}

// Involvement says what a person has to do with an execution, in words after
// "you"; empty: nothing. also are those who had a hand in what else goes live
// with it; in says of each who-expression of [Authors] whether it means the person.
func Involvement(e *workflows.Execution, also []workflows.Author, p workflows.Principal, in map[string]bool) string {
	by := e.Trigger.By
	mail, pushed := strings.CutPrefix(by.ID, "git:")
	login, onGitHub := strings.CutPrefix(by.ID, "github:")
	switch {
	case by.Is(p) && !by.IsEngine():
		if e.Type == workflows.TypeRollback {
			return "asked for this rollback"
		}
		if e.Trigger.Type == workflows.TriggerProtected {
			return "requested it"
		}
		return "started it"
	case onGitHub && in["github:"+login] && e.Trigger.Type == workflows.TriggerProtected:
		return "requested it"
	case pushed && p.HasMail(mail), onGitHub && in["github:"+login]:
		return "pushed it"
	}
	is := func(a workflows.Author) bool {
		return p.HasMail(a.Email) || a.Login != "" && in["github:"+a.Login]
	}
	for _, r := range e.SourceRevisions {
		for i, a := range writers(r) {
			if is(a) {
				if i > 0 || r.Author == nil {
					return "wrote a part of it"
				}
				return "wrote " + words.Revision(r.RevisionID)
			}
		}
	}
	if slices.ContainsFunc(also, is) {
		return "wrote, committed or pushed a part of what goes live with it"
	}
	return ""
}

// writers are all who wrote what a revision brought in, the author of its own commit first.
func writers(r workflows.SourceRevision) []workflows.Author {
	if r.Author == nil {
		return r.Authors
	}
	return append([]workflows.Author{*r.Author}, r.Authors...)
}

// Without says what a gate lacks of what it asks for, as the record keeps it
// when somebody opens it by right: "1 of 2 approvals", "1 of group:security".
func Without(pol *workflows.ApprovalPolicy, votes []workflows.Vote) string {
	missing := pol.Missing(votes)
	yes := (&workflows.Approval{Votes: votes}).Approvals()
	if n := pol.Required - yes; n > 0 {
		missing[0] = fmt.Sprintf("%d of %s", n, words.Count(pol.Required, "approval"))
	}
	return words.List(missing, "and")
}

// Reminders returns the newest reminder that is due at a time and was not sent, with
// those before it left out, and when the next one will be.
func Reminders(g *workflows.Approval, pol *workflows.ApprovalPolicy, at time.Time) (now string, next time.Time) {
	sent := 0
	for _, text := range g.Reminded {
		sent = max(sent, percent(text))
	}
	all := slices.Clone(pol.RemindAt)
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(percent(a), percent(b)) })
	for _, text := range all {
		p := percent(text)
		if p <= sent || p >= 100 {
			continue
		}
		when := g.OpenedAt.Add(g.ExpiresAt.Sub(g.OpenedAt) / 100 * time.Duration(p))
		if when.After(at) {
			return now, when
		}
		now = text
	}
	return now, time.Time{}
}

// Anew is an open gate that asks again from a moment on, at which nobody had
// been reminded yet, and gives people as long as before from now.
func Anew(g *workflows.Approval, from, now time.Time) *workflows.Approval {
	again := *g
	again.OpenedAt, again.ExpiresAt, again.Reminded = from, now.Add(g.ExpiresAt.Sub(g.OpenedAt)), nil
	return &again
}

func percent(text string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Mismatch refuses an answer whose token is of the gate of this action, and
// whose names are not; nil: they fit, or there are none.
func Mismatch(in *workflows.Intent, e *workflows.Execution, stage, action string) error {
	const hint = "leave the names out, or name that one"
	switch {
	case in.Execution != "" && in.Execution != e.ID:
		return workflows.Refuse(workflows.CodeInvalidApprovalToken, "answer from the newest message of that execution", "this token is of %s, not of the execution that was named", e.Ref())
	case in.Stage != "" && in.Stage != stage:
		return workflows.Refuse(workflows.CodeStageNotFound, hint, "this token is of %s in %s, not in the stage that was named", action, stage)
	case in.Action != "" && in.Action != action:
		return workflows.Refuse(workflows.CodeActionNotFound, hint, "this token is of %s in %s, not of the action that was named", action, stage)
	}
	return nil
}

// Answered tells somebody who answers by execution, too late, what became of its gate; nil: it had none.
func Answered(e *workflows.Execution, in *workflows.Intent) error {
	for i := len(e.Stages) - 1; i >= 0; i-- {
		st := &e.Stages[i]
		for j := len(st.Actions) - 1; j >= 0; j-- {
			a := &st.Actions[j]
			if a.Approval == nil || a.Approval.Closed == "" || in.Action != "" && in.Action != a.Name || in.Stage != "" && in.Stage != st.Name {
				continue
			}
			g := Closed{Ref: e.Ref(), Action: a.Name, Closed: a.Approval.Closed, At: e.UpdatedAt}
			if a.EndedAt != nil {
				g.At = *a.EndedAt
			}
			for _, v := range a.Approval.Votes { // the last one, unless one outside came first
				if g.By = v.By.Called(); v.Via == workflows.ViaOutside {
					break
				}
			}
			return g.Refusal()
		}
	}
	return nil
}

// Passes says whether somebody may let things pass a freeze; in says which
// who-expressions mean them. known is false when that must be looked up first.
func Passes(f *workflows.Freeze, by workflows.Principal, in map[string]bool) (passes, known bool) {
	_, isMachine := by.Machine()
	for _, who := range f.MayPass {
		if _, looked := in[who]; !looked && !isMachine {
			return false, false
		}
		if in[who] || who == by.ID {
			return true, true
		}
	}
	return false, true
}

// Frozen is the refusal of what a freeze keeps out of a stage.
func Frozen(f workflows.Freeze, stage string) *workflows.Problem {
	hint := "nobody may pass it; rolling back is possible all the same"
	if len(f.MayPass) > 0 {
		hint = "these may let it pass: " + strings.Join(f.MayPass, ", ") + "; rolling back is possible all the same"
	}
	return workflows.Refuse(workflows.CodeStageDisabled, hint, "%s is frozen (%s) until %s", stage, f.Name, words.Moment(f.To))
}

// NotAnApprover refuses the vote of somebody whom a gate does not ask; who, in words, it does.
func NotAnApprover(by workflows.Principal, e *workflows.Execution, stage string, pol *workflows.ApprovalPolicy, who string) *workflows.Problem {
	name, machine := by.Machine()
	switch {
	case machine:
		return workflows.Refuse(workflows.CodeNotAnApprover, "a machine's answer counts only where `from` names token:"+name,
			"the token %s may not answer this gate of %s", name, e.Ref())
	case len(pol.From) == 0:
		return workflows.Refuse(workflows.CodeAccessDenied, "this needs the right approve on "+e.Pipeline+"/"+stage,
			"you can't approve %s in %s", e.Ref(), stage)
	}
	return workflows.Refuse(workflows.CodeNotAnApprover, who+" can", "you can't approve %s", e.Ref())
}

// SelfApproval refuses the approval of somebody who has to do with what they
// approve; why as Involvement says it. Who asks is not told to ask themself.
func SelfApproval(by workflows.Principal, e *workflows.Execution, pol *workflows.ApprovalPolicy, why string) *workflows.Problem {
	others := slices.DeleteFunc(slices.Clone(Asked(pol)), func(who string) bool { return who == by.ID || by.HasMail(who) })
	return workflows.Refuse(workflows.CodeSelfApproval, strings.TrimSuffix("ask somebody else: "+strings.Join(others, ", "), ": "),
		"you cannot approve %s yourself: you %s", e.Ref(), why)
}

// NoLonger says why an earlier vote counts no more: in a word what the voter is
// by now instead of a full member, or in a sentence; empty: they may no longer answer.
func NoLonger(by workflows.Principal, code, why string) *workflows.Reason {
	why = cmp.Or(why, "they may not answer this gate any more")
	return &workflows.Reason{Code: code, Message: by.Called() + "'s vote no longer counts: " + why}
}

// Drop takes somebody's vote out of a gate's record, which shares nothing with
// its copies afterwards; why is kept when it is not nil.
func Drop(g *workflows.Approval, by workflows.Principal, why *workflows.Reason) {
	g.Votes = slices.DeleteFunc(slices.Clone(g.Votes), func(v workflows.Vote) bool { return v.By.Key() == by.Key() })
	if why != nil {
		g.Dropped = append(slices.Clip(g.Dropped), why.Message)
	}
}

// Voted adds a vote to a gate's record, in the place of an earlier one of the same person.
func Voted(g *workflows.Approval, v workflows.Vote) {
	Drop(g, v.By, nil)
	g.Votes = append(g.Votes, v)
	slices.SortStableFunc(g.Votes, func(a, b workflows.Vote) int { return a.At.Compare(b.At) })
}

// Under is a gate's record as a policy has it, with the votes that were given.
func Under(g workflows.Approval, pol *workflows.ApprovalPolicy) *workflows.Approval {
	g.Required, g.From, g.Ask, g.Comment, g.Missing = pol.Required, pol.From, Asked(pol), pol.Comment, pol.Missing(g.Votes)
	g.Jira = inJira(g.Jira, pol.Jira)
	return &g
}

// inJira is how an open gate is answered in Jira under a policy: the issue stays the
// one that was resolved when the gate opened.
func inJira(now, pol *workflows.JiraApproval) *workflows.JiraApproval {
	if pol == nil || now == nil && pol.Issue != "" { // variables are resolved when a gate opens
		return nil
	}
	next := *pol
	if now != nil {
		next.Issue = now.Issue
	}
	return &next
}
