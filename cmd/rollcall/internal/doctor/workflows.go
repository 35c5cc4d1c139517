package doctor

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/workflows"
)

// githubWorkflows are the actions of the folder's pipelines that run a workflow, by where they stand.
func (d *doctor) githubWorkflows() map[string]*workflows.Action {
	all := map[string]*workflows.Action{}
	for _, p := range d.pipelines {
		for i := range p.Stages {
			for j := range p.Stages[i].Actions {
				if a := &p.Stages[i].Actions[j]; a.ActionType.Provider == "GitHubWorkflow" {
					all[p.Name+": "+p.Stages[i].Name+"/"+a.Name] = a
				}
			}
		}
	}
	return all
}

// readWorkflow reads what a workflow's file says of starts by hand. `on` may be one
// event, a list of them, or a mapping.
func readWorkflow(file []byte) (manual bool, inputs map[string]bool, err error) {
	var root yaml.Node
	if err := yaml.Unmarshal(file, &root); err != nil || len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return false, nil, errors.New("it is no YAML with keys and values")
	}
	on := valueOf(root.Content[0], "on", "true") // older readers take the word for a truth value
	inputs = map[string]bool{}
	if on == nil {
		return manual, inputs, nil
	}
	switch on.Kind {
	case yaml.ScalarNode:
		manual = on.Value == dispatchEvent
	case yaml.SequenceNode:
		for _, event := range on.Content {
			manual = manual || event.Value == dispatchEvent
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(on.Content); i += 2 {
			if on.Content[i].Value == dispatchEvent {
				manual = true
				readInputs(valueOf(on.Content[i+1], "inputs"), inputs)
			}
		}
	}
	return manual, inputs, nil
}

const dispatchEvent = "workflow_dispatch"

// readInputs notes each input, and whether a start must give it.
func readInputs(inputs *yaml.Node, all map[string]bool) {
	if inputs == nil || inputs.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(inputs.Content); i += 2 {
		required, given := valueOf(inputs.Content[i+1], "required"), valueOf(inputs.Content[i+1], "default")
		all[inputs.Content[i].Value] = required != nil && strings.EqualFold(required.Value, "true") && given == nil
	}
}

// valueOf is the value of the first of the keys that a mapping has; nil: none.
func valueOf(n *yaml.Node, keys ...string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for _, key := range keys {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return nil
}
