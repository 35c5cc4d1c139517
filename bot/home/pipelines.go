package home

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Pipelines lists pipelines, a line each, and what else holds at the time now.
// title is what stands above.
func Pipelines(title string, all []workflows.PipelineView, now time.Time, url string) card.Message {
	l := layout.Message()
	l.Lines("*" + layout.Text(title, 100) + "*")
	if len(all) == 0 {
		l.Lines("There is no pipeline here that you may view.")
	}
	for i := range all {
		l.Lines(pipelineLines(&all[i], now)...)
	}
	return card.Message{Text: layout.Text(title, 100), Blocks: l.Done(console(url))}
}

// pipelineLines are a pipeline with its stages side by side, and what else holds of it.
func pipelineLines(p *workflows.PipelineView, now time.Time) []string {
	var stages []string
	for i := range p.Stages {
		if i == 12 {
			stages = append(stages, fmt.Sprintf("%d more", len(p.Stages)-i))
			break
		}
		s := &p.Stages[i]
		text := "○ " + layout.Text(s.Name, 40)
		if s.LatestExecution != nil {
			st := say.Status(s.LatestExecution.Status)
			text = card.Sign(st) + " " + layout.Text(s.Name, 40) + fmt.Sprintf(" #%d %s", s.LatestExecution.Number, st)
		}
		if s.Running != nil && s.Running.Caveat() != "" {
			text += " ⚠️ " + layout.Text(s.Running.Caveat(), 100)
		}
		if !s.Transition.Enabled {
			text += " 🔒 locked"
		}
		if frozenNow(p, s.Name, now) {
			text += " ❄️ frozen"
		}
		stages = append(stages, text)
	}
	return append([]string{"*" + layout.Name(p.Name) + "*: " + strings.Join(stages, " → ")}, notices(p, now)...)
}
