package form

import (
	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// FormStop is the callback_id of the form that stops an execution.
const FormStop = "stop"

// Stop asks whether an execution is to stop, and why; the reason may be left out.
func Stop(v card.View, about card.Subject) slack.ModalViewRequest {
	e := &v.Execution
	l := layout.View()
	l.Lines("*" + layout.Name(e.Ref()) + "*: " + layout.Text(v.Carries(), 120))
	where := "Actions that are running finish, nothing more starts."
	if at := say.Current(e); at != nil {
		where += " It is in " + layout.Text(at.Name, 100) + "."
	}
	l.Lines(where)
	return form(FormStop, "Stop "+e.Ref(), "Stop", about, append(l.Done(""), input(InReason, "Reason", shown, "", true, true, workflows.StopExecution.Longest())))
}
