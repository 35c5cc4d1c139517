package runtime_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// two is a pipeline whose gate asks two people, and reminds them.
const two = `
name: webshop
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Production
    actions:
      - {name: SignOff, provider: Manual, approval: {required: 2, from: [ana@acme.example, ben@acme.example, "token:ci"], requesterMayApprove: true, remindAt: [25%]}, timeoutInMinutes: 120}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: ["true"], inputArtifacts: [app]}
`

// What is listed of an open gate is what its execution shows, whatever happened to
// it, and no state is read for it; a gate that was noted by an earlier version is
// read from the state.
func TestOpenApprovalsAreListedWithoutAnyState(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(two)
		id := w.begin("webshop")
		synctest.Wait()
		check := func(when string, count int) {
			t.Helper()
			synctest.Wait()
			loads := w.plug.loads
			open := w.gates()
			if len(open) != count || w.plug.loads != loads {
				t.Fatalf("%s: %d gates are listed, after %d states were read", when, len(open), w.plug.loads-loads)
			}
			for _, o := range open {
				x := w.execution(id)
				st, _ := x.Stage(o.Stage)
				a, _ := st.Action(o.Action)
				want, _ := json.Marshal(say.OpenApproval{Pipeline: "webshop", Execution: id, Number: x.Number, Stage: st.Name, Action: a.Name,
					Approval: *a.Approval, SourceRevisions: x.SourceRevisions, StartedBy: x.Trigger})
				if got, _ := json.Marshal(o); string(got) != string(want) {
					t.Errorf("%s:\n%s is listed\n%s is shown", when, got, want)
				}
			}
		}
		check("it opened", 1)
		time.Sleep(31 * time.Minute)
		check("people were reminded", 1)
		if g := w.gates()[0].Approval; len(g.Reminded) != 1 {
			t.Errorf("reminded: %v", g.Reminded)
		}
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: id})
		check("one has answered", 1)
		w.define(strings.Replace(two, "required: 2", "required: 3", 1))
		check("the definition asks for more", 1)
		if g := w.gates()[0].Approval; g.Required != 3 || len(g.Votes) != 1 {
			t.Errorf("%d are required, %d have answered", g.Required, len(g.Votes))
		}
		w.disk.mu.Lock()
		for key, value := range w.disk.memos {
			if strings.HasPrefix(key, "runtime\x00gate/open/") {
				from := strings.Index(string(value), `,"open":`)
				w.disk.memos[key] = []byte(string(value[:from]) + "}")
			}
		}
		w.disk.mu.Unlock()
		if open := w.gates(); len(open) != 1 || open[0].Approval.Required != 3 || open[0].Number != 1 {
			t.Errorf("as an earlier version noted it: %+v", open)
		}
		w.define(two)
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
		check("it is approved", 0)
	})
}
