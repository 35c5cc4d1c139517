package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

var updateWorkday = flag.Bool("update-workday", false, "write testdata/workday.golden anew")

// lasting is how long something took, which is said only where it took a second.
var lasting = regexp.MustCompile(` · (waited |took |deployed |last deploy took )?<while>`)

// workday is a team of eight with three pipelines.
type workday struct {
	*fixture
	cho, eve, fay, gus, hal slackfake.User
	commits                 []string
	private                 map[string]int // ephemeral messages that were read, by user
	transcript              strings.Builder
}

// TestWorkingDay plays a working day of eight people with three pipelines, flow by
// flow, against the real binary: first install, first pipeline, an approver on
// holiday, a rejection, a rollback at 3 a.m., a lock and a fix forward, Jira's
// outage, two rollbacks at once, on-call without rights, an auditor's question.
// testdata/workday.golden has every card, thread, direct message, private answer
// and App Home as people find them: whoever reads the channel knows what happened.
func TestWorkingDay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real processes")
	}
	w := newWorkday(t)
	for _, flow := range []struct {
		title string
		play  func()
	}{
		{"1. First install", w.firstInstall},
		{"2. The first pipeline", w.firstPipeline},
		{"3. An approver on holiday", w.approverOnHoliday},
		{"4. A rejection", w.rejection},
		{"5. A rollback at 3 a.m.", w.rollbackAtNight},
		{"6. A lock, and a fix forward", w.lockAndFix},
		{"7. Jira is away", w.jiraAway},
		{"8. Two rollbacks at once", w.twoRollbacks},
		{"9. On call without rights", w.onCallWithoutRights},
		{"10. An auditor's question", w.auditorsQuestion},
	} {
		fmt.Fprintf(&w.transcript, "\n==== %s\n", flow.title)
		flow.play()
	}
	w.compare()
}

