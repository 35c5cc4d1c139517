package bridged

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Keeps refuses that the definition of a pipeline is changed by somebody else than who
// keeps it: what a file says, through the API; what is in AWS, but by its bridge; what
// runs here, by a bridge. keeper and by are as Intent.ManagedBy; no keeper: there is
// nothing of it any more. Who is archived may be taken over by what is not in AWS.
func Keeps(name, keeper, by string, archived bool) error {
	file, isFile := strings.CutPrefix(keeper, "file:")
	bridge, isBridge := strings.CutPrefix(keeper, "bridge:")
	switch toBridge := strings.HasPrefix(by, "bridge:"); {
	case toBridge && keeper != "" && !isBridge:
		return workflows.Refuse(workflows.CodeConflict, "give the one in AWS another name with `as`", "a pipeline %s runs here already", name)
	case archived || toBridge:
		return nil
	case isBridge:
		return workflows.Refuse(workflows.CodeManagedByBridge, "edit it in AWS, or the bridge "+bridge+" in the configuration", "%s is what AWS shows, and is not defined here", name)
	case isFile && !strings.HasPrefix(by, "file:"):
		return workflows.Refuse(workflows.CodeManagedByFile, "edit that file; a change is in force within seconds", "%s is defined in %s", name, file)
	}
	return nil
}

// Placed refuses a definition that says of itself that it is in AWS, but by the bridge that sees it there.
func Placed(p *workflows.Pipeline, by string) error {
	if (p.Bridge != nil) == strings.HasPrefix(by, "bridge:") {
		return nil
	}
	return workflows.Invalid("bridge", "leave the key out; the section bridges of the configuration says what is in AWS", "only a bridge says of %s that it is in AWS", p.Name)
}
