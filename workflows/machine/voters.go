package machine

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// voter is what is known about one person at one gate.
type voter struct {
	may  bool
	in   map[string]bool // the who-expressions that match
	gone string          // what they are instead of a full member; empty: they are one
}

// voters answers, from the facts, who of these people may answer a gate. The
// error is a *NeedFacts about everybody of whom too little is known.
func (d *decision) voters(e *workflows.Execution, stage string, pol *workflows.ApprovalPolicy, made contributions, people []workflows.Principal) (map[string]voter, error) {
	who := append(gate.AsksFor(pol), gate.Authors(e, made.by)...)
	result := map[string]voter{}
	need := &NeedFacts{Who: who, Gate: pol}
	for _, p := range people {
		key := p.Key()
		if name, isMachine := p.Machine(); isMachine || d.dry {
			token := "token:" + name
			result[key] = voter{may: d.dry || slices.Contains(pol.From, token) || pol.Decides(p), in: map[string]bool{token: true}}
			continue
		}
		known := d.in.Facts.Members[key]
		unknown := slices.ContainsFunc(who, func(w string) bool { _, ok := known[w]; return !ok })
		may, judged := d.in.Facts.May[key]
		if len(pol.From) == 0 && !judged {
			unknown, need.MayApprove = true, stage
		}
		if unknown {
			need.People = append(need.People, p)
			continue
		}
		if len(pol.From) > 0 {
			may = slices.ContainsFunc(pol.From, func(w string) bool { return known[w] })
		}
		result[key] = voter{may: may, in: known, gone: d.in.Facts.Gone[key]}
	}
	if len(need.People) > 0 {
		return nil, need
	}
	return result, nil
}

// contributions is what would go live by an approval, beyond the execution's own revisions.
type contributions struct {
	by     []workflows.Author // had a hand in it
	judged []string           // what was looked at, for the record
}

// contributionsTo looks at all that lies between what the stages run that an approval
// covers and what an execution brings, where it matters who made it. The error is a *NeedFacts.
func (d *decision) contributionsTo(e *workflows.Execution, stage string, pol *workflows.ApprovalPolicy) (made contributions, err error) {
	if d.dry || pol.RequesterMayApprove || d.s.bridge() != nil { // in AWS who wrote the revisions themselves
		return made, nil
	}
	need, p := &NeedFacts{}, d.s.Definitions[e.Version]
	var all []work.Range
	for _, name := range gate.Covers(p, e, stage) {
		st := d.s.peek(name)
		all = append(all, work.Ranges(p, st.Revisions(), e.SourceRevisions)...)
	}
	for i, r := range all {
		if slices.Contains(all[:i], r) {
			continue
		}
		c, known := d.in.Facts.Changes[r]
		if !known {
			need.Changes = append(need.Changes, r)
		}
		made.by, made.judged = append(made.by, c.Authors...), append(made.judged, r.Say(c))
	}
	if len(need.Changes) > 0 {
		return made, need
	}
	return made, nil
}
