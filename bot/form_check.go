package bot

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Answer is what Slack must hear at once, within its three seconds: a
// *slack.ViewSubmissionResponse with errors by block, or nil for an empty 200. It reads nothing and does nothing; who asks is not
// known yet. A form answered with errors stays open and is not handled.
func (b *Bot) Answer(r Request) any {
	if r.Interaction == nil {
		return nil
	}
	switch r.Interaction.Type {
	case slack.InteractionTypeViewSubmission:
		if faults := check(r.Interaction.View); len(faults) > 0 {
			return slack.NewErrorsViewSubmissionResponse(faults)
		}
	}
	return nil
}

// check finds what a submitted form lacks, by input block.
func check(view slack.View) map[string]string {
	in := inputs(view)
	faults := map[string]string{}
	switch view.CallbackID {
	case form.FormReject:
		if in[form.InReason] == "" {
			faults[form.InReason] = "Say why: the requester reads this."
		}
	case form.FormApprove:
		if in[form.InComment] == "" {
			faults[form.InComment] = "This gate requires a comment."
		}
	case form.FormOverride:
		if in[form.InReason] == "" {
			faults[form.InReason] = "Give a reason: it is shown in the channel and kept in the history."
		}
	case form.FormRollback:
		checkRollback(view, in, faults)
	}
	tooLong(view.CallbackID, in, faults)
	return faults
}

// tooLong finds texts that the engine would refuse. Slack's own limit in the
// form is the same; not every client keeps it.
func tooLong(callback string, in, faults map[string]string) {
	for block, text := range in {
		most := workflows.Verb(callback).Longest()
		switch {
		case callback == form.FormStart:
			most = workflows.Variable{}.Longest()
		case block != form.InReason && block != form.InComment:
			continue
		}
		if n := utf8.RuneCountInString(text); n > most {
			faults[block] = fmt.Sprintf("This has %d characters; at most %d are possible.", n, most)
		}
	}
}

func checkRollback(view slack.View, in, faults map[string]string) {
	about, problem := card.ParseSubject(view.PrivateMetadata)
	chosen, hasPlace := in[form.InPlace]
	shown := form.Place{Pipeline: about.Pipeline, Stage: about.Stage}.Value()
	switch {
	case problem != nil:
		faults[form.InReason] = "This form is too old. Close it and open a fresh one."
	case hasPlace && chosen == "":
		faults[form.InPlace] = "Choose a stage first."
	case hasPlace && chosen != shown:
		faults[form.InPlace] = "The targets of this stage are still being loaded. Look at them, then press again."
	case in[form.InTarget] != "":
	case hasPlace:
		faults[form.InPlace] = "This stage has nothing chosen to return to."
	default:
		faults[form.InReason] = "Nothing is chosen to return to."
		if _, ok := in[form.InTarget]; ok {
			delete(faults, form.InReason)
			faults[form.InTarget] = "Choose what to return to."
		}
	}
}

// inputs are a form's values by block, without spaces around them. A block
// that is in the form and empty is there with an empty value.
func inputs(view slack.View) map[string]string {
	in := map[string]string{}
	for _, block := range view.Blocks.BlockSet {
		if i, ok := block.(*slack.InputBlock); ok {
			in[i.BlockID] = ""
		}
	}
	if view.State == nil {
		return in
	}
	for block, actions := range view.State.Values {
		for _, a := range actions {
			value := a.Value
			if a.SelectedOption.Value != "" {
				value = a.SelectedOption.Value
			}
			for _, o := range a.SelectedOptions {
				value = o.Value
			}
			in[block] = strings.TrimSpace(value)
		}
	}
	return in
}
