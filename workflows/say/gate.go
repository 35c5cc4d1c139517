package say

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Quorum is how far a gate has come: "1 of 2 approvals, 1 more needed".
func (f *Format) Quorum(g *workflows.Approval) string {
	text := fmt.Sprintf("%d of %s", g.Approvals(), words.Count(g.Required, "approval"))
	if needed := f.Needed(g); needed != "" {
		text += ", " + needed
	}
	return text
}

// Given is who has approved of how many: "1 of 2 approvals: Ana".
func (f *Format) Given(g *workflows.Approval) string {
	text := fmt.Sprintf("%d of %s", g.Approvals(), words.Count(g.Required, "approval"))
	if names := f.voters(g, "approve", f.via); len(names) > 0 {
		text += ": " + words.List(names, "and")
	}
	return text
}

// Needed is what an open gate still needs: "1 more needed", "1 more of security
// needed", "2 more needed, 1 of them of security"; empty: nothing.
func (f *Format) Needed(g *workflows.Approval) string {
	if g.Closed != "" || len(g.Missing) == 0 {
		return ""
	}
	more, groups, n := "", []string{}, ""
	for _, m := range g.Missing {
		if left, is := strings.CutSuffix(strings.TrimSuffix(m, "s"), " more approval"); is {
			more, n = f.Clean(left+" more"), left
		} else {
			groups = append(groups, m)
		}
	}
	for i, m := range groups {
		if count, who, ok := strings.Cut(m, " of "); ok && more != "" && len(groups) == 1 && atLeast(count, n) {
			return count + " more of " + f.Clean(Approver(who)) + " needed"
		} else if ok && more != "" {
			groups[i] = count + " of them of " + f.Clean(Approver(who))
		} else if ok {
			groups[i] = count + " more of " + f.Clean(Approver(who))
		} else {
			groups[i] = f.Clean(m)
		}
	}
	if more == "" {
		return words.List(groups, "and") + " needed"
	}
	if len(groups) == 0 {
		return more + " needed"
	}
	return more + " needed, " + words.List(groups, "and")
}

// atLeast compares two numbers that are written out.
func atLeast(a, b string) bool {
	m, err := strconv.Atoi(a)
	n, err2 := strconv.Atoi(b)
	return err == nil && err2 == nil && m >= n
}

// Approvers says who may answer a gate: "Approvers: release-managers". given are
// people or groups as the surface names them; none: the gate's own.
func (f *Format) Approvers(g *workflows.Approval, given ...string) string {
	if len(given) == 0 {
		for _, who := range g.From {
			given = append(given, f.Clean(Approver(who)))
		}
	}
	if len(given) == 0 {
		return "Approvers: everyone with the permission approve"
	}
	return "Approvers: " + strings.Join(given, ", ")
}

// Decision is what became of a gate, by whom and, where wanted, when: "approved
// by Ben 04:35 and Ana 04:37"; empty while it is open.
func (f *Format) Decision(g *workflows.Approval, times bool) string {
	if v := outside(g); v != nil && g.Override == nil {
		return f.outside(v)
	}
	behind := alone
	if times {
		behind = f.timed
	}
	switch s := Gate(g); s {
	case WaitingForApproval:
		return ""
	case Overridden:
		if g.Override != nil {
			return f.Override(g.Override)
		}
		return string(s)
	case Approved:
		return strings.TrimSuffix("approved by "+words.List(f.voters(g, "approve", behind), "and"), " by ")
	case Rejected:
		return strings.TrimSuffix("rejected by "+words.List(f.voters(g, "reject", behind), "and"), " by ")
	default:
		return string(s)
	}
}

// GateNow is a gate as it stands, in one line: "1 of 2 approvals, 1 more needed;
// approved by Ana", "approved by Ana and Ben".
func (f *Format) GateNow(g *workflows.Approval) string {
	if text := f.Outside(g); text != "" {
		return text
	}
	parts := []string{f.Decision(g, false)}
	if parts[0] == "" {
		parts[0] = f.Quorum(g)
		if names := f.voters(g, "approve", alone); len(names) > 0 {
			parts = append(parts, "approved by "+words.List(names, "and"))
		}
	}
	if agreed := f.Agreed(g); agreed != "" {
		parts = append(parts, agreed)
	}
	for _, why := range g.Dropped {
		parts = append(parts, f.Clean(why))
	}
	if g.Closed == "" && g.Warning != "" {
		parts = append(parts, Warning(f.Clean(g.Warning)))
	}
	return strings.Join(parts, "; ")
}

// Agreed names those who approved a gate that was then opened by somebody's
// right: "Ana agreed"; empty: nobody, or it was approved.
func (f *Format) Agreed(g *workflows.Approval) string {
	if names := f.voters(g, "approve", alone); len(names) > 0 && Gate(g) == Overridden {
		return words.List(names, "and") + " agreed"
	}
	return ""
}

