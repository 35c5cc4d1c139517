package form

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Start asks for a pipeline's variables. values are what is filled in
// already; a variable without them shows its default.
func Start(p workflows.PipelineView, about card.Subject, values map[string]string) slack.ModalViewRequest {
	l := layout.View()
	l.Lines("Start an execution of *" + layout.Name(p.Name) + "*, version " + fmt.Sprint(p.Version))
	blocks := l.Done("")
	if p.Definition != nil {
		for _, variable := range p.Definition.Variables {
			value, given := values[variable.Name]
			if !given && variable.DefaultValue != nil {
				value = *variable.DefaultValue
			}
			hint := variable.Description
			if variable.Pattern != "" {
				hint = strings.TrimSpace(hint + " Must match " + variable.Pattern)
			}
			blocks = append(blocks, input(variable.Name, variable.Name, hint, value, variable.DefaultValue != nil, false, variable.Longest()))
		}
	}
	return form(FormStart, "Start "+p.Name, "Start", about, blocks)
}
