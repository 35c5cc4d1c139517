package accesstest

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
)

// Surface is a place where people ask, with a pipeline of its own in some state.
type Surface interface {
	// Now is how things stand: the execution that was started, nil if none was,
	// the pipeline, and the time.
	Now() (x *workflows.Execution, p *workflows.PipelineView, at time.Time)
	// Ask carries out what somebody asks for. ok is false when this cannot be
	// asked for here; err is the refusal.
	Ask(by workflows.Principal, in workflows.Intent) (ok bool, err error)
}

//go:embed testdata/table.txt
var table string

// The cells of the table.
const (
	may      = "yes"
	mayAny   = "any" // yes, and any revision
	mayNot   = "-"
	frozen   = "ice"  // no right is missing: a freeze keeps it out
	withGate = "gate" // no right is asked for: the gate is looked for first
)

// Run takes a surface through the table in one state. fresh makes one that
// stands so; it is called again whenever something has changed.
func Run(t *testing.T, st State, fresh func() Surface) {
	t.Helper()
	s := fresh()
	for _, ask := range requests() {
		cells := st.row(ask)
		for i, who := range st.Askers() {
			x, view, at := s.Now()
			by, id := st.Principal(who), ""
			if x != nil {
				id = x.ID
			}
			in := ask.of(view.Name, id)
			want := answer(by, in, x, view, at)
			if cells == nil || cells[i] != want {
				t.Errorf("%s: %s asks to %s: workflows/access says %s, the table %v", st.Name, who, ask.Name, want, cells)
				continue
			}
			if ask.Execution+ask.Target != "" && x == nil {
				continue
			}
			ok, err := s.Ask(by, in)
			if !ok {
				continue
			}
			if wrong := disagrees(want, err, visible(by, view.Name)); wrong != "" {
				t.Errorf("%s: %s asks to %s, %s; it %s: %v", st.Name, who, ask.Name, want, wrong, err)
			}
			if err == nil && !ask.reads() {
				if ask.Revisions != nil {
					if y, _, _ := s.Now(); y == nil || anyBranch(y) != (want == mayAny) {
						t.Errorf("%s: %s asks to %s, %s; it gave %+v", st.Name, who, ask.Name, want, y)
					}
				}
				s = fresh()
			}
		}
	}
}

// anyBranch says whether an execution may bring a revision from anywhere.
func anyBranch(x *workflows.Execution) bool {
	return slices.ContainsFunc(x.SourceRevisions, func(r workflows.SourceRevision) bool { return r.AnyBranch })
}

// disagrees says how a surface's answer differs from the table's; empty: it does not.
func disagrees(want string, err error, visible bool) string {
	denied, hidden := Denied(err)
	switch {
	case hidden && visible:
		return "hides what may be looked at"
	case want == mayNot && !denied:
		return "does not refuse it"
	case want == frozen && (err == nil || denied):
		return "does not keep the freeze"
	case want == withGate && (err == nil || denied && visible):
		return "judges it before it finds the gate"
	case (want == may || want == mayAny) && denied && (!hidden || visible):
		return "refuses it"
	}
	return ""
}

// Denied says whether an error refuses somebody for who they are, and whether it
// says so by hiding what they may not see.
func Denied(err error) (denied, hidden bool) {
	var p *workflows.Problem
	if !errors.As(err, &p) {
		return false, false
	}
	hidden = p.Code == workflows.CodePipelineNotFound || p.Code == workflows.CodeExecutionNotFound
	return hidden || p.Code == workflows.CodeAccessDenied || p.Code == workflows.CodeNotAnApprover, hidden
}

// answer is that of workflows/access, with all that the outside knows.
func answer(by workflows.Principal, in workflows.Intent, x *workflows.Execution, view *workflows.PipelineView, at time.Time) string {
	q := access.About(in, by, x, view, at)
	a := ask(q)
	switch {
	case q.AtGate && !q.Alone:
		return withGate
	case !a.Allowed:
		return mayNot
	case a.Frozen:
		return frozen
	case a.Beyond:
		return mayAny
	}
	return may
}

// visible says whether somebody may see the pipeline: if not, it is not there for them.
func visible(by workflows.Principal, pipeline string) bool {
	return ask(access.Right(by, workflows.View, access.Resource{Pipeline: pipeline})).Allowed
}

// ask answers a question, with every fact at hand that it turns on.
func ask(q access.Question) access.Answer {
	policy, known := State{}.Policy(), access.Facts{}
	for {
		a := policy.Ask(q, known)
		if len(a.Open.Lookups) == 0 {
			return a
		}
		for _, l := range a.Open.Lookups {
			known[l] = access.No
			if l.Group == "" || l.As == "" && inGroup(q.By) {
				known[l] = access.Yes
			}
		}
	}
}

// row finds a row of the table: a cell for each of the askers. nil: there is none.
func (st State) row(ask request) []string {
	_, rest, ok := strings.Cut(table, "\n# "+st.Name+"\n")
	if !ok {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "\n# ")
	for line := range strings.Lines(rest) {
		if name, cells, ok := strings.Cut(line, "|"); ok && strings.TrimSpace(name) == ask.Name {
			if all := strings.Fields(cells); len(all) == len(st.Askers()) {
				return all
			}
		}
	}
	return nil
}

// Print is the part of the table about a state, as workflows/access has it now.
func (st State) Print(s Surface) string {
	x, view, at := s.Now()
	id := ""
	if x != nil {
		id = x.ID
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n# %s\n", st.Name)
	line := func(name string, cells []string) {
		fmt.Fprintf(&b, "%-26s|", name)
		for _, c := range cells {
			fmt.Fprintf(&b, " %-5s", c)
		}
		b.WriteString("\n")
	}
	line("", slices.Collect(func(yield func(string) bool) {
		for _, who := range st.Askers() {
			if !yield(strings.TrimPrefix(who, "token:")) {
				return
			}
		}
	}))
	for _, ask := range requests() {
		var cells []string
		for _, who := range st.Askers() {
			cells = append(cells, answer(st.Principal(who), ask.of(view.Name, id), x, view, at))
		}
		line(ask.Name, cells)
	}
	return b.String()
}
