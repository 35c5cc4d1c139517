package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
	"github.com/rollcall-bot/rollcall/integrations/aws/bridge"
	slackside "github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

const (
	awsAccount = "444455556666"
	awsRegion  = "eu-west-1"
	bobARN     = "arn:aws:iam::444455556666:user/bob"
	bridgeRole = "arn:aws:iam::444455556666:role/rollcall-bridge"
)

// bridgedStory is a conversation about webshop, which stays in AWS CodePipeline:
// the real engine, bridge and Slack client, a local Slack and a fake of AWS.
type bridgedStory struct {
	*fixture
	aws      *awsfake.Server
	receiver http.Handler
}

// inTheCloud runs a conversation in that mode of the bridge. Its clock begins at 2000-01-01.
func inTheCloud(t *testing.T, mode string, story func(t *testing.T, h *bridgedStory)) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	synctest.Test(t, func(t *testing.T) {
		h := &bridgedStory{fixture: &fixture{t: t}, aws: awsfake.New(awsfake.Options{Now: time.Now})}
		h.aws.Roles(awsfake.Role{ARN: bridgeRole})
		h.create()
		h.Server = slackfake.New(slackfake.Options{BaseURL: "http://rollcall.test", PublicURL: "http://slack.test",
			Transport: wirefake.Direct(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.receiver.ServeHTTP(w, r) }))})
		defer h.Close()
		for _, u := range []*slackfake.User{&h.ana, &h.ben, &h.cho} {
			name := map[*slackfake.User]string{&h.ana: "ana", &h.ben: "ben", &h.cho: "cho"}[u]
			*u = h.AddUser(slackfake.User{ID: "U0" + strings.ToUpper(name), Name: name, Email: name + "@acme.example"})
		}
		h.AddChannel(slackfake.Channel{Name: "#webshop"})
		log := &logged{}
		logger := slog.New(slog.NewTextHandler(log, nil))
		client := slackside.New(slackside.Options{APIURL: "http://slack.test/api/", BotToken: "xoxb-local", SigningSecret: "local-signing-secret", Transport: wirefake.Direct(h.Server), Log: logger})
		bridges := bridge.New(bridge.Options{Bridges: []bridge.Bridge{rowOf(mode)}, Log: logger, Engine: func() bridge.Engine { return h.engine },
			Accounts: accounts.Open(accounts.Options{Region: awsRegion, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(h.aws) }})})
		h.engine = bridgedEngine(t, client, bridges, log)
		b := bot.New(bot.Options{Engine: h.engine, Chat: client, Memos: h.engine.MemosOf("slack"), Channel: "#webshop", PublicURL: "https://rollcall.acme.example", Members: client, Log: logger})
		h.engine.AddFollower(b)
		r := client.Receive(h.engine, b)
		h.receiver = r.Handler()

		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			if err := h.engine.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		<-h.engine.Ready()
		running.Go(func() { _ = r.Run(ctx) })
		running.Go(func() { _ = b.Run(ctx) })
		running.Go(func() { _ = bridges.Run(ctx) })
		defer func() {
			cancel()
			running.Wait()
			if t.Failed() {
				t.Log("the channel:\n" + h.channel() + "\nthe log:\n" + log.String())
			}
		}()
		synctest.Wait()
		story(t, h)
		for _, v := range h.Violations() {
			t.Errorf("Slack would refuse: %+v", v)
		}
	})
}

// rowOf is a bridge to webshop, whose gate asks two of Ana and Cho.
func rowOf(mode string) bridge.Bridge {
	return bridge.Bridge{Name: "prod-eu", Region: awsRegion, Role: bridgeRole, Mode: mode, Outside: "tell", Poll: 5 * time.Second, Rows: []bridge.Row{{Name: "webshop", External: "webshop-pipeline", Channel: "#webshop", Lock: "always",
		Environments: map[string]string{"Production": "production"},
		Approvals:    map[string]*workflows.ApprovalPolicy{"Production/SignOff": {From: []string{"ana@acme.example", "cho@acme.example"}, Required: 2, Comment: "optional", RequesterMayApprove: true}}}}}
}

