package runnertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Rights runs a case as a role that may only what iam-policy prints for it: that
// is enough. Then it takes one action of one statement away after the other, and one
// resource where a statement has several: each time something must go wrong - in a run,
// in one whose start was lost, in a cancel or in a way of the case - that names the
// action and a resource of the statement, in the finding or, where only the log
// suffers, there.
func Rights(t *testing.T, c Case) {
	t.Helper()
	t.Run("with all", func(t *testing.T) {
		for _, s := range c.scenarios() {
			In(t, c.Kind(), func(w *World) {
				c.limit(w, s, nil)
				if o := s.run(w); o.State != s.ends || strings.Contains(w.Log(), "lacks ") || strings.Contains(strings.Join(w.errors, " "), "not authorized") {
					w.T.Errorf("%s: it ended as %s: %+v\n%s", s.name, o.State, o.Error, w.Log())
				}
			})
		}
	})
	for _, lost := range c.needs(t) {
		t.Run("without "+lost.name(), func(t *testing.T) {
			var seen []string
			for _, s := range c.scenarios() {
				told := false
				In(t, c.Kind(), func(w *World) {
					c.limit(w, s, &lost)
					o := s.run(w)
					said := w.Log() + strings.Join(w.errors, "\n")
					told = lost.isNamed(o, said)
					seen = append(seen, fmt.Sprintf("%s: %s %+v", s.name, o.State, o.Error))
				})
				if told {
					return
				}
			}
			t.Errorf("nothing tells that %s is missing:\n%s", lost.name(), strings.Join(seen, "\n"))
		})
	}
}

// scenario is a way in which an action may go.
type scenario struct {
	name  string
	ends  string
	given func(w *World) work.Task
	run   func(w *World) work.Outcome
}

// Way is another way than [Case.Given] in which the same action may go.
type Way struct {
	Name  string
	Ends  string // a state of work; empty: Failed
	Given func(w *World) work.Task
	After time.Duration // when it is cancelled; 0: it is not
}

func (c Case) scenarios() []scenario {
	add := func(name, ends string, run func(w *World) work.Outcome) scenario {
		return scenario{name, ends, c.Given, run}
	}
	all := []scenario{add("a run", work.Succeeded, func(w *World) work.Outcome { return w.Run(*w.given) })}
	for _, op := range c.Once {
		all = append(all, add("an answer that was lost", work.Succeeded, func(w *World) work.Outcome {
			w.AWS.Faults(awsfake.Fault{Operation: op, Trouble: awsfake.CutAfter, Times: 1})
			return w.Run(*w.given)
		}), add("an answer that was lost for long", work.Succeeded, func(w *World) work.Outcome {
			w.AWS.Faults(awsfake.Fault{Operation: op, Trouble: awsfake.CutAfter, Times: retry.DefaultMaxAttempts}) // the SDK tries again by itself
			return w.Late(*w.given, lostFor)
		}))
	}
	if (c.Kind)().Cancel != nil {
		all = append(all, add("a cancel", work.Cancelled, cancelled(4*time.Second)))
	}
	for _, way := range c.Ways {
		s := scenario{way.Name, cmp.Or(way.Ends, work.Failed), way.Given, func(w *World) work.Outcome { return w.Run(*w.given) }}
		if way.After > 0 {
			s.run = cancelled(way.After)
		}
		all = append(all, s)
	}
	return all
}

// cancelled cancels the task after that time. One that was over before is as good.
func cancelled(after time.Duration) func(w *World) work.Outcome {
	return func(w *World) work.Outcome {
		o := w.Stop(*w.given, after)
		if o.State == work.Succeeded {
			o.State = work.Cancelled
		}
		return o
	}
}

// lostFor is longer than AWS remembers tokens.
const lostFor = 10 * time.Minute

// right is an action of a statement, or one of its resources.
type right struct {
	statement, index int
	resource         bool // one of the resources is meant, else one of the actions
	actions          []string
	resources        []string
}

// name is what is missing without it.
func (r right) name() string {
	return strings.Join(r.actions, ",") + " on " + strings.Join(r.resources, ",")
}

var lacks = regexp.MustCompile(`lacks (\S+) on (\S+)|not authorized to perform: (\S+) on resource: (\S+)`)

// isNamed says whether an outcome, or what was said meanwhile, names the right: the
// log, and, of a cancel, which goes on, AWS's own words.
func (r right) isNamed(o work.Outcome, said string) bool {
	for _, m := range lacks.FindAllStringSubmatch(said, -1) {
		if r.is(m[1]+m[3], strings.Trim(m[2]+m[4], `",.:;`)) {
			return true
		}
	}
	return o.Error != nil && r.isIn(o.Error.Finding)
}

// isIn says whether a finding's statement is the right.
func (r right) isIn(f *workflows.Finding) bool {
	var missing struct {
		Action   []string
		Resource string
	}
	return f != nil && json.Unmarshal(f.Statement, &missing) == nil && len(missing.Action) == 1 && r.is(missing.Action[0], missing.Resource)
}

func (r right) is(action, resource string) bool {
	return resource != "" && slices.Contains(r.actions, action) && slices.ContainsFunc(r.resources, func(pattern string) bool { return matches(pattern, resource) })
}

// matches is how IAM compares a resource with a pattern.
func matches(pattern, text string) bool {
	at := strings.IndexAny(pattern, "*?")
	if at < 0 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, pattern[:at])
	if pattern[at] == '?' {
		return ok && rest != "" && matches(pattern[at+1:], rest[1:])
	}
	for i := 0; ok && i <= len(rest); i++ {
		if matches(pattern[at+1:], rest[i:]) {
			return true
		}
	}
	return false
}

// needs are the rights that the kind says it needs for the case.
func (c Case) needs(t *testing.T) (all []right) {
	In(t, c.Kind(), func(w *World) {
		for i, s := range document(w, c.Given(w)).Statements {
			for k, action := range s.Actions {
				all = append(all, right{i, k, false, []string{action}, s.Resources})
			}
			for k, resource := range s.Resources {
				if len(s.Resources) > 1 {
					all = append(all, right{i, k, true, s.Actions, []string{resource}})
				}
			}
		}
	})
	return all
}

// document is what iam-policy prints for the role of a task's action.
func document(w *World, task work.Task) policy.Document {
	w.T.Helper()
	at := policy.Place{Partition: "aws", Region: Region, Account: Account, Artifacts: policy.Store{Region: Region, Bucket: Bucket, Account: Account}}
	p := policy.Pipelines{Name: "webshop", Region: Region, Uses: []policy.Use{{Action: "Stage/Act", Roles: []string{Role}, At: at, Statements: w.Kind.Needs(&task.Action, at)}}}
	for _, d := range p.Policies().Documents {
		if d.Role == Role && d.Kind == "act" {
			return d
		}
	}
	w.T.Fatal("iam-policy prints nothing for the role")
	return policy.Document{}
}

// limit sets a scenario up, and lets the role do what is printed, but for one right.
func (c Case) limit(w *World, s scenario, lost *right) {
	w.T.Helper()
	task := s.given(w)
	w.given = &task
	d := document(w, task)
	if lost != nil {
		s := &d.Statements[lost.statement]
		from := &s.Actions
		if lost.resource {
			from = &s.Resources
		}
		*from = slices.Delete(slices.Clone(*from), lost.index, lost.index+1)
		if len(*from) == 0 {
			d.Statements = slices.Delete(d.Statements, lost.statement, lost.statement+1)
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		w.T.Fatal(err)
	}
	if err := w.AWS.Policies(Role, string(text)); err != nil {
		w.T.Fatal(err)
	}
}
