package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

func TestSignedPushesStartOnce(t *testing.T) {
	w := newWorld(t)
	sha := w.commit("one", "First")
	body := githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: sha, Message: "First", Pusher: "dan-dev"}.Payload()
	mac := hmac.New(sha256.New, []byte(hook))
	mac.Write(body)
	good := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	send := func(delivery, signature string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.addr+"/github/webhook", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GitHub-Event", "push")
		req.Header.Set("X-GitHub-Delivery", delivery)
		if signature != "" {
			req.Header.Set("X-Hub-Signature-256", signature)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(res.Body)
		return res.StatusCode, b.String()
	}
	for _, bad := range []string{"", "sha256=00", "sha1=" + good[7:47], "sha256=" + strings.Repeat("0", 64)} {
		if status, _ := send("d0", bad); status != http.StatusUnauthorized {
			t.Errorf("signature %q: %d", bad, status)
		}
	}
	if n := len(w.executions()); n != 0 {
		t.Fatalf("bad signatures started %d executions", n)
	}
	status, text := send("d1", good)
	var answer struct {
		Started   []string
		Duplicate bool
	}
	_ = json.Unmarshal([]byte(text), &answer)
	if status != http.StatusAccepted || len(answer.Started) != 1 || answer.Started[0] != w.execution(1).ID {
		t.Fatalf("a signed push: %d %s", status, text)
	}
	status, text = send("d1", good)
	_ = json.Unmarshal([]byte(text), &answer)
	if status != http.StatusOK || !answer.Duplicate {
		t.Errorf("the same delivery: %d %s", status, text)
	}
	if status, text = send("d2", good); status != http.StatusOK || !strings.Contains(text, `"duplicate":true`) {
		t.Errorf("the same push under another delivery: %d %s", status, text)
	}
	if n := len(w.executions()); n != 1 {
		t.Errorf("%d executions, want 1", n)
	}
}

func TestSlackSignaturesCountOnce(t *testing.T) {
	w := newWorld(t)
	send := func(team, app string, change func(http.Header)) int {
		body := []byte("command=%2Frollcall&text=start+webshop&team_id=" + team + "&api_app_id=" + app + "&user_id=UANA&channel_id=CDEPLOYS&trigger_id=1.1&response_url=http%3A%2F%2F127.0.0.1%3A1%2F")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.addr+"/slack/commands", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w.slack.Sign(req.Header, body)
		change(req.Header)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	old := func(h http.Header) {
		body := "command=%2Frollcall&text=start+webshop&team_id=T1&api_app_id=A1&user_id=UANA&channel_id=CDEPLOYS&trigger_id=1.1&response_url=http%3A%2F%2F127.0.0.1%3A1%2F"
		ts := fmt.Sprint(time.Now().Add(-10 * time.Minute).Unix())
		mac := hmac.New(sha256.New, []byte(signing))
		mac.Write([]byte("v0:" + ts + ":" + body))
		h.Set("X-Slack-Request-Timestamp", ts)
		h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	}
	for name, status := range map[string]int{
		"missing":      send("T1", "A1", func(h http.Header) { h.Del("X-Slack-Signature") }),
		"wrong":        send("T1", "A1", func(h http.Header) { h.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64)) }),
		"old":          send("T1", "A1", old),
		"another team": send("T2", "A1", func(http.Header) {}),
		"another app":  send("T1", "A2", func(http.Header) {}),
	} {
		if status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, status)
		}
	}
	var kept http.Header
	if status := send("T1", "A1", func(h http.Header) { kept = h.Clone() }); status != http.StatusOK {
		t.Fatalf("a signed command: %d", status)
	}
	if status := send("T1", "A1", func(h http.Header) {
		for _, k := range []string{"X-Slack-Request-Timestamp", "X-Slack-Signature"} {
			h.Set(k, kept.Get(k))
		}
	}); status != http.StatusUnauthorized {
		t.Errorf("a repeated signature: %d, want 401", status)
	}
	w.until("the one signed command started one execution", func() bool { return len(w.executions()) == 1 })
}

