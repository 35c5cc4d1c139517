package card

import (
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
)

// maxChoices is how many choices an overflow menu takes.
const maxChoices = 5

// Chosen is what somebody chose from the menu of a card. A choice has room for few
// characters, so a stage is named by its place in the execution.
type Chosen struct {
	Verb      workflows.Verb // stop or rollback
	Execution string         // ID
	Stage     int            // index in the execution's stages; of a rollback
}

// String is the choice as it travels through Slack.
func (c Chosen) String() string {
	if c.Verb == workflows.RollBack {
		return "rollback " + c.Execution + " " + strconv.Itoa(c.Stage)
	}
	return "stop " + c.Execution
}

// ParseChosen reads what String wrote; anything else is a problem in words.
func ParseChosen(value string) (Chosen, *workflows.Problem) {
	parts := strings.Fields(value)
	switch {
	case len(parts) == 2 && parts[0] == "stop":
		return Chosen{Verb: workflows.StopExecution, Execution: parts[1]}, nil
	case len(parts) == 3 && parts[0] == "rollback":
		if n, err := strconv.Atoi(parts[2]); err == nil && n >= 0 {
			return Chosen{Verb: workflows.RollBack, Execution: parts[1], Stage: n}, nil
		}
	}
	_, problem := ParseSubject("")
	return Chosen{}, problem
}

// menu offers to stop the execution, and to roll back its stages; nil: neither can be done.
func (v *View) menu() *slack.OverflowBlockElement {
	e := &v.Execution
	var choices []*slack.OptionBlockObject
	add := func(c Chosen, text string) {
		if len(choices) < maxChoices && !slices.ContainsFunc(choices, func(o *slack.OptionBlockObject) bool { return o.Value == c.String() }) {
			choices = append(choices, slack.NewOptionBlockObject(c.String(), layout.PlainText(layout.Line(text, layout.MaxOption)), nil))
		}
	}
	if len(offersOf(v.offers(), workflows.StopExecution)) > 0 {
		add(Chosen{Verb: workflows.StopExecution, Execution: e.ID}, "Stop "+e.Ref()+"…")
	}
	for _, o := range offersOf(v.offers(), workflows.RollBack) {
		i := slices.IndexFunc(e.Stages, func(s workflows.StageExecution) bool { return s.Name == o.Stage })
		if i >= 0 {
			add(Chosen{Verb: workflows.RollBack, Execution: e.ID, Stage: i}, "Roll back "+o.Stage+"…")
		}
	}
	if len(choices) == 0 {
		return nil
	}
	return slack.NewOverflowBlockElement(ActMore, choices...)
}
