package form

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Reason asks for the words that go with an answer: why somebody rejects or
// overrides, or the comment that a gate requires with an approval.
func Reason(v card.View, verb workflows.Verb, about card.Subject) slack.ModalViewRequest {
	l := layout.View()
	callback, title, id, label := FormReject, "Reject", InReason, "Why not?"
	l.Lines(append([]string{answered(&v, about)}, v.Commits(about.Stage)...)...)
	switch verb {
	case workflows.Approve:
		callback, title, id, label = FormApprove, "Approve", InComment, "Comment"
		l.Lines(v.Warnings()...)
	case workflows.Override:
		callback, title, label = FormOverride, "Override", "Why can it not wait?"
		l = aside(&v, about)
	}
	return form(callback, titled(&v, title, about), title, about, append(l.Done(""), input(id, label, shown, "", false, true, verb.Longest())))
}

// aside says what an override would set aside.
func aside(v *card.View, about card.Subject) *layout.Layout {
	e := &v.Execution
	l := layout.View()
	l.Lines("*" + layout.Name(e.Ref()) + "* goes on in *" + layout.Name(about.Stage) + "*: " + layout.Text(v.Carries(), 120))
	for i, m := range v.Lacks(about.Stage, about.Action) {
		if i == 10 {
			break
		}
		l.Lines("Without: " + layout.Text(m, 300))
	}
	l.Lines(v.Warnings()...)
	return l
}

// titled is a form's title. Of several gates it names the one that is answered,
// as its button did; the execution stands below.
func titled(v *card.View, verb string, about card.Subject) string {
	if v.SeveralGates() && about.Action != "" {
		return verb + " " + about.Action
	}
	return verb + " " + v.Execution.Ref()
}

// answered is what somebody is about to answer.
func answered(v *card.View, about card.Subject) string {
	action := ""
	if about.Action != "" {
		action = " (" + layout.Text(about.Action, 100) + ")"
	}
	text := "*" + layout.Name(v.Execution.Ref()) + "* is waiting for approval in *" + layout.Name(about.Stage) + "*" + action + ": " + layout.Text(v.Carries(), 120)
	if _, now := v.Running(about.Stage); now != "" {
		text += "\n" + layout.Text(about.Stage, 100) + ": " + say.Change(now, v.Execution.Number)
	}
	return strings.TrimSuffix(text+"\n"+v.Changed(about.Stage), "\n")
}
