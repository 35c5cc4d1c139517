package card

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Announcement tells the channel once that a stage has succeeded.
func Announcement(v View, stage string) Message {
	e := &v.Execution
	head := fmt.Sprintf("🚀 %s is in %s", e.Ref(), stage)
	if e.Rollback != nil {
		head = fmt.Sprintf("↩️ %s: %s is back on #%d", e.Pipeline, stage, e.Rollback.TargetNumber)
	}
	l := messageLayout()
	l.lines("*" + v0(head) + "*")
	l.lines(revisions(e, 5)...)
	if e.Rollback != nil {
		l.lines(v.rollback())
	}
	if s, ok := e.Stage(stage); ok {
		for i := range s.Actions {
			if g := s.Actions[i].Approval; g != nil {
				l.lines(votes(g.Votes)...)
			}
		}
	}
	l.lines(v.stageFacts(stage)...)
	l.context(join(startedBy(e), v.console("console")))
	return Message{Text: escape(head), Blocks: l.done("")}
}

// Failure tells the channel once that an execution failed, where and why. It
// is not for what was not approved.
func Failure(v View) Message {
	e := &v.Execution
	in := ""
	at := current(e)
	if at != nil {
		in = " in " + at.Name
	}
	head := fmt.Sprintf("❌ %s failed%s", e.Ref(), in)
	l := messageLayout()
	l.lines("*" + v0(head) + "*")
	if at != nil {
		for i := range at.Actions {
			if a := &at.Actions[i]; a.Status == workflows.StatusFailed || a.Status == workflows.StatusAbandoned {
				l.lines(actionLine(a))
			}
		}
	}
	l.lines(v.ending())
	l.lines(revisions(e, 5)...)
	if at != nil {
		l.lines(v.stageFacts(at.Name)...)
	}
	l.context(join(startedBy(e), v.console("console")))
	return Message{Text: escape(head), Blocks: l.done("")}
}

// Reminder asks again, in the thread, without buttons of its own.
func Reminder(a Asking) Message {
	text := "⏰ " + join(esc(a.Execution.Ref(), 130)+" still waits for approval in "+esc(a.Stage, 100), a.standing(), fit(strings.Join(a.Ask, " "), 1500))
	l := messageLayout()
	l.lines(text)
	return Message{Text: text, Blocks: l.done("")}
}