func newWorkday(t *testing.T) *workday {
	w := &workday{fixture: team(t), private: map[string]int{}}
	person := func(id, name string) slackfake.User {
		return w.slack.AddUser(slackfake.User{ID: id, Name: strings.ToLower(name), Real: name, Email: strings.ToLower(name) + "@acme.example"})
	}
	w.cho, w.eve, w.fay, w.gus, w.hal = person("UCHO", "Cho"), person("UEVE", "Eve"), person("UFAY", "Fay"), person("UGUS", "Gus"), person("UHAL", "Hal")
	w.github = githubfake.New(githubfake.Options{Token: "gh-token-story", WebhookURL: "http://" + w.addr + "/github/webhook", Secret: hook})
	w.jira = jirafake.New(jirafake.Options{})
	w.repository()
	w.configure("signingSecret: "+signing, serve(t, w.slack), serve(t, w.github), serve(t, w.jira))
	w.rewrite("rollcall.yaml", "release-managers: [ana@acme.example, ben@acme.example]}", `release-managers: [ana@acme.example, ben@acme.example], security: [cho@acme.example], on-call: [fay@acme.example]}
  deputies: {ben@acme.example: eve@acme.example}`)
	w.rewrite("rollcall.yaml", "to: [group:release-managers]}", `to: [group:release-managers]}
    - {allow: [rollback, unlock, logs], to: [group:on-call]}
    - {allow: [edit, audit], to: [hal@acme.example]}`)
	w.rewrite("rollcall.yaml", "may: [view, logs, start,", "may: [view, logs, audit, start,")
	w.rewrite("pipelines/webshop.yaml", "required: 2}", `required: 2, comment: optional}`)
	if err := os.Rename(w.path("pipelines/webshop.yaml"), w.path("webshop.yaml")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	w.start()
	return w
}

// firstInstall: Hal has just installed the app, and there is nothing yet.
func (w *workday) firstInstall() {
	w.says(w.hal, "")
	w.says(w.hal, "help")
	w.says(w.gus, "help")
}

// firstPipeline: three files appear, the first release goes out with two approvals.
func (w *workday) firstPipeline() {
	w.write("pipelines/webshop.yaml", w.read("webshop.yaml"))
	w.write("pipelines/payments.yaml", `
name: payments
variables: [{name: amount, defaultValue: "10", description: the largest payment}]
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/webshop, BranchName: main, DetectChanges: "false"}, outputArtifacts: [app]}]
  - name: Production
    environment: production
    actions:
      - {name: SignOff, provider: Manual, approval: {from: [group:security, group:release-managers], required: 2, atLeast: {"group:security": 1}, requesterMayApprove: false}}
      - {name: Deploy, provider: Wait, runOrder: 2, configuration: {seconds: 0}}
`[1:])
	w.write("pipelines/docs.yaml", `
name: docs
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/webshop, BranchName: main, DetectChanges: "false"}, outputArtifacts: [app]}]
  - name: Site
    environment: production
    actions: [{name: Publish, provider: Wait, configuration: {seconds: 0}}]
`[1:])
	w.until("three pipelines are known", func() bool {
		all, err := w.api.Pipelines(w.t.Context())
		return err == nil && len(all) == 3
	})
	w.release("one", "Open the shop", 1)
	w.says(w.dan, "pipelines")
	w.says(w.eve, "start docs")
	w.pipeline = "docs"
	w.ended(1, workflows.StatusSucceeded)
	w.pipeline = "webshop"
}

// release pushes a page that Ana and Ben approve.
func (w *workday) release(page, message string, n int) {
	w.commits = append(w.commits, w.push(page, message))
	w.approves(w.ana, n)
	w.approves(w.ben, n)
	w.ended(n, workflows.StatusSucceeded)
}

// approverOnHoliday: Ben is away. Dan wrote the change, so Eve, his deputy, answers for him.
func (w *workday) approverOnHoliday() {
	w.commits = append(w.commits, w.push("two", "Sell shoes"))
	w.approves(w.ana, 2)
	w.says(w.dan, "approve webshop#2")
	w.says(w.dan, "status webshop#2")
	w.says(w.eve, "approve webshop#2 for Ben, who is on holiday")
	w.ended(2, workflows.StatusSucceeded)
}

// rejection: security says no to a payment limit, with a reason.
func (w *workday) rejection() {
	w.says(w.dan, "start payments amount=1000")
	w.pipeline = "payments"
	w.until("payments#1 asks", func() bool { return w.gate(1) != nil && len(w.posts("rollcall_gate", w.execution(1).ID)) > 0 })
	w.says(w.cho, "reject payments#1 1000 is more than the licence allows")
	w.ended(1, workflows.StatusFailed)
	w.pipeline = "webshop"
}

// rollbackAtNight: the shop's errors rise; Fay is on call and has a phone.
func (w *workday) rollbackAtNight() {
	w.clicks(w.fay, "Roll back Production", "webshop", 2)
	w.sends(w.fay, 1, "checkout answers 500")
	w.ended(3, workflows.StatusSucceeded)
}

// lockAndFix: production is locked since; Ana locks payments too, and unlocks for the fix alone.
func (w *workday) lockAndFix() {
	w.says(w.ana, "lock payments Production while the shop is repaired")
	w.commits = append(w.commits, w.push("fixed", "Mend the checkout"))
	w.until("#4 waits before Production", func() bool { e := w.execution(4); return e.WaitsFor != nil && e.WaitsFor.For == "transition" })
	w.clicks(w.ana, "Let only #4 in", "webshop", 4)
	w.answer(w.ana, "lets #4 in")
	w.approves(w.ana, 4)
	w.approves(w.ben, 4)
	w.ended(4, workflows.StatusSucceeded)
	w.says(w.ana, "unlock payments Production")
}

// jiraAway: a release breaks while Jira answers 503.
func (w *workday) jiraAway() {
	w.jira.Faults.Set(fault.Fault{Status: http.StatusServiceUnavailable})
	w.commits = append(w.commits, w.push("broken", "Give discounts"))
	w.approves(w.ana, 5)
	w.approves(w.ben, 5)
	w.ended(5, workflows.StatusFailed)
	w.ended(6, workflows.StatusSucceeded)
	w.jira.Faults.Set()
	w.until("there is a ticket", func() bool { return len(w.jira.Issues()) == 1 })
	w.says(w.eve, "status webshop")
}

// twoRollbacks: Ana and Fay have the form open at the same time.
func (w *workday) twoRollbacks() {
	w.clicks(w.ana, "Roll back Production", "webshop", 6)
	w.clicks(w.fay, "Roll back Production", "webshop", 6)
	w.sends(w.ana, 1, "back to the first day")
	w.ended(7, workflows.StatusSucceeded)
	w.sends(w.fay, 2, "back to yesterday")
}

// onCallWithoutRights: Gus stands in for Fay, and nobody has given him the right.
func (w *workday) onCallWithoutRights() {
	w.says(w.gus, "rollback webshop Production webshop#2 still broken")
	w.says(w.gus, "who webshop")
	w.says(w.gus, "logs webshop#5")
}

// auditorsQuestion: who let #4 into production, and on what rule?
func (w *workday) auditorsQuestion() {
	w.transcript.WriteString("$ rollcall audit show webshop#4\n" + w.must("audit", "show", "webshop#4"))
}

// approves presses Approve on the gate of webshop#n.
func (w *workday) approves(who slackfake.User, n int) {
	w.t.Helper()
	w.approve(who, n)
	w.answer(who, fmt.Sprintf("presses Approve for %s#%d", w.pipeline, n))
}

// says types a command in #deploys and waits for the answers that only that person sees.
func (w *workday) says(who slackfake.User, text string) {
	w.t.Helper()
	w.types(who, text)
	w.answer(who, "/rollcall "+text)
}

// answer adds the next private answer to the transcript.
func (w *workday) answer(who slackfake.User, said string) {
	w.t.Helper()
	var all []slackfake.Message
	w.until(who.Real+" is answered after "+said, func() bool {
		all = w.slack.Ephemerals(who.ID)
		return len(all) > w.private[who.ID]
	})
	fmt.Fprintf(&w.transcript, "%s: %s\n", who.Real, said)
	for _, m := range all[w.private[who.ID]:] {
		w.transcript.WriteString(indent("  only "+who.Real+" sees", w.slack.Rendered(m)))
	}
	w.private[who.ID] = len(all)
}

// clicks presses a button on the newest message about an execution that has it.
func (w *workday) clicks(who slackfake.User, label, pipeline string, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s can press %q for %s#%d", who.Real, label, pipeline, n), func() bool {
		id := w.execution(n).ID
		for _, m := range slices.Backward(w.all()) {
			if m.Metadata == nil || !strings.Contains(string(m.Metadata.Payload), id) {
				continue
			}
			for _, b := range m.Buttons() {
				if b.Text == label {
					_, err := w.slack.Click(w.t.Context(), who.ID, m.At(), b.ActionID)
					return err == nil
				}
			}
		}
		return false
	})
	fmt.Fprintf(&w.transcript, "%s presses %q for %s#%d\n", who.Real, label, pipeline, n)
}

