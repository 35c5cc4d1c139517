package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// inJira is a service whose gates are answered in a small Jira.
type inJira struct {
	t       *testing.T
	db      *store.DB
	tracker *jirafake.Server
	runner  *releases
	process *life
	hook    *jira.Webhook
	log     *captured

	instead func(r *http.Request, w http.ResponseWriter) bool // answers in place of Jira; set before the story begins

	mu   sync.Mutex
	call func(r *http.Request) // before each call to Jira
}

// captured is the log of a story, for when it fails.
type captured struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *captured) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

// releases carry out actions: sources bring a commit, deploys succeed or fail.
type releases struct {
	mu   sync.Mutex
	fail bool
}

func (r *releases) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := work.Outcome{State: work.Succeeded}
	for _, a := range t.Action.OutputArtifacts {
		o.Artifacts = append(o.Artifacts, workflows.Artifact{Name: a.Name, Digest: strings.Repeat("ab", 32), Size: 1})
	}
	if t.Action.IsSource() {
		o.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: strings.Repeat("4f2a9c1e5b", 4), RevisionSummary: "Show the total", Author: &workflows.Author{Name: "Dee"}}
	} else if r.fail {
		o = work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}}
	}
	return o, nil
}

func (r *releases) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Succeeded}, nil
}

func (r *releases) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}

// RoundTrip carries a call of the process to Jira.
type toJira struct {
	h *inJira
	s *life
}

func (c toJira) RoundTrip(r *http.Request) (*http.Response, error) {
	c.h.mu.Lock()
	call := c.h.call
	c.h.mu.Unlock()
	if call != nil {
		call(r)
	}
	if c.s.dead.Load() {
		return nil, errPower
	}
	w := httptest.NewRecorder()
	if c.h.instead == nil || !c.h.instead(r, w) {
		c.h.tracker.ServeHTTP(w, r)
	}
	if c.s.dead.Load() { // it was killed while Jira worked
		return nil, errPower
	}
	if w.Code == 0 {
		return nil, errCut
	}
	return w.Result(), nil
}

// People of the stories.
var (
	annInJira  = jirafake.Person{AccountID: "acc-ana", Display: "Ana A."}
	choInJira  = jirafake.Person{AccountID: "acc-cho", Display: "Cho C."}
	deeInJira  = jirafake.Person{AccountID: "acc-dee", Display: "Dee D."}
	stranger   = jirafake.Person{AccountID: "acc-who", Display: "Who Ever"}
	automation = jirafake.Person{AccountID: "acc-ana", Kind: "app", Display: "Automation for Jira"}
	byRule     = jirafake.Person{AccountID: "acc-ana", Display: "Ana A.", Rule: "rule-7"}
)

const shopFile = `name: webshop
triggers: []
variables: [{name: change, defaultValue: none}]
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/a.git", BranchName: main, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
  - name: Production
    environment: production
    actions:
      - {name: SignOff, provider: Manual, timeoutInMinutes: 120, approval: %s}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: [deploy], inputArtifacts: [app]}
`

// answeredInJira tells a story in a bubble of time.
func answeredInJira(t *testing.T, approval string, o jirafake.Options, story func(h *inJira)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h := &inJira{t: t, db: db, tracker: jirafake.New(o), runner: &releases{}, log: &captured{}}
		h.tracker.SetWorkflow(jirafake.Workflow{Statuses: []jirafake.Status{{Name: "To Do", Category: "new"}, {Name: "In Progress", Category: "indeterminate"},
			{Name: "Done", Category: "done"}, {Name: "Approved", Category: "indeterminate"}, {Name: "Declined", Category: "done"}}})
		h.boot()
		defer func() {
			h.kill()
			_ = db.Close()
			if t.Failed() {
				h.log.mu.Lock()
				t.Logf("the log:\n%s\nJira:\n%+v", h.log.text.String(), h.tracker.Issues())
				h.log.mu.Unlock()
			}
		}()
		h.define(approval)
		story(h)
	})
}

