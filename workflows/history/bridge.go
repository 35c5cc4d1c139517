package history

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// observed is an execution as AWS shows it: found there after it had ended, or of
// which not every step was seen.
func (l *liner) observed(x *workflows.Execution) string {
	f := l.Format
	text := f.StatusText(x)
	if l.e.Text != "" { // history
		return "found in AWS: " + l.started(x) + "; " + text
	}
	return "shown by AWS: " + text
}

// request is what AWS was asked to do, or what it answered.
func (l *liner) request(r *workflows.Request) string {
	asked := *r
	switch {
	case l.e.Kind == event.RequestOpened:
		asked.State = workflows.RequestDone // whether AWS answered is said later
	case r.State == workflows.RequestDone:
		return "AWS accepted what " + l.Who(r.By) + " asked for: " + l.RequestVerb(r)
	}
	return l.Request(&asked)
}