// sends chooses webshop#n in the rollback form that is open, and sends it.
func (w *workday) sends(who slackfake.User, n int, reason string) {
	w.t.Helper()
	var view slackfake.View
	w.until("the form of "+who.Real+" is open", func() bool {
		views := w.slack.Views(who.ID)
		if len(views) > 0 {
			view = views[len(views)-1]
		}
		return len(views) > 0 && len(view.Options("target")) > 0
	})
	w.transcript.WriteString(indent("  "+who.Real+" reads", w.slack.RenderedView(view)))
	value := ""
	for _, o := range view.Options("target") {
		if strings.Contains(o.Text, fmt.Sprintf("#%d", n)) {
			value = o.Value
		}
	}
	if value == "" {
		w.t.Fatalf("the form does not offer #%d:\n%s", n, w.slack.RenderedView(view))
	}
	before := len(w.slack.Ephemerals(who.ID))
	if _, err := w.slack.Submit(w.t.Context(), who.ID, view.ID, map[string]string{"target": value, "reason": reason}); err != nil {
		w.t.Fatal(err)
	}
	w.until(who.Real+" is answered", func() bool {
		views := w.slack.Views(who.ID)
		return len(w.slack.Ephemerals(who.ID)) > before || len(views) > 0 && len(views[len(views)-1].Errors) > 0
	})
	for _, v := range w.slack.Views(who.ID) {
		for block, text := range v.Errors {
			fmt.Fprintf(&w.transcript, "  the form says at %s: %s\n", block, text)
		}
	}
	if len(w.slack.Ephemerals(who.ID)) > before {
		w.answer(who, fmt.Sprintf("sends the form: #%d, %s", n, reason))
	}
}

