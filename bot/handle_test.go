package bot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// clerk is an engine that writes down what is asked of it.
type clerk struct {
	snapshot
	asked  []workflows.Intent
	answer func(workflows.Intent) (event.Result, error)
}

func (c *clerk) Submit(_ context.Context, in workflows.Intent, _ workflows.Principal) (event.Result, error) {
	c.asked = append(c.asked, in)
	if c.answer == nil {
		return event.Result{Changed: true}, nil
	}
	return c.answer(in)
}

func (c *clerk) Names(context.Context, workflows.Principal) ([]string, error) {
	return []string{c.pipeline.Name}, nil
}

func (c *clerk) Pipelines(context.Context, workflows.Principal) ([]workflows.PipelineView, error) {
	return []workflows.PipelineView{c.pipeline}, nil
}

func (c *clerk) Approvals(context.Context, workflows.Principal) ([]say.OpenApproval, error) {
	return nil, nil
}

func (c *clerk) Tail(context.Context, string, string, string, int, int) ([]string, error) {
	return []string{"a line"}, nil
}

func (c *clerk) Try(_ context.Context, in workflows.Intent, _ workflows.Principal) error {
	if c.answer == nil {
		return nil
	}
	_, err := c.answer(in)
	return err
}

func (c *clerk) Notes(context.Context, workflows.Principal, string, string, string) (changes.Notes, error) {
	return changes.Notes{}, nil
}

func (c *clerk) Targets(context.Context, workflows.Principal, string, string) ([]ledger.Target, error) {
	return []ledger.Target{{Execution: e1, Number: 1, Eligible: true, Preselected: true}}, nil
}

// chatFake is a chat that remembers ephemerals and forms.
type chatFake struct {
	bot.Chat
	heard   []string
	forms   []slack.ModalViewRequest
	failure error
	open    error
}

func (e *chatFake) PostEphemeral(_ context.Context, _ bot.Reply, m bot.Message) error {
	b, _ := json.Marshal(m.Blocks)
	e.heard = append(e.heard, m.Text+" "+string(b))
	return e.failure
}

func (e *chatFake) Open(_ context.Context, _ bot.Reply, form slack.ModalViewRequest) error {
	e.forms = append(e.forms, form)
	return e.open
}

func (e *chatFake) People(_ context.Context, who []string) ([]string, error) { return who, nil }

func newClerk() *clerk {
	return &clerk{snapshot: snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[1].execution}}}
}

func person() workflows.Principal {
	return workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
}

func click(action string, about card.Subject) bot.Request {
	return bot.Request{Key: "slack/sig-1", By: person(), Reply: bot.Reply{User: "U1", Channel: "C1", Trigger: "t"}, Interaction: &slack.InteractionCallback{
		Type: slack.InteractionTypeBlockActions, ActionCallback: slack.ActionCallbacks{BlockActions: []*slack.BlockAction{{ActionID: action, Value: about.String()}}}}}
}

func submission(callback string, about card.Subject, values map[string]string) bot.Request {
	state := map[string]map[string]slack.BlockAction{}
	var blocks []slack.Block
	for name, v := range values {
		a := slack.BlockAction{Value: v}
		if name == "target" || name == "rollback.place" || name == "definition" || name == "running" {
			a = slack.BlockAction{SelectedOption: slack.OptionBlockObject{Value: v}}
		}
		state[name] = map[string]slack.BlockAction{name: a}
		blocks = append(blocks, slack.NewInputBlock(name, nil, nil, nil))
	}
	return bot.Request{Key: "slack/sig-1", By: person(), Reply: bot.Reply{User: "U1"}, Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeViewSubmission,
		View: slack.View{CallbackID: callback, PrivateMetadata: about.String(), Blocks: slack.Blocks{BlockSet: blocks}, State: &slack.ViewState{Values: state}}}}
}

func said(text string) bot.Request {
	return bot.Request{Key: "slack/sig-1", By: person(), Reply: bot.Reply{User: "U1", Channel: "C1"}, Command: &slack.SlashCommand{Text: text}}
}

