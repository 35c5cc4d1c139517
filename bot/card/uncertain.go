package card

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Uncertain is [Failure] for a rollback that failed in a stage and has left nobody
// knowing what runs there. owners are mentions of those who have to act.
func (v View) Uncertain(stage string, owners []string) Message {
	e := &v.Execution
	head := "⚠️ What " + stage + " runs is unknown"
	why := "the rollback"
	if e.Rollback != nil {
		why += fmt.Sprintf(" to #%d", e.Rollback.TargetNumber)
	}
	why += fmt.Sprintf(", %s #%d, failed", e.Pipeline, e.Number)
	if in, a := failing(e); a != nil {
		v.quoted = true
		why += " (" + a.Name
		if cause := v.cause(in, a); cause != "" {
			why += ": " + layout.Line(cause, 200)
		}
		why += ")"
	}
	r := v.waysOut(stage)
	l := layout.Message()
	l.Lines("*"+layout.Name(head)+"*", layout.Text(layout.Sentence(why), 400))
	l.Lines(layout.Join(layout.Fit(strings.Join(owners, " "), 1500), wayOut(r)))
	l.Lines(block(v.lastLines(failureTail), maxTail))
	l.Buttons(r.done()...)
	if _, number := v.Running(stage); number != "" {
		l.Lines("Known last: " + number + ". It is known again when a deployment there has succeeded.")
	}
	v.unknown = true
	l.Lines(v.stageFacts(stage)...)
	l.Context(layout.Join(v.console("console"), v.inAWS()))
	return Message{Text: layout.Escape(head) + ": " + layout.Text(why, 400), Blocks: l.Done("")}
}

// waysOut are the buttons by which it becomes known again what a stage runs.
func (v *View) waysOut(stage string) *row {
	r := &row{}
	for _, o := range offersOf(v.offers(), workflows.Retry) {
		if o.Stage == stage {
			v.offer(r, o)
		}
	}
	if s, ok := v.Pipeline.Stage(stage); ok && v.acts() {
		for _, o := range offersOf(s.Offers, workflows.RollBack) {
			v.offer(r, o)
		}
	}
	v.logs(r)
	return r
}

// wayOut says what can be done with these buttons.
func wayOut(r *row) string {
	has := func(act string) bool { return slices.ContainsFunc(r.all, func(b button) bool { return b.act == act }) }
	switch retry, back := has(ActRetry), has(ActRollback); {
	case retry && back:
		return "Retry it, or roll back again."
	case retry:
		return "Retry it."
	case back:
		return "Roll back again."
	}
	return "Look what runs there, and deploy again."
}
