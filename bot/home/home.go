// Package home draws what is about many things at once: a person's App Home,
// and the lists that answer a command.
//
// Like package card it is pure: values in, a message or a view out. What is
// said of one execution, and what can be pressed, it takes from there.
package home

import (
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
)

// FormHome is the callback_id of the App Home; ActFind is the action_id of its
// choice of a pipeline, whose value is the pipeline's name.
const (
	FormHome = "home"
	ActFind  = "home.pipeline"
)

// What an App Home shows of each kind, so that it has at most 100 blocks.
const (
	mostWaiting   = 8
	mostMine      = 8
	mostPlaces    = 24
	mostRollbacks = 5
	mostAdmin     = 10
)

// Person is what one person sees of everything.
type Person struct {
	Waiting   []card.Asking // gates that they can answer now, the oldest first
	Mine      []Own         // executions that they started or wrote and that have not ended, newest first
	Places    []Place       // environments, those of most use to them first
	More      int           // pipelines that they may see beside those of Places
	Rollbacks []card.View   // newest first
	// Open are sentences about settings that are open, Unseen about what Slack does
	// not let people see: for those who can mend it.
	Open, Unseen []string
	Accounts     []string // what rollcall knows them by
	Found        string   // the pipeline that they looked for, which stands first
	Start        bool     // there is something that they may start
	Now          time.Time
	URL          string // of the console; empty: no links
}

// Own is an execution of somebody's, with the address of its card; empty: not known.
type Own struct {
	card.View
	Card string
}

// Place is a stage with an environment, and who brought there what runs.
type Place struct {
	card.View // Pipeline, and what Numbers it needs
	Stage     string
	Brought   *workflows.Execution // nil: not known
}

// Home is a person's App Home.
func Home(p Person) slack.ModalViewRequest {
	l := layout.View()
	p.controls(l)
	p.waiting(l)
	p.mine(l)
	p.places(l)
	p.rollbacks(l)
	bullets(l, "⚠️ Not delivered", p.Unseen)
	bullets(l, "⚠️ Open settings", p.Open)
	known := ""
	if len(p.Accounts) > 0 {
		known = "rollcall knows you as " + layout.Text(join(p.Accounts), 400)
	}
	l.Context(layout.Join(console(p.URL), known))
	return slack.ModalViewRequest{Type: slack.VTHomeTab, CallbackID: FormHome, PrivateMetadata: layout.Line(p.Found, 200), Blocks: slack.Blocks{BlockSet: l.Done(console(p.URL))}}
}

// controls are what can be done whatever there is to see.
func (p *Person) controls(l *layout.Layout) {
	var row []slack.BlockElement
	if p.Start {
		row = append(row, slack.NewButtonBlockElement(card.ActStart, card.Subject{}.String(), layout.PlainText("Start a pipeline")))
	}
	if p.More > 0 || p.Found != "" {
		find := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, layout.PlainText("Find a pipeline"), ActFind)
		find.MinQueryLength = new(int)
		if p.Found != "" {
			find.InitialOption = slack.NewOptionBlockObject(layout.Line(p.Found, 150), layout.PlainText(layout.Line(p.Found, layout.MaxOption)), nil)
		}
		row = append(row, find)
	}
	l.Controls(row...)
}

// waiting are the gates, each with what it changes and its two buttons.
func (p *Person) waiting(l *layout.Layout) {
	l.Header("✋ Waiting for you")
	if len(p.Waiting) == 0 {
		l.Lines("Nothing is waiting for your approval.")
	}
	shown := p.Waiting[:min(len(p.Waiting), mostWaiting)]
	var b card.Buttons
	b.Quiet()
	for i := range shown {
		b.Answer(&shown[i], shown[i].Execution.Ref()+ofSeveral(shown, &shown[i]))
	}
	buttons := b.Done()
	for i := range shown {
		a := &shown[i]
		l.Lines("*" + a.Page(layout.Name(a.Execution.Ref())) + "* " + layout.Join("in *"+layout.Name(a.Stage)+"*", layout.Text(ofSeveral(shown, a), 100), a.Standing()))
		l.Lines(append([]string{a.Change()}, card.Revisions(&a.Execution, 1)...)...)
		l.Lines(a.Warning()...)
		l.Buttons(buttons[2*i : 2*i+2]...)
	}
	l.Lines(rest(len(p.Waiting)-len(shown), "gate", "gates"))
}

// ofSeveral names a gate's action where its execution asks at several at a time.
func ofSeveral(all []card.Asking, a *card.Asking) string {
	n := 0
	for i := range all {
		if all[i].Execution.ID == a.Execution.ID {
			n++
		}
	}
	if n < 2 {
		return ""
	}
	return " " + layout.Line(a.Action, 100)
}

// mine are a person's executions, a line each, with the way to the card.
func (p *Person) mine(l *layout.Layout) {
	l.Header("Yours in progress")
	if len(p.Mine) == 0 {
		l.Lines("Nothing that you started or wrote is in progress.")
	}
	shown := p.Mine[:min(len(p.Mine), mostMine)]
	for i := range shown {
		o := &shown[i]
		state, word := o.State()
		l.Lines(layout.Join(card.Sign(state)+" *"+o.Page(layout.Name(o.Execution.Ref()))+"* "+layout.Text(word, 80), layout.Text(brings(o.Execution.SourceRevisions), 80),
			"started "+layout.Moment(o.Execution.StartedAt), linked(o.Card, "card")))
	}
	l.Lines(rest(len(p.Mine)-len(shown), "execution", "executions"))
}

func linked(address, text string) string {
	if address == "" {
		return ""
	}
	return layout.Link(address, text)
}

// rollbacks are the newest, a line each: from, to, who, why.
func (p *Person) rollbacks(l *layout.Layout) {
	if len(p.Rollbacks) == 0 {
		return
	}
	l.Header("Recent rollbacks")
	for i := range p.Rollbacks[:min(len(p.Rollbacks), mostRollbacks)] {
		v := &p.Rollbacks[i]
		at := v.Execution.StartedAt
		if v.Execution.EndedAt != nil {
			at = *v.Execution.EndedAt
		}
		l.Lines(layout.Join("*"+v.Page(layout.Name(v.Execution.Ref()))+"* "+v.Format().Rollback(&v.Execution), layout.Moment(at)))
	}
}

func bullets(l *layout.Layout, head string, all []string) {
	if len(all) == 0 {
		return
	}
	l.Header(head)
	for _, s := range all[:min(len(all), mostAdmin)] {
		l.Lines("• " + layout.Text(s, 300))
	}
	l.Lines(rest(len(all)-mostAdmin, "line", "lines"))
}

// rest says how many are left out; empty for none.
func rest(n int, one, many string) string {
	if n <= 0 {
		return ""
	}
	return "… and " + layout.Count(n, "more "+one, "more "+many)
}

// console is a link to the console; empty without one.
func console(url string) string {
	if url == "" {
		return ""
	}
	return layout.Link(url, "the console")
}