func (h *inJira) boot() {
	s := &life{after: true}
	p := port{h.db, s}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	e, err := runtime.New(runtime.Options{Store: p, History: p, Inbox: p, Memos: p, Runs: desk{}, Objects: desk{}, Log: log,
		Runners: map[string]runtime.Runner{"Git": h.runner, "Commands": h.runner},
		Policy: &access.Policy{Admins: []string{"root@acme.example"}, Groups: map[string][]string{"managers": {"ana@acme.example", "cho@acme.example"}}, Rules: []access.Rule{
			{Allow: []workflows.Verb{workflows.View, workflows.Start, workflows.StopExecution, workflows.RollBack}, To: []string{"everyone"}},
			{Allow: []workflows.Verb{workflows.Approve}, To: []string{"group:managers"}},
		}}})
	if err != nil {
		h.t.Fatal(err)
	}
	s.Engine = e
	approvals, err := jira.NewApprovals(jira.ApprovalsOptions{URL: "https://acme.test", User: "bot", Token: "t", Project: "OPS", IssueType: "Task", PublicURL: "https://rollcall.test",
		People: map[string]string{"acc-ana": "ana@acme.example", "acc-cho": "cho@acme.example", "acc-dee": "dee@acme.example", "ana": "ana@acme.example"},
		Engine: e, Notes: e.MemosOf(jira.ApprovalsName), Transport: toJira{h, s}, Log: log,
		Commits: func(context.Context, string, string) (jira.Commits, error) {
			return jira.Commits{Total: 2, List: []work.Commit{{ID: strings.Repeat("a", 40), Summary: "Show the total"}, {ID: strings.Repeat("b", 40), Summary: "Fix the cart"}}}, nil
		}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.hook, err = jira.NewWebhook(jira.WebhookOptions{Secret: "hook", Engine: e, Notes: e.MemosOf(jira.FollowerName), Gates: approvals, Log: log})
	if err != nil {
		h.t.Fatal(err)
	}
	e.AddFollower(approvals)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.running.Go(func() { _ = e.Run(ctx) })
	h.process = s
	<-e.Ready()
	for _, run := range []func(context.Context) error{approvals.Run, h.hook.Run} {
		s.running.Go(func() { _ = run(ctx) })
	}
}

// kill ends the process as kill -9 would.
func (h *inJira) kill() {
	h.process.dead.Store(true)
	h.process.cancel()
	h.process.running.Wait()
}

func (h *inJira) define(approval string) {
	h.t.Helper()
	p, faults := spec.Parse("webshop.yaml", fmt.Appendf(nil, shopFile, approval))
	if len(faults) > 0 {
		h.t.Fatal(faults)
	}
	h.submit(workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: "api"}, workflows.EnginePrincipal())
}

func (h *inJira) submit(in workflows.Intent, by workflows.Principal) event.Result {
	h.t.Helper()
	r, err := h.process.Submit(h.t.Context(), in, by)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// inChat is somebody who acts in Slack.
func inChat(name string) workflows.Principal {
	return workflows.Principal{ID: "slack:" + name, Name: name, Email: name + "@acme.example", Via: "slack"}
}

// start has Dee start an execution, and waits for its gate.
func (h *inJira) start(variables ...string) string {
	h.t.Helper()
	in := workflows.Intent{Verb: workflows.Start, Pipeline: "webshop", Variables: map[string]string{}}
	for i := 0; i+1 < len(variables); i += 2 {
		in.Variables[variables[i]] = variables[i+1]
	}
	id := h.submit(in, inChat("dee")).Execution.ID
	synctest.Wait()
	return id
}

func (h *inJira) execution(id string) workflows.Execution {
	h.t.Helper()
	x, err := h.process.Execution(h.t.Context(), workflows.EnginePrincipal(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return x
}

// gate is the approval of an execution.
func (h *inJira) gate(id string) *workflows.Approval {
	h.t.Helper()
	x := h.execution(id)
	st, ok := x.Stage("Production")
	if !ok || len(st.Actions) == 0 || st.Actions[0].Approval == nil {
		h.t.Fatalf("%s has no gate: %+v", x.Ref(), x.Stages)
	}
	return st.Actions[0].Approval
}

// only is the one issue that Jira has.
func (h *inJira) only() jirafake.Issue {
	h.t.Helper()
	all := h.tracker.Issues()
	if len(all) != 1 {
		h.t.Fatalf("Jira has %d issues, want one: %+v", len(all), all)
	}
	return all[0]
}

// moves has somebody move an issue, and the webhook delivered.
func (h *inJira) moves(by jirafake.Person, key, status string) {
	h.t.Helper()
	time.Sleep(time.Second) // deliveries of one moment are one
	d, err := h.tracker.MoveAs(h.t.Context(), by, key, status)
	if err != nil {
		h.t.Fatal(err)
	}
	if code := h.deliver(d, "hook"); code != http.StatusAccepted {
		h.t.Fatalf("the delivery was answered %d", code)
	}
	synctest.Wait()
}

func (h *inJira) deliver(d jirafake.Delivery, secret string) int {
	r := httptest.NewRequest(http.MethodPost, jira.WebhookPath, strings.NewReader(string(d.Payload)))
	r.Header.Set("X-Atlassian-Webhook-Identifier", d.ID)
	r.Header.Set("X-Hub-Signature", wire.Sign([]byte(secret), d.Payload))
	w := httptest.NewRecorder()
	h.hook.Handler().ServeHTTP(w, r)
	return w.Code
}

// pass lets time pass.
func (h *inJira) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// voters are who has answered, and how.
func voters(g *workflows.Approval) string {
	all := []string{}
	for _, v := range g.Votes {
		all = append(all, v.Answer+" "+v.By.Email+" "+v.Via)
	}
	return strings.Join(all, ", ")
}

// holding counts the comments that hold a text.
func holding(i jirafake.Issue, text string) int {
	n := 0
	for _, c := range i.Comments {
		if strings.Contains(c, text) {
			n++
		}
	}
	return n
}

func TestAGateIsAnsweredInJira(t *testing.T) {
	for _, c := range []struct{ status, closed, voters string }{
		{"Approved", "approved", "approve ana@acme.example jira"},
		{"Declined", "rejected", "reject ana@acme.example jira"},
	} {
		answeredInJira(t, `{from: ["group:managers"], jira: {}}`, jirafake.Options{}, func(h *inJira) {
			id := h.start()
			i := h.only()
			if i.Project != "OPS" || i.Type != "Task" || i.Summary != "Approve webshop#1 into Production" ||
				!strings.Contains(i.Description, "https://rollcall.test/executions/"+id) || !strings.Contains(i.Description, "move this issue to *Approved*") || !strings.Contains(i.Description, "Show the total") {
				t.Errorf("the issue is %+v", i)
			}
			want := workflows.Note{Name: "approval/Production/SignOff", State: "done", Text: i.Key, URL: "https://acme.test/browse/" + i.Key}
			if notes := h.execution(id).Notes; !slices.Contains(notes, want) {
				t.Errorf("the notes are %+v, want %+v", notes, want)
			}
			h.moves(annInJira, i.Key, "In Progress")
			if g := h.gate(id); g.Closed != "" || len(g.Votes) != 0 {
				t.Errorf("a move to another status has answered: %+v", g)
			}
			h.moves(annInJira, i.Key, c.status)
			g := h.gate(id)
			if g.Closed != c.closed || voters(g) != c.voters || g.Votes[0].By.ID != "jira:acc-ana" {
				t.Errorf("%s: the gate is %q by %q", c.status, g.Closed, voters(g))
			}
			if i := h.only(); holding(i, c.closed+" by Ana A.") != 1 || len(i.Comments) != 1 || i.Status != c.status {
				t.Errorf("%s: the issue is in %q and says %q", c.status, i.Status, i.Comments)
			}
		})
	}
}

func TestWhoseMoveDoesNotCount(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], jira: {}}`, jirafake.Options{}, func(h *inJira) {
		id := h.start()
		key := h.only().Key
		for _, c := range []struct {
			who  jirafake.Person
			says string
		}{
			{stranger, "Who Ever is not known to rollcall"},
			{automation, "automations and apps do not answer for people"},
			{byRule, "automations and apps do not answer for people"},
			{deeInJira, "Dee D. is not among the approvers"},
		} {
			h.moves(c.who, key, "Approved")
			h.moves(c.who, key, "To Do")
			h.pass(time.Minute)
			if g := h.gate(id); g.Closed != "" || len(g.Votes) != 0 {
				t.Errorf("the move of %s counts: %q", c.who.Display, voters(g))
			}
			if n := holding(h.only(), c.says); n == 0 {
				t.Errorf("nothing says that %q: %q", c.says, h.only().Comments)
			}
		}
		if n := len(h.only().Comments); n != 4 {
			t.Errorf("%d comments for 4 moves that do not count: %q", n, h.only().Comments)
		}
		refused := 0
		for _, f := range h.frames() {
			for _, e := range f.Events {
				if e.Kind == event.IntentRefused && strings.HasPrefix(e.By.ID, "jira:") {
					refused++
				}
			}
		}
		if refused != 4 {
			t.Errorf("%d refusals are on record, want 4", refused)
		}
		h.moves(choInJira, key, "Approved")
		if g := h.gate(id); g.Closed != "approved" || voters(g) != "approve cho@acme.example jira" {
			t.Errorf("the gate is %q by %q", g.Closed, voters(g))
		}
	})
}

func (h *inJira) frames() []event.Frame {
	h.t.Helper()
	all, err := h.db.Frames(h.t.Context(), "webshop", 0, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func TestTheRequesterDoesNotApproveInJira(t *testing.T) {
	answeredInJira(t, `{from: [dee@acme.example, cho@acme.example], jira: {}}`, jirafake.Options{}, func(h *inJira) {
		id := h.start()
		key := h.only().Key
		h.moves(deeInJira, key, "Approved")
		if g := h.gate(id); len(g.Votes) != 0 || holding(h.only(), "people do not approve what they started") != 1 {
			t.Errorf("the gate has %q, the issue says %q", voters(g), h.only().Comments)
		}
	})
}

func TestTwoPeopleApproveInJiraAndNobodyTwice(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], required: 2, jira: {}}`, jirafake.Options{}, func(h *inJira) {
		id := h.start()
		key := h.only().Key
		h.moves(annInJira, key, "Approved")
		h.moves(annInJira, key, "To Do")
		h.moves(annInJira, key, "Approved")
		if g := h.gate(id); g.Closed != "" || voters(g) != "approve ana@acme.example jira" {
			t.Errorf("after Ana's second move the gate is %q by %q", g.Closed, voters(g))
		}
		i := h.only()
		if holding(i, "The approval of Ana A. counts: 1 of 2 approvals, 1 more needed") != 1 || holding(i, "Ana A. has answered already") != 1 {
			t.Errorf("the issue says %q", i.Comments)
		}
		h.moves(choInJira, key, "To Do")
		h.moves(choInJira, key, "Approved")
		if g := h.gate(id); g.Closed != "approved" || voters(g) != "approve ana@acme.example jira, approve cho@acme.example jira" {
			t.Errorf("the gate is %q by %q", g.Closed, voters(g))
		}
	})
}

// Whoever has answered in chat has answered.
func TestOnePersonAnswersOnceInChatAndInJira(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], required: 2, jira: {}}`, jirafake.Options{}, func(h *inJira) {
		id := h.start()
		h.submit(workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: id}, inChat("ana"))
		h.moves(annInJira, h.only().Key, "Approved")
		if g := h.gate(id); voters(g) != "approve ana@acme.example slack" || holding(h.only(), "Ana A. has answered already") != 1 {
			t.Errorf("the gate has %q, the issue says %q", voters(g), h.only().Comments)
		}
	})
}

func TestAMoveWhoseDeliveryIsLostCounts(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], required: 2, jira: {}}`, jirafake.Options{}, func(h *inJira) {
		id := h.start()
		key := h.only().Key
		noError(t, h.tracker.MoveUnheard(annInJira, key, "Approved"))
		h.pass(70 * time.Second)
		if g := h.gate(id); voters(g) != "approve ana@acme.example jira" {
			t.Errorf("while running: %q", voters(g))
		}
		h.kill()
		for range 6 { // more than comes with the issue
			noError(t, h.tracker.MoveUnheard(annInJira, key, "To Do"))
		}
		noError(t, h.tracker.MoveUnheard(choInJira, key, "Approved"))
		for range 6 {
			noError(t, h.tracker.MoveUnheard(annInJira, key, "To Do"))
		}
		h.boot()
		h.pass(29 * time.Second)
		if g := h.gate(id); g.Closed != "approved" || voters(g) != "approve ana@acme.example jira, approve cho@acme.example jira" {
			t.Errorf("after a start: %q by %q", g.Closed, voters(g))
		}
	})
}