// Every click and form becomes one intent that carries the request's key and
// what the person saw.
func TestWhatPeopleDoBecomesOneIntent(t *testing.T) {
	about := card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: e1, Gate: "gate-1", Seen: "e0"}
	production := card.Subject{Pipeline: "webshop", Stage: "Production", Target: e1, Seen: "e0"}
	tests := []struct {
		name    string
		request bot.Request
		want    workflows.Intent
	}{
		{"approve", click("approve", about), workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "SignOff", Gate: "gate-1"}},
		{"several", click("approve.2", about), workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "SignOff", Gate: "gate-1"}},
		{"stop", click("stop", about), workflows.Intent{Verb: workflows.StopExecution, Pipeline: "webshop", Execution: e1, Action: "SignOff"}},
		{"retry", click("retry", card.Subject{Pipeline: "webshop", Stage: "Production", Execution: e1}), workflows.Intent{Verb: workflows.Retry, Pipeline: "webshop", Execution: e1, Stage: "Production"}},
		{"enable", click("enable", production), workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Execution: e1, Stage: "Production", IfCurrent: "e0"}},
		{"resolve", click("resolve.3", card.Subject{Pipeline: "webshop", Stage: "Production", Action: "Deploy", Execution: e1, As: "again"}),
			workflows.Intent{Verb: workflows.Resolve, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "Deploy", As: "again"}},
		{"reject form", submission("reject", about, map[string]string{"reason": " no "}),
			workflows.Intent{Verb: workflows.Reject, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "SignOff", Gate: "gate-1", Reason: "no"}},
		{"approve form", submission("approve", about, map[string]string{"comment": "fine"}),
			workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "SignOff", Gate: "gate-1", Reason: "fine"}},
		{"rollback form", submission("rollback", production, map[string]string{"target": "e42", "reason": "slow", "definition": "current", "running": "wait"}),
			workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: "e42", IfCurrent: "e0", Definition: "current", WhileRunning: "wait", Reason: "slow"}},
		{"start form", submission("start", card.Subject{Pipeline: "webshop"}, map[string]string{"canary": "25", "note": " "}),
			workflows.Intent{Verb: workflows.Start, Pipeline: "webshop", Variables: map[string]string{"canary": "25"}}},
		{"start", said("start webshop canary=25"), workflows.Intent{Verb: workflows.Start, Pipeline: "webshop", Variables: map[string]string{"canary": "25"}}},
		{"approve with a comment", said("approve " + e1 + " looks good"),
			workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "SignOff", Gate: "gate-1", Reason: "looks good"}},
		{"approve an action", said("approve " + e1 + " signoff looks good"),
			workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "SignOff", Gate: "gate-1", Reason: "looks good"}},
		{"disable", said("disable webshop production audit"), workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Production", Reason: "audit"}},
		{"enable only", said("enable webshop Production only " + e1), workflows.Intent{Verb: workflows.Unlock, Pipeline: "webshop", Stage: "Production", Execution: e1}},
		{"override", said("override " + e1 + " Production the alarm is false"), workflows.Intent{Verb: workflows.Override, Pipeline: "webshop", Execution: e1, Stage: "Production", Reason: "the alarm is false"}},
		{"override, in any case", said("override " + e1 + " production the alarm is false"), workflows.Intent{Verb: workflows.Override, Pipeline: "webshop", Execution: e1, Stage: "Production", Reason: "the alarm is false"}},
		{"override form", submission("override", card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: e1, Gate: "gate-1", As: "APPROVAL"}, map[string]string{"reason": " the shop is down "}),
			workflows.Intent{Verb: workflows.Override, Pipeline: "webshop", Execution: e1, Stage: "Production", Action: "SignOff", Gate: "gate-1", Condition: "APPROVAL", Reason: "the shop is down"}},
		{"rollback form, locked afterwards", submission("rollback", card.Subject{Pipeline: "webshop", Stage: "Production", Seen: e1}, map[string]string{"target": e1, "lock": "lock"}),
			workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: e1, IfCurrent: e1, LockAfter: ptr(true)}},
		{"rollback form, not locked afterwards", submission("rollback", card.Subject{Pipeline: "webshop", Stage: "Production", Seen: e1}, map[string]string{"target": e1, "lock": ""}),
			workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: e1, IfCurrent: e1, LockAfter: ptr(false)}},
		{"rollback in words", said("rollback webshop Production " + e1 + " slow"), workflows.Intent{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: e1, Reason: "slow"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, e := newClerk(), &chatFake{}
			b := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e})
			if answer := b.Answer(tt.request); answer != nil {
				t.Fatalf("it is refused at once: %+v", answer)
			}
			if err := b.Handle(t.Context(), tt.request); err != nil {
				t.Fatal(err)
			}
			tt.want.Token = "slack/sig-1"
			if d := cmp.Diff([]workflows.Intent{tt.want}, c.asked); d != "" {
				t.Errorf("asked (-want +got): %s", d)
			}
			if len(e.heard) != 1 {
				t.Errorf("the person hears %d answers, want one: %v", len(e.heard), e.heard)
			}
		})
	}
}

