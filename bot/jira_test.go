package bot_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// A gate's message leads to the issue in which it is answered, as soon as there is
// one, and says who answered there.
func TestAGateThatIsAnsweredInJira(t *testing.T) {
	const file = `name: webshop
channel: "#webshop"
triggers: []
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/a.git", BranchName: main, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
  - name: Production
    environment: production
    actions: [{name: SignOff, provider: Manual, approval: {required: 2, from: [ana@acme.example, cho@acme.example], requesterMayApprove: true, jira: {}}}]
`
	story(t, file, func(t *testing.T, h *fixture) {
		tracker := jirafake.New(jirafake.Options{})
		tracker.SetWorkflow(jirafake.Workflow{Statuses: []jirafake.Status{{Name: "To Do", Category: "new"}, {Name: "Approved", Category: "indeterminate"}, {Name: "Declined", Category: "done"}}})
		approvals, err := jira.NewApprovals(jira.ApprovalsOptions{URL: "https://acme.test", User: "bot", Token: "t", Project: "OPS", Engine: h.engine, Notes: h.engine.MemosOf(jira.ApprovalsName),
			People: map[string]string{"acc-cho": "cho@acme.example", "acc-gil": "gil@acme.example"}, Transport: wirefake.Direct(tracker), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = approvals.Run(ctx) })
		defer running.Wait()
		defer cancel()
		h.says(h.ben, "start webshop")
		m := h.reads("rollcall_gate", "1", "Jira: OPS-1, moved to *Approved* or *Declined*")
		for _, move := range []struct{ who, name, to string }{{"acc-gil", "Gil G.", "Approved"}, {"acc-cho", "Cho C.", "To Do"}, {"acc-cho", "Cho C.", "Approved"}} {
			if err := tracker.MoveUnheard(jirafake.Person{AccountID: move.who, Display: move.name}, "OPS-1", move.to); err != nil {
				t.Fatal(err)
			}
		}
		h.reads("rollcall_gate", "1", "1 of 2 approvals*: @cho (jira) · 1 more needed")
		h.clicks(h.ana, m, "approve")
		h.reads("rollcall_gate", "1", "approved by @cho", "(jira)")
		h.later(time.Minute)
		i, _ := tracker.Issue("OPS-1")
		if text := strings.Join(i.Comments, "\n"); strings.Count(text, "does not count") != 1 || !strings.Contains(text, "by Gil G. at") || !strings.Contains(text, "approved by cho") {
			t.Errorf("the issue says %q", i.Comments)
		}
	})
}