func TestAnIssueThatIsWatched(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], jira: {issue: "#{variables.change}"}}`, jirafake.Options{}, func(h *inJira) {
		key := h.tracker.Open("OPS", "Task", "Release 7")
		noError(t, h.tracker.MoveUnheard(annInJira, key, "Approved"))
		noError(t, h.tracker.MoveUnheard(annInJira, key, "To Do"))
		h.pass(time.Hour)
		id := h.start("change", key)
		h.pass(time.Minute)
		if g := h.gate(id); len(g.Votes) != 0 || g.Jira == nil || g.Jira.Issue != key {
			t.Errorf("a move from before the gate counts: %+v", g)
		}
		h.moves(choInJira, key, "Approved")
		if g := h.gate(id); g.Closed != "approved" || voters(g) != "approve cho@acme.example jira" || h.only().Key != key {
			t.Errorf("the gate is %q by %q", g.Closed, voters(g))
		}
		other := h.start("change", "no key")
		if n := h.execution(other).Notes; len(n) == 0 || !strings.Contains(n[len(n)-1].Text, `"no key" is no key of an issue`) {
			t.Errorf("the notes are %+v", n)
		}
	})
}

// On a server people are known by their user names.
func TestAGateIsAnsweredInJiraDataCenter(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], jira: {}}`, jirafake.Options{OnPremise: true}, func(h *inJira) {
		id := h.start()
		h.moves(jirafake.Person{Name: "ana", Display: "Ana A."}, h.only().Key, "Approved")
		if g := h.gate(id); g.Closed != "approved" || voters(g) != "approve ana@acme.example jira" {
			t.Errorf("the gate is %q by %q", g.Closed, voters(g))
		}
	})
}

