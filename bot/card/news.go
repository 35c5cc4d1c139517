package card

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Announcement tells the channel once that a stage has succeeded, with the way
// back from it as long as it is live there.
func Announcement(v View, stage string) Message {
	e := &v.Execution
	head := v.inStage(stage)
	if e.Rollback != nil {
		head = fmt.Sprintf("↩️ %s: %s rolled back to #%d", e.Pipeline, stage, e.Rollback.TargetNumber)
		if e.Rollback.Alarm != "" {
			head += ", because " + e.Rollback.Reason
		}
	}
	l := layout.Message()
	if e.Rollback != nil {
		text, failed := v.rollback()
		l.Lines("↩️ *"+layout.Name(e.Pipeline)+"* · "+text, failed)
	} else {
		l.Lines("*" + layout.Name(head) + "*")
	}
	l.Lines(v.overrides()...)
	l.Lines(append(revisions(e, 5), v.Changed(stage), v.issues(stage))...)
	l.Buttons(v.wayBack(stage)...)
	if s, ok := e.Stage(stage); ok {
		for i := range s.Actions {
			if g := s.Actions[i].Approval; g != nil {
				lines := decided(g)
				if say.Gate(g) == say.Overridden && len(lines) > 0 {
					lines = lines[1:] // that stands above
				}
				l.Lines(lines...)
			}
		}
	}
	l.Lines(v.stageFacts(stage)...)
	l.Context(layout.Join(v.startedBy(), v.console("console"), v.inAWS()))
	return Message{Text: layout.Escape(head) + v.inSpite(), Blocks: l.Done("")}
}

// Announced is the message of a gate that let an execution through, once that is in a
// stage: one line, with the way back as long as it is live there.
func Announced(a Asking, stage string) Message {
	v := &a.View
	head := v.inStage(stage)
	l := layout.Message()
	l.Lines(layout.Join("*"+layout.Name(head)+"*", cmp.Or(outside(&a.Approval), a.clocked().Decision(&a.Approval, true))))
	if more := decided(&a.Approval); len(more) > 1 {
		l.Lines(more[1:]...) // who agreed before it was overridden, and what people wrote
	}
	l.Lines(dropped(&a.Approval)...)
	l.Buttons(v.wayBack(stage)...)
	return Message{Text: layout.Join(layout.Escape(head), v.decision(&a.Approval)), Blocks: l.Done("")}
}

// inStage says that an execution has come into a stage, in words that stay true when
// something else runs there: "🚀 webshop #43 is in Production".
func (v *View) inStage(stage string) string {
	icon, is := "🚀", "is"
	if s, ok := v.Pipeline.Stage(stage); ok && s.Running != nil && s.Running.Execution != v.Execution.ID && s.Running.By != v.Execution.ID {
		is = "was"
	}
	if v.rolledBack() {
		icon = "↩️"
	}
	return fmt.Sprintf("%s %s #%d %s in %s", icon, v.Execution.Pipeline, v.Execution.Number, is, stage)
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
		return " · " + strings.ReplaceAll(layout.Fit(all[0], 600), "*", "")
	}
	return ""
}

// failureTail is how many of the last lines of a log that says something stand in the
// message about a failure.
const failureTail = 30

// Failure tells the channel once that an execution failed, where and why. It
// is not for what was not approved.
func Failure(v View) Message {
	e := &v.Execution
	in := ""
	at := say.Current(e)
	if at != nil {
		in = " in " + at.Name
	}
	head := fmt.Sprintf("❌ %s #%d failed%s", e.Pipeline, e.Number, in)
	text := layout.Escape(head)
	if stage, a := failing(e); a != nil && a.Error != nil {
		text += ": " + layout.Text(v.cause(stage, a), 300)
	}
	v.quoted = true
	l := layout.Message()
	l.Lines("*" + layout.Name(head) + "*")
	if at != nil {
		l.Lines(layout.Sentence(say.Retried(at)))
		l.Lines(v.inside(at, func(st workflows.Status) bool {
			return st == workflows.StatusFailed || st == workflows.StatusAbandoned || st == workflows.StatusErrored
		})...)
	}
	l.Lines(block(v.lastLines(failureTail), maxTail))
	r := &row{}
	v.logs(r)
	l.Buttons(r.done()...)
	l.Lines(v.overrides()...)
	l.Lines(v.ending())
	l.Lines(revisions(e, 1)...)
	if at != nil {
		l.Lines(v.stageFacts(at.Name)...)
	}
	l.Context(layout.Join(v.console("console"), v.inAWS()))
	return Message{Text: text + v.inSpite(), Blocks: l.Done("")}
}
