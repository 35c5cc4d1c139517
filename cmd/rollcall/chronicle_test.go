package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/workflows"
)

var updateChronicle = flag.Bool("update-chronicle", false, "write testdata/chronicle.golden anew")

// The life of a change: branch, pull request, merge, deploy, approval through
// Jira, failure, ticket, rollback, fix, recovery. Whoever looks at GitHub and at
// Jira afterwards finds what testdata/chronicle.golden has.
func TestFromCommitToTicketAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real processes")
	}
	w := team(t)
	jiraHook := "jira-webhook-secret"
	w.github = githubfake.New(githubfake.Options{Token: "gh-token-story", WebhookURL: "http://" + w.addr + "/github/webhook", Secret: hook})
	w.jira = jirafake.New(jirafake.Options{WebhookURL: "http://" + w.addr + "/jira/webhook", Secret: jiraHook})
	w.repository()
	w.configure("signingSecret: "+signing, serve(t, w.slack), serve(t, w.github), serve(t, w.jira))
	w.rewrite("rollcall.yaml", "project: OPS, issueType: Bug}", "project: OPS, issueType: Task, webhookSecret: "+jiraHook+"}\npeople: [{email: ana@acme.example, jira: acc-ana, github: ana-dev}, {email: ben@acme.example, jira: acc-ben}, {email: dan@acme.example, github: dan-dev}]")
	w.rewrite("pipelines/webshop.yaml", "variables:", "ticket: {issueType: Bug, labels: [deploy], closeOnSuccess: Done}\nvariables:")
	w.rewrite("pipelines/webshop.yaml", "approval: {from: [group:release-managers], required: 2}", "approval: {from: [group:release-managers], jira: {status: Approved, rejectedStatus: Declined}}")
	t.Cleanup(w.end)
	w.start()
	ana, ben := jirafake.Person{AccountID: "acc-ana", Display: "Ana"}, jirafake.Person{AccountID: "acc-ben", Display: "Ben"}

	// A first release, by hand.
	first := w.push("one", "Open the shop")
	w.approveInJira(ana, 1)
	w.ended(1, workflows.StatusSucceeded)
	// A story in Jira, a branch, a pull request, its merge.
	story := w.jira.Open("OPS", "Story", "Sell shoes")
	sold := w.merge(7, "two", story+" Sell shoes")
	w.approveInJira(ben, 2)
	w.ended(2, workflows.StatusSucceeded)
	// A careless one: production breaks, a ticket is opened, the stage goes back by itself.
	broken := w.merge(8, "broken", story+" Give discounts")
	w.approveInJira(ana, 3)
	w.ended(3, workflows.StatusFailed)
	w.ended(4, workflows.StatusSucceeded)
	w.until("the ticket says what happened next", func() bool {
		return slices.ContainsFunc(w.jira.Issues(), func(i jirafake.Issue) bool { return i.Type == "Bug" && len(i.Comments) == 1 })
	})
	// The fix waits before the locked stage, is admitted and approved, and the ticket is closed.
	fixed := w.merge(9, "fixed", story+" Mend the discounts")
	w.until("#5 waits before Production", func() bool { e := w.execution(5); return e.WaitsFor != nil && e.WaitsFor.For == "transition" })
	w.press(w.ana, "rollcall_execution", 5, "enable")
	w.approveInJira(ben, 5)
	w.ended(5, workflows.StatusSucceeded)

	names := strings.NewReplacer(first, "<first>", sold, "<sold>", broken, "<broken>", fixed, "<fixed>", first[:7], "<first>", sold[:7], "<sold>", broken[:7], "<broken>", fixed[:7], "<fixed>", w.dir, "<folder>", w.addr, "<service>")
	golden := "testdata/chronicle.golden"
	want, _ := os.ReadFile(golden)
	var got string
	asRecorded := func() bool {
		got = scrub(names.Replace(w.chronicle(first, sold, broken, fixed)))
		return got == string(want)
	}
	if *updateChronicle {
		w.soon(func() bool { return false }) // until all is at rest
		asRecorded()
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !w.eventually(asRecorded) {
		t.Errorf("the chronicle has another end (-want +got):\n%s", cmp.Diff(string(want), got))
	}
	if v := w.slack.Violations(); len(v) > 0 {
		t.Errorf("Slack would refuse: %v", v)
	}
}

// rewrite changes a file that the fixture has written.
func (w *fixture) rewrite(name, old, text string) {
	w.t.Helper()
	before := w.read(name)
	if !strings.Contains(before, old) {
		w.t.Fatalf("%s lacks %q:\n%s", name, old, before)
	}
	w.write(name, strings.Replace(before, old, text, 1))
}