// voters are those who gave an answer, with what stands behind each name; after
// five only their number.
func (f *Format) voters(g *workflows.Approval, answer string, behind func(*workflows.Vote) string) []string {
	var names []string
	for i := range g.Votes {
		if v := &g.Votes[i]; v.Answer == answer && !IsOutside(v) {
			names = append(names, f.Who(v.By)+behind(v))
		}
	}
	const most = 5
	if len(names) > most {
		names = append(names[:most-1:most-1], fmt.Sprintf("%d more", len(names)-most+1))
	}
	return names
}

// alone puts nothing behind a name.
func alone(*workflows.Vote) string { return "" }

// via is how somebody answered, where that was not in Slack: " (jira)".
func (f *Format) via(v *workflows.Vote) string {
	if v.Via == "" || v.Via == "slack" {
		return ""
	}
	return " (" + f.Clean(v.Via) + ")"
}

// timed is when somebody answered, and how.
func (f *Format) timed(v *workflows.Vote) string {
	if f.Time == nil || v.At.IsZero() {
		return ""
	}
	return " " + f.Time(v.At) + f.via(v)
}

// Vote is one answer: "approved by Ana: looks good".
func (f *Format) Vote(v *workflows.Vote) string {
	if IsOutside(v) {
		return f.because(f.outside(v), v.Comment)
	}
	word := Approved
	if v.Answer == "reject" {
		word = Rejected
	}
	return f.because(string(word)+" by "+f.Who(v.By), v.Comment)
}

// Override says who set a check aside, without what, and why: "overridden by Cho
// without 1 of 2 approvals: checkout is down".
func (f *Format) Override(o *workflows.Overridden) string {
	text := "overridden by " + f.Who(o.By)
	if o.Without != "" {
		text += " without " + f.Clean(o.Without)
	}
	return f.because(text, o.Reason)
}

// Overrides are the gates and conditions of a stage that somebody set aside, one
// sentence each.
func (f *Format) Overrides(s *workflows.StageExecution) []string {
	var all []string
	for i := range s.Actions {
		if g := s.Actions[i].Approval; g != nil && Gate(g) == Overridden {
			all = append(all, f.Clean(s.Actions[i].Name)+" "+f.Decision(g, false))
		}
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Override != nil {
			all = append(all, ConditionName(c.Kind)+" "+f.Override(c.Override))
		}
	}
	return all
}

// Condition is a condition in one sentence: "entry condition met: Hours", "entry
// condition failed, so nothing ran: Hours: outside the window".
func (f *Format) Condition(c *workflows.ConditionExecution) string {
	what := ConditionName(c.Kind)
	switch {
	case c.Status == workflows.StatusInProgress:
		var rules []string
		for i := range c.Rules {
			rules = append(rules, f.rule(&c.Rules[i]))
		}
		return strings.TrimSuffix(what+": "+strings.Join(rules, "; "), ": ")
	case c.Status == workflows.StatusSucceeded:
		var rules []string
		for i := range c.Rules {
			rules = append(rules, f.Clean(RuleName(&c.Rules[i])))
		}
		return strings.TrimSuffix(what+" met: "+strings.Join(rules, ", "), ": ")
	case c.Status == workflows.StatusOverridden && c.Override != nil:
		return what + " " + f.Override(c.Override)
	case c.Status != workflows.StatusFailed && c.Status != workflows.StatusErrored:
		return what + " " + string(Status(c.Status))
	case c.Kind == workflows.AfterFailed:
		return f.because(what+" not met, nothing follows from it", Unmet(c))
	case c.Status == workflows.StatusErrored:
		what += " could not be checked, which counts as failed"
	default:
		what += " failed"
	}
	if c.Kind == workflows.BeforeEntry {
		what += ", so nothing ran"
	}
	return f.because(what, Unmet(c))
}

// rule is a rule: its name, how it stands, and what it says.
func (f *Format) rule(r *workflows.ActionExecution) string {
	text := f.Clean(RuleName(r)) + " " + string(Action(r))
	if says := Detail(r); says != "" {
		text += ", " + f.Clean(says)
	}
	return text
}

// RuleName is a rule without its condition: "Hours" of "beforeEntry:Hours".
func RuleName(r *workflows.ActionExecution) string {
	if _, name, ok := strings.Cut(r.Name, ":"); ok {
		return name
	}
	return r.Name
}

// Detail is what an action last said of itself: its error, else its summary. It
// comes from outside.
func Detail(a *workflows.ActionExecution) string {
	if a.Error != nil && a.Error.Message != "" && a.Status != workflows.StatusSucceeded {
		return a.Error.Message
	}
	return a.Summary
}

// Unmet names the rules for which a condition is not met, with what they say;
// where none says anything, the condition's own reason. It comes from outside.
func Unmet(c *workflows.ConditionExecution) string {
	var rules []string
	for i := range c.Rules {
		r := &c.Rules[i]
		switch r.Status {
		case workflows.StatusSucceeded, workflows.StatusNotStarted, workflows.StatusAbandoned, "":
			continue
		}
		rules = append(rules, words.Because(RuleName(r), Detail(r)))
	}
	if len(rules) == 0 && c.Reason != nil {
		return c.Reason.Message
	}
	return strings.Join(rules, "; ")
}
