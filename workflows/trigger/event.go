package trigger

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// ByEvent says whether an event of EventBridge, a document as [document.Read]
// returns it, fits a trigger of the pipeline, and with which variables it starts;
// the first trigger that fits counts. why says why it does not start although it fits.
func ByEvent(p *workflows.Pipeline, event any) (variables map[string]string, fits bool, why string) {
	for _, t := range p.Triggers {
		if t.Event == nil || !fitsPattern(t.Event, event) {
			continue
		}
		variables, why = variablesOf(t.Variables, event)
		return variables, true, why
	}
	return nil, false, ""
}

// fitsPattern reads the pattern anew: a definition was checked when it was put in force.
func fitsPattern(text []byte, event any) bool {
	doc, err := document.Read(text)
	if err != nil {
		return false
	}
	pattern, err := document.ParsePattern(doc)
	return err == nil && pattern.Fits(event)
}

func variablesOf(said map[string]string, event any) (variables map[string]string, why string) {
	for _, name := range words.Keys(said) {
		value := said[name]
		if strings.HasPrefix(value, "$") {
			path, err := document.ParsePath(value)
			text := ""
			if err == nil {
				text, err = path.Text(event)
			}
			if err != nil {
				return nil, fmt.Sprintf("for the variable %s the event %s at %s", name, err, value)
			}
			value = text
		}
		if variables == nil {
			variables = map[string]string{}
		}
		variables[name] = value
	}
	return variables, ""
}