// all are the messages of #deploys with their threads.
func (w *workday) all() (all []slackfake.Message) {
	for _, top := range w.slack.Messages("#deploys") {
		if top.Thread == "" {
			all = append(all, w.slack.Thread("CDEPLOYS", top.TS)...)
		}
	}
	return all
}

// found is what everybody finds in the evening: the channel, its threads, direct
// messages and App Homes.
func (w *workday) found() string {
	var b strings.Builder
	b.WriteString("\n==== In the evening: #deploys\n")
	for _, top := range w.slack.Messages("#deploys") {
		mark := "● "
		if top.Thread != "" {
			mark = "● (in a thread, and here) "
		}
		b.WriteString(indent(mark+who(top), w.slack.Rendered(top)))
		if top.Thread != "" {
			continue
		}
		for _, m := range w.slack.Thread("CDEPLOYS", top.TS)[1:] {
			if !m.Broadcast {
				b.WriteString(indent("    ↳ "+who(m), w.slack.Rendered(m)))
			}
		}
	}
	for _, u := range []slackfake.User{w.ana, w.ben, w.cho, w.dan, w.eve, w.fay, w.gus, w.hal} {
		for _, m := range w.slack.Direct(u.ID) {
			b.WriteString(indent("==== Direct to "+u.Real, w.slack.Rendered(m)))
		}
		if home, ok := w.slack.Home(u.ID); ok {
			b.WriteString(indent("==== App Home of "+u.Real, w.slack.RenderedView(home)))
		}
	}
	return b.String()
}

// who is the notification that comes with a message.
func who(m slackfake.Message) string { return m.Text }

func indent(title, text string) string {
	return title + "\n" + "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}

// compare compares the day with what is recorded.
func (w *workday) compare() {
	w.t.Helper()
	for _, u := range []slackfake.User{w.ana, w.dan, w.fay, w.gus, w.hal} {
		w.acknowledged(u.Real+" opens App Home", func() (slackfake.Ack, error) { return w.slack.OpenHome(w.t.Context(), u.ID) })
		w.until(u.Real+" has an App Home", func() bool { _, ok := w.slack.Home(u.ID); return ok })
	}
	var names []string
	for i, c := range w.commits {
		names = append(names, c, fmt.Sprintf("<commit %d>", i+1), c[:7], fmt.Sprintf("<commit %d>", i+1))
	}
	replace := strings.NewReplacer(append(names, w.dir, "<folder>", w.addr, "<service>")...)
	golden := "testdata/workday.golden"
	want, _ := os.ReadFile(golden)
	got := ""
	asRecorded := func() bool {
		// Whether somebody is mentioned or named depends on whether the message was edited since.
		got = strings.TrimSpace(lasting.ReplaceAllString(scrub(strings.ReplaceAll(replace.Replace(w.transcript.String()+w.found()), "@", "")), "")) + "\n"
		return got == string(want)
	}
	if *updateWorkday {
		for last := ""; last != got || got == ""; { // until all is at rest: Slack's rate limits delay cards
			last = got
			for range 3 {
				w.soon(func() bool { return false })
			}
			asRecorded()
		}
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	if !w.eventually(asRecorded) {
		w.t.Errorf("the day has another end (-want +got):\n%s", cmp.Diff(string(want), got))
	}
	if v := w.slack.Violations(); len(v) > 0 {
		w.t.Errorf("Slack would refuse: %v", v)
	}
}
