package gates

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// mostComment is how many characters GitHub takes of a report; an answer has no more.
const mostComment = 1024

// verdict is what GitHub is to be answered about a deployment.
type verdict struct {
	state   string // approved|rejected; empty: nothing is decided yet
	text    string // why, by whom
	outside bool   // GitHub went on, or ended it, without an answer: none is to be given
}

// verdictOf reads how an execution stands.
func verdictOf(e *workflows.Execution) verdict {
	if e.Stop != nil && e.Stop.Code != "" {
		return verdict{outside: true}
	}
	f := &say.Format{}
	if g := e.Stages[0].Actions[0].Approval; g != nil {
		switch g.Closed {
		case "approved":
			return verdict{state: "approved", text: "approved by " + voters(g, "approve")}
		case "overridden":
			return verdict{state: "approved", text: f.Decision(g, false)}
		case "rejected":
			return verdict{state: "rejected", text: "rejected by " + voters(g, "reject")}
		case "expired":
			why := "expired"
			if e.StatusReason != nil {
				why += ": " + e.StatusReason.Message
			}
			return verdict{state: "rejected", text: clean.Line(why)}
		}
	}
	if !e.Status.Final() {
		return verdict{}
	}
	return verdict{state: "rejected", text: clean.Line(f.Ended(e))}
}

// voters are all who gave an answer, each with what they wrote.
func voters(g *workflows.Approval, answer string) string {
	var names, said []string
	for _, v := range g.Votes {
		if v.Answer != answer {
			continue
		}
		names = append(names, clean.Line(v.By.Called()))
		if v.Comment != "" {
			said = append(said, clean.Line(v.Comment))
		}
	}
	return words.Because(words.List(names, "and"), strings.Join(said, "; "))
}

// comment is the text of an answer: who decided, why, and which execution it was.
func (g *Gates) comment(e *workflows.Execution, v verdict) string {
	tail := fmt.Sprintf(" (rollcall %s, execution %s)", e.Ref(), e.ID)
	if g.o.PublicURL != "" {
		tail = fmt.Sprintf(" ([rollcall %s](%s/executions/%s), execution %s)", e.Ref(), g.o.PublicURL, e.ID, e.ID)
	}
	return capital(words.Cut(v.text, mostComment-utf8.RuneCountInString(tail))) + tail
}

// report is how the gate stands, as GitHub's own page shows it. last says that GitHub
// takes no more.
func (g *Gates) report(e *workflows.Execution, p *workflows.PipelineView, last bool) string {
	f := &say.Format{Time: words.Moment}
	var text string
	switch gate := e.Stages[0].Actions[0].Approval; {
	case gate != nil:
		text = f.GateNow(gate) + ". " + f.Approvers(gate) + "."
		if !gate.ExpiresAt.IsZero() {
			text += " Expires " + words.Moment(gate.ExpiresAt) + "."
		}
	case e.WaitsFor != nil:
		text = "Nobody is asked yet: " + clean.Line(e.WaitsFor.Stage) + " is " + f.WaitReason(e, p) + "."
	default:
		return ""
	}
	tail := ""
	if g.o.PublicURL != "" {
		tail = fmt.Sprintf(" [rollcall %s](%s/executions/%s)", e.Ref(), g.o.PublicURL, e.ID)
	}
	if last {
		tail = " GitHub takes no more reports: the answers that follow are in rollcall only." + tail
	}
	return words.Cut(text, mostComment-utf8.RuneCountInString(tail)) + tail
}

// capital begins a sentence of our own.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