// A gate that is decided elsewhere, or asks no more, leaves a comment, and moves nothing.
func TestAnIssueHearsWhatBecameOfItsGate(t *testing.T) {
	for name, c := range map[string]struct {
		ends func(h *inJira, id string)
		says string
	}{
		"in chat": {func(h *inJira, id string) {
			h.submit(workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: id}, inChat("cho"))
		}, "approved by cho"},
		"stopped": {func(h *inJira, id string) {
			h.submit(workflows.Intent{Verb: workflows.StopExecution, Pipeline: "webshop", Execution: id, Reason: "wrong one", Abandon: true}, inChat("cho"))
		}, "it was stopped by cho: wrong one"},
		"expired": {func(h *inJira, _ string) { h.pass(3 * time.Hour) }, "nobody decided before"},
	} {
		t.Run(name, func(t *testing.T) {
			answeredInJira(t, `{from: ["group:managers"], jira: {}}`, jirafake.Options{}, func(h *inJira) {
				id := h.start()
				c.ends(h, id)
				h.pass(time.Minute)
				i := h.only()
				if len(i.Comments) != 1 || !strings.Contains(i.Comments[0], c.says) || !strings.Contains(i.Comments[0], "Moving this issue has no effect now.") || i.Status != "To Do" {
					t.Errorf("the issue is in %q and says %q", i.Status, i.Comments)
				}
				before := len(h.tracker.Calls())
				h.pass(time.Hour)
				if after := h.tracker.Calls(); len(after) != before {
					t.Errorf("an issue that is over is still looked at: %q", after[before:])
				}
			})
		})
	}
}

