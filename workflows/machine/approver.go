package machine

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// standing is what is known about one person at one gate.
type standing struct {
	may bool
	in  map[string]bool // the who-expressions that match
}

// expressions are the matches that the gate's policy asks for, in its order.
func (s standing) expressions(pol *workflows.ApprovalPolicy) []string {
	var in []string
	for _, who := range asksFor(pol) {
		if s.in[who] {
			in = append(in, who)
		}
	}
	return in
}

func asksFor(pol *workflows.ApprovalPolicy) []string {
	who := slices.Clone(pol.From)
	for _, group := range sortedKeys(pol.AtLeast) {
		if !slices.Contains(who, group) {
			who = append(who, group)
		}
	}
	return who
}

// standing answers, from the facts, who of these people may answer a gate. The
// error is a *NeedFacts about everybody of whom too little is known.
func (d *decision) standing(e *workflows.Execution, stage string, pol *workflows.ApprovalPolicy, people []workflows.Principal) (map[string]standing, error) {
	who := append(asksFor(pol), authors(e)...)
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

// authors are who-expressions for the people who wrote or pushed what is in an
// execution and are known only by their name at GitHub: "github:LOGIN".
func authors(e *workflows.Execution) []string {
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

// involvement says what a person has to do with an execution, in words after
// "you"; empty: nothing.
func involvement(e *workflows.Execution, p workflows.Principal, in map[string]bool) string {
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

// notAnApprover refuses a vote, and says who can.
func (d *decision) notAnApprover(e *workflows.Execution, stage string, pol *workflows.ApprovalPolicy) error {
	who := strings.Join(asked(pol), ", ")
	name, machine := d.by.Machine()
	switch {
	case machine:
		return refuse(workflows.CodeNotAnApprover, "a machine's answer counts only where `from` names token:"+name,
			"the token %s may not answer this gate of %s", name, e.Ref())
	case len(pol.From) == 0:
		return refuse(workflows.CodeAccessDenied, "this needs the right approve on "+e.Pipeline+"/"+stage,
			"you may not approve %s in %s", e.Ref(), stage)
	}
	return refuse(workflows.CodeNotAnApprover, "these can: "+who, "you are not among those who may answer this gate of %s", e.Ref())
}