// What opens a form, or is refused as it stands, asks nothing of the engine.
func TestWhatActsLater(t *testing.T) {
	about := card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: e1, Gate: "gate-1"}
	tests := []struct {
		name    string
		request bot.Request
		form    string
		hears   string
	}{
		{"reject", click("reject", about), "reject", ""},
		{"reject in words without a reason", said("reject " + e1), "reject", ""},
		{"rollback", click("rollback", about), "rollback", ""},
		{"rollback in words, no target", said("rollback webshop Production"), "rollback", ""},
		{"override", click("override", about), "override", ""},
		{"a button of another version", click("dance", about), "", "another version"},
		{"a value that is not ours", bot.Request{By: person(), Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeBlockActions,
			ActionCallback: slack.ActionCallbacks{BlockActions: []*slack.BlockAction{{ActionID: "approve", Value: "x"}}}}}, "", "cannot be read"},
		{"an unknown stage with a target", said("rollback webshop Moon " + e1), "", "no stage Moon"},
		{"a form that was closed", bot.Request{By: person(), Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeViewClosed}}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, e := newClerk(), &chatFake{}
			if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e}).Handle(t.Context(), tt.request); err != nil {
				t.Fatal(err)
			}
			if len(c.asked) != 0 {
				t.Errorf("it asks at once: %+v", c.asked)
			}
			if tt.form != "" && (len(e.forms) != 1 || e.forms[0].CallbackID != tt.form) {
				t.Errorf("forms: %+v", e.forms)
			}
			if tt.hears != "" && (len(e.heard) != 1 || !strings.Contains(e.heard[0], tt.hears)) {
				t.Errorf("hears %v, want %q", e.heard, tt.hears)
			}
		})
	}
}

func TestFormsAreCheckedAtOnce(t *testing.T) {
	about := card.Subject{Pipeline: "webshop", Stage: "Production"}
	tests := []struct {
		name    string
		request bot.Request
		block   string
	}{
		{"reject without a reason", submission("reject", about, map[string]string{"reason": " \n"}), "reason"},
		{"approve without the comment", submission("approve", about, map[string]string{"comment": ""}), "comment"},
		{"override without a reason", submission("override", about, map[string]string{"reason": " "}), "reason"},
		{"rollback without a target", submission("rollback", about, map[string]string{"target": "", "reason": "x"}), "target"},
		{"rollback without a stage", submission("rollback", card.Subject{}, map[string]string{"rollback.place": ""}), "rollback.place"},
		{"rollback while the targets of another stage are shown", submission("rollback", about, map[string]string{"rollback.place": "webshop/Staging", "target": "e42"}), "rollback.place"},
		{"rollback of a stage that has no targets", submission("rollback", about, map[string]string{"rollback.place": "webshop/Production"}), "rollback.place"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, ok := bot.New(bot.Options{}).Answer(tt.request).(*slack.ViewSubmissionResponse)
			c := newClerk()
			if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: &chatFake{}}).Handle(t.Context(), tt.request); err != nil || len(c.asked) != 0 {
				t.Errorf("handled all the same, it asks %+v (%v)", c.asked, err)
			}
			if !ok || answer.ResponseAction != slack.RAErrors || answer.Errors[tt.block] == "" || len(answer.Errors) != 1 {
				t.Errorf("answers %+v, want an error at %s", answer, tt.block)
			}
		})
	}
}

func TestTroubleOnTheWayToThePerson(t *testing.T) {
	log := &bytes.Buffer{}
	c, e := newClerk(), &chatFake{}
	b := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e, Log: slog.New(slog.NewTextHandler(log, nil))})

	e.failure = errors.New("slack is away")
	if err := b.Handle(t.Context(), said("start webshop")); err == nil {
		t.Error("an answer that did not arrive is not tried again")
	}
	e.failure = &bot.Refusal{Code: "user_not_found", Hint: "they are gone"}
	if err := b.Handle(t.Context(), said("start webshop")); err != nil {
		t.Errorf("an answer that can never arrive is tried again: %v", err)
	}
	e.failure = nil

	c.answer = func(workflows.Intent) (event.Result, error) {
		return event.Result{}, errors.New("open /data/rollcall.db: secret")
	}
	e.heard = nil
	if err := b.Handle(t.Context(), said("start webshop")); err != nil {
		t.Fatal(err)
	}
	if len(e.heard) != 1 || strings.Contains(e.heard[0], "secret") || !strings.Contains(e.heard[0], "something went wrong inside rollcall") {
		t.Errorf("the person hears %v", e.heard)
	}
	if !strings.Contains(log.String(), "/data/rollcall.db") {
		t.Error("the operators hear nothing")
	}

	e.open, e.heard, c.answer = errors.New("expired_trigger_id"), nil, nil
	if err := b.Handle(t.Context(), click("reject", card.Subject{Pipeline: "webshop", Execution: e1})); err != nil {
		t.Fatal(err)
	}
	if len(e.heard) != 1 || !strings.Contains(e.heard[0], "did not open in time") {
		t.Errorf("the person hears %v", e.heard)
	}
}

