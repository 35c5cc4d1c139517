package bot_test

import (
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// U7: whoever is going to be refused hears it at once, before they fill in a
// form: every form, in every state in which people meet it.
func TestNoFormOpensInVain(t *testing.T) {
	waits := func(h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
	}
	once := func(h *fixture) { h.released("1") }
	twice := func(h *fixture) { h.released("1"); h.released("2") }
	// A button that is pressed long after it was drawn.
	pressed := func(action string) func(*fixture) bot.Request {
		return func(h *fixture) bot.Request {
			e, err := h.engine.Execution(h.t.Context(), workflows.EnginePrincipal(), "webshop#1")
			if err != nil {
				h.t.Fatal(err)
			}
			about := card.Subject{Pipeline: "webshop", Stage: "Production", Execution: e.ID}
			if action == card.ActReject || action == card.ActOverride {
				s, _ := e.Stage("Production")
				about.Action, about.Gate = "SignOff", s.Actions[0].Approval.Token
			}
			return click(action, about)
		}
	}
	typed := func(text string) func(*fixture) bot.Request {
		return func(*fixture) bot.Request { return said(text) }
	}
	starts := func(*fixture) bot.Request { return click("start", card.Subject{Pipeline: "webshop"}) }
	ana := func(h *fixture) slackfake.User { return h.ana }
	cho := func(h *fixture) slackfake.User { return h.cho }
	ben := func(h *fixture) slackfake.User { return h.ben }
	for _, tt := range []struct {
		name  string
		state func(*fixture)
		who   func(*fixture) slackfake.User
		asks  func(*fixture) bot.Request
		form  string // or
		hears string
	}{
		{"reject at the gate", waits, cho, pressed("reject"), "reject", ""},
		{"reject at the gate, typed", waits, cho, typed("reject webshop#1"), "reject", ""},
		{"reject, not among the approvers", waits, ben, pressed("reject"), "", "can't approve"},
		{"reject what has ended", once, cho, pressed("reject"), "", "approved by"},
		{"reject what has ended, typed", once, cho, typed("reject webshop#1"), "", "approved by"},
		{"reject before it is asked", func(h *fixture) {
			h.locks("Production")
			h.says(h.ben, "start webshop")
			h.reads("rollcall_execution", "1", "blocked: Production is locked")
		}, cho, typed("reject webshop#1"), "", "webshop#1 is not waiting for an approval: it waits before Production"},
		{"override at the gate", waits, ana, pressed("override"), "override", ""},
		{"override without the right", waits, cho, pressed("override"), "", "right override"},
		{"override what has ended", once, ana, pressed("override"), "", "webshop#1"},
		{"roll back", twice, cho, pressed("rollback"), "rollback", ""},
		{"roll back, typed", twice, cho, typed("rollback webshop Production"), "rollback", ""},
		{"roll back, somewhere", twice, cho, typed("rollback"), "rollback", ""},
		{"roll back without the right", twice, ben, pressed("rollback"), "", "right rollback"},
		{"roll back to nothing", waits, cho, pressed("rollback"), "", "nothing that Production of webshop could go back to"},
		{"roll back somewhere to nothing", waits, ben, typed("rollback webshop"), "", "no stage that you could roll back"},
		{"roll back the source", twice, cho, typed("rollback webshop Source"), "", "cannot be rolled back"},
		{"U28: a mistyped stage", twice, cho, typed("rollback webshop Nope"), "", "webshop has no stage Nope"},
		{"U28: a misspelt stage and a reason", twice, cho, typed("rollback webshop Prodction it is down"), "", "it has Source, Staging, Production"},
		{"start", once, ben, starts, "start", ""},
		{"start what is archived", func(h *fixture) { h.archives("webshop") }, ben, starts, "", "archived"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			story(t, shop, func(t *testing.T, h *fixture) {
				tt.state(h)
				who, r, e := tt.who(h), tt.asks(h), &chatFake{}
				r.By = workflows.Principal{ID: "slack:" + who.ID, Name: who.Name, Email: who.Email, Via: "slack"}
				if err := bot.New(bot.Options{Engine: h.engine, Memos: newOutside(), Chat: e}).Handle(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				switch {
				case tt.form != "" && (len(e.forms) != 1 || e.forms[0].CallbackID != tt.form || len(e.heard) != 0):
					t.Errorf("opens %d forms, says %v", len(e.forms), e.heard)
				case tt.form == "" && (len(e.forms) != 0 || len(e.heard) != 1 || !strings.Contains(e.heard[0], tt.hears)):
					t.Errorf("opens %d forms, says %v, want %q", len(e.forms), e.heard, tt.hears)
				}
			})
		})
	}
}

func (h *fixture) locks(stage string) {
	h.t.Helper()
	if _, err := h.engine.Submit(h.t.Context(), workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: stage}, workflows.EnginePrincipal()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *fixture) archives(pipeline string) {
	h.t.Helper()
	if _, err := h.engine.Submit(h.t.Context(), workflows.Intent{Verb: workflows.Archive, Pipeline: pipeline}, workflows.EnginePrincipal()); err != nil {
		h.t.Fatal(err)
	}
}

// inputsOf are the text inputs of a form, with their limits.
func inputsOf(f slack.ModalViewRequest) map[string]int {
	all := map[string]int{}
	for _, b := range f.Blocks.BlockSet {
		if in, ok := b.(*slack.InputBlock); ok {
			if el, ok := in.Element.(*slack.PlainTextInputBlockElement); ok {
				all[in.BlockID] = el.MaxLength
			}
		}
	}
	return all
}

// C13: what a form lets people write the engine takes, to the last character;
// one more the form refuses. Over every input of every form.
func TestAFormTakesWhatTheEngineTakes(t *testing.T) {
	view := card.View{Execution: steps()[1].execution, Pipeline: webshop()}
	view.Pipeline.Definition.Variables = []workflows.Variable{{Name: "note"}}
	about := card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: e1, Gate: "gate-1"}
	target := []ledger.Target{{Execution: e1, Number: 1, Eligible: true}}
	for callback, drawn := range map[string]slack.ModalViewRequest{
		form.FormReject: form.Reason(view, workflows.Reject, about), form.FormApprove: form.Reason(view, workflows.Approve, about), form.FormOverride: form.Reason(view, workflows.Override, about),
		form.FormRollback: form.Rollback(form.Return{About: about, Targets: target}), form.FormStart: form.Start(view.Pipeline, about, nil),
	} {
		fields := inputsOf(drawn)
		if len(fields) == 0 {
			t.Errorf("%s has no input", callback)
		}
		for block, most := range fields {
			for _, n := range []int{most, most + 1} {
				text := strings.Repeat("ü", n)
				in := workflows.Intent{Verb: workflows.Verb(callback), Reason: text}
				err := in.Fits()
				if callback == form.FormStart {
					_, err = view.Pipeline.Definition.Values(map[string]string{block: text}, false)
				}
				values := map[string]string{block: text}
				if callback == form.FormRollback {
					values["target"] = e1
				}
				answer := bot.New(bot.Options{}).Answer(submission(callback, about, values))
				if fits := n == most; fits != (err == nil) || fits != (answer == nil) {
					t.Errorf("%s of %s with %d characters: the engine says %v, the form %+v", block, callback, n, err, answer)
				}
			}
		}
	}
}

// C13: a text that is refused all the same is not lost.
func TestARefusedTextIsSaidBack(t *testing.T) {
	about := card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: e1, Gate: "gate-1", Channel: "C1"}
	for callback, values := range map[string]map[string]string{
		"reject": {"reason": "the login page is blank"}, "approve": {"comment": "the login page is blank"}, "override": {"reason": "the login page is blank"},
		"rollback": {"target": e1, "reason": "the login page is blank"}, "start": {"note": "the login page is blank"},
	} {
		for _, code := range []string{workflows.CodeValidation, workflows.CodeAccessDenied, workflows.CodeApprovalCompleted, workflows.CodeChanged} {
			c, e := newClerk(), &chatFake{}
			c.answer = func(workflows.Intent) (event.Result, error) {
				return event.Result{}, &workflows.Problem{Code: code, Message: "it is too late"}
			}
			if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e}).Handle(t.Context(), submission(callback, about, values)); err != nil {
				t.Fatal(err)
			}
			if len(e.heard) != 1 || !strings.Contains(e.heard[0], "too late") || !strings.Contains(e.heard[0], "the login page is blank") {
				t.Errorf("%s, refused with %s: the person hears %v", callback, code, e.heard)
			}
		}
	}
}
