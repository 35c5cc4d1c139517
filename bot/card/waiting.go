package card

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// soon is how long before its beginning a freeze is spoken of.
const soon = 24 * time.Hour

// inLine is where an execution stands in a queue; empty where there is none.
func (v *View) inLine(s *workflows.StageView) string {
	if v.Pipeline.ExecutionMode != workflows.ModeQueued {
		return ""
	}
	switch i := slices.Index(s.Inbound, v.Execution.ID); {
	case i > 0:
		return ordinal(i+1) + " in line before " + esc(s.Name, 100)
	case i == 0 && s.LatestExecution != nil && s.LatestExecution.Execution != v.Execution.ID:
		return fmt.Sprintf("waits behind #%d", s.LatestExecution.Number)
	}
	return ""
}

// ordinal is 1st, 2nd, 3rd, 4th, 11th, 21st.
func ordinal(n int) string {
	end := "th"
	if n%100 < 11 || n%100 > 13 {
		end = map[int]string{1: "st", 2: "nd", 3: "rd"}[n%10]
	}
	if end == "" {
		end = "th"
	}
	return fmt.Sprint(n) + end
}

// frozen says which freeze keeps an execution before a stage, until when, and
// who may let it through.
func (v *View) frozen(stage, freeze string) string {
	text := esc(stage, 100) + " is frozen"
	if freeze != "" {
		text += " (" + esc(freeze, 60) + ")"
	}
	for i := range v.Pipeline.Freezes {
		if f := &v.Pipeline.Freezes[i]; f.Name == freeze && f.On.Covers(v.Pipeline.Name, stage) {
			return text + until(f)
		}
	}
	return text
}

func until(f *workflows.Freeze) string {
	text := " until " + moment(f.To)
	if len(f.MayPass) > 0 {
		text += "; may let it in: " + fit(strings.Join(escaped(f.MayPass), ", "), 300)
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
	return []string{"🚨 *" + v0(stage) + ": " + strings.ReplaceAll(esc(text, 500), "*", "∗") + "*"}
}

// warned puts a warning before what a confirm dialog says.
func warned(warning, text string) string {
	if warning == "" {
		return text
	}
	return "Careful: " + line(warning, 130) + ". " + text
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
			lines = append(lines, fmt.Sprintf("        ❄️ %s will be frozen (%s) from %s until %s", where, esc(f.Name, 60), moment(f.From), moment(f.To)))
		default:
			lines = append(lines, fmt.Sprintf("        ❄️ %s is frozen (%s)%s", where, esc(f.Name, 60), until(f)))
		}
	}
	if p.PollingDisabledAt != nil {
		lines = append(lines, "        💤 nothing has started for 30 days, so its branches are no longer looked at")
	}
	return lines
}

// covered names the stages of a pipeline that a freeze covers; all of them are
// the pipeline itself.
func covered(f *workflows.Freeze, p *workflows.PipelineView) string {
	var names []string
	for i := range p.Stages {
		if f.On.Covers(p.Name, p.Stages[i].Name) {
			names = append(names, esc(p.Stages[i].Name, 60))
		}
	}
	if len(names) > 0 && len(names) == len(p.Stages) {
		return "all of it"
	}
	return and(names, 5)
}

// frozenNow says whether a freeze covers the stage at a time.
func frozenNow(p *workflows.PipelineView, stage string, now time.Time) bool {
	return slices.ContainsFunc(p.Freezes, func(f workflows.Freeze) bool { return f.At(now, p.Name, stage) })
}
