package rehearsal

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/accesstest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// played is a test of a pipeline, beside the same pipeline in a service.
type played struct {
	*simulation
	t    *testing.T
	real *accesstest.Service
}

// Now is how the pipeline stands in the test of it.
func (p played) Now() (x *workflows.Execution, view *workflows.PipelineView, at time.Time) {
	if row, ok := p.row(p.ids[len(p.ids)-1]); ok {
		x = &row
	}
	v := p.s.View()
	return x, &v, p.at
}

// Ask asks both, which must say the same.
func (p played) Ask(by workflows.Principal, in workflows.Intent) (bool, error) {
	if in.Verb == workflows.View || in.Verb == workflows.Logs {
		return false, nil
	}
	err := p.do(by, in)
	x, _, _ := p.real.Now()
	if in.Execution != "" {
		in.Execution = x.ID
	}
	if in.Target != "" {
		in.Target = x.ID
	}
	_, really := p.real.Submit(p.t.Context(), in, by)
	synctest.Wait()
	if _, hidden := accesstest.Denied(really); said(err) != said(really) && (!hidden || err == nil) { // what somebody cannot see is not there
		p.t.Errorf("%s asks to %s %+v:\nthe test of a pipeline says %s\nthe service says          %s", by.Name, in.Verb, in, said(err), said(really))
	}
	return true, err
}

func (p played) do(by workflows.Principal, in workflows.Intent) error {
	err := p.ask(by, in)
	if err == nil {
		err = p.runUntilIdle()
	}
	return err
}

// does are the words of a test file for what actions do.
var does = map[string]string{accesstest.Hangs: hang, accesstest.InDoubt: inDoubt, accesstest.Fails: fail}

// T21: which right an intent needs, and who needs none, is one rule: what the
// test of a pipeline says is in the table, and in the words of the service.
func TestTheTestOfAPipelineAsksAccess(t *testing.T) {
	for _, st := range accesstest.States() {
		t.Run(st.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := accesstest.Serve(t, st)
				who := directory{mails: map[string]string{}, policy: st.Policy(), outside: st.Groups()}
				for _, name := range st.Askers() {
					who.mails[name] = st.Principal(name).Email
				}
				accesstest.Run(t, st, func() accesstest.Surface {
					real := service.Fresh()
					file := st.Pipeline(t, real.Name)
					p := played{newWorld(&File{pipeline: file, people: who, zone: time.UTC}, time.Now()), t, real}
					for key, word := range st.Outcomes {
						p.fakes[key] = &fake{outcomes: []*node{{kind: scalar, text: does[word]}}, given: map[string]int{}}
					}
					steps := st.Steps(file)
					if st.Freezes != nil { // the service sets them by itself
						steps = append([]workflows.Intent{steps[0], {Verb: workflows.ReplaceFreezes, Freezes: st.Freezes}}, steps[1:]...)
					}
					for _, in := range steps {
						if err := p.do(workflows.EnginePrincipal(), in); err != nil {
							t.Fatal(err)
						}
					}
					return p
				})
			})
		})
	}
}

func said(err error) string {
	var p *workflows.Problem
	if errors.As(err, &p) {
		return p.Code + ": " + p.Message
	}
	return fmt.Sprint(err)
}