func (w *fixture) onlyVisibleTo(user slackfake.User, words ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s is told %q", user.Name, words), func() bool {
		for _, m := range w.slack.Ephemerals(user.ID) {
			text, all := w.slack.Rendered(m)+m.Text, true
			for _, word := range words {
				all = all && strings.Contains(text, word)
			}
			if all {
				return true
			}
		}
		return false
	})
}

func TestTheGateListensToTheRightPeople(t *testing.T) {
	w := newWorld(t)
	w.push("one", "First")
	w.until("the gate opens", func() bool { return w.gate(1) != nil })
	w.press(w.dan, "rollcall_gate", 1, "approve")
	w.onlyVisibleTo(w.dan, "release-managers")
	w.press(w.guest, "rollcall_gate", 1, "approve")
	w.onlyVisibleTo(w.guest, "guest")
	if g := w.gate(1); len(g.Votes) != 0 {
		t.Fatalf("votes: %+v", g.Votes)
	}
	w.approve(w.ana, 1)
	w.until("the gate says 1 of 2, and Ana", func() bool {
		text := ""
		for _, m := range w.posts("rollcall_gate", w.execution(1).ID) {
			text += w.slack.Rendered(m)
		}
		return strings.Contains(text, "1 of 2") && strings.Contains(text, "ana")
	})
	// Keep the message as Ben's client may still show it, and click it after the decision.
	gate := w.posts("rollcall_gate", w.execution(1).ID)[0]
	w.approve(w.ben, 1)
	w.ended(1, workflows.StatusSucceeded)
	w.until("the buttons are gone", func() bool {
		for _, b := range w.posts("rollcall_gate", w.execution(1).ID)[0].Buttons() {
			if strings.HasPrefix(b.ActionID, "approve") {
				return false
			}
		}
		return true
	})
	w.stale(gate)
	w.onlyVisibleTo(w.ben, "ana", "ben")
}

