package card

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// tooFew says that fewer people can approve than are needed, and every way out;
// empty: there are enough.
func (a *Asking) tooFew() string {
	f := a.format()
	text := f.TooFew(a.Answerable)
	if text == "" {
		return ""
	}
	ways := f.WaysOut(a.Answerable, a.From)
	if a.Command != "" && a.Pipeline.Bridge == nil {
		ways = append(ways, "an admin overrides with `"+a.Command+" override "+strings.ReplaceAll(layout.Text(a.Execution.Ref()+" "+a.Stage, 200), "`", "'")+" REASON`")
	}
	return "⚠️ *" + layout.Sentence(text) + "*: " + words.List(ways, "or") + "."
}

// behind names those who wait until this gate is decided; empty: nobody does.
func (a *Asking) behind() string {
	switch len(a.Behind) {
	case 0:
		return ""
	case 1:
		return a.Behind[0] + " is waiting behind"
	}
	names := a.Behind
	if more := len(names) - 4; more > 1 {
		names = append(names[:4:4], fmt.Sprintf("%d more", more))
	}
	return words.List(names, "and") + " are waiting behind"
}

// instead offers to stop this execution, so that the next one is asked for.
func (a *Asking) instead(r *row) {
	if a.Next == "" || len(a.Behind) == 0 {
		return
	}
	e, next := &a.Execution, a.Behind[0]
	text := fmt.Sprintf("Stop #%d and ask for %s", e.Number, next)
	explain := fmt.Sprintf("%s stops before %s of %s, whatever was answered here. %s is next: it enters %s and asks for approval.",
		e.Ref(), layout.Line(a.Stage, 60), layout.Line(e.Pipeline, 60), next, layout.Line(a.Stage, 60))
	r.add(button{act: ActStop, text: text, named: text, about: Subject{Pipeline: e.Pipeline, Stage: a.Stage, Execution: e.ID, Gate: a.Approval.Token, Target: a.Next},
		confirm: always(ask(text+"?", explain, "Stop "+fmt.Sprintf("#%d", e.Number)))})
}

// skipped says that somebody opened a gate by their right, to those who were not
// asked any more. who are their mentions.
func (a *Asking) skipped(who []string) string {
	text := "🔓 " + strings.Join(append([]string{a.format().Decision(&a.Approval, false)}, a.place(true)), " · ")
	if len(who) > 0 {
		text = layout.Fit(strings.Join(who, ", "), 1500) + ": " + text
	}
	return text
}

// Skipped tells the approvers of a gate, whom who mentions, that it was opened without them.
func (a *Asking) Skipped(who []string) Message {
	text := a.skipped(who)
	l := layout.Message()
	l.Lines(text)
	return Message{Text: layout.Spoken(text), Blocks: l.Done("")}
}

// Reminder asks those again who have not answered, in the thread, in one line
// without buttons of its own.
func (a *Asking) Reminder() Message {
	text := layout.Text(fmt.Sprintf("%s #%d", a.Execution.Pipeline, a.Execution.Number), 130) + " is still waiting for your approval in " + layout.Text(a.Stage, 100) + inBrackets(a.named())
	if len(a.Ask) > 0 {
		text = layout.Fit(strings.Join(a.Ask, ", "), 1500) + ": " + text
	}
	text = "⏰ " + layout.Join(text, strings.ReplaceAll(a.standing(), "*", ""))
	l := layout.Message()
	l.Lines(text)
	l.Lines(warning(a.Stage, a.Approval.Warning)...)
	return Message{Text: layout.Spoken(text), Blocks: l.Done("")}
}
