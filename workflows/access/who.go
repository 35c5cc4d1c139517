package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// Matches says whether a who-expression means this principal, by itself, by a
// group or as a deputy. member tells for each outside group whether the
// principal is in it. Strangers and the engine are never meant; a token only
// by "token:NAME" itself; whoever is only known from a commit or a GitHub
// event, never.
func (p *Policy) Matches(pr workflows.Principal, who string, member map[string]bool) bool {
	if pr.Stranger != "" || pr.IsEngine() {
		return false
	}
	if _, isMachine := pr.Machine(); isMachine {
		return who == pr.ID
	}
	return isMember(pr) && p.means(who, map[string]bool{}, func(kind, who string) bool {
		switch kind {
		case subject.Everyone:
			return true
		case subject.Mail:
			return pr.HasMail(who) || pr.HasMail(p.deputy(who))
		case subject.SlackGroup, subject.GitHubTeam:
			return member[who]
		}
		return false
	})
}

// StandsInFor returns whom the principal is the deputy of: their e-mail
// addresses, in lower case and sorted. A deputy may act wherever one of them is
// named, so in the facts about outside groups a deputy is in theirs too.
func (p *Policy) StandsInFor(pr workflows.Principal) []string {
	var absent []string
	for of, deputy := range p.Deputies {
		if isMember(pr) && pr.HasMail(deputy) {
			absent = append(absent, mailed(of).Key())
		}
	}
	slices.Sort(absent)
	return absent
}

// Standing says which of the expressions a principal counts for where people
// are counted: as themself, or as one of those they stand in for, whichever
// fits more of them (themself, if that is as many), but never as two people at
// once. groups holds the outside groups that match, by whose: "" for the
// principal's own, else the e-mail address as StandsInFor has it. Nobody
// stands in for those who are here and answer themselves (Principal.Key).
func (p *Policy) Standing(pr workflows.Principal, who []string, groups map[string]map[string]bool, here ...string) map[string]bool {
	best, most := map[string]bool{}, -1
	for _, as := range append([]string{""}, p.StandsInFor(pr)...) {
		if slices.Contains(here, as) {
			continue
		}
		fits, n := map[string]bool{}, 0
		for _, w := range who {
			if fits[w] = p.counts(pr, as, w, groups[as]); fits[w] {
				n++
			}
		}
		if n > most {
			best, most = fits, n
		}
	}
	return best
}

// counts is Matches for one person: the principal, or whom they act as.
func (p *Policy) counts(pr workflows.Principal, as, who string, member map[string]bool) bool {
	if as != "" {
		pr = workflows.Principal{ID: pr.ID, Email: as}
	}
	nobodyElse := Policy{Groups: p.Groups}
	return nobodyElse.Matches(pr, who, member)
}

// External returns the outside groups (slack-group:…, github-team:…) behind
// these expressions; sorted, each once. Who has a right depends on those behind
// the Verdict's Holders, and on no others.
func (p *Policy) External(who ...string) []string {
	var outside []string
	note := func(kind, who string) bool {
		if kind == subject.SlackGroup || kind == subject.GitHubTeam {
			outside = append(outside, who)
		}
		return false
	}
	for _, w := range who {
		p.means(w, map[string]bool{}, note)
	}
	slices.Sort(outside)
	return slices.Compact(outside)
}

// Named returns every who-expression that the policy itself names.
func (p *Policy) Named() []string {
	who := slices.Clone(p.Admins)
	for _, r := range p.Rules {
		who = append(who, r.To...)
	}
	for _, name := range sorted(p.Groups) {
		who = append(who, p.Groups[name]...)
	}
	return who
}

// Without is the policy without some of those whom others stand in for: nobody
// acts for somebody who is nobody any more. absent are e-mail addresses.
func (p *Policy) Without(absent []string) *Policy {
	less := *p
	less.Deputies = map[string]string{}
	for of, deputy := range p.Deputies {
		if !slices.ContainsFunc(absent, mailed(of).HasMail) {
			less.Deputies[of] = deputy
		}
	}
	return &less
}

// means asks is about every expression that who stands for, groups opened,
// until one is true. opened holds the groups that have been looked into, so
// that groups which name each other come to an end.
func (p *Policy) means(who string, opened map[string]bool, is func(kind, who string) bool) bool {
	kind, name, ok := subject.Split(who)
	if !ok {
		return false
	}
	if kind != subject.Group {
		return is(kind, who)
	}
	if opened[name] {
		return false
	}
	opened[name] = true
	return slices.ContainsFunc(p.Groups[name], func(who string) bool { return p.means(who, opened, is) })
}

// deputy returns who stands in for an e-mail address, or nothing.
func (p *Policy) deputy(mail string) string {
	for of, deputy := range p.Deputies {
		if mailed(of).HasMail(mail) {
			return deputy
		}
	}
	return ""
}

// standsIn is the part of a reason that tells of a deputy.
func (p *Policy) standsIn(pr workflows.Principal, who string) string {
	if kind, _, _ := subject.Split(who); kind == subject.Mail && !pr.HasMail(who) {
		return fmt.Sprintf(" (%s stands in for %s)", pr.Called(), who)
	}
	return ""
}

// mailed is somebody of whom only the e-mail address is known.
func mailed(mail string) workflows.Principal {
	return workflows.Principal{ID: "mail:" + mail, Name: mail, Email: mail}
}

// isMember says whether a verified surface knows the principal as a person of
// the workspace. Commit authors and GitHub users are not: they prove nothing. Whom
// the configuration joins to a confirmed account elsewhere comes by the address.
func isMember(pr workflows.Principal) bool {
	joined := pr.Email != "" && (strings.HasPrefix(pr.ID, "mail:") || strings.HasPrefix(pr.ID, "jira:"))
	return pr.Stranger == "" && (joined || strings.HasPrefix(pr.ID, "slack:") || strings.HasPrefix(pr.ID, "console:"))
}

// NamedIn are the who-expressions of a definition (owners, who may answer its
// gates, who is asked there), sorted, each once.
func NamedIn(p *workflows.Pipeline) []string {
	who := slices.Clone(p.Owners)
	for _, s := range p.Stages {
		for _, a := range s.Actions {
			if a.Approval != nil {
				who = append(append(who, a.Approval.From...), a.Approval.Ask...)
				who = slices.AppendSeq(who, maps.Keys(a.Approval.AtLeast))
			}
		}
	}
	slices.Sort(who)
	return slices.Compact(who)
}