// stale clicks approve as a client that has not seen the edit yet.
func (w *fixture) stale(m slackfake.Message) {
	w.t.Helper()
	var value, block string
	for _, b := range m.Buttons() {
		if strings.HasPrefix(b.ActionID, "approve") {
			value, block = b.Value, b.BlockID
		}
	}
	payload, err := json.Marshal(map[string]any{"type": "block_actions", "team": map[string]any{"id": "T1"}, "api_app_id": "A1", "user": map[string]any{"id": w.ben.ID, "team_id": "T1"},
		"channel": map[string]any{"id": m.Channel}, "message": map[string]any{"ts": m.TS}, "container": map[string]any{"type": "message", "channel_id": m.Channel, "message_ts": m.TS},
		"trigger_id": "9.9", "actions": []any{map[string]any{"type": "button", "action_id": "approve", "block_id": block, "value": value, "action_ts": "1.1"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	body := []byte("payload=" + strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B", ";", "%3B").Replace(string(payload)))
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.addr+"/slack/interactions", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.slack.Sign(req.Header, body)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("a late click: %d", res.StatusCode)
	}
}

func TestARejectionIsNeitherTicketNorRollback(t *testing.T) {
	w := newWorld(t)
	w.push("one", "First")
	w.approve(w.ana, 1)
	w.approve(w.ben, 1)
	w.ended(1, workflows.StatusSucceeded)
	sha := w.push("two", "Second")
	w.until("the gate opens", func() bool { return w.gate(2) != nil })
	w.until("the form opens", func() bool { // in the three seconds after the click, or after another one
		w.press(w.ben, "rollcall_gate", 2, "reject")
		return w.soon(func() bool { return len(w.slack.Views(w.ben.ID)) > 0 })
	})
	view := w.slack.Views(w.ben.ID)[0]
	w.until("the form is taken", func() bool {
		_, err := w.slack.Submit(t.Context(), w.ben.ID, view.ID, map[string]string{"reason": "not on a Friday"})
		return err == nil || w.execution(2).Status.Final()
	})
	w.ended(2, workflows.StatusFailed)
	if e := w.execution(2); e.StatusReason == nil || e.StatusReason.Code != "NotApproved" {
		t.Errorf("reason: %+v", e.StatusReason)
	}
	w.until("GitHub says who did not approve", func() bool {
		s, ok := w.github.Latest(sha, "rollcall/webshop")
		return ok && s.State == "failure" && strings.Contains(s.Description, "not approved by ben")
	})
	if n := len(w.executions()); n != 2 || len(w.jira.Issues()) != 0 {
		t.Errorf("%d executions, %d tickets", n, len(w.jira.Issues()))
	}
}

func TestBadInputIsToldAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.push("one", "First")
	w.until("the gate opens", func() bool { return w.gate(1) != nil })
	before := len(w.executions())
	id := w.execution(1).ID
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/api/v1/pipelines/webshoop/executions", `{}`, 404, "PipelineNotFound"},
		{"/api/v1/pipelines/webshop/executions", `{"variables":{"nope":"1"}}`, 400, "Validation"},
		{"/api/v1/pipelines/webshop/executions", `{"variables":`, 400, "Validation"},
		{"/api/v1/pipelines/webshop/executions", `"` + strings.Repeat("x", 10<<20) + `"`, 413, "TooLarge"},
		{"/api/v1/pipelines/webshop/stages/Prod/rollback", `{"target":"` + id + `"}`, 404, "StageNotFound"},
		{"/api/v1/pipelines/webshop/stages/Production/rollback", `{"target":"` + id + `"}`, 409, "UnableToRollbackStage"},
		{"/api/v1/pipelines/webshop/stages/Production/rollback", `{"target":"018f0000-0000-7000-8000-000000000000"}`, 404, "PipelineExecutionNotFound"},
		{"/api/v1/pipelines/webshop/stages/Source/rollback", `{"target":"` + id + `"}`, 409, "UnableToRollbackStage"},
		{"/api/v1/executions/webshop%2399/stop", `{}`, 404, "PipelineExecutionNotFound"},
		{"/api/v1/approvals/018f0000-0000-7000-8000-000000000000", `{"answer":"approve"}`, 404, "InvalidApprovalToken"},
		{"/github/webhook", strings.Repeat("x", 10<<20), 413, ""},
		{"/slack/commands", strings.Repeat("x", 10<<20), 413, ""},
	} {
		status, answer := w.request(http.MethodPost, c.path, []byte(c.body), "X-Hub-Signature-256", "sha256=00", "X-Hub-Signature", "sha256=00") // without one, a body is not even measured
		if status != c.status || c.code != "" && answer["code"] != c.code || c.code != "" && answer["detail"] == "" {
			t.Errorf("%s %.60s: %d %v, want %d %s", c.path, c.body, status, answer, c.status, c.code)
		}
	}
	if n := len(w.executions()); n != before || w.gate(1) == nil {
		t.Errorf("something changed: %d executions", n)
	}
	// A second service on the same data.
	other := strings.Replace(w.read("rollcall.yaml"), w.addr, freeAddr(t), 1)
	w.write("second.yaml", other)
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.service.Path, "serve", "--config", w.path("second.yaml"))
	cmd.Env = append(cmd.Environ(), "ROLLCALL_TEST_AS_SERVICE=1")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "another rollcall") {
		t.Errorf("a second service: %v\n%s", err, out.String())
	}
}