func TestADeliveryIsForOneWhoKnowsTheSecret(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], required: 2, jira: {}}`, jirafake.Options{}, func(h *inJira) {
		h.start()
		d, err := h.tracker.MoveAs(h.t.Context(), annInJira, h.only().Key, "Approved")
		noError(t, err)
		for _, c := range []struct {
			secret string
			code   int
		}{{"guessed", http.StatusUnauthorized}, {"hook", http.StatusAccepted}, {"hook", http.StatusOK}} {
			if code := h.deliver(d, c.secret); code != c.code {
				t.Errorf("a delivery signed with %q is answered %d, want %d", c.secret, code, c.code)
			}
		}
	})
}

// A delivery that says that Ana moved the issue is not believed: the changelog says who did.
func TestWhoMovedTheIssueIsNotTakenFromTheDelivery(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], jira: {}}`, jirafake.Options{}, func(h *inJira) {
		id := h.start()
		key := h.only().Key
		d, err := h.tracker.MoveAs(h.t.Context(), stranger, key, "Approved")
		noError(t, err)
		var payload map[string]any
		noError(t, json.Unmarshal(d.Payload, &payload))
		payload["user"] = map[string]string{"accountId": "acc-ana", "accountType": "atlassian"}
		d.Payload, err = json.Marshal(payload)
		noError(t, err)
		h.deliver(d, "hook")
		h.pass(time.Minute)
		if g := h.gate(id); g.Closed != "" || len(g.Votes) != 0 {
			t.Errorf("a forged delivery has answered: %q", voters(g))
		}
	})
}

