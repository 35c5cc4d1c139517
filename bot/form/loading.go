package form

import (
	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

// Loading stands for a form or an answer until what it shows has been read. Nothing
// can be sent with it. title is the form's, and reading says what is being read.
func Loading(title, reading string) slack.ModalViewRequest {
	l := layout.View()
	l.Lines(layout.Text(reading, 300))
	return form("loading", title, "", card.Subject{}, l.Done(""))
}
