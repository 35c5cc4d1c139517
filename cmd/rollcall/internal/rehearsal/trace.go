package rehearsal

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/history"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// traced is the line of an event in the trace, with the code of its reason,
// which a test can ask for; empty: nothing worth a line.
func (w *simulation) traced(e *event.Event) string {
	if e.Kind == event.ActionTracked || e.Kind == event.OrphanConfirmed {
		return ""
	}
	line := history.Line(&say.Format{Ref: w.ref}, e)
	if e.Execution != "" {
		line = w.ref(e.Execution) + " " + line
	}
	if e.Reason != nil && e.Reason.Code != "" {
		line += " (" + e.Reason.Code + ")"
	}
	return line
}

func (w *simulation) ref(id string) string {
	if n, ok := w.numbers[id]; ok {
		return fmt.Sprintf("#%d", n)
	}
	return id
}

// coded is a reason with its code, both of which a test can ask for; empty: there is none.
func coded(r *workflows.Reason) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s)", r.Message, r.Code)
}
