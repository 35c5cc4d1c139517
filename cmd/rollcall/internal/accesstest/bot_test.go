package accesstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/accesstest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// heard is what the bot asked of the service, and what it said to a person.
type heard struct {
	*accesstest.Service
	refusal error // the service's last one
	said    []bot.Message
	forms   int
}

func (h *heard) refused(err error) error {
	if err != nil {
		h.refusal = err
	}
	return err
}

func (h *heard) Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error) {
	r, err := h.Service.Submit(ctx, in, by)
	return r, h.refused(err)
}

func (h *heard) Try(ctx context.Context, in workflows.Intent, by workflows.Principal) error {
	return h.refused(h.Service.Try(ctx, in, by))
}

func (h *heard) Verdict(ctx context.Context, p workflows.Principal, v workflows.Verb, pipeline, stage string) (*workflows.Problem, []string, error) {
	refusal, holders, err := h.Service.Verdict(ctx, p, v, pipeline, stage)
	if refusal != nil {
		h.refusal = refusal
	}
	return refusal, holders, err
}

func (h *heard) Execution(ctx context.Context, by workflows.Principal, ref string) (workflows.Execution, error) {
	x, err := h.Service.Execution(ctx, by, ref)
	return x, h.refused(err)
}

func (h *heard) Pipeline(ctx context.Context, by workflows.Principal, name string, version int) (workflows.PipelineView, error) {
	p, err := h.Service.Pipeline(ctx, by, name, version)
	return p, h.refused(err)
}

// The chat.
func (h *heard) Post(context.Context, bot.Message) (bot.Place, error)     { return bot.Place{}, nil }
func (h *heard) Edit(context.Context, bot.Place, bot.Message) error       { return nil }
func (h *heard) People(_ context.Context, who []string) ([]string, error) { return who, nil }
func (h *heard) Memo(context.Context, string) ([]byte, bool, error)       { return nil, false, nil }
func (h *heard) Note(context.Context, string, []byte) error               { return nil }
func (h *heard) PostEphemeral(_ context.Context, _ bot.Reply, m bot.Message) error {
	h.said = append(h.said, m)
	return nil
}
func (h *heard) Open(context.Context, bot.Reply, slack.ModalViewRequest) error {
	h.forms++
	return nil
}

// does hands a request to the bot.
func does(t *testing.T, p *accesstest.Service, by workflows.Principal, r bot.Request) *heard {
	t.Helper()
	h := &heard{Service: p}
	r.By, r.Reply = by, bot.Reply{User: strings.TrimPrefix(by.ID, "slack:"), Channel: "C1"}
	if err := bot.New(bot.Options{Engine: h, Chat: h, Memos: h}).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return h
}

// answer is nil when the bot did what was asked, else why not.
func (h *heard) answer(by workflows.Principal) error {
	for _, m := range h.said {
		switch {
		case !strings.HasPrefix(m.Text, "🙅"):
		case by.Stranger != "": // turned away before anything is looked at
			return workflows.Refuse(workflows.CodeAccessDenied, "", "%s", m.Text)
		case h.refusal != nil:
			return h.refusal
		default:
			return errors.New(m.Text)
		}
	}
	return nil
}

// chat is the bot.
type chat struct {
	*accesstest.Service
	t *testing.T
}

func (c chat) Ask(by workflows.Principal, in workflows.Intent) (bool, error) {
	if in.Verb == workflows.Reject { // its form opens for whom the service would not refuse
		opened := does(c.t, c.Service, by, c.click(in))
		if err := opened.answer(by); err != nil || opened.forms != 1 {
			return true, err
		}
		view := slack.View{CallbackID: form.FormReject, PrivateMetadata: c.subject(in).String(),
			State: &slack.ViewState{Values: map[string]map[string]slack.BlockAction{form.InReason: {form.InReason: {Value: "no"}}}}}
		sent := does(c.t, c.Service, by, bot.Request{Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeViewSubmission, View: view}})
		return true, sent.answer(by)
	}
	if in.Verb == workflows.Approve && in.Action == "" {
		return true, does(c.t, c.Service, by, c.click(in)).answer(by)
	}
	text := c.words(in)
	if text == "" {
		return false, nil
	}
	return true, does(c.t, c.Service, by, bot.Request{Command: &slack.SlashCommand{Text: text}}).answer(by)
}

