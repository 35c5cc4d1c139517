package doctor

import (
	"maps"
	"testing"
)

func TestWhatAWorkflowTakes(t *testing.T) {
	for _, c := range []struct {
		text   string
		manual bool
		inputs map[string]bool
	}{
		{"on: push\njobs: {}", false, nil},
		{"on: workflow_dispatch", true, nil},
		{"on: [push, workflow_dispatch]", true, nil},
		{"on: {push: {branches: [main]}}", false, nil},
		{"on:\n  workflow_dispatch:\n  push:\n", true, nil},
		{"\"on\":\n  workflow_dispatch:\n    inputs:\n      env: {required: true, type: choice, options: [a]}\n      dry: {type: boolean}\n      sha: {required: true, default: main}\n", true, map[string]bool{"env": true, "dry": false, "sha": false}},
		{"true:\n  workflow_dispatch:\n    inputs: {a:}\n", true, map[string]bool{"a": false}},
		{"name: x", false, nil},
	} {
		manual, inputs, err := readWorkflow([]byte(c.text))
		if err != nil || manual != c.manual || !maps.Equal(inputs, c.inputs) {
			t.Errorf("%q: %t %v %v", c.text, manual, inputs, err)
		}
	}
	for _, text := range []string{"", "- a", "a: [", "x"} {
		if _, _, err := readWorkflow([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
