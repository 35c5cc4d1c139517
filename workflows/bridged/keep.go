package bridged

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Keeps refuses that the definition of a pipeline is changed by somebody else than who
// keeps it: what a file says, through the API; what is in AWS, but by its bridge; what
// runs here, by a bridge; what the configuration says, by others. keeper and by are as Intent.ManagedBy; no keeper: there is
// nothing of it any more. Who is archived may be taken over by what is not in AWS.
func Keeps(name, keeper, by string, archived bool) error {
	file, isFile := strings.CutPrefix(keeper, "file:")
	bridge, isBridge := strings.CutPrefix(keeper, "bridge:")
	switch toBridge := strings.HasPrefix(by, "bridge:"); {
	case toBridge && keeper != "" && !isBridge:
		return workflows.Refuse(workflows.CodeConflict, "give the one in AWS another name with `as`", "a pipeline %s runs here already", name)
	case by == byConfiguration && keeper != "" && keeper != by && !archived:
		return workflows.Refuse(workflows.CodeConflict, "give that pipeline another name", "a pipeline %s is there already, and is not of github.gates", name)
	case archived || toBridge || keeper == by:
		return nil
	case keeper == byConfiguration:
		return workflows.Refuse(workflows.CodeManagedByFile, "change github.gates in the configuration", "%s stands for an environment of GitHub Actions, as github.gates of the configuration says", name)
	case isBridge:
		return workflows.Refuse(workflows.CodeManagedByBridge, "edit it in AWS, or the bridge "+bridge+" in the configuration", "%s is what AWS shows, and is not defined here", name)
	case isFile && !strings.HasPrefix(by, "file:"):
		return workflows.Refuse(workflows.CodeManagedByFile, "edit that file; a change takes effect within seconds", "%s is defined in %s", name, file)
	}
	return nil
}

// Placed refuses a definition that says of itself that it is in AWS, but by the bridge that sees it there.
func Placed(p *workflows.Pipeline, by string) error {
	if p.IsProtection() != (by == byConfiguration) {
		return workflows.Refuse(workflows.CodeValidation, "leave the key out; the section github.gates of the configuration says what is decided for GitHub", "only the configuration says of %s that it decides for GitHub Actions", p.Name).In("protects")
	}
	if (p.Bridge != nil) == strings.HasPrefix(by, "bridge:") {
		return nil
	}
	return workflows.Refuse(workflows.CodeValidation, "leave the key out; the section bridges of the configuration says what is in AWS", "only a bridge says of %s that it is in AWS", p.Name).In("bridge")
}

// byConfiguration is Intent.ManagedBy of the pipelines that decide for GitHub Actions.
const byConfiguration = "config:github.gates"

// Keeper is who keeps a definition, as people and programs read it (file, api or
// bridge), and the file, by Intent.ManagedBy.
func Keeper(managedBy string) (by, file string) {
	kind, name, _ := strings.Cut(managedBy, ":")
	switch kind {
	case "file":
		return kind, name
	case "bridge":
		return kind, ""
	case "config":
		return "file", "the configuration, " + name
	}
	return "api", ""
}

// OnlyAnswered refuses what cannot be asked of a pipeline that decides for an
// environment of GitHub Actions (nil: no pipeline yet): it has nothing to run or to
// take back, and GitHub asks each question once.
func OnlyAnswered(p *workflows.Pipeline, in *workflows.Intent) error {
	if p == nil || !p.IsProtection() || in != nil && in.Verb == workflows.Start && in.Trigger != nil {
		return nil
	}
	return workflows.Refuse(workflows.CodeConflict, "run the workflow on GitHub again; it asks here when it comes to the environment",
		"%s decides about deployments of GitHub Actions to %s of %s, and these can only be answered", p.Name, p.Protects.Environment, p.Protects.Repository)
}

// Stop is how an execution is stopped as somebody asks. Where the outside has ended it,
// and a follower of ours says so, it is as whoever did that there has.
func Stop(in *workflows.Intent, e *workflows.Execution) workflows.Stop {
	stop := workflows.Stop{Abandon: in.Abandon, Reason: in.Reason, Cancel: e.Stop != nil && e.Stop.Cancel}
	if in.Trigger != nil {
		stop.By, stop.Code = in.Trigger.By, in.Trigger.Type
	}
	return stop
}
