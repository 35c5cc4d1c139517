package machine

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/gate"
)

// standing is what is known about one person at one gate.
type standing struct {
	may bool
	in  map[string]bool // the who-expressions that match
}

// expressions are the matches that the gate's policy asks for, in its order.
func (s standing) expressions(pol *workflows.ApprovalPolicy) []string {
	var in []string
	for _, who := range gate.AsksFor(pol) {
		if s.in[who] {
			in = append(in, who)
		}
	}
	return in
}

// standing answers, from the facts, who of these people may answer a gate. The
// error is a *NeedFacts about everybody of whom too little is known.
func (d *decision) standing(e *workflows.Execution, stage string, pol *workflows.ApprovalPolicy, people []workflows.Principal) (map[string]standing, error) {
	who := append(gate.AsksFor(pol), gate.Authors(e)...)
	result := map[string]standing{}
	need := &NeedFacts{Who: who}
	for _, p := range people {
		key := p.Key()
		if name, machine := p.Machine(); machine || d.dry {
			token := "token:" + name
			result[key] = standing{may: d.dry || slices.Contains(pol.From, token), in: map[string]bool{token: true}}
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
		result[key] = standing{may: may, in: known}
	}
	if len(need.People) > 0 {
		return nil, need
	}
	return result, nil
}
