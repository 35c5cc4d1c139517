// Package form draws what people fill in as Slack's modals: why they reject or
// override, the variables of a start, and what to roll back to.
//
// Every function is pure, as those of bot/card: values in, a form out. What a
// form is about travels in its private metadata as a [card.Subject].
package form

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// The forms' callback_ids, and their input blocks, whose action_id is the same.
const (
	FormApprove  = "approve"
	FormReject   = "reject"
	FormRollback = "rollback"
	FormStart    = "start"
	FormOverride = "override"

	InReason     = "reason"
	InComment    = "comment"
	InTarget     = "target"
	InDefinition = "definition" // original|current
	InRunning    = "running"    // stop|wait
	InLock       = "lock"       // checked: the stage is locked afterwards
	// InPlace is the choice of a stage; choosing shows that stage's targets.
	InPlace = "rollback.place"
)

// form builds a modal. Without a submit text it only says something.
func form(callback, title, submit string, about card.Subject, blocks []slack.Block) slack.ModalViewRequest {
	f := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: callback, Title: layout.PlainText(layout.Line(title, 24)), Close: layout.PlainText("Cancel"),
		PrivateMetadata: about.String(), Blocks: slack.Blocks{BlockSet: blocks}}
	if submit != "" {
		f.Submit = layout.PlainText(layout.Line(submit, 24))
	} else {
		f.Close = layout.PlainText("Close")
	}
	return f
}

// input is an input block; block_id and action_id are the same name. most is
// how many characters the engine takes.
func input(id, label, hint, value string, optional, multiline bool, most int) slack.Block {
	el := slack.NewPlainTextInputBlockElement(nil, id).WithMultiline(multiline).WithMaxLength(most)
	if value = strings.TrimSpace(clean.Text(value)); value != "" {
		el.WithInitialValue(string([]rune(value)[:min(len([]rune(value)), most)]))
	}
	var h *slack.TextBlockObject
	if hint != "" {
		h = layout.PlainText(layout.Line(hint, 500))
	}
	return slack.NewInputBlock(id, layout.PlainText(layout.Line(label, 200)), h, el).WithOptional(optional)
}

func radio(id, label string, options ...*slack.OptionBlockObject) *slack.InputBlock {
	return slack.NewInputBlock(id, layout.PlainText(label), nil, slack.NewRadioButtonsBlockElement(id, options...))
}

func option(value, text, description string) *slack.OptionBlockObject {
	var d *slack.TextBlockObject
	if description != "" {
		d = layout.PlainText(layout.Line(description, layout.MaxOption))
	}
	return slack.NewOptionBlockObject(value, layout.PlainText(layout.Line(text, layout.MaxOption)), d)
}

// shown says who reads what is written into a form.
const shown = "Shown in the channel and kept in the history."
