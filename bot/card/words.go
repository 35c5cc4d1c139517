package card

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Say is a plain answer. text comes from rollcall itself or is escaped by Say
// like everything else.
func Say(text string) Message {
	text = layout.Prose(text, 2500)
	return Message{Text: text, Blocks: []slack.Block{slack.NewSectionBlock(layout.Mrkdwn(text), nil, nil)}}
}

// Refusal is a problem in words: what happened, what to do, who could. holders
// are those who have the missing right, ready for Slack; said is what the
// person had written; gates are those that were decided before.
func Refusal(p *workflows.Problem, holders []string, said string, gates ...workflows.Approval) Message {
	// A refusal may begin with a name, whose case counts: it stays as it is.
	text := "🙅 " + layout.Prose(p.Message, 1500)
	if p.Code == workflows.CodeNotAnApprover && len(holders) > 0 {
		text = "🙅 " + layout.Sentence(layout.Prose(p.Message, 1500)) + ". " + layout.Fit(strings.Join(holders, ", "), 1000) + " can."
		p, holders = &workflows.Problem{ID: p.ID}, nil
	}
	l := layout.Message()
	l.Lines(text)
	if p.Hint != "" {
		l.Lines("💡 " + layout.Prose(p.Hint, 1000))
	}
	if len(holders) > 0 {
		l.Lines("Who can: " + layout.Fit(strings.Join(holders, ", "), 1000))
	}
	for i := range gates {
		l.Lines(decided(&gates[i])...)
	}
	if said = strings.TrimSpace(said); said != "" {
		l.Lines("You wrote:")
		for part := range slices.Chunk([]rune(said), 2000) {
			l.Lines(layout.Prose(string(part), layout.MaxSection))
		}
	}
	if p.ID != "" {
		l.Context("Reference " + layout.Text(p.ID, 60))
	}
	return Message{Text: text, Blocks: l.Done("")}
}

// Home is the message as somebody's App Home, where there is nothing else to show.
func (m Message) Home() slack.ModalViewRequest {
	return slack.ModalViewRequest{Type: slack.VTHomeTab, CallbackID: "home", Blocks: slack.Blocks{BlockSet: m.Blocks}}
}

// Modal is a long answer as a modal, which stands over the channel and not at its
// end. about says where it was asked for.
func (m Message) Modal(title string, about Subject) slack.ModalViewRequest {
	return slack.ModalViewRequest{Type: slack.VTModal, CallbackID: "answer", Title: layout.PlainText(layout.Line(title, 24)), Close: layout.PlainText("Close"),
		PrivateMetadata: about.String(), Blocks: slack.Blocks{BlockSet: m.Blocks}}
}

// Done says what changed, with the execution's headline behind it where that says more.
func Done(text string, e *workflows.Execution, url string) Message {
	text = cmp.Or(layout.Text(text, 500), "Done") // words from outside may overwrite all that stood before them
	more := ""
	if e != nil {
		v := &View{Execution: *e, URL: url}
		state, now := v.headline()
		if more = v.Page(layout.Text(v.Headline(), 80)); state == say.NotApproved || strings.Contains(text, now) {
			more = v.console("console") // the sentence says it already
		}
	}
	l := layout.Message()
	l.Lines(text)
	l.Context(more)
	return Message{Text: text, Blocks: l.Done("")}
}

// Details is all that a card leaves out.
func Details(v View) Message {
	v.whole = true
	e := &v.Execution
	l := layout.Message()
	l.Header(v.Headline())
	l.Lines(v.contents()...)
	l.Lines(bridge(v.Pipeline.Bridge)...)
	l.Lines(v.allRequests()...)
	for i := range e.Stages {
		s := &e.Stages[i]
		l.Lines(v.stageLine(s))
		for j := range s.Conditions {
			for n, text := range conditionLines(&s.Conditions[j], findings) {
				l.Lines(strings.Repeat(" ", 8+8*min(n, 1)) + text)
			}
		}
		for j := range s.Actions {
			a := &s.Actions[j]
			l.Lines("        " + layout.Join(v.actionLine(s.Name, a), attempt(a.Attempt), outputs(a.OutputVariables)))
			for _, text := range findings(a) {
				l.Lines("                " + text)
			}
			if a.Approval != nil {
				for _, vote := range v.comments(a.Approval) {
					l.Lines("                " + vote)
				}
			}
		}
	}
	l.Lines(block(v.Tail.Lines, maxTail))
	l.Lines(v.inDoubt()...)
	l.Lines(v.facts()...)
	for _, k := range slices.Sorted(maps.Keys(e.Artifacts)) {
		a := e.Artifacts[k]
		l.Lines("🗃️ " + layout.Join(layout.Text(k, 100), layout.Code(a.Digest[:min(12, len(a.Digest))], 12), fmt.Sprintf("%d kB", (a.Size+1023)/1024)))
	}
	r := &row{}
	v.override(r, true)
	l.Buttons(r.done()...)
	l.Context(v.footer())
	return Message{Text: layout.Escape(v.Headline()), Blocks: l.Done(v.console("all of it in the console"))}
}

func attempt(n int) string {
	if n > 1 {
		return "attempt " + strconv.Itoa(n)
	}
	return ""
}

func outputs(all map[string]string) string { return variables(all) }
