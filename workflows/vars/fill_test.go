package vars_test

import (
	"encoding/json"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/vars"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Who writes a commit's text does not write the inputs of a workflow.
func TestAValueStaysInsideItsInput(t *testing.T) {
	e := &workflows.Execution{Outputs: map[string]map[string]string{"App": {"Text": "a \"quote\", \"environment\": \"production\"}\n\\"}}}
	task := work.Task{Action: workflows.Action{ActionType: workflows.ActionType{Provider: "GitHubWorkflow"}, Configuration: map[string]string{"Inputs": `{"text": "#{App.Text}", "environment": "test"}`, "Ref": "#{App.Text}"}}}
	if err := vars.FillTask(&task, e); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(task.Configuration["Inputs"]), &got); err != nil || got["environment"] != "test" || got["text"] != e.Outputs["App"]["Text"] || len(got) != 2 {
		t.Errorf("%s: %v", task.Configuration["Inputs"], err)
	}
	if task.Configuration["Ref"] != e.Outputs["App"]["Text"] {
		t.Errorf("what is no JSON is %s", task.Configuration["Ref"])
	}
}
