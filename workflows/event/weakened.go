package event

import "github.com/rollcall-bot/rollcall/workflows"

// Weakened is a gate that asks for less than it did: people are told of it,
// with the old and the new words.
type Weakened struct {
	Stage  string `json:"stage"`
	Action string `json:"action"`
	Old    string `json:"old"` // "2 of group:security, with a comment"
	New    string `json:"new"` // "removed", when the gate is no more
}

// Weaker lists the gates of old (nil: there are none) that ask for less in the
// new definition: that are gone, need fewer people, or let people answer who
// could not before. A gate that was only renamed or moved counts as gone.
func Weaker(old, now *workflows.Pipeline) []Weakened {
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
			if pol := policy(now, st.Name, a.Name); pol != nil {
				if !pol.Weakens(a.Approval) {
					continue
				}
				w.New = pol.String()
			}
			weak = append(weak, w)
		}
	}
	return weak
}

// policy is what a gate of a definition asks for; nil: there is no such gate.
func policy(p *workflows.Pipeline, stage, action string) *workflows.ApprovalPolicy {
	st, ok := p.Stage(stage)
	if !ok {
		return nil
	}
	if a, ok := st.Action(action); ok && a.IsApproval() {
		return a.Approval
	}
	return nil
}
