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
	l.lines(overrides(e)...)
	l.lines(revisions(e, 5)...)
	if e.Rollback != nil {
		l.lines(v.rollback())
	}
	if s, ok := e.Stage(stage); ok {
		for i := range s.Actions {
			if g := s.Actions[i].Approval; g != nil {
				l.lines(answers(g)...)
			}
		}
	}
	l.lines(v.stageFacts(stage)...)
	l.context(join(startedBy(e), v.console("console")))
	return Message{Text: escape(head) + v.inSpite(), Blocks: l.done("")}
}

// inSpite is what an announcement's text says beside its headline when
// somebody set a check aside.
func (v *View) inSpite() string {
	if all := overrides(&v.Execution); len(all) > 0 {
		return " · " + strings.ReplaceAll(fit(all[0], 600), "*", "")
	}
	return ""
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
		l.lines(sentence(retrying(at)))
		l.lines(inside(at, func(st workflows.Status) bool {
			return st == workflows.StatusFailed || st == workflows.StatusAbandoned || st == workflows.StatusErrored
		})...)
	}
	l.lines(overrides(e)...)
	l.lines(v.ending())
	l.lines(revisions(e, 5)...)
	if at != nil {
		l.lines(v.stageFacts(at.Name)...)
	}
	l.context(join(startedBy(e), v.console("console")))
	return Message{Text: escape(head) + v.inSpite(), Blocks: l.done("")}
}

// Reminder asks again, in the thread, without buttons of its own.
func Reminder(a Asking) Message {
	text := "⏰ " + join(esc(a.Execution.Ref(), 130)+" still waits for approval in "+esc(a.Stage, 100), a.standing(), fit(strings.Join(a.Ask, " "), 1500))
	l := messageLayout()
	l.lines(text)
	l.lines(warning(a.Stage, a.Approval.Warning)...)
	return Message{Text: text, Blocks: l.done("")}
}
