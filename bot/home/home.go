// Package home draws what is about many things at once: a person's App Home,
// and the lists that answer a command.
//
// Like package card it is pure: values in, a message or a view out. What is
// said of one execution, and what can be pressed, it takes from there.
package home

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Overview is what waits for somebody, and how the pipelines stand at the time now.
func Overview(waiting []say.OpenApproval, all []workflows.PipelineView, now time.Time, url string) card.Message {
	l := layout.Message()
	overview(l, waiting, all, now, nil)
	return card.Message{Text: fmt.Sprintf("%d waiting for approval, %s", len(waiting), layout.Count(len(all), "pipeline", "pipelines")), Blocks: l.Done(console(url))}
}

// Home is a person's App Home: what waits for them, what is open, the
// pipelines. open are sentences about settings that are open, unseen about what
// Slack does not let people see.
func Home(waiting []say.OpenApproval, all []workflows.PipelineView, open []string, now time.Time, url string, unseen ...string) slack.ModalViewRequest {
	l := layout.View()
	if len(unseen) > 0 {
		l.Header("⚠️ Not delivered")
		for _, s := range unseen {
			l.Lines("• " + layout.Text(s, 300))
		}
	}
	overview(l, waiting, all, now, open)
	return slack.ModalViewRequest{Type: slack.VTHomeTab, CallbackID: "home", Blocks: slack.Blocks{BlockSet: l.Done(console(url))}}
}

func overview(l *layout.Layout, waiting []say.OpenApproval, all []workflows.PipelineView, now time.Time, open []string) {
	if len(open) > 0 {
		l.Header("⚠️ Open settings")
		for _, s := range open {
			l.Lines("• " + layout.Text(s, 300))
		}
	}
	l.Header("✋ Waiting for you")
	if len(waiting) == 0 {
		l.Lines("Nothing is waiting for your approval.")
	}
	shown := waiting[:min(len(waiting), 10)]
	buttons := answers(shown)
	for i := range shown {
		w := &shown[i]
		a := card.Open(w)
		l.Lines("*"+layout.Name(a.Execution.Ref())+"* in *"+layout.Name(w.Stage)+"*"+ofSeveral(shown, w)+" · "+a.Standing(), strings.Join(card.Revisions(&a.Execution, 1), ""))
		l.Lines(a.Warning()...)
		l.Buttons(buttons[2*i : 2*i+2]...)
	}
	if n := len(waiting) - len(shown); n > 0 {
		l.Lines(fmt.Sprintf("… and %d more", n))
	}
	l.Header("Pipelines")
	if len(all) == 0 {
		l.Lines("There is no pipeline that you may see.")
	}
	for i := range all {
		l.Lines(pipelineLines(&all[i], now)...)
	}
}

// console is a link to the console; empty without one.
func console(url string) string {
	if url == "" {
		return ""
	}
	return layout.Link(url, "the console")
}

// ofSeveral names a gate's action where its execution asks at several at a time.
func ofSeveral(all []say.OpenApproval, w *say.OpenApproval) string {
	n := 0
	for i := range all {
		if all[i].Execution == w.Execution {
			n++
		}
	}
	if n < 2 {
		return ""
	}
	return " " + layout.Text(w.Action, 100)
}

// answers are the two buttons of each gate, in order; of several gates none stands out.
func answers(all []say.OpenApproval) []*slack.ButtonBlockElement {
	var b card.Buttons
	b.Quiet()
	for i := range all {
		a := card.Open(&all[i])
		b.Answer(a, a.Execution.Ref()+ofSeveral(all, &all[i]))
	}
	return b.Done()
}
