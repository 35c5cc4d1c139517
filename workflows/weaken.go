package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Weakened is a gate that asks for less than it did: people are told of it,
// with the old and the new words.
type Weakened struct {
	Stage  string `json:"stage"`
	Action string `json:"action"`
	Old    string `json:"old"` // "2 of group:security, with a comment"
	New    string `json:"new"` // "removed", when the gate is no more
}

// Weaker lists the gates of old that ask for less in the new definition: that
// are gone, need fewer people, or let people answer who could not before. A
// gate that was only renamed or moved counts as gone.
func (p *Pipeline) Weaker(old *Pipeline) []Weakened {
	var weak []Weakened
	if old == nil {
		return nil
	}
	for _, st := range old.Stages {
		for _, a := range st.Actions {
			if !a.IsApproval() || a.Approval == nil {
				continue
			}
			w := Weakened{Stage: st.Name, Action: a.Name, Old: a.Approval.String(), New: "removed"}
			if now, ok := p.gate(st.Name, a.Name); ok {
				if !now.Approval.weakens(a.Approval) {
					continue
				}
				w.New = now.Approval.String()
			}
			weak = append(weak, w)
		}
	}
	return weak
}

func (p *Pipeline) gate(stage, action string) (*Action, bool) {
	st, ok := p.Stage(stage)
	if !ok {
		return nil, false
	}
	a, ok := st.Action(action)
	return a, ok && a.IsApproval() && a.Approval != nil
}

// weakens says whether p lets something through that old would have kept back.
func (p *ApprovalPolicy) weakens(old *ApprovalPolicy) bool {
	wider := len(old.From) > 0 && (len(p.From) == 0 || slices.ContainsFunc(p.From, func(who string) bool { return !slices.Contains(old.From, who) }))
	for _, group := range slices.Sorted(maps.Keys(old.AtLeast)) {
		wider = wider || p.AtLeast[group] < old.AtLeast[group]
	}
	return wider || p.Required < old.Required || p.RequesterMayApprove && !old.RequesterMayApprove ||
		p.Comment != "required" && old.Comment == "required"
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
	return strings.Join(words, ", ")
}
