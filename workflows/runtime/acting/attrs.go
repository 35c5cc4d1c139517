package acting

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// about are the attributes of a log line about a task.
func about(t *work.Task) []any {
	return words.LogAttrs(fmt.Sprintf("%s#%d", t.Pipeline, t.Number), t.Stage, t.Action.Name)
}
