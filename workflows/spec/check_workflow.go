package spec

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// workflowFault says what is wrong with the configuration of an action that runs a
// workflow of GitHub Actions. What holds a variable is only known when it starts.
func workflowFault(key, value string) (message, hint string) {
	variable := strings.Contains(value, "#{")
	switch key {
	case "Workflow":
		name := strings.TrimPrefix(value, ".github/workflows/")
		_, err := strconv.ParseUint(name, 10, 64)
		isFile := madeOf(name, "-_.") && (strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml"))
		if err != nil && !isFile && !variable {
			return "Workflow cannot be " + words.Quoted(value), "it is the name of a file in .github/workflows, such as deploy.yml, or the workflow's ID"
		}
	case "Ref":
		if len(value) == 40 && strings.Trim(value, "0123456789abcdef") == "" {
			return "Ref is a commit; GitHub starts workflows on a branch or a tag only", "give the commit as an input, such as Inputs: {sha: \"#{App.CommitId}\"}, and have the workflow check it out"
		}
		if strings.ContainsAny(value, " \t\r\n") && !variable {
			return "Ref cannot be " + words.Quoted(value), "it is a branch or a tag, such as main"
		}
	case "Inputs":
		return inputsFault(value)
	case "CancelOnStop":
		if low := strings.ToLower(value); low != "true" && low != "false" && !variable {
			return "CancelOnStop must be true or false, not " + words.Quoted(value), "write true or false"
		}
	}
	return "", ""
}

// inputsFault says what is wrong with the inputs of a workflow.
func inputsFault(value string) (message, hint string) {
	var inputs map[string]any
	d := json.NewDecoder(strings.NewReader(value))
	if err := d.Decode(&inputs); err != nil || d.More() {
		return "Inputs is no object in JSON", `write keys and values, or as text: '{"environment": "production"}'`
	}
	for _, name := range words.Keys(inputs) {
		switch inputs[name].(type) {
		case string, float64, bool:
		default:
			return "the input " + words.Quoted(name) + " is no text, number or truth value", "GitHub takes nothing else"
		}
	}
	if len(inputs) > 25 {
		return "Inputs has " + count(len(inputs), "input"), "GitHub takes 25"
	}
	return "", ""
}
