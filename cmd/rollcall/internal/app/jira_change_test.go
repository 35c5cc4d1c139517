package app

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/workflows"
)

const changeRequest = `{from: ["group:managers"], jira: {change: true}}`

func projectWithChanges() jirafake.Options {
	return jirafake.Options{IssueTypes: []string{"Task", "[System] Change"}}
}

// A change request is opened with what those who decide want to know; what they
// decide is one answer, and what becomes of the change stands in it.
func TestAChangeRequestIsOneAnswer(t *testing.T) {
	answeredInJira(t, changeRequest, projectWithChanges(), func(h *inJira) {
		id := h.start()
		i := h.only()
		for _, want := range []string{"*Commits:* 2 commits", "Fix the cart", "*Risk:* changes the environment production; 2 commits", "*Back-out:* nothing has run there before"} {
			if !strings.Contains(i.Description, want) {
				t.Errorf("the request lacks %q: %s", want, i.Description)
			}
		}
		if i.Type != "[System] Change" || i.Summary != "Change: webshop#1 into Production" {
			t.Errorf("the request is %+v", i)
		}
		h.moves(annInJira, i.Key, "Approved") // a move is no decision
		h.tracker.Decide(i.Key, jirafake.Decision{Final: "approved", By: []jirafake.Person{annInJira}}, jirafake.Decision{By: []jirafake.Person{choInJira}})
		h.pass(time.Minute)
		if g := h.gate(id); len(g.Votes) != 0 {
			t.Errorf("half a decision has answered: %q", voters(g))
		}
		h.tracker.Decide(i.Key, jirafake.Decision{Final: "approved", By: []jirafake.Person{annInJira}}, jirafake.Decision{Final: "approved", By: []jirafake.Person{choInJira}})
		h.pass(time.Minute)
		g := h.gate(id)
		if g.Closed != "approved" || voters(g) != "approve ana@acme.example jira" || g.Votes[0].Comment != "OPS-1 was approved in Jira by Ana A. and Cho C." {
			t.Errorf("the gate is %q by %q: %+v", g.Closed, voters(g), g.Votes)
		}
		i = h.only()
		if holding(i, "approved by Ana A.") != 1 || holding(i, "Deployed: webshop#1 has succeeded") != 1 || i.Status != "Done" || len(i.Comments) != 2 {
			t.Errorf("the request is in %q and says %q", i.Status, i.Comments)
		}
		for _, call := range h.tracker.Calls() {
			if strings.HasPrefix(call, "POST /rest/servicedeskapi") {
				t.Errorf("rollcall has answered: %s", call)
			}
		}
	})
}