// subject is the open gate of the execution.
func (c chat) subject(in workflows.Intent) card.Subject {
	x, _, _ := c.Now()
	about := card.Subject{Pipeline: c.Name, Execution: in.Execution}
	for _, st := range x.Stages {
		for _, a := range st.Actions {
			if a.Approval != nil {
				about.Stage, about.Action, about.Gate = st.Name, a.Name, a.Approval.Token
			}
		}
	}
	return about
}

// click presses the button of an answer.
func (c chat) click(in workflows.Intent) bot.Request {
	action := &slack.BlockAction{ActionID: string(in.Verb), Type: "button", Value: c.subject(in).String()}
	return bot.Request{Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeBlockActions, ActionCallback: slack.ActionCallbacks{BlockActions: []*slack.BlockAction{action}}}}
}

// words are what somebody types to ask for an intent; empty: there is no command.
func (c chat) words(in workflows.Intent) string {
	x := in.Execution
	switch in.Verb {
	case workflows.Start:
		switch {
		case in.Stage != "":
			return ""
		case in.Revisions != nil:
			return "start " + in.Pipeline + " App=" + in.Revisions[0].RevisionValue
		}
		return "start " + in.Pipeline
	case workflows.StopExecution:
		if in.Stage == "" {
			return "stop " + x
		}
	case workflows.Retry:
		if in.Stage == "" {
			return "retry " + x
		}
	case workflows.Override:
		if in.Stage != "" {
			return "override " + x + " " + in.Stage + " it must"
		}
	case workflows.Resolve:
		if in.Action != "" {
			return "resolve " + x + " " + in.Action + " failed"
		}
	case workflows.Unlock:
		if x != "" {
			return "unlock " + in.Pipeline + " " + in.Stage + " only " + x
		}
		return "unlock " + in.Pipeline + " " + in.Stage
	case workflows.Lock:
		return "lock " + in.Pipeline + " " + in.Stage
	case workflows.RollBack:
		return "rollback " + in.Pipeline + " " + in.Stage + " " + in.Target + " broken"
	case workflows.View:
		return "status " + x
	case workflows.Logs:
		return "logs " + x + " " + in.Action
	}
	return ""
}

func TestTheBotAsksAccess(t *testing.T) {
	each(t, func(t *testing.T, st accesstest.State, s *accesstest.Service) {
		accesstest.Run(t, st, func() accesstest.Surface { return chat{s.Fresh(), t} })
	})
}

// Each button that somebody sees is of something that they are offered, and of
// what they are offered no button is missing.
func TestTheBotShowsTheButtonsOfOffers(t *testing.T) {
	each(t, func(t *testing.T, st accesstest.State, s *accesstest.Service) {
		if st.Idle {
			return
		}
		p := s.Fresh()
		x, _, _ := p.Now()
		for _, who := range st.Askers() {
			by := st.Principal(who)
			if _, err := p.Execution(t.Context(), by, x.ID); err != nil {
				continue
			}
			want := map[string]bool{}
			for _, o := range offers(t, p, by) {
				if o.of == "" || o.Verb == workflows.Unlock && o.Stage == "Production" {
					want[string(o.Verb)] = true
				}
			}
			got := map[string]bool{}
			for _, m := range does(t, p, by, bot.Request{Command: &slack.SlashCommand{Text: "status " + x.ID}}).said {
				buttons(t, m.Blocks, got)
			}
			delete(got, card.ActDetails)
			delete(got, card.ActLogs)
			if !got[card.ActOverride] { // at a gate its button is with the gate's message
				delete(want, card.ActOverride)
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: %s sees the buttons %v, and is offered %v", st.Name, who, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
		}
	})
}

// choices finds the kinds of what a card's menu offers.
func choices(t *testing.T, options any, into map[string]bool) {
	t.Helper()
	all, _ := options.([]any)
	for _, o := range all {
		option, _ := o.(map[string]any)
		value, _ := option["value"].(string)
		c, problem := card.ParseChosen(value)
		if problem != nil {
			t.Fatalf("the menu offers %q: %v", value, problem)
		}
		into[string(c.Verb)] = true
	}
}

// buttons finds the kinds of the buttons in a message.
func buttons(t *testing.T, blocks []slack.Block, into map[string]bool) {
	t.Helper()
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	var find func(any)
	find = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				find(e)
			}
		case map[string]any:
			if v["type"] == "overflow" {
				choices(t, v["options"], into)
			}
			if id, ok := v["action_id"].(string); ok && v["type"] == "button" {
				kind, _, _ := strings.Cut(id, ".")
				if kind == card.ActUnlock {
					kind = string(workflows.Unlock)
				}
				into[kind] = true
			}
			for _, e := range v {
				find(e)
			}
		}
	}
	find(all)
}
