package decider

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// about are the attributes of a log line about what is asked of the pipeline.
func (u *unit) about(in *workflows.Intent) []any {
	if x, ok := u.state.Execution(in.Execution); ok {
		return words.LogAttrs(x.Ref(), in.Stage, in.Action)
	}
	attrs := words.LogAttrs(u.name, in.Stage, in.Action)
	if in.Execution != "" { // it has ended: its number is not in the state
		attrs = append(attrs, "executionId", in.Execution)
	}
	return attrs
}