func TestCommandsSeeNoSecretAndVariablesStayText(t *testing.T) {
	w := newWorld(t)
	w.write("pipelines/env.yaml", `
name: env
variables: [{name: note, defaultValue: "-"}]
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/other, BranchName: main}, outputArtifacts: [app]}]
  - name: Print
    actions: [{name: Env, provider: Commands, commands: ["env", "echo note: #{variables.note}", "ls"], inputArtifacts: [app]}]
`[1:])
	w.git("", "clone", "-q", "--bare", w.path("git/acme/webshop.git"), w.path("git/acme/other.git"))
	w.commit("one", "First")
	w.git("work", "push", "-q", w.path("git/acme/other.git"), "HEAD:main")
	w.until("the new file is in force", func() bool { _, err := w.api.Pipeline(t.Context(), "env"); return err == nil })
	if status, answer := w.post("/api/v1/pipelines/env/executions", map[string]any{"variables": map[string]string{"note": "x; touch pwned"}}); status != http.StatusCreated {
		t.Fatalf("start: %d %v", status, answer)
	}
	w.until("it ends", func() bool {
		e, err := w.api.Execution(t.Context(), "env#1")
		return err == nil && e.Status.Final()
	})
	var log bytes.Buffer
	if _, err := w.api.Log(t.Context(), "env#1", "Print", "Env", 0, 0, &log); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	if !strings.Contains(text, "note: x; touch pwned") || strings.Contains(text, "\npwned") || !strings.Contains(text, "ROLLCALL_EXECUTION=env#1") {
		t.Errorf("the log:\n%s", text)
	}
	for _, secret := range append(w.secretsOfService, "must-not-leak", "SECRET_OF_THE_SERVICE") {
		if strings.Contains(text, secret) {
			t.Errorf("the environment holds %s:\n%s", secret, text)
		}
	}
}

// Two failing releases, Jira away, the service killed in between: each comes
// back by exactly one rollback, to what worked, and there is one ticket.
func TestOneTicketAndOneRollbackPerFailure(t *testing.T) {
	w := newWorld(t)
	release := func(n int, page string) {
		w.push(page, "Release "+page)
		w.approve(w.ana, n)
		w.approve(w.ben, n)
	}
	release(1, "one")
	w.ended(1, workflows.StatusSucceeded)
	w.jira.Faults.Set(fault.Fault{Status: http.StatusServiceUnavailable})
	release(2, "broken")
	w.ended(3, workflows.StatusSucceeded)
	w.until("the card says that Jira is away", func() bool {
		cards := w.posts("rollcall_execution", w.execution(2).ID)
		return len(cards) == 1 && strings.Contains(w.slack.Rendered(cards[0]), "Jira is away")
	})
	w.kill()
	w.start()
	w.push("broken again", "Release broken again")
	w.until("#4 waits before the locked stage", func() bool { e := w.execution(4); return e.WaitsFor != nil })
	if status, answer := w.post("/api/v1/pipelines/webshop/stages/Production/transition", map[string]any{"enabled": true, "only": w.execution(4).ID}); status != http.StatusOK {
		t.Fatalf("unlock for it alone: %d %v", status, answer)
	}
	w.approve(w.ana, 4)
	w.approve(w.ben, 4)
	w.ended(5, workflows.StatusSucceeded)
	w.jira.Faults.Set()
	// Whichever of the two Jira is asked about first when it is back opens the ticket.
	w.until("one ticket with both failures", func() bool {
		all := w.jira.Issues()
		if len(all) != 1 || len(all[0].Comments) == 0 {
			return false
		}
		text := all[0].Description + strings.Join(all[0].Comments, "\n")
		return strings.Contains(text, "webshop#2") && strings.Contains(text, "webshop#4")
	})
	all := w.executions()
	for _, n := range []int{2, 4} {
		failed, back := all[n-1], all[n]
		if failed.Status != workflows.StatusFailed || back.Trigger.Type != workflows.TriggerAutomated || back.Rollback.FailedExecution != failed.ID || back.Rollback.Target != all[0].ID {
			t.Errorf("#%d: %s, then %+v", n, failed.Status, back.Rollback)
		}
	}
	if len(all) != 5 || len(w.jira.Issues()) != 1 {
		t.Errorf("%d executions, %d tickets", len(all), len(w.jira.Issues()))
	}
}

