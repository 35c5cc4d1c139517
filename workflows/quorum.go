package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Missing says in words what a gate still lacks, given its votes; empty: it is through.
func (p *ApprovalPolicy) Missing(votes []Vote) []string {
	yes := 0
	in := map[string]int{}
	for _, v := range votes {
		if v.Answer == "approve" {
			yes++
			for _, who := range v.In {
				in[who]++
			}
		}
	}
	words := []string{}
	switch n := p.Required - yes; {
	case n == 1:
		words = append(words, "1 more approval")
	case n > 1:
		words = append(words, fmt.Sprintf("%d more approvals", n))
	}
	for _, group := range slices.Sorted(maps.Keys(p.AtLeast)) {
		if n := p.AtLeast[group] - in[group]; n > 0 {
			words = append(words, fmt.Sprintf("%d of %s", n, group))
		}
	}
	return words
}

// Weakens says whether p lets something through that old would have kept back.
func (p *ApprovalPolicy) Weakens(old *ApprovalPolicy) bool {
	wider := len(old.From) > 0 && (len(p.From) == 0 || slices.ContainsFunc(p.From, func(who string) bool { return !slices.Contains(old.From, who) }))
	for _, group := range slices.Sorted(maps.Keys(old.AtLeast)) {
		wider = wider || p.AtLeast[group] < old.AtLeast[group]
	}
	return wider || p.Required < old.Required || p.RequesterMayApprove && !old.RequesterMayApprove ||
		p.Comment != "required" && old.Comment == "required" || p.FollowsChange() && !old.FollowsChange()
}

// FollowsChange says whether the decision about a change request in Jira is an answer.
func (p *ApprovalPolicy) FollowsChange() bool { return p.Jira != nil && p.Jira.Change }

// Decides says whether a principal is the change request whose decision is an answer.
func (p *ApprovalPolicy) Decides(by Principal) bool {
	return by.ID == changeRequest && p.FollowsChange()
}

// String is the policy in words: "2 of group:release-managers, at least 1 of group:security".
func (p *ApprovalPolicy) String() string {
	from := "those with the right approve"
	if len(p.From) > 0 {
		from = strings.Join(p.From, ", ")
	}
	words := []string{fmt.Sprintf("%d of %s", p.Required, from)}
	for _, group := range slices.Sorted(maps.Keys(p.AtLeast)) {
		words = append(words, fmt.Sprintf("at least %d of %s", p.AtLeast[group], group))
	}
	if p.RequesterMayApprove {
		words = append(words, "who asked may approve")
	}
	if p.Comment == "required" {
		words = append(words, "with a comment")
	}
	switch {
	case p.FollowsChange():
		words = append(words, "a change request in Jira is one of them")
	case p.Jira != nil:
		words = append(words, "in Jira too")
	}
	return strings.Join(words, ", ")
}
