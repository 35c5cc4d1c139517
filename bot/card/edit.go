package card

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Edited tells the channel once what an edit does that people must know: which
// gates ask for less than they did, in the old words and the new, and which
// executions it cancels. e is the edit, with its Defined; owners are mentions,
// ready for Slack.
func Edited(pipeline string, e event.Event, owners []string) Message {
	weak, cancels := e.Defined.Weakened, e.Defined.Cancels
	head := fmt.Sprintf("%s now asks for less at %s", pipeline, layout.Count(len(weak), "gate", "gates"))
	if len(weak) == 0 {
		head = fmt.Sprintf("%s was edited: %s cancelled", pipeline, layout.Count(len(cancels), "execution is", "executions are"))
	}
	l := layout.Message()
	l.Lines("⚠️ *" + layout.Name(head) + "*")
	who := "changed by " + name(e.By)
	if file, ok := strings.CutPrefix(e.Defined.ManagedBy, "file:"); ok {
		who = "changed in the file " + layout.Code(file, 200)
	} else if e.By.Via != "" && e.By.Via != "slack" {
		who += " (" + layout.Text(e.By.Via, 20) + ")"
	}
	mentions := layout.Fit(strings.Join(owners, " "), 1500)
	l.Lines(layout.Sentence(who)+fmt.Sprintf(", version %d", e.Defined.Version), mentions)
	for i, w := range weak {
		if i == 10 {
			l.Lines(fmt.Sprintf("… and %d more", len(weak)-i))
			break
		}
		l.Lines("*"+layout.Name(w.Stage)+"* · "+layout.Text(w.Action, 100), "        before: "+layout.Text(w.Old, 400), "        now: "+layout.Text(w.New, 400))
	}
	if len(cancels) > 0 {
		l.Lines("Cancelled, after their running actions: " + layout.Text(strings.Join(cancels, ", "), 1000))
	}
	return Message{Text: layout.Join("⚠️ "+layout.Text(head, 300), mentions), Blocks: l.Done("")}
}

// Broken tells the channel that the pipeline's file has faults and changes
// nothing. faults are one line each, as the file's checker says them; owners
// are mentions, ready for Slack.
func Broken(pipeline string, version int, faults, owners []string) Message {
	head := "⚠️ " + layout.Text(fmt.Sprintf("The file of %s is broken and changes nothing; version %d stays active.", pipeline, version), 300)
	mentions := layout.Fit(strings.Join(owners, " "), 1500)
	l := layout.Message()
	l.Lines("*"+head+"*", mentions)
	for i, fault := range faults {
		if i == 10 {
			l.Lines(fmt.Sprintf("… and %d more", len(faults)-i))
			break
		}
		l.Lines(layout.Code(fault, 400))
	}
	return Message{Text: layout.Join(head, mentions), Blocks: l.Done("")}
}

// Notice tells the channel in one sentence what concerns a pipeline as such: a
// schedule or a change that started nothing, branches that nobody looks at any
// more. e is the event that says so; of any other the sentence is empty.
func Notice(pipeline string, e event.Event, slash string) Message {
	icon, text := "", ""
	switch {
	case e.Kind == event.ScheduleFired && e.Schedule != nil:
		icon, text = "🕰️", missed(e)
	case e.Kind == event.IntentRefused && e.Refused != nil:
		icon, text = "🚧", notStarted(e)
	case e.Kind == event.AlarmRang && e.Reason != nil:
		icon, text = "🚨", layout.Text(e.Stage, 100)+": "+layout.Text(e.Reason.Message, 800)
	case e.Kind == event.PollingDisabled:
		icon, text = "💤", "has not started for 30 days, so its branches are no longer polled. Start it once to turn that on again: "+layout.Code(slash+" start "+pipeline, 150)
	}
	l := layout.Message()
	l.Lines(icon + " *" + layout.Name(pipeline) + "* " + text)
	return Message{Text: icon + " " + layout.Text(pipeline, 130) + " " + layout.Spoken(text), Blocks: l.Done("")}
}

// missed is a schedule that started nothing. The time of one that was seen too
// late stands in its reason; the event's only says up to when it was.
func missed(e event.Event) string {
	what, reason := "was not started by its schedule at "+layout.Moment(e.Schedule.Nominal), "rollcall was away"
	if e.Schedule.Missed {
		what = "missed its schedule"
	}
	if e.Reason != nil {
		reason = e.Reason.Message
	}
	return layout.Because(what+" ("+layout.Code(strings.TrimSpace(e.Schedule.Cron+" "+e.Schedule.Timezone), 120)+")", reason)
}

// notStarted is a change that wanted a start and was refused.
func notStarted(e event.Event) string {
	who := "a change"
	if e.By.Name != "" && !e.By.IsEngine() {
		who = "a push from " + name(e.By)
	}
	text := "was not started by " + who + ": " + layout.Text(e.Refused.Problem.Message, 500)
	if hint := e.Refused.Problem.Hint; hint != "" {
		text += " · 💡 " + layout.Text(hint, 500)
	}
	return text
}
