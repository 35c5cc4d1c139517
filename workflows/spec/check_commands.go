package spec

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// commands checks what an action runs in a shell, and what it leaves.
func (c *checker) commands(a workflows.Action, at func(...any) []any) {
	provider := a.ActionType.Provider
	_, known := lookup(provider, "", "")
	switch {
	case provider == "Commands" && len(a.Commands) == 0:
		c.fault("the action has no commands", `such as commands: ["make test"]`, at("commands")...)
	case provider != "Commands" && known && len(a.Commands) > 0:
		c.fault("commands belong to Commands actions, not to "+provider, "move them to an action with provider: Commands", at("commands")...)
	}
	c.lines(a.Commands, at)
	if len(a.OutputVariables) > 0 && provider != "Commands" && runsHere(provider) {
		c.fault("outputVariables belong to Commands actions, not to "+provider, outputsHint(provider), at("outputVariables")...)
	}
	seen := map[string]bool{}
	for k, name := range a.OutputVariables {
		switch {
		case name == "":
		case !isIdentifier(name):
			c.fault("no command can export a variable "+words.Quoted(name), "use letters, digits and _, no digit first", at("outputVariables", k)...)
		case seen[name]:
			c.fault("the output variable "+name+" is listed twice", "remove one of them", at("outputVariables", k)...)
		}
		seen[name] = true
	}
	for k, out := range a.OutputArtifacts {
		for l, glob := range out.Files {
			if !doublestar.ValidatePattern(glob) || strings.HasPrefix(glob, "/") || slices.Contains(strings.Split(glob, "/"), "..") {
				c.fault("files cannot be "+words.Quoted(glob), "they are globs below the action's folder, such as dist/**", at("outputArtifacts", k, "files", l)...)
			}
		}
	}
}

// lines checks what a shell is to run.
func (c *checker) lines(commands []string, at func(...any) []any) {
	for k, line := range commands {
		if line != "" && (strings.TrimSpace(line) == "" || strings.Contains(line, "\x00")) {
			c.fault("the command is no line for a shell", "remove it", at("commands", k)...)
		}
	}
}

func outputsHint(provider string) string {
	if provider == "Wait" {
		return "a Wait action's are in its configuration, such as outputVariables: {VERSION: \"1\"}"
	}
	return "remove them"
}

// environment checks the variables that an action finds.
func (c *checker) environment(a workflows.Action, at func(...any) []any) {
	provider := a.ActionType.Provider
	if len(a.EnvironmentVariables) > 0 && provider != "Commands" && runsHere(provider) {
		c.fault("environmentVariables belong to Commands actions, not to "+provider, "remove them", at("environmentVariables")...)
	}
	seen := map[string]bool{}
	for k, v := range a.EnvironmentVariables {
		where := at("environmentVariables", k, "name")
		switch {
		case v.Name == "":
		case !isIdentifier(v.Name):
			c.fault("an environment variable cannot be named "+words.Quoted(v.Name), "use letters, digits and _", where...)
		case strings.HasPrefix(v.Name, "ROLLCALL_") || strings.HasPrefix(v.Name, "CODEBUILD_SRC_DIR"):
			c.fault(v.Name+" is set by rollcall itself", "choose another name", where...)
		case seen[v.Name]:
			c.fault("the environment variable "+v.Name+" is given twice", "remove one of them", where...)
		}
		seen[v.Name] = true
		if !v.Plain() && v.Value == "" && runsHere(provider) {
			c.fault("the environment variable "+v.Name+" names no secret", "value: the name of the parameter or the secret", at("environmentVariables", k, "value")...)
		}
		if strings.Contains(v.Value, "\x00") {
			c.fault("the value of "+v.Name+" holds a null character", "no environment can hold it", at("environmentVariables", k, "value")...)
		}
	}
}