func TestARefusalNamesWhoCould(t *testing.T) {
	c, e := newClerk(), &chatFake{}
	c.answer = func(workflows.Intent) (event.Result, error) {
		return event.Result{}, &workflows.Problem{Code: workflows.CodeAccessDenied, Message: "Eve does not have the right stop on webshop"}
	}
	if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e}).Handle(t.Context(), said("stop "+e1)); err != nil {
		t.Fatal(err)
	}
	if len(e.heard) != 1 || !strings.Contains(e.heard[0], "right stop") || !strings.Contains(e.heard[0], "Who can: everyone, ana@acme.example") {
		t.Errorf("the person hears %v", e.heard)
	}
}

// Nobody writes a reason for what they may not do.
func TestOverrideAsksOnlyThoseWhoMay(t *testing.T) {
	c, e := &strict{newClerk()}, &chatFake{}
	about := card.Subject{Pipeline: "webshop", Stage: "Production", Execution: e1}
	if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e}).Handle(t.Context(), click("override", about)); err != nil {
		t.Fatal(err)
	}
	if len(e.forms) != 0 || len(e.heard) != 1 || !strings.Contains(e.heard[0], "does not have the right override") || !strings.Contains(e.heard[0], "Who can: cho@acme.example") {
		t.Errorf("forms %v, hears %v", e.forms, e.heard)
	}
}

// strict is an engine that lets nobody do anything.
type strict struct{ *clerk }

func (s *strict) Try(_ context.Context, in workflows.Intent, by workflows.Principal) error {
	return &workflows.Problem{Code: workflows.CodeAccessDenied, Message: by.Name + " does not have the right " + string(in.Verb)}
}

func (s *strict) Verdict(_ context.Context, by workflows.Principal, v workflows.Verb, _, _ string) (*workflows.Problem, []string, error) {
	return workflows.Refuse(workflows.CodeAccessDenied, "ask cho@acme.example", "%s does not have the right %s", by.Name, v), []string{"cho@acme.example"}, nil
}

func TestRejectingWhatIsDecidedOpensNoForm(t *testing.T) {
	c, e := newClerk(), &chatFake{}
	c.executions[e1] = steps()[3].execution
	c.answer = func(workflows.Intent) (event.Result, error) {
		return event.Result{}, &workflows.Problem{Code: workflows.CodeApprovalCompleted, Message: "SignOff was approved by Cho"}
	}
	about := card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: e1, Gate: "gate-1"}
	if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e}).Handle(t.Context(), click("reject", about)); err != nil {
		t.Fatal(err)
	}
	if len(e.forms) != 0 || len(e.heard) != 1 || !strings.Contains(e.heard[0], "approved by Cho") || !strings.Contains(e.heard[0], "Approved by Ana") {
		t.Errorf("forms %v, hears %v", e.forms, e.heard)
	}
}

// U24: help lists what works here: every command of it is understood and answered.
func TestHelpListsWhatWorks(t *testing.T) {
	args := map[command.Name]string{
		command.Status: "webshop", command.Executions: "webshop", command.Start: "webshop canary=25", command.Approve: e1 + " SignOff fine", command.Reject: e1 + " no",
		command.Rollback: "webshop Production " + e1 + " slow", command.Retry: e1 + " all", command.Stop: e1 + " abandon now", command.Lock: "webshop Production audit",
		command.Unlock: "webshop Production only " + e1, command.Override: e1 + " Production now", command.Resolve: e1 + " SignOff failed", command.Logs: e1 + " SignOff", command.Who: "webshop",
		command.Notes: "webshop Production", command.Login: "BCDF-GHJK",
	}
	for _, in := range []bot.SignIn{nil, opener{}} {
		heard := func(text string) string {
			c, e := newClerk(), &chatFake{}
			if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e, SignIn: in}).Handle(t.Context(), said(text)); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if len(e.heard)+len(e.forms) == 0 {
				t.Errorf("%q is not answered", text)
			}
			return strings.Join(e.heard, "")
		}
		help := heard("help")
		if listed := strings.Contains(help, "/rollcall console"); listed != (in != nil) {
			t.Errorf("with %v to sign in, help lists the console: %t", in, listed)
		}
		for _, u := range command.All() {
			if (u.Name == command.Console || u.Name == command.Login) && in == nil {
				continue
			}
			text := string(u.Name) + " " + args[u.Name]
			if got := heard(text); strings.Contains(got, "🙅") || strings.Contains(got, "There is no") || u.Name != command.Help && strings.Contains(got, "Commands\"") {
				t.Errorf("%q is answered with %s", text, got)
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }
