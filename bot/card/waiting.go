package card

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

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

// Warnings are what somebody must know before anything else: that an execution
// brings back what people rolled back from.
func (v *View) Warnings() []string {
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
