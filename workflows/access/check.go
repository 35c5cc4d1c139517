package access

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Problem is a fault of a policy. Path leads to it in the configuration file:
// keys and indexes, such as "access", "rules", "0", "to", "1". Below
// "api", "tokens" the next part is the token's name.
type Problem struct {
	Path          []string
	Message, Hint string
}

// Check returns every fault of the policy: unknown groups and verbs, bad
// patterns and who-expressions, rules that allow nothing or nobody.
func (p *Policy) Check() []Problem {
	var c checker
	c.people(p, p.Admins, "admins")
	for _, name := range sorted(p.Groups) {
		c.people(p, p.Groups[name], "access", "groups", name)
		if circle := p.way(name, name, map[string]bool{}); circle != nil {
			c.add("the group names itself: "+strings.Join(circle, " -> "), "take one of them out", "access", "groups", name)
		}
	}
	for _, of := range sorted(p.Deputies) {
		c.deputy(of, p.Deputies[of])
	}
	for i, r := range p.Rules {
		at := []string{"access", "rules", strconv.Itoa(i)}
		if len(r.Allow) == 0 {
			c.add("the rule allows nothing", "add `allow`, a list of verbs", at...)
		}
		if len(r.To) == 0 {
			c.add("the rule allows nobody", "add `to`, a list such as [group:release-managers]", at...)
		}
		c.verbs(r.Allow, join(at, "allow")...)
		c.people(p, r.To, join(at, "to")...)
		c.patterns(r.On, join(at, "on")...)
	}
	for _, name := range sorted(p.Tokens) {
		c.verbs(p.Tokens[name], "api", "tokens", name, "may")
	}
	return c.found
}

// CheckWho says what is wrong with a who-expression from elsewhere, such as a
// pipeline's `owners` or a gate's `from`: its form, or a group or token that
// the policy does not have. Nil: nothing. Path is empty.
func (p *Policy) CheckWho(who string) *Problem {
	kind, name, ok := subject.Split(who)
	_, group := p.Groups[name]
	_, token := p.Tokens[name]
	switch {
	case !ok:
		return &Problem{Message: fmt.Sprintf("%q names nobody", who),
			Hint: "write an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone"}
	case kind == subject.Group && !group:
		return &Problem{Message: fmt.Sprintf("there is no group %q", name), Hint: meant(name, sorted(p.Groups), "define it in access.groups")}
	case kind == subject.Token && !token:
		return &Problem{Message: fmt.Sprintf("there is no token %q", name), Hint: meant(name, sorted(p.Tokens), "define it in api.tokens")}
	}
	return nil
}

// Open returns a sentence for every setting that leaves more open, or more
// closed, than a team in production would want; they are said until closed.
func (p *Policy) Open() []string {
	var open []string
	if p.AllowAll {
		open = append(open, "access.allowAll is on: every member of the workspace may do everything")
	}
	if len(p.Admins) == 0 && len(p.Rules) == 0 && !p.AllowAll {
		open = append(open, "no admins or access rules are configured: members of the workspace can only view, and only tokens may act")
	}
	if p.isEveryone(p.Admins) {
		open = append(open, "admins names everyone: every member of the workspace may do everything")
	}
	harmless := []workflows.Verb{workflows.View, workflows.Logs, workflows.Start, workflows.StopExecution, workflows.Retry}
	for i, r := range p.Rules {
		var verbs []string
		for _, v := range r.Allow {
			if !slices.Contains(harmless, v) {
				verbs = append(verbs, string(v))
			}
		}
		if len(verbs) > 0 && p.isEveryone(r.To) {
			open = append(open, fmt.Sprintf("access.rules[%d] lets every member of the workspace %s on %s", i, strings.Join(verbs, ", "), r.where()))
		}
	}
	return open
}

