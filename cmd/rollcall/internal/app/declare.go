package app

import (
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// declare reads what was sent to the API to be put in force.
func declare(data []byte) (*workflows.Pipeline, []web.Diagnostic) {
	p, found := spec.Parse("the declaration", data)
	told := make([]web.Diagnostic, 0, len(found))
	for _, d := range found {
		told = append(told, web.Diagnostic{Line: d.Line, Column: d.Col, Warning: d.Warning, Message: d.Message, Hint: d.Hint})
	}
	return p, told
}