// Whoever decided and is known to nobody here is represented by the request,
// where the pipeline says so, and nowhere else.
func TestADecisionOfPeopleWhomNobodyKnows(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], required: 2, jira: {change: true}}`, projectWithChanges(), func(h *inJira) {
		id := h.start()
		key := h.only().Key
		h.tracker.Decide(key, jirafake.Decision{Final: "approved", By: []jirafake.Person{stranger}})
		h.pass(time.Minute)
		g := h.gate(id)
		if g.Closed != "" || len(g.Votes) != 1 || g.Votes[0].By.ID != "token:jira:change" || g.Votes[0].By.Called() != "change request OPS-1" || g.Votes[0].Via != "jira" {
			t.Errorf("the gate is %q by %+v", g.Closed, g.Votes)
		}
		h.submit(workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: id}, inChat("ana"))
		if g := h.gate(id); g.Closed != "approved" {
			t.Errorf("with Ana the gate is %q by %q", g.Closed, voters(g))
		}
	})
	answeredInJira(t, `{from: ["group:managers"], jira: {}}`, projectWithChanges(), func(h *inJira) {
		id := h.start()
		_, err := h.process.Submit(h.t.Context(), workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: id}, (&workflows.JiraApproval{}).Principal("OPS-1"))
		if err == nil || h.gate(id).Closed != "" {
			t.Error("a change request answers a gate that does not ask for one")
		}
	})
}

// The requester decides about no change of their own.
func TestTheRequesterDecidesAboutAChangeInVain(t *testing.T) {
	answeredInJira(t, `{from: [dee@acme.example, cho@acme.example], jira: {change: true}}`, projectWithChanges(), func(h *inJira) {
		id := h.start()
		key := h.only().Key
		h.tracker.Decide(key, jirafake.Decision{Final: "approved", By: []jirafake.Person{deeInJira}})
		h.pass(3 * time.Minute)
		if g := h.gate(id); len(g.Votes) != 0 || len(h.only().Comments) != 1 || holding(h.only(), "people do not approve what they started") != 1 {
			t.Errorf("the gate has %q, the request says %q", voters(g), h.only().Comments)
		}
		h.tracker.Decide(key, jirafake.Decision{Final: "approved", By: []jirafake.Person{deeInJira}}, jirafake.Decision{Final: "approved", By: []jirafake.Person{choInJira}})
		h.pass(time.Minute)
		if g := h.gate(id); g.Closed != "approved" || voters(g) != "approve cho@acme.example jira" {
			t.Errorf("with Cho the gate is %q by %q", g.Closed, voters(g))
		}
	})
}

func TestAChangeRequestThatIsDeclinedOrFails(t *testing.T) {
	answeredInJira(t, changeRequest, projectWithChanges(), func(h *inJira) {
		id := h.start()
		h.tracker.Decide(h.only().Key, jirafake.Decision{Final: "declined", By: []jirafake.Person{choInJira}})
		h.pass(time.Minute)
		if g := h.gate(id); g.Closed != "rejected" || voters(g) != "reject cho@acme.example jira" {
			t.Errorf("the gate is %q by %q", g.Closed, voters(g))
		}
		if i := h.only(); holding(i, "rejected by Cho C.") != 1 || holding(i, "..") != 0 || holding(i, "Not deployed:") != 1 {
			t.Errorf("the request says %q", i.Comments)
		}
	})
	answeredInJira(t, changeRequest, projectWithChanges(), func(h *inJira) {
		h.runner.mu.Lock()
		h.runner.fail = true
		h.runner.mu.Unlock()
		h.start()
		h.tracker.Decide(h.only().Key, jirafake.Decision{Final: "approved", By: []jirafake.Person{choInJira}})
		h.pass(time.Minute)
		if i := h.only(); holding(i, "Failed: webshop#1 has failed") != 1 || holding(i, "exit status 1") != 1 {
			t.Errorf("the request says %q", i.Comments)
		}
	})
}

// A change that is rolled back later says so; the request that is found is followed like one that was opened.
func TestAChangeThatIsRolledBack(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], jira: {issue: "#{variables.change}", change: true}}`, jirafake.Options{OnPremise: true}, func(h *inJira) {
		for n, want := range []string{"nothing", "1"} {
			key := h.tracker.Open("OPS", "Task", "Change "+want)
			h.tracker.Decide(key, jirafake.Decision{Final: "approved", By: []jirafake.Person{choInJira}})
			id := h.start("change", key)
			h.pass(time.Minute)
			if g := h.gate(id); g.Closed != "approved" {
				t.Fatalf("release %d: the gate is %q", n+1, g.Closed)
			}
		}
		first := h.execution("webshop#1")
		h.submit(workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: first.ID, Reason: "slow"}, workflows.EnginePrincipal())
		h.pass(2 * time.Minute)
		one, _ := h.tracker.Issue("OPS-1")
		two, _ := h.tracker.Issue("OPS-2")
		if holding(two, "Deployed: webshop#2 has") != 1 || holding(two, "Rolled back: Production was rolled back by rollcall to webshop#1 by webshop#3.") != 1 {
			t.Errorf("the second request says %q", two.Comments)
		}
		if holding(one, "Deployed:") != 1 || holding(one, "Rolled back") != 0 {
			t.Errorf("the first request says %q", one.Comments)
		}
		before := len(h.tracker.Calls())
		h.pass(time.Hour)
		if after := h.tracker.Calls(); len(after) != before {
			t.Errorf("requests that are over are still looked at: %q", after[before:])
		}
	})
}

// A gate in a stage of its own is for the one behind it.
func TestAChangeThatIsApprovedInAStageOfItsOwn(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"]}}
  - name: Change
    actions:
      - {name: Ask, provider: Manual, approval: `+changeRequest+`}
  - name: Live
    environment: live
    actions:
      - {name: Check, provider: Commands, commands: [check], inputArtifacts: [app]`, projectWithChanges(), func(h *inJira) {
		id := h.start()
		h.submit(workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: id}, inChat("ana"))
		h.pass(time.Minute)
		h.tracker.Decide(h.only().Key, jirafake.Decision{Final: "approved", By: []jirafake.Person{choInJira}})
		h.pass(time.Minute)
		if i := h.only(); holding(i, "has succeeded in Live") != 1 {
			t.Errorf("the request says %q", i.Comments)
		}
	})
}
