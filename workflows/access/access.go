// Package access answers one question: may this principal do that there?
//
// A [Policy] is the configuration's `access`, `admins` and `api.tokens`. It
// allows verbs to people, by rules: nothing is denied, what no rule allows is
// refused. People are named by who-expressions (see subject.Split), alone
// or in groups, which may name other groups. A deputy may act wherever the one
// they stand in for is named; where people are counted, at a gate, a deputy is
// one person all the same (see Policy.Standing).
//
// A surface asks a [Question] about an intent, or about a right alone, and
// [Policy.Ask] answers it with a [Verdict] that says why, and who has the
// right. No surface knows a rule of its own. Without any rule the policy is safe: members may look, admins may do
// everything, nobody else anything. Who is a member of an outside group (a
// Slack user group, a GitHub team) is a fact from elsewhere: an answer says what
// it still depends on ([Open]), whoever asks looks that up and asks again.
package access

import (
	"github.com/rollcall-bot/rollcall/workflows"
)

// Policy says who may do what. The zero Policy lets members look and nothing else.
type Policy struct {
	Admins   []string                    // who-expressions of people: may everything
	Groups   map[string][]string         // name to who-expressions; named elsewhere as "group:NAME"
	Deputies map[string]string           // e-mail to the e-mail of who stands in for them; not transitive
	Rules    []Rule                      // one that fits is enough
	AllowAll bool                        // everything to every member
	Tokens   map[string][]workflows.Verb // by name: an API token may exactly this, everywhere
}

// Rule allows verbs to people, on pipelines or stages.
type Rule struct {
	Allow []workflows.Verb
	To    []string // who-expressions of people
	// On holds "PIPELINE", which covers its stages too, or "PIPELINE/STAGE",
	// which covers only that stage. Each part is a pattern as in path.Match.
	// None: everywhere.
	On []string
}

// Resource is what something is done to. Without a Stage it is the pipeline
// itself, without a Pipeline the whole service.
type Resource struct {
	Pipeline, Stage string
	Environment     string // the stage's; rules do not look at it, words may
}

// String is the resource as people write it: "webshop", "webshop/Production".
func (r Resource) String() string {
	switch {
	case r.Pipeline == "":
		return "everything"
	case r.Stage == "":
		return r.Pipeline
	}
	return r.Pipeline + "/" + r.Stage
}

// Verdict is an answer with its reason.
type Verdict struct {
	Allowed bool
	Reason  string   // a sentence for people, without a full stop
	Holders []string // who has the right there, as who-expressions: who to ask
	Own     bool     // only rollcall itself may: no rule can allow it to anybody
}

// Rights are the verbs that rules and tokens can allow.
func Rights() []workflows.Verb {
	return []workflows.Verb{
		workflows.View, workflows.Logs, workflows.Start, workflows.StopExecution, workflows.Retry, workflows.Approve, workflows.RollBack,
		workflows.Override, workflows.Lock, workflows.Unlock, workflows.Resolve, workflows.Edit, workflows.Audit,
		workflows.StartAnyRevision,
	}
}