func bridgedEngine(t *testing.T, directory runtime.People, bridges *bridge.Bridges, log io.Writer) *runtime.Engine {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	disk, err := files.Open(dir, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := runtime.New(runtime.Options{People: directory, Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Log: slog.New(slog.NewTextHandler(log, nil)),
		Runners: map[string]runtime.Runner{"Bridge/CodePipeline": bridge.NewRunner(bridges)}, OutsideLogs: bridge.NewLogs(bridges),
		Policy: &access.Policy{Admins: []string{"ana@acme.example"}, Rules: []access.Rule{{Allow: []workflows.Verb{workflows.View}, To: []string{"everyone"}},
			{Allow: []workflows.Verb{workflows.Logs, workflows.Start, workflows.RollBack, workflows.Retry, workflows.StopExecution, workflows.Unlock, workflows.Lock, workflows.Approve}, To: []string{"cho@acme.example"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// console is what Bob does in AWS's console.
func (h *bridgedStory) console(op string, in map[string]any, out any) error {
	return h.aws.Console(bobARN, awsRegion).Do(op, in, out)
}

// create makes the pipeline in AWS: Source, then Production with SignOff and Deploy.
// AWS starts it at once.
func (h *bridgedStory) create() {
	h.t.Helper()
	action := func(name, category, provider string, order int, more string, v any) map[string]any {
		return map[string]any{"name": name, "runOrder": order, "actionTypeId": map[string]any{"category": category, "owner": "AWS", "provider": provider, "version": "1"}, more: v}
	}
	artifact := []any{map[string]any{"name": "Source"}}
	source := action("Checkout", "Source", "CodeCommit", 1, "outputArtifacts", artifact)
	source["configuration"] = map[string]any{"RepositoryName": "webshop", "BranchName": "main"}
	deploy := action("Deploy", "Deploy", "CodeDeploy", 2, "inputArtifacts", artifact)
	deploy["configuration"] = map[string]any{"ApplicationName": "webshop"}
	d := map[string]any{"name": "webshop-pipeline", "roleArn": "arn:aws:iam::444455556666:role/pipeline", "pipelineType": "V2", "executionMode": "SUPERSEDED", "artifactStore": map[string]any{"type": "S3", "location": "acme-art"},
		"stages": []any{map[string]any{"name": "Source", "actions": []any{source}},
			map[string]any{"name": "Production", "actions": []any{action("SignOff", "Approval", "Manual", 1, "configuration", map[string]any{"CustomData": "Release it?"}), deploy}}}}
	if err := h.console("CreatePipeline", map[string]any{"pipeline": d}, nil); err != nil {
		h.t.Fatal(err)
	}
}

// late clicks approve as a client that has not seen the edit yet.
func (h *bridgedStory) late(u slackfake.User, m slackfake.Message) {
	h.t.Helper()
	value, block := "", ""
	for _, b := range m.Buttons() {
		if b.ActionID == "approve" {
			value, block = b.Value, b.BlockID
		}
	}
	payload, err := json.Marshal(map[string]any{"type": "block_actions", "team": map[string]any{"id": "T0LOCAL"}, "api_app_id": "A0LOCAL", "user": map[string]any{"id": u.ID, "team_id": "T0LOCAL"},
		"channel": map[string]any{"id": m.Channel}, "message": map[string]any{"ts": m.TS}, "container": map[string]any{"type": "message", "channel_id": m.Channel, "message_ts": m.TS},
		"trigger_id": "9.9", "actions": []any{map[string]any{"type": "button", "action_id": "approve", "block_id": block, "value": value, "action_ts": "1.1"}}})
	if err != nil || value == "" {
		h.t.Fatal("no button to click late", err)
	}
	body := "payload=" + url.QueryEscape(string(payload))
	req := httptest.NewRequest(http.MethodPost, "/slack/interactions", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Sign(req.Header, []byte(body))
	res := httptest.NewRecorder()
	if h.receiver.ServeHTTP(res, req); res.Code != http.StatusOK {
		h.t.Fatalf("a late click: %d", res.Code)
	}
}

// started starts an execution in AWS.
func (h *bridgedStory) started() {
	h.t.Helper()
	if err := h.console("StartPipelineExecution", map[string]any{"name": "webshop-pipeline"}, nil); err != nil {
		h.t.Fatal(err)
	}
}

// answers answers the approval in AWS's console.
func (h *bridgedStory) answers(status, summary string) error {
	var state struct {
		StageStates []struct {
			StageName    string `json:"stageName"`
			ActionStates []struct {
				LatestExecution struct {
					Token string `json:"token"`
				} `json:"latestExecution"`
			} `json:"actionStates"`
		} `json:"stageStates"`
	}
	if err := h.console("GetPipelineState", map[string]any{"name": "webshop-pipeline"}, &state); err != nil {
		return err
	}
	for _, s := range state.StageStates {
		for _, a := range s.ActionStates {
			if token := a.LatestExecution.Token; token != "" {
				return h.console("PutApprovalResult", map[string]any{"pipelineName": "webshop-pipeline", "stageName": s.StageName, "actionName": "SignOff", "token": token, "result": map[string]any{"status": status, "summary": summary}}, nil)
			}
		}
	}
	return fmt.Errorf("no approval waits in AWS")
}

// changing are rollcall's calls that could change something in AWS.
func (h *bridgedStory) changing() (all []awsfake.Call) {
	for _, c := range h.aws.Calls() {
		if c.Changes() && strings.Contains(c.Principal, "assumed-role") {
			all = append(all, c)
		}
	}
	return all
}

// newest is the newest execution as the engine has it.
func (h *bridgedStory) newest() workflows.Execution {
	h.t.Helper()
	all, err := h.engine.Executions(h.t.Context(), workflows.EnginePrincipal(), record.Query{Pipeline: "webshop", Limit: 1})
	if err != nil || len(all) == 0 {
		h.t.Fatal(len(all), err)
	}
	return all[0]
}

// Two of two approve in Slack: AWS gets one answer, in both names.
func TestAQuorumInSlackIsOneAnswerInAWS(t *testing.T) {
	inTheCloud(t, workflows.BridgeActs, func(t *testing.T, h *bridgedStory) {
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		h.reads("rollcall_execution", "1", "#1 in AWS · waiting for approval in Production")
		h.clicks(h.ana, gate, "approve")
		gate = h.reads("rollcall_gate", "1", "1 of 2")
		if n := len(h.changing()); n != 0 {
			t.Fatalf("%d changing calls before the quorum", n)
		}
		h.clicks(h.ben, gate, "approve")
		h.hears(h.ben, "approve")
		h.clicks(h.cho, gate, "approve")
		h.hears(h.cho, "2 of 2 approvals")
		h.reads("rollcall_execution", "1", "#1 in AWS · in Production")
		closed := h.reads("rollcall_gate", "1", "is in Production", "approved by", "ana", "cho")
		if ids := buttons(closed); len(ids) != 0 {
			t.Errorf("the closed gate has %v", ids)
		}
		calls := h.changing()
		if len(calls) != 1 || calls[0].Operation != "PutApprovalResult" {
			t.Fatalf("AWS was asked %+v", calls)
		}
		if text := string(calls[0].Input); !strings.Contains(text, "ana, cho via rollcall") {
			t.Errorf("AWS was told %s", text)
		}
		h.late(h.ana, gate)
		h.hears(h.ana, "approved", "Approved by")
		if n := len(h.changing()); n != 1 {
			t.Errorf("%d changing calls after a late click", n)
		}
	})
}

// Bob approves in AWS: the card and the gate say so, and who was not asked; a
// click that comes too late is told privately and changes nothing.
func TestAnApprovalInAWSIsShownAsOne(t *testing.T) {
	inTheCloud(t, workflows.BridgeActs, func(t *testing.T, h *bridgedStory) {
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		if err := h.answers("Approved", "lgtm"); err != nil {
			t.Fatal(err)
		}
		const said = "outside rollcall by " + bobARN + ": 'lgtm'. rollcall's policy (2 of ana@acme.example or cho@acme.example) was not asked"
		h.reads("rollcall_gate", "1", "pproved "+said)
		h.reads("rollcall_execution", "1", "#1 in AWS · in Production", "approved "+said)
		h.late(h.ana, gate)
		h.hears(h.ana, "Approved "+said)
		if calls := h.changing(); len(calls) != 0 {
			t.Errorf("AWS was asked %+v", calls)
		}
	})
}

// What is only watched has no acting button, and refuses every command; AWS is
// never asked to change anything.
func TestWhatIsOnlyWatchedIsNeverChanged(t *testing.T) {
	inTheCloud(t, workflows.BridgeWatches, func(t *testing.T, h *bridgedStory) {
		gate := h.reads("rollcall_gate", "1", "set mode: act for the bridge prod-eu")
		card := h.reads("rollcall_execution", "1", "#1 in AWS · waiting for approval", "set mode: act for the bridge prod-eu")
		for _, id := range append(buttons(gate), buttons(card)...) {
			if id != "details" && id != "logs" {
				t.Errorf("there is a button %s", id)
			}
		}
		external := h.newest().ExternalID
		for _, command := range []string{"start webshop", "approve webshop#1", "approve " + external, "reject webshop#1 no", "stop webshop#1", "retry webshop#1", "rollback webshop Production webshop#1 no",
			"lock webshop Production", "unlock webshop Production", "override webshop#1 Production it must"} {
			before := len(h.Ephemerals(h.ana.ID))
			h.says(h.ana, command)
			h.until("an answer to "+command, func() bool { return len(h.Ephemerals(h.ana.ID)) > before })
			all := h.Ephemerals(h.ana.ID)
			if text := all[len(all)-1].Text + h.Rendered(all[len(all)-1]); !strings.Contains(text, "mode: act") {
				t.Errorf("%s: %s", command, text)
			}
		}
		x, ana := h.newest(), workflows.Principal{ID: "slack:U0ANA", Name: "ana", Email: "ana@acme.example", Via: "console"} // an admin, on another surface
		for _, in := range []workflows.Intent{{Verb: workflows.Start, Pipeline: "webshop"}, {Verb: workflows.StopExecution, Execution: x.ID}, {Verb: workflows.Lock, Pipeline: "webshop", Stage: "Production"},
			{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Production"}, {Verb: workflows.Approve, Gate: x.Stages[1].Actions[0].Approval.Token}, {Verb: workflows.Reject, Gate: x.Stages[1].Actions[0].Approval.Token, Reason: "no"}} {
			var p *workflows.Problem
			if _, err := h.engine.Submit(t.Context(), in, ana); !errors.As(err, &p) || p.Code != workflows.CodeWatchOnly {
				t.Errorf("%s: %v", in.Verb, err)
			}
		}
		h.later(10 * time.Minute)
		if calls := h.changing(); len(calls) != 0 {
			t.Errorf("AWS was asked %+v", calls)
		}
	})
}

// Slack reaches its quorum and Bob approves in AWS, in the same second, fifty
// times in either order: one decision, and both sides agree on whose it was.
func TestApprovalsOfTheSameSecondAreOneDecision(t *testing.T) {
	inTheCloud(t, workflows.BridgeActs, func(t *testing.T, h *bridgedStory) {
		outside := 0
		for i := 1; i <= 50; i++ {
			if i > 1 { // the first one came with the pipeline
				h.started()
			}
			number := fmt.Sprint(i)
			gate := h.reads("rollcall_gate", number, "0 of 2")
			h.clicks(h.ana, gate, "approve")
			gate = h.reads("rollcall_gate", number, "1 of 2")
			before := len(h.changing())
			var both sync.WaitGroup
			both.Go(func() {
				pass(time.Duration(i%5) * 200 * time.Millisecond)
				_, _ = h.Click(t.Context(), h.cho.ID, gate.At(), "approve")
			})
			var theirs error
			both.Go(func() {
				pass(time.Duration(i/5%5) * 200 * time.Millisecond)
				theirs = h.answers("Approved", "lgtm "+number)
			})
			both.Wait()
			h.reads("rollcall_execution", number, "#"+number+" in AWS · in Production")
			x := h.newest()
			g := x.Stages[1].Actions[0].Approval
			if g == nil || g.Closed != "approved" {
				t.Fatalf("#%s: the gate is %+v", number, g)
			}
			byBob := false
			for _, v := range g.Votes {
				byBob = byBob || v.Via == workflows.ViaOutside
			}
			if byBob != (theirs == nil) {
				t.Errorf("#%s: Bob's answer in AWS: %v; here: %+v", number, theirs, g.Votes)
			}
			if byBob {
				outside++
			}
			if n := len(h.changing()) - before; n > 1 {
				t.Errorf("#%s: AWS was asked %d times", number, n)
			}
		}
		if outside == 0 || outside == 50 {
			t.Errorf("Bob was first %d times of 50: the two never raced", outside)
		}
	})
}

// What is asked for in Slack is done in AWS, and answered with what AWS made of it.
func TestCommandsReachAWSAndAreAnsweredByWhatItMade(t *testing.T) {
	inTheCloud(t, workflows.BridgeActs, func(t *testing.T, h *bridgedStory) {
		release := func(number, ends string) workflows.Execution {
			t.Helper()
			gate := h.reads("rollcall_gate", number, "0 of 2")
			h.clicks(h.ana, gate, "approve")
			h.clicks(h.cho, h.reads("rollcall_gate", number, "1 of 2"), "approve")
			h.reads("rollcall_execution", number, "#"+number+" in AWS · "+ends)
			return h.newest()
		}
		first := release("1", "in Production")
		h.says(h.cho, "start webshop")
		h.hears(h.cho, "webshop#2 has started")
		release("2", "in Production")
		h.says(h.cho, "rollback webshop Production "+strings.ToUpper(first.ExternalID)+" checkout is broken")
		h.hears(h.cho, "webshop#3 is rolling Production back to #1")
		back := release("3", "rolled back Production to #1")
		if back.Type != workflows.TypeRollback || back.Rollback == nil || back.Rollback.Target != first.ID {
			t.Errorf("%+v", back.Rollback)
		}
		h.says(h.cho, "stop "+back.ExternalID)
		h.hears(h.cho, "webshop#3")
		h.says(h.cho, "lock webshop Production it's Söldner's sale: #2")
		h.hears(h.cho, "Production of webshop is locked")
		h.says(h.ana, "status webshop")
		h.hears(h.ana, "in AWS: account "+awsAccount, "locked")
		var asked []string
		for _, c := range h.changing() {
			asked = append(asked, c.Operation)
			if c.Operation == "DisableStageTransition" {
				asked = append(asked, string(c.Input))
			}
		}
		// A rollback locks its stage, and a reason becomes one that AWS takes.
		const locks = `{"pipelineName":"webshop-pipeline","reason":"%s","stageName":"Production","transitionType":"Inbound"}`
		want := []string{"PutApprovalResult", "StartPipelineExecution", "PutApprovalResult", "RollbackStage", "DisableStageTransition", fmt.Sprintf(locks, "rolled back to webshop 1 checkout is broken"), "PutApprovalResult",
			"DisableStageTransition", fmt.Sprintf(locks, "it s Soeldner s sale 2")}
		if !slices.Equal(asked, want) {
			t.Errorf("AWS was asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
		}
	})
}

// While AWS refuses to be looked at, the card and the gate say since when and why,
// without buttons; both come back by themselves. What fails then is told once,
// and a retry that AWS refuses is answered in its words.
func TestTroubleInAWSIsToldInItsWords(t *testing.T) {
	inTheCloud(t, workflows.BridgeActs, func(t *testing.T, h *bridgedStory) {
		h.aws.Pipelines(awsAccount, awsRegion).Play("webshop-pipeline", "Production", "Deploy", codepipeline.Script{Fail: &codepipeline.Failure{Message: "The health check of web-3 timed out"}})
		h.reads("rollcall_gate", "1", "0 of 2")
		h.aws.Faults(awsfake.Fault{Operation: "codepipeline:*", Trouble: awsfake.Refuse, Code: "AccessDeniedException", Message: "not authorized to perform: codepipeline:GetPipelineState"})
		h.reads("rollcall_execution", "1", "Not seen since", "not authorized to perform")
		gate := h.reads("rollcall_gate", "1", "Not seen since")
		if ids := buttons(gate); len(ids) != 1 || ids[0] != "details" {
			t.Errorf("the gate has %v while AWS is not seen", ids)
		}
		h.says(h.cho, "stop webshop#1")
		h.hears(h.cho, "has not been visible in AWS")
		h.aws.Faults()
		h.until("the gate has its buttons again", func() bool { return len(buttons(h.reads("rollcall_gate", "1", "0 of 2"))) == 3 })
		gate = h.reads("rollcall_gate", "1", "0 of 2")
		h.clicks(h.ana, gate, "approve")
		h.clicks(h.cho, gate, "approve")
		h.reads("rollcall_execution", "1", "#1 in AWS · failed in Production", "The health check of web-3 timed out")
		h.reads("rollcall_failure", "1", "The health check of web-3 timed out")
		h.aws.Faults(awsfake.Fault{Operation: "codepipeline:RetryStageExecution", Trouble: awsfake.Refuse, Code: "StageNotRetryableException", Message: "the stage was changed"})
		h.later(time.Minute)
		h.says(h.cho, "retry webshop#1")
		h.hears(h.cho, "AWS refused to retry Production: the stage was changed")
		h.reads("rollcall_execution", "1", "asked AWS to retry Production. AWS refused: the stage was changed (StageNotRetryable)")
		if n := h.count("rollcall_failure"); n != 1 {
			t.Errorf("%d failures were told", n)
		}
	})
}