// The same by Socket Mode: nothing reaches the service from outside but GitHub.
func TestGateBySocketMode(t *testing.T) {
	w := worldOver(t, bySocket)
	w.push("one", "First")
	w.until("the service is connected", func() bool { return w.slack.Connected() > 0 })
	w.approve(w.ana, 1)
	w.kill()
	w.start()
	w.until("the service is connected again", func() bool { return w.slack.Connected() > 0 })
	w.approve(w.ben, 1)
	w.ended(1, workflows.StatusSucceeded)
	w.types(w.dan, "status webshop")
	w.onlyVisibleTo(w.dan, "webshop", "Production")
}

// SIGTERM ends the service in order, also while Slack hangs without end: what
// people asked for, which is tried for a minute and a half, is left for the next start.
func TestSigtermDrains(t *testing.T) {
	w := newWorld(t)
	w.push("one", "First")
	w.until("the gate is posted", func() bool { return w.gate(1) != nil && len(w.posts("rollcall_gate", w.execution(1).ID)) == 1 })
	w.slack.Faults.Set(slackfake.On("", fault.Fault{Hang: true}))
	w.types(w.ana, "status webshop")
	began := time.Now()
	w.mu.Lock()
	cmd := w.service
	w.mu.Unlock()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || time.Since(began) > 80*time.Second {
		t.Errorf("ended after %s: %v", time.Since(began), err)
	}
	w.slack.Faults.Set()
	w.start()
	w.onlyVisibleTo(w.ana, "webshop", "Production") // what was acknowledged is answered after all
}

// Whatever Slack does, people are acknowledged at once, the engine goes on, and the card catches up.
func TestSlackInTrouble(t *testing.T) {
	for name, trouble := range map[string]fault.Fault{
		"429":   {Status: 429, RetryAfter: 2 * time.Second},
		"500":   {Status: 500},
		"hangs": {Delay: 30 * time.Second},
		"down":  {Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.push("one", "First")
			w.until("the gate is posted", func() bool { return w.gate(1) != nil && len(w.posts("rollcall_gate", w.execution(1).ID)) == 1 })
			edits := func() int { return w.posts("rollcall_execution", w.execution(1).ID)[0].Edits }
			w.until("the card shows the gate", func() bool {
				return strings.Contains(w.slack.Rendered(w.posts("rollcall_execution", w.execution(1).ID)[0]), "waiting for approval")
			})
			before := edits()
			w.slack.Faults.Add(slackfake.On("", trouble))
			// Slack gives the service three seconds for an acknowledgement, the service gives a hanging Slack ten.
			w.types(w.ana, "status webshop")
			m := w.posts("rollcall_gate", w.execution(1).ID)[0]
			w.acknowledged("a click", func() (slackfake.Ack, error) { return w.slack.Click(t.Context(), w.ana.ID, m.At(), "approve") })
			// The engine goes on without Slack: a machine stops the release.
			if status, answer := w.post("/api/v1/executions/webshop%231/stop", map[string]any{"abandon": true, "reason": "Slack is away"}); status != http.StatusOK {
				t.Fatalf("stop: %d %v", status, answer)
			}
			w.ended(1, workflows.StatusStopped)
			w.slack.Faults.Set()
			w.until("the card catches up", func() bool {
				cards := w.posts("rollcall_execution", w.execution(1).ID)
				return len(cards) == 1 && strings.Contains(strings.ToLower(w.slack.Rendered(cards[0])), "stopped")
			})
			// The vote and the stop happened meanwhile; a hanging call may still have arrived late.
			if n := edits() - before; n != 1 && (trouble.Delay == 0 || n > 2) {
				t.Errorf("the card caught up with %d edits, want 1", n)
			}
		})
	}
}
