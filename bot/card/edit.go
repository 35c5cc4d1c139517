package card

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Edit is a new version of a definition under which gates ask for less.
type Edit struct {
	Pipeline  string
	Version   int
	By        workflows.Principal
	ManagedBy string // "api", or "file:PATH"
	Weakened  []workflows.Weakened
	Owners    []string // mentions, ready for Slack
}

// Weakened tells the channel once which gates ask for less than they did, in
// the old words and the new.
func Weakened(e Edit) Message {
	head := fmt.Sprintf("%s now asks for less at %s", e.Pipeline, count(len(e.Weakened), "gate", "gates"))
	l := messageLayout()
	l.lines("⚠️ *" + v0(head) + "*")
	who := "changed by " + name(e.By)
	if file, ok := strings.CutPrefix(e.ManagedBy, "file:"); ok {
		who = "changed in the file " + code(file, 200)
	} else if e.By.Via != "" && e.By.Via != "slack" {
		who += " (" + esc(e.By.Via, 20) + ")"
	}
	l.lines(sentence(who)+fmt.Sprintf(", version %d", e.Version), fit(strings.Join(e.Owners, " "), 1500))
	for i, w := range e.Weakened {
		if i == 10 {
			l.lines(fmt.Sprintf("… and %d more", len(e.Weakened)-i))
			break
		}
		l.lines("*"+v0(w.Stage)+"* · "+esc(w.Action, 100), "        before: "+esc(w.Old, 400), "        now: "+esc(w.New, 400))
	}
	return Message{Text: "⚠️ " + esc(head, 300) + mentioned(e.Owners), Blocks: l.done("")}
}

func mentioned(who []string) string {
	if len(who) == 0 {
		return ""
	}
	return " · " + fit(strings.Join(who, " "), 1500)
}

// Missed tells the channel that its schedule started nothing, and why: at a
// time, or (zero) at some time that was seen too late.
func Missed(pipeline, schedule string, at time.Time, reason string) Message {
	what := "missed its schedule"
	if !at.IsZero() {
		what = "was not started by its schedule at " + moment(at)
	}
	return notice("🕰️", pipeline, because(what+" ("+code(schedule, 120)+")", reason))
}

// NotStarted tells the channel that a change started nothing.
func NotStarted(pipeline string, by workflows.Principal, p *workflows.Problem) Message {
	who := "a change"
	if by.Name != "" && !by.IsEngine() {
		who = "a push from " + name(by)
	}
	text := "was not started by " + who + ": " + esc(p.Message, 500)
	if p.Hint != "" {
		text += " · 💡 " + esc(p.Hint, 500)
	}
	return notice("🚧", pipeline, text)
}

// PollingOff tells the channel that a pipeline's branches are no longer looked at.
func PollingOff(pipeline, slash string) Message {
	return notice("💤", pipeline, "has not started for 30 days, so its branches are no longer looked at. Start it once to turn that on again: "+code(slash+" start "+pipeline, 150))
}

// notice is a short message about a pipeline; text is escaped.
func notice(icon, pipeline, text string) Message {
	l := messageLayout()
	l.lines(icon + " *" + v0(pipeline) + "* " + text)
	return Message{Text: icon + " " + esc(pipeline, 130) + " " + text, Blocks: l.done("")}
}
