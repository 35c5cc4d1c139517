package form

import (
	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

const (
	// InPipeline is the choice of a pipeline to start; choosing shows its variables.
	InPipeline = "start.pipeline"
	// MostOptions is how many options a menu of Slack's takes; one with more loads them.
	MostOptions = 100
)

// Option is one option of a menu, cut at what Slack takes; value has at most 150 characters.
func Option(value, text, description string) *slack.OptionBlockObject {
	return option(value, text, description)
}

// ChoosePipeline asks which pipeline is to be started, in a menu that loads its options.
func ChoosePipeline(about card.Subject) slack.ModalViewRequest {
	l := layout.View()
	l.Lines("Which pipeline do you want to start? Its variables come next.")
	l.Controls(loading(InPipeline, "Choose a pipeline", nil))
	return form(FormStart, "Start a pipeline", "", about, l.Done(""))
}

// placeMenu is the choice of a stage where there are more than a menu can hold.
func (r *Return) placeMenu() slack.Block {
	var initial *slack.OptionBlockObject
	if at := (Place{r.About.Pipeline, r.About.Stage}); at.Stage != "" && len(at.Value()) <= 150 {
		initial = option(at.Value(), at.Pipeline+" · "+at.Stage, "")
	}
	return slack.NewInputBlock(InPlace, layout.PlainText("Stage"), nil, loading(InPlace, "Choose a stage", initial)).WithDispatchAction(true)
}

// loading is a menu that asks for its options when it is opened and while somebody types.
func loading(id, placeholder string, initial *slack.OptionBlockObject) *slack.SelectBlockElement {
	el := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, layout.PlainText(placeholder), id)
	el.MinQueryLength = new(int)
	if initial != nil {
		el.WithInitialOption(initial)
	}
	return el
}
