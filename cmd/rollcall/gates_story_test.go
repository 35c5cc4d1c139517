package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

// actionsFixture is a team whose deployments run in GitHub Actions.
type actionsFixture struct {
	*fixture
	hub  string
	runs int64
}

// askAnswer is what the webhook answers GitHub.
type askAnswer struct {
	Status  int
	Started []string
	Ignored []string
}

const protectionRule = "POST /repos/acme/webshop/actions/runs/"

// actions starts a rollcall that is a GitHub App, with these rows of github.gates and further sections.
func actions(t *testing.T, rows, sections string) *actionsFixture {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	t.Parallel()
	w := &actionsFixture{fixture: team(t), runs: 40}
	w.github = githubfake.New(githubfake.Options{WebhookURL: "http://" + w.addr + "/github/webhook", Secret: hook})
	w.hub = serve(t, w.github)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w.write("app.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	if err := os.MkdirAll(w.path("pipelines"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("rollcall.yaml", fmt.Sprintf(`
listen: %s
slack: {apiURL: %q, botToken: xoxb-story, signingSecret: %s, channel: "#deploys"}
github:
  apiURL: %q
  app: {id: 7, installationID: 1, privateKey: {file: app.pem}}
  webhookSecret: %s
  gates: [%s]
access:
  groups: {release-managers: [ana@acme.example, ben@acme.example, dan@acme.example]}
  rules:
    - {allow: [view, start, stop, retry, logs], to: [everyone]}
    - {allow: [approve, rollback, lock, unlock, override], to: [group:release-managers]}
people: [{email: dan@acme.example, github: dan-gh}]
api:
  tokens: [{name: story, token: %s, may: [view, logs, start, stop, retry, rollback, lock, unlock, approve, edit, override, audit]}]
%s`, w.addr, serve(t, w.slack)+"/api/", signing, w.hub+"/", hook, rows, token, sections)[1:])
	t.Cleanup(w.end)
	w.at("production")
	w.start()
	return w
}

// at has the methods of the fixture speak of an environment.
func (w *actionsFixture) at(environment string) {
	w.pipeline, w.asks = "github-acme.webshop."+environment, environment+"/Approve"
}

// ask has a run come to an environment, and says what the webhook answered.
func (w *actionsFixture) ask(environment, sha string) (deployment int64, answer askAnswer) {
	w.t.Helper()
	w.runs++
	deployment, answer = w.asksFor(githubfake.Waiting{Repository: "acme/webshop", Environment: environment, Run: w.runs, SHA: sha, Ref: "main", Sender: "dan-gh", Installation: 4711})
	if len(answer.Started) != 1 || len(answer.Ignored) != 0 {
		w.t.Fatalf("asked for %s: %+v", environment, answer)
	}
	return deployment, answer
}

func (w *actionsFixture) asksFor(one githubfake.Waiting) (deployment int64, answer askAnswer) {
	w.t.Helper()
	deployment, d, err := w.github.Ask(w.t.Context(), w.hub, one)
	if err != nil {
		w.t.Fatal(err)
	}
	answer.Status = d.Status
	if err := json.Unmarshal(d.Answer, &answer); err != nil {
		w.t.Fatalf("%d %s", d.Status, d.Answer)
	}
	return deployment, answer
}

// becomes waits until GitHub has it so.
func (w *actionsFixture) becomes(what string, deployment int64, holds func(githubfake.Waiting) bool) (one githubfake.Waiting) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), testTimeout)
	defer cancel()
	one, err := w.github.WaitGate(ctx, deployment, holds)
	if err != nil {
		w.t.Fatalf("%s: %v; it is %+v", what, err, one)
	}
	return one
}

func (w *actionsFixture) answer(deployment int64) githubfake.Answered {
	w.t.Helper()
	return w.becomes("GitHub is answered", deployment, func(one githubfake.Waiting) bool { return len(one.Answers) > 0 }).Answers[0]
}

// known waits until the service knows that GitHub has the answer.
func (w *actionsFixture) known(n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("it is noted that GitHub knows of #%d", n), func() bool {
		return slices.ContainsFunc(w.execution(n).Notes, func(note workflows.Note) bool { return note.Name == "answer" && note.State == "done" })
	})
}

// says waits until the gate message of an execution says something.
func (w *actionsFixture) says(n int, text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("the gate of #%d says %q", n, text), func() bool {
		for _, m := range w.posts("rollcall_gate", w.execution(n).ID) {
			if raw, err := json.Marshal(m); err == nil && strings.Contains(string(raw), text) {
				return true
			}
		}
		return false
	})
}

func sha(c string) string { return strings.Repeat(c, 40) }

// Two people let a deployment of GitHub Actions go on in Slack. GitHub's page shows who
// has answered, and gets one answer, also when the service is killed between the votes,
// when GitHub does not answer, and when its answer is lost before a kill.
func TestEnvironmentsOfGitHubActionsAreGates(t *testing.T) {
	w := actions(t, `{repository: acme/*, environment: production, channel: "#deploys", approval: {from: [group:release-managers, "token:story"], required: 2}}`, "")
	first, answer := w.ask("production", sha("a"))
	if answer.Status != http.StatusAccepted {
		t.Errorf("the delivery: %+v", answer)
	}
	again := w.github.Deliveries()
	repeat, err := w.github.Redeliver(t.Context(), again[len(again)-1].ID)
	if err != nil || repeat.Status != http.StatusOK || !strings.Contains(string(repeat.Answer), `"duplicate":true,"started":["`+answer.Started[0]+`"]`) {
		t.Errorf("the same again: %d %s %v", repeat.Status, repeat.Answer, err)
	}
	x := w.execution(1)
	if x.ID != answer.Started[0] || x.Trigger.By.ID != "github:dan-gh" || !strings.Contains(x.Trigger.Detail, "GitHub") || x.SourceRevisions[0].RevisionID != sha("a") || w.gate(1) == nil {
		t.Fatalf("the execution: %+v", x)
	}
	w.says(1, "https://github.com/acme/webshop/actions/runs/41")
	report := w.becomes("the first report", first, func(one githubfake.Waiting) bool { return len(one.Reports) == 1 }).Reports[0]
	if !strings.HasPrefix(report, "0 of 2 approvals") || !strings.Contains(report, "release-managers") {
		t.Errorf("at opening GitHub shows %q", report)
	}
	if status, said := w.post("/api/v1/approvals/"+w.gate(1).Token, map[string]any{"answer": "approve"}); status != http.StatusOK {
		t.Fatalf("the token's vote: %d %v", status, said)
	}
	report = w.becomes("the second report", first, func(one githubfake.Waiting) bool { return len(one.Reports) == 2 }).Reports[1]
	if !strings.HasPrefix(report, "1 of 2 approvals, 1 more needed; approved by token story") {
		t.Errorf("after a vote GitHub shows %q", report)
	}
	w.kill()
	w.start()
	w.github.Faults.Add(fault.Fault{Match: protectionRule, Status: 503, Times: 2})
	w.approve(w.ana, 1)
	w.ended(1, workflows.StatusSucceeded)
	said := w.answer(first)
	for _, word := range []string{"approved", "story", "Ana", x.ID} {
		if !strings.Contains(strings.ToLower(said.State+" "+said.Comment), strings.ToLower(word)) {
			t.Errorf("the answer %+v lacks %q", said, word)
		}
	}
	w.known(1)

	second, _ := w.ask("production", sha("b"))
	w.github.Faults.Add(fault.Fault{Match: protectionRule, Cut: true, After: true, Times: 9})
	w.approve(w.ana, 2)
	w.approve(w.ben, 2)
	w.answer(second)
	w.kill()
	w.github.Faults.Set()
	w.start()
	w.known(2)
	for _, id := range []int64{first, second} {
		if one, _ := w.github.Waiting(id); len(one.Answers) != 1 || len(one.Reports) > 10 {
			t.Errorf("GitHub got %+v", one)
		}
	}
	if _, set := w.request(http.MethodGet, "/api/v1/executions/"+w.execution(2).ID+"/changes", nil); set["from"] != sha("a") || set["to"] != sha("b") {
		t.Errorf("what is in it: %v", set)
	}
	if status, answer := w.post("/api/v1/pipelines/"+w.pipeline+"/executions", map[string]any{}); status != http.StatusConflict || answer["code"] != "Conflict" {
		t.Errorf("a start: %d %v", status, answer)
	}
	if _, said := w.asksFor(githubfake.Waiting{Repository: "acme/webshop", Environment: "production", Run: 99, SHA: sha("c"), Sender: "eve", Installation: 4711,
		Callback: "https://evil.example/repos/acme/webshop/actions/runs/99/deployment_protection_rule"}); len(said.Started) != 0 || len(said.Ignored) != 1 {
		t.Errorf("a foreign callback: %+v", said)
	}
}

// The requester cannot approve; a rejection, and the end of the time limit, reject the
// deployment, with who and why.
func TestADeploymentIsRejected(t *testing.T) {
	w := actions(t, `{repository: acme/webshop, environment: staging, approval: {timeoutInMinutes: 1}}, {repository: acme/webshop, environment: production, approval: {from: [group:release-managers]}}`, "")
	w.at("staging")
	late, _ := w.ask("staging", sha("a"))
	w.at("production")
	id, _ := w.ask("production", sha("a"))
	w.until("the gate opens", func() bool { return w.gate(1) != nil })
	w.until("dan is told", func() bool {
		w.press(w.dan, "rollcall_gate", 1, "approve")
		return w.soon(func() bool { return len(w.slack.Ephemerals(w.dan.ID)) > 0 })
	})
	w.types(w.ben, "reject "+w.pipeline+"#1 the logo is upside down")
	w.ended(1, workflows.StatusFailed)
	x, said := w.execution(1), w.answer(id)
	if said.State != "rejected" || !strings.Contains(said.Comment, "by ben: the logo is upside down") || !strings.Contains(said.Comment, x.ID) || x.StatusReason.Code != "NotApproved" || len(x.Stages[0].Actions[0].Approval.Votes) != 1 {
		t.Errorf("rejected: %+v, %+v", said, x)
	}
	w.at("staging")
	if said := w.answer(late); said.State != "rejected" || !strings.Contains(said.Comment, "xpired") || !strings.Contains(said.Comment, w.execution(1).ID) {
		t.Errorf("expired: %+v", said)
	}
	w.ended(1, workflows.StatusFailed)
	w.known(1)
}

// Whatever passes a gate on GitHub, or ends what waits, ends the execution, whoever
// tells of it, and nothing is answered.
func TestADeploymentIsBypassed(t *testing.T) {
	w := actions(t, `{repository: acme/*, environment: production, approval: {from: [group:release-managers], required: 2}}`, "")
	for n, how := range []string{"deployment_status", "workflow_run", "nobody", "cancelled"} {
		id, _ := w.ask("production", sha(fmt.Sprint(n)))
		w.approve(w.ana, n+1)
		w.becomes("the vote's report", id, func(one githubfake.Waiting) bool { return len(one.Reports) >= 2 })
		var err error
		began := time.Now()
		switch how {
		case "cancelled":
			err = w.github.Cancel(t.Context(), id, "boss", "workflow_run")
		case "nobody":
			w.kill()
			err = w.github.Bypass(t.Context(), id, "boss", "we cannot wait", "")
			w.start()
		default:
			err = w.github.Bypass(t.Context(), id, "boss", "we cannot wait", how)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.ended(n+1, workflows.StatusStopped)
		if took := time.Since(began); took > 20*time.Second && how != "nobody" {
			t.Errorf("%s: noticed after %s", how, took)
		}
		x, code, words := w.execution(n+1), "Bypassed", "bypassed on GitHub by boss: we cannot wait"
		if how == "cancelled" {
			code, words = "EndedOnGitHub", "the run was cancelled on GitHub, by boss"
		}
		if x.StatusReason == nil || x.StatusReason.Code != code || x.StatusReason.Message != words {
			t.Errorf("%s: %+v", how, x.StatusReason)
		}
		w.says(n+1, words[1:])
		if _, said, trouble := w.cli("audit", "show", x.Ref()); !strings.Contains(said+trouble, words) {
			t.Errorf("the audit of %s does not say %q:\n%s%s", how, words, said, trouble)
		}
	}
	w.kill()
	w.start()
	w.until("all is followed", func() bool { return w.execution(4).Status.Final() })
	for id := int64(7000); id < 7004; id++ {
		if one, _ := w.github.Waiting(id); len(one.Answers) != 0 {
			t.Errorf("GitHub was answered: %+v", one)
		}
	}
}

// GitHub takes ten reports of a deployment; more people may answer.
func TestReportsStayWithinGitHubsLimit(t *testing.T) {
	names := make([]string, 14)
	for i := range names {
		names[i] = fmt.Sprintf("token:bot%02d", i)
	}
	var tokens strings.Builder
	for i := range names {
		fmt.Fprintf(&tokens, "    - {name: bot%02d, token: a-long-token-of-bot-%02d, may: [view]}\n", i, i)
	}
	w := actions(t, `{repository: acme/*, environment: production, approval: {required: 14, from: ["`+strings.Join(names, `", "`)+`"]}}`, "")
	w.kill()
	w.write("rollcall.yaml", strings.Replace(w.read("rollcall.yaml"), "  tokens: [{", "  tokens:\n"+tokens.String()+"    - {", 1))
	w.write("rollcall.yaml", strings.Replace(w.read("rollcall.yaml"), "audit]}]", "audit]}", 1))
	w.start()
	id, _ := w.ask("production", sha("a"))
	w.until("the gate opens", func() bool { return w.gate(1) != nil })
	for i := range names {
		w.as(fmt.Sprintf("a-long-token-of-bot-%02d", i), func() {
			if status, said := w.post("/api/v1/approvals/"+w.gate(1).Token, map[string]any{"answer": "approve", "comment": strings.Repeat("fine ", 60)}); status != http.StatusOK {
				t.Fatalf("vote %d: %d %v", i, status, said)
			}
		})
		w.becomes("the report", id, func(one githubfake.Waiting) bool {
			return len(one.Reports) == min(i+2, 10) || i == len(names)-1
		})
	}
	said := w.answer(id)
	one := w.becomes("GitHub has all", id, func(githubfake.Waiting) bool { return true })
	if len(one.Reports) != 10 || !strings.Contains(one.Reports[9], "no more reports") || said.State != "approved" || !strings.Contains(said.Comment, "bot13") {
		t.Errorf("reports %q, answer %+v", one.Reports, said)
	}
	for _, text := range append(one.Reports, said.Comment) {
		if utf8.RuneCountInString(text) > 1024 {
			t.Errorf("%d characters: %s", utf8.RuneCountInString(text), text)
		}
	}
}
