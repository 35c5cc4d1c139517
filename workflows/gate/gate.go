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

// Authors are who-expressions for the people who wrote or pushed what is in an
// execution and are known only by their name at GitHub: "github:LOGIN".
func Authors(e *workflows.Execution) []string {
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
	return who
}

// Involvement says what a person has to do with an execution, in words after
// "you"; empty: nothing.
func Involvement(e *workflows.Execution, p workflows.Principal, in map[string]bool) string {
	by := e.Trigger.By
	mail, pushed := strings.CutPrefix(by.ID, "git:")
	login, onGitHub := strings.CutPrefix(by.ID, "github:")
	switch {
	case by.Key() == p.Key() && !by.IsEngine():
		if e.Type == workflows.TypeRollback {
			return "asked for this rollback"
		}
		return "started it"
	case pushed && p.Email != "" && strings.EqualFold(mail, p.Email), onGitHub && in["github:"+login]:
		return "pushed it"
	}
	for _, r := range e.SourceRevisions {
		for i, a := range writers(r) {
			if p.Email != "" && strings.EqualFold(a.Email, p.Email) || a.Login != "" && in["github:"+a.Login] {
				if i > 0 || r.Author == nil {
					return "wrote a part of it"
				}
				return "wrote " + short(r.RevisionID)
			}
		}
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

func short(revision string) string { return revision[:min(len(revision), 7)] }

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

func percent(text string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Approvers are the names of those who said yes, in the order of their answers.
func Approvers(g *workflows.Approval) []string {
	var names []string
	for _, v := range g.Votes {
		if v.Answer == "approve" {
			names = append(names, v.By.Name)
		}
	}
	return names
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

// Closed is what a late click on a gate needs to hear.
type Closed struct {
	Token  string    `json:"token"`
	Ref    string    `json:"ref"`
	Stage  string    `json:"stage"`
	Action string    `json:"action"`
	Closed string    `json:"closed"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// Refusal tells somebody who answers too late what became of the gate.
func (g Closed) Refusal() *workflows.Problem {
	switch g.Closed {
	case "approved", "rejected", "overridden":
		return workflows.Refuse(workflows.CodeApprovalCompleted, "see what followed with: status "+g.Ref, "%s of %s was %s by %s, %s", g.Action, g.Ref, g.Closed, g.By, words.Moment(g.At))
	case "expired":
		return workflows.Refuse(workflows.CodeInvalidApprovalToken, "retry "+g.Ref+" to ask again", "%s of %s expired, %s", g.Action, g.Ref, words.Moment(g.At))
	}
	return workflows.Refuse(workflows.CodeInvalidApprovalToken, "if it comes to this stage again, it asks again", "%s of %s was withdrawn, %s", g.Action, g.Ref, words.Moment(g.At))
}

// NotAnApprover refuses the vote of somebody whom a gate does not ask, and says who can.
func NotAnApprover(by workflows.Principal, e *workflows.Execution, stage string, pol *workflows.ApprovalPolicy) *workflows.Problem {
	who := strings.Join(Asked(pol), ", ")
	name, machine := by.Machine()
	switch {
	case machine:
		return workflows.Refuse(workflows.CodeNotAnApprover, "a machine's answer counts only where `from` names token:"+name,
			"the token %s may not answer this gate of %s", name, e.Ref())
	case len(pol.From) == 0:
		return workflows.Refuse(workflows.CodeAccessDenied, "this needs the right approve on "+e.Pipeline+"/"+stage,
			"you may not approve %s in %s", e.Ref(), stage)
	}
	return workflows.Refuse(workflows.CodeNotAnApprover, "these can: "+who, "you are not among those who may answer this gate of %s", e.Ref())
}