// Killed at every call to Jira, before and after it was carried out, or with an
// answer that got lost: one issue, one vote, each comment once.
func TestAKillBesideAnyCallLeavesOneIssueAndOneVote(t *testing.T) {
	for nth := 1; nth <= 12; nth++ {
		answeredInJira(t, `{from: ["group:managers"], jira: {}}`, jirafake.Options{SearchLag: 20 * time.Second}, func(h *inJira) {
			calls, s := 0, h.process
			h.mu.Lock()
			h.call = func(*http.Request) {
				h.mu.Lock()
				defer h.mu.Unlock()
				if calls++; calls == nth {
					if nth%2 == 0 { // the call is carried out, and the process hears nothing of it
						h.call = nil
						go func() { s.dead.Store(true) }()
						return
					}
					s.dead.Store(true)
				}
			}
			h.mu.Unlock()
			id := h.start()
			h.pass(time.Minute)
			h.restartIfDead()
			h.pass(2 * time.Minute)
			h.restartIfDead()
			key := h.only().Key
			noError(t, h.tracker.MoveUnheard(annInJira, key, "Approved"))
			h.pass(time.Minute)
			h.restartIfDead()
			h.pass(time.Minute)
			h.restartIfDead()
			h.pass(time.Minute)
			g := h.gate(id)
			if i := h.only(); g.Closed != "approved" || voters(g) != "approve ana@acme.example jira" || len(i.Comments) != 1 {
				t.Errorf("killed at call %d: the gate is %q by %q, the issue says %q", nth, g.Closed, voters(g), i.Comments)
			}
		})
	}
}

func (h *inJira) restartIfDead() {
	if h.process.dead.Load() {
		h.kill()
		h.boot()
		synctest.Wait()
	}
}

func TestJiraIsAwayWhenAGateOpens(t *testing.T) {
	answeredInJira(t, `{from: ["group:managers"], jira: {}}`, jirafake.Options{SearchLag: 20 * time.Second}, func(h *inJira) {
		h.tracker.Faults.Set(fault.Fault{Status: http.StatusServiceUnavailable})
		id := h.start()
		h.pass(time.Hour)
		if n := h.execution(id).Notes; len(n) != 1 || n[0].State != "waiting" || len(h.tracker.Issues()) != 0 {
			t.Errorf("while Jira is away the notes are %+v", n)
		}
		h.tracker.Faults.Set(fault.Fault{Match: "POST /rest/api/2/issue$", Times: 1, Status: http.StatusGatewayTimeout, After: true})
		h.pass(3 * time.Minute)
		i := h.only()
		h.moves(annInJira, i.Key, "Approved")
		if g := h.gate(id); g.Closed != "approved" {
			t.Errorf("the gate is %q by %q", g.Closed, voters(g))
		}
	})
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