func (p *Policy) isEveryone(who []string) bool {
	return slices.ContainsFunc(who, func(w string) bool {
		return p.means(w, map[string]bool{}, func(kind, _ string) bool { return kind == subject.Everyone })
	})
}

// way returns the groups that lead from one group to another, or nil.
func (p *Policy) way(from, to string, tried map[string]bool) []string {
	for _, who := range p.Groups[from] {
		kind, next, _ := subject.Split(who)
		if kind != subject.Group || tried[next] {
			continue
		}
		if next == to {
			return []string{from, to}
		}
		tried[next] = true
		if rest := p.way(next, to, tried); rest != nil {
			return join([]string{from}, rest...)
		}
	}
	return nil
}

// checker gathers what Check finds.
type checker struct{ found []Problem }

func (c *checker) add(message, hint string, at ...string) {
	c.found = append(c.found, Problem{Path: at, Message: message, Hint: hint})
}

// people checks expressions that must name people.
func (c *checker) people(p *Policy, who []string, at ...string) {
	for i, w := range who {
		at := join(at, strconv.Itoa(i))
		if kind, _, ok := subject.Split(w); ok && kind == subject.Token {
			c.add(fmt.Sprintf("%q is a machine, not a person", w), "a token may what its `may` in api.tokens lists; a gate names "+w+" in its own `from`", at...)
		} else if fault := p.CheckWho(w); fault != nil {
			c.add(fault.Message, fault.Hint, at...)
		}
	}
}

func (c *checker) deputy(of, deputy string) {
	at := []string{"access", "deputies", of}
	for _, mail := range []string{of, deputy} {
		if kind, _, ok := subject.Split(mail); !ok || kind != subject.Mail {
			c.add(fmt.Sprintf("%q is not an e-mail address", mail), "deputies are one person for another: {ben@acme.example: cho@acme.example}", at...)
		}
	}
	if mailed(of).HasMail(deputy) {
		c.add(deputy+" stands in for themself", "name somebody else", at...)
	}
}

func (c *checker) verbs(verbs []workflows.Verb, at ...string) {
	known := make([]string, 0, len(Rights()))
	for _, v := range Rights() {
		known = append(known, string(v))
	}
	for i, v := range verbs {
		if slices.Contains(known, string(v)) {
			continue
		}
		hint := meant(string(v), known, "one of "+strings.Join(known, ", "))
		if right := v.Right(); right != v {
			hint = fmt.Sprintf("%s includes it", right)
		}
		c.add(fmt.Sprintf("%q is not a verb that can be allowed", v), hint, join(at, strconv.Itoa(i))...)
	}
}

func (c *checker) patterns(patterns []string, at ...string) {
	for i, pattern := range patterns {
		if fault := CheckPattern(pattern); fault != nil {
			c.add(fault.Message, fault.Hint, join(at, strconv.Itoa(i))...)
		}
	}
}

// CheckPattern says what is wrong with a pattern for pipelines and stages, as
// in Rule.On. Nil: nothing. Path is empty.
func CheckPattern(pattern string) *Problem {
	pipeline, stage, staged := strings.Cut(pattern, "/")
	_, err := path.Match(pipeline, "")
	_, err2 := path.Match(stage, "")
	switch {
	case err != nil || err2 != nil:
		return &Problem{Message: fmt.Sprintf("%q is not a pattern", pattern), Hint: "[ needs its ], and \\ something after it"}
	case pipeline == "" || staged && stage == "" || strings.Contains(stage, "/"):
		return &Problem{Message: fmt.Sprintf("%q names neither a pipeline nor a stage", pattern), Hint: "write PIPELINE or PIPELINE/STAGE, each part may hold *"}
	}
	return nil
}

func meant(word string, known []string, otherwise string) string {
	if near, ok := words.Nearest(word, known); ok {
		return "did you mean " + near + "?"
	}
	return otherwise
}

// join returns the path with more behind it, sharing nothing.
func join(at []string, more ...string) []string { return slices.Concat(at, more) }

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
