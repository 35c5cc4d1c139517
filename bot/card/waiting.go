package card

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// soon is how long before its beginning a freeze is spoken of.
const soon = 24 * time.Hour

// mayPass names those whom a freeze lets unlock the stage for one execution.
func (v *View) mayPass() string {
	w := v.Execution.WaitsFor
	for i := range v.Pipeline.Freezes {
		if f := &v.Pipeline.Freezes[i]; w.For == workflows.WaitsForFreeze && f.Name == w.Freeze && len(f.MayPass) > 0 {
			return bypass(f)
		}
	}
	return ""
}

// bypass names those who may bypass a freeze.
func bypass(f *workflows.Freeze) string {
	names := make([]string, len(f.MayPass))
	for i, who := range f.MayPass {
		names[i] = layout.Text(say.Approver(who), 200)
	}
	return "may bypass: " + layout.Fit(strings.Join(names, ", "), 300)
}

func until(f *workflows.Freeze) string {
	text := " until " + layout.Moment(f.To)
	if len(f.MayPass) > 0 {
		text += "; " + bypass(f)
	}
	return text
}

// warnings are what somebody must know before anything else: that an execution
// brings back what people rolled back from.
func (v *View) warnings() []string {
	e := &v.Execution
	var lines []string
	if w := e.WaitsFor; w != nil {
		lines = append(lines, warning(w.Stage, w.Warning)...)
	}
	for i := range e.Stages {
		for j := range e.Stages[i].Actions {
			if g := e.Stages[i].Actions[j].Approval; g != nil && g.Closed == "" {
				lines = append(lines, warning(e.Stages[i].Name, g.Warning)...)
			}
		}
	}
	return slices.Compact(lines)
}

func warning(stage, text string) []string {
	if text == "" {
		return nil
	}
	return []string{"⚠️ *" + layout.Name(stage) + ": " + strings.ReplaceAll(layout.Text(text, 500), "*", "∗") + "*"}
}

// warned puts a warning before what a confirm dialog says.
func warned(warning, text string) string {
	if warning == "" {
		return text
	}
	return layout.Sentence(say.Warning(layout.Line(warning, 130))) + ". " + text
}

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
	for _, text := range bridge(p.Bridge) {
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
