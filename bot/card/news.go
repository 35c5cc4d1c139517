package card

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Announcement tells the channel once that a stage has succeeded, with the way
// back from it as long as it is live there.
func Announcement(v View, stage string) Message {
	e := &v.Execution
	head := fmt.Sprintf("🚀 %s is in %s", e.Ref(), stage)
	if e.Rollback != nil {
		head = fmt.Sprintf("↩️ %s: %s rolled back to #%d", e.Pipeline, stage, e.Rollback.TargetNumber)
		if e.Rollback.Alarm != "" {
			head += ", because " + e.Rollback.Reason
		}
	}
	l := messageLayout()
	if e.Rollback != nil {
		l.lines(strings.Replace(v.rollback(), "↩️ ", "↩️ *"+v0(e.Pipeline)+"* · ", 1))
	} else {
		l.lines("*" + v0(head) + "*")
	}
	l.lines(v.overrides()...)
	l.lines(append(revisions(e, 5), v.changed(stage), v.issues(stage))...)
	l.buttons(v.wayBack(stage)...)
	if s, ok := e.Stage(stage); ok {
		for i := range s.Actions {
			if g := s.Actions[i].Approval; g != nil {
				l.lines(decided(g)...)
			}
		}
	}
	l.lines(v.stageFacts(stage)...)
	l.context(join(startedBy(e), v.console("console"), v.inAWS()))
	return Message{Text: escape(head) + v.inSpite(), Blocks: l.done("")}
}

// Live says whether what a stage runs now was brought there by this execution.
func (v *View) Live(stage string) bool {
	s, ok := v.Pipeline.Stage(stage)
	if !ok || s.Running == nil {
		return false
	}
	return s.Running.By == v.Execution.ID || s.Running.By == "" && s.Running.Execution == v.Execution.ID
}

// wayBack is the button that rolls a stage back, while this is live there.
func (v *View) wayBack(stage string) []*slack.ButtonBlockElement {
	r := &row{}
	if s, ok := v.Pipeline.Stage(stage); ok && v.Live(stage) && v.acts() {
		for _, o := range offersOf(s.Offers, workflows.RollBack) {
			v.offer(r, o)
		}
	}
	return r.done()
}

// inSpite is what an announcement's text says beside its headline when
// somebody set a check aside.
func (v *View) inSpite() string {
	if all := v.overrides(); len(all) > 0 {
		return " · " + strings.ReplaceAll(fit(all[0], 600), "*", "")
	}
	return ""
}

// Failure tells the channel once that an execution failed, where and why. It
// is not for what was not approved.
func Failure(v View) Message {
	e := &v.Execution
	in := ""
	at := say.Current(e)
	if at != nil {
		in = " in " + at.Name
	}
	head := fmt.Sprintf("❌ %s failed%s", e.Ref(), in)
	text := escape(head)
	if stage, a := failing(e); a != nil && a.Error != nil {
		text += ": " + esc(v.cause(stage, a), 300)
	}
	l := messageLayout()
	l.lines("*" + v0(head) + "*")
	if at != nil {
		l.lines(sentence(say.Retried(at)))
		l.lines(v.inside(at, func(st workflows.Status) bool {
			return st == workflows.StatusFailed || st == workflows.StatusAbandoned || st == workflows.StatusErrored
		})...)
	}
	l.lines(block(v.Tail.Lines, maxTail))
	r := &row{}
	v.logs(r)
	l.buttons(r.done()...)
	l.lines(v.overrides()...)
	l.lines(v.ending())
	l.lines(revisions(e, 5)...)
	if at != nil {
		l.lines(v.stageFacts(at.Name)...)
	}
	l.context(join(startedBy(e), v.console("console"), v.inAWS()))
	return Message{Text: text + v.inSpite(), Blocks: l.done("")}
}

// Reminder asks again, in the thread, without buttons of its own.
func (a *Asking) Reminder() Message {
	text := "⏰ " + join(esc(a.Execution.Ref(), 130)+" is still waiting for approval in "+esc(a.Stage, 100)+inBrackets(a.Action), a.standing(), fit(strings.Join(a.Ask, " "), 1500))
	l := messageLayout()
	l.lines(text)
	l.lines(warning(a.Stage, a.Approval.Warning)...)
	return Message{Text: text, Blocks: l.done("")}
}
