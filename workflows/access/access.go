// Package access answers one question: may this principal do that there?
//
// A [Policy] is the configuration's `access`, `admins` and `api.tokens`. Judge
// answers with a [Verdict] that names its reason.
package access

import "github.com/rollcall-bot/rollcall/workflows"

// Policy says who may do what.
type Policy struct {
	Admins   []string                    // who-expressions: may everything
	Groups   map[string][]string         // name to who-expressions; named "group:NAME"
	Deputies map[string]string           // e-mail to the e-mail of who stands in
	Rules    []Rule                      // any rule that fits is enough
	AllowAll bool                        // everything to every member
	Tokens   map[string][]workflows.Verb // an API token may exactly this
}

// Rule allows verbs to people on pipelines or stages.
type Rule struct {
	Allow []workflows.Verb
	To    []string // who-expressions
	On    []string // "PIPELINE" or "PIPELINE/STAGE", each part a pattern; none: everywhere
}

// Resource is what something is done to. An empty Stage is the pipeline itself.
type Resource struct{ Pipeline, Stage, Environment string }

// Verdict is an answer with its reason in words.
type Verdict struct {
	Allowed bool
	Reason  string
	Holders []string // who has the right, as who-expressions
}

// External returns the outside groups (slack-group:, github-team:) whose
// members must be known to judge these expressions and every rule of the policy.
func (p *Policy) External(who ...string) []string { return nil }

// Matches says whether the who-expression means this principal. member tells
// of the outside groups whether the principal is in them.
func (p *Policy) Matches(pr workflows.Principal, who string, member map[string]bool) bool {
	return false
}

// Judge says whether the principal may do v on a resource.
func (p *Policy) Judge(pr workflows.Principal, v workflows.Verb, on Resource, member map[string]bool) Verdict {
	return Verdict{}
}

// Open returns a sentence for every setting that is open.
func (p *Policy) Open() []string { return nil }

// Problem is a fault of a policy, at a path such as "access.rules[0].to[1]".
type Problem struct{ Path, Message, Hint string }

// Check returns every fault of the policy.
func (p *Policy) Check() []Problem { return nil }