// merge merges a pull request of Dan's: GitHub delivers that it was closed, and the push.
func (w *fixture) merge(number int, page, title string) string {
	w.t.Helper()
	sha := w.commit(page, fmt.Sprintf("%s (#%d)", title, number))
	pull := githubfake.Pull{Repository: "acme/webshop", Number: number, Action: "opened", Base: "main", Head: fmt.Sprintf("change-%d", number), Commit: sha, Title: title, Author: "dan-dev", Commits: []string{sha}, MergeCommit: sha}
	for _, action := range []string{"opened", "closed"} {
		pull.Action, pull.Merged = action, action == "closed"
		if d, err := w.github.Pull(w.t.Context(), pull); err != nil || d.Status >= 300 {
			w.t.Fatalf("pull request %d, %s: %d %s %v", number, action, d.Status, d.Answer, err)
		}
	}
	if d, err := w.github.Push(w.t.Context(), githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: sha, Message: fmt.Sprintf("%s (#%d)", title, number),
		Author: githubfake.Person{Name: "Dan", Email: "dan@acme.example", Login: "dan-dev"}, Pusher: "dan-dev", Files: []string{"page"}}); err != nil || d.Status != 202 {
		w.t.Fatalf("the push: %d %s %v", d.Status, d.Answer, err)
	}
	return sha
}

// approveInJira moves the issue of the approval of webshop#n to Approved, as somebody.
func (w *fixture) approveInJira(by jirafake.Person, n int) {
	w.t.Helper()
	asked := ""
	w.until(fmt.Sprintf("the approval of #%d is an issue", n), func() bool {
		for _, i := range w.jira.Issues() {
			if strings.Contains(i.Summary, fmt.Sprintf("webshop#%d", n)) && i.Type == "Task" {
				asked = i.Key
			}
		}
		return asked != "" && w.gate(n) != nil
	})
	w.until("the move of "+asked+" is heard", func() bool {
		d, err := w.jira.MoveAs(w.t.Context(), by, asked, "Approved")
		return err == nil && d.Status < 300
	})
}

// eventually is until for what is compared afterwards.
func (w *fixture) eventually(holds func() bool) bool {
	for range 10 {
		if w.soon(holds) {
			return true
		}
	}
	return false
}

// chronicle is what people find on GitHub and in Jira, and the release notes.
func (w *fixture) chronicle(commits ...string) string {
	var b strings.Builder
	b.WriteString("== GitHub\n")
	for _, d := range w.github.Deployments() {
		fmt.Fprintf(&b, "deployment %s to %s, %s: %s\n", d.SHA, d.Environment, d.Task, d.State())
	}
	statuses := map[string]string{}
	for _, st := range w.github.Statuses("") {
		statuses[st.SHA+" "+st.Context] = fmt.Sprintf("%s, %s", st.State, st.Description)
	}
	for _, sha := range commits {
		for _, name := range []string{"", "/Source", "/Build", "/Production"} {
			fmt.Fprintf(&b, "status %s rollcall/webshop%s: %s\n", sha, name, statuses[sha+" rollcall/webshop"+name])
		}
	}
	for number := 7; number <= 9; number++ {
		for _, c := range w.github.Comments("acme/webshop", number) {
			fmt.Fprintf(&b, "comment on #%d:\n%s\n", number, c.Body)
		}
	}
	for _, i := range w.jira.Issues() {
		fmt.Fprintf(&b, "== Jira %s %s, %s: %s\nlabels %v\n%s\n", i.Key, i.Type, i.Status, i.Summary, i.Labels, i.Description)
		for _, l := range w.jira.RemoteLinks(i.Key) {
			fmt.Fprintf(&b, "link %s, %s\n", l.Title, l.Summary)
		}
		for _, c := range i.Comments {
			fmt.Fprintf(&b, "comment:\n%s\n", c)
		}
	}
	for _, since := range []string{"webshop#1", "webshop#2"} {
		b.WriteString("== Notes since " + since + "\n" + w.must("notes", "webshop", "Production", "--since", since))
	}
	return b.String()
}

// What differs from run to run: IDs, times, and how long something took.
var differing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<id>"},
	{regexp.MustCompile(`[0-9a-f]{64}`), "<digest>"},
	{regexp.MustCompile("Reference ID `?[0-9a-f]+`?|Reference [0-9a-f]{12}"), "Reference <id>"},
	{regexp.MustCompile(`\brecords? \d+( to \d+)?`), "record <n>"},
	{regexp.MustCompile(`rollcall-[0-9a-f]{16}`), "rollcall-<label>"},
	{regexp.MustCompile(`127(\.\d+){3}:\d+`), "<github>"},
	{regexp.MustCompile(`\([0-9a-f]{8}\)|\(event \d+\)`), "(<mark>)"},
	{regexp.MustCompile(`\b\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b`), "<day>"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC)?`), "<time>"},
	{regexp.MustCompile(`\b\d\d:\d\d( UTC)?\b`), "<time>"},
	{regexp.MustCompile(`\b\d+ (ms|s|min)\b`), "<while>"},
}

func scrub(text string) string {
	for _, d := range differing {
		text = d.what.ReplaceAllString(text, d.as)
	}
	return text
}
