package home

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// soon is how long before its beginning a freeze is spoken of.
const soon = 24 * time.Hour

// notices are what holds of a pipeline beyond its stages: freezes that hold or
// begin within a day, and that nobody looks at its branches any more.
func notices(p *workflows.PipelineView, now time.Time) []string {
	var lines []string
	for i := range p.Freezes {
		f := &p.Freezes[i]
		where := covered(f, p)
		switch {
		case where == "" || !now.Before(f.To) || f.From.After(now.Add(soon)):
		case now.Before(f.From):
			lines = append(lines, fmt.Sprintf("        ❄️ %s will be frozen (%s) from %s until %s", where, layout.Text(f.Name, 60), layout.Moment(f.From), layout.Moment(f.To)))
		default:
			lines = append(lines, fmt.Sprintf("        ❄️ %s is frozen (%s)%s", where, layout.Text(f.Name, 60), until(f)))
		}
	}
	for _, text := range (&card.View{Pipeline: *p}).InAWS() {
		lines = append(lines, "        "+text)
	}
	if p.PollingDisabledAt != nil {
		lines = append(lines, "        💤 nothing has started for 30 days, so its branches are no longer polled")
	}
	return lines
}

// covered names the stages of a pipeline that a freeze covers; all of them are
// the pipeline itself.
func covered(f *workflows.Freeze, p *workflows.PipelineView) string {
	var names []string
	for i := range p.Stages {
		if scope.Covers(f.On, p.Name, p.Stages[i].Name) {
			names = append(names, layout.Text(p.Stages[i].Name, 60))
		}
	}
	if len(names) > 0 && len(names) == len(p.Stages) {
		return "all of it"
	}
	return some(names, 5)
}

// frozenNow says whether a freeze covers the stage at a time.
func frozenNow(p *workflows.PipelineView, stage string, now time.Time) bool {
	return slices.ContainsFunc(p.Freezes, func(f workflows.Freeze) bool { return scope.Frozen(&f, now, p.Name, stage) })
}

// some is a list of at most so many.
func some(all []string, most int) string {
	if len(all) > most {
		all = append(all[:most-1:most-1], fmt.Sprintf("%d more", len(all)-most+1))
	}
	return words.List(all, "and")
}
func until(f *workflows.Freeze) string {
	text := " until " + layout.Moment(f.To)
	if len(f.MayPass) > 0 {
		text += "; " + card.MayBypass(f)
	}
	return text
}
