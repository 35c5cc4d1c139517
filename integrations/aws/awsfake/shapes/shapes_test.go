package shapes_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

func TestCheck(t *testing.T) {
	id := `"01234567-89ab-cdef-0123-456789abcdef"`
	for name, c := range map[string]struct{ service, op, in, want string }{
		"good":            {"codepipeline", "GetPipelineState", `{"name":"webshop"}`, ""},
		"missing":         {"codepipeline", "GetPipelineState", `{}`, "Value null at 'name' failed to satisfy constraint: Member must not be null"},
		"null":            {"codepipeline", "GetPipelineState", `{"name":null}`, "Value null at 'name' failed to satisfy constraint: Member must not be null"},
		"unknown":         {"codepipeline", "GetPipelineState", `{"name":"a","stage":"b"}`, "Unknown member 'stage'"},
		"no input":        {"sts", "GetCallerIdentity", `{}`, ""},
		"pattern":         {"codepipeline", "GetPipelineState", `{"name":"web shop"}`, `Value 'web shop' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+`},
		"pattern, part":   {"codepipeline", "GetPipelineState", `{"name":"web\nshop"}`, "Member must satisfy regular expression pattern"},
		"length":          {"codepipeline", "GetPipelineState", `{"name":"` + strings.Repeat("a", 101) + `"}`, "Member must have length less than or equal to 100"},
		"empty":           {"codepipeline", "GetPipelineState", `{"name":""}`, "Member must have length greater than or equal to 1"},
		"enum":            {"codepipeline", "RetryStageExecution", `{"pipelineName":"a","stageName":"b","retryMode":"ALL","pipelineExecutionId":` + id + `}`, "Value 'ALL' at 'retryMode' failed to satisfy constraint: Member must satisfy enum value set: [FAILED_ACTIONS, ALL_ACTIONS]"},
		"upper case UUID": {"codepipeline", "RollbackStage", `{"pipelineName":"a","stageName":"b","targetPipelineExecutionId":` + strings.ToUpper(id) + `}`, "regular expression pattern"},
		"range":           {"codepipeline", "ListPipelineExecutions", `{"pipelineName":"a","maxResults":101}`, "Member must have value less than or equal to 100"},
		"fraction":        {"codepipeline", "ListPipelineExecutions", `{"pipelineName":"a","maxResults":1.5}`, "Member must be of type integer"},
		"type":            {"codepipeline", "ListPipelineExecutions", `{"pipelineName":7}`, "Member must be of type string"},
		"nested":          {"codepipeline", "ListActionExecutions", `{"pipelineName":"a","filter":{"latestInPipelineExecution":{"pipelineExecutionId":` + id + `}}}`, "Value null at 'filter.latestInPipelineExecution.startTimeRange'"},
		"in a list":       {"codepipeline", "StartPipelineExecution", `{"name":"a","variables":[{"name":"X","value":""}]}`, "Value '' at 'variables.1.member.value' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"empty list":      {"codepipeline", "StartPipelineExecution", `{"name":"a","variables":[]}`, "Member must have length greater than or equal to 1"},
		"lock reason":     {"codepipeline", "DisableStageTransition", `{"pipelineName":"a","stageName":"b","transitionType":"Inbound","reason":"webshop#42"}`, "regular expression pattern"},
		"UTF-16":          {"codepipeline", "PutApprovalResult", `{"pipelineName":"a","stageName":"b","actionName":"c","token":` + id + `,"result":{"status":"Approved","summary":"` + strings.Repeat("😀", 257) + `"}}`, "Member must have length less than or equal to 512"},
		"role":            {"sts", "AssumeRole", `{"RoleArn":"arn:aws:iam::111122223333:role/r","RoleSessionName":"ana ruiz"}`, "Value 'ana ruiz' at 'RoleSessionName'"},
		"role, good":      {"sts", "AssumeRole", `{"RoleArn":"arn:aws:iam::111122223333:role/r","RoleSessionName":"ana@acme.example"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var in map[string]any
			if err := json.Unmarshal([]byte(c.in), &in); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(shapes.Check(c.service, c.op, in), "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestMessageCountsFaults(t *testing.T) {
	got := shapes.Message(shapes.Check("codepipeline", "RollbackStage", map[string]any{"pipelineName": "a"}))
	want := "2 validation errors detected: Value null at 'stageName' failed to satisfy constraint: Member must not be null; " +
		"Value null at 'targetPipelineExecutionId' failed to satisfy constraint: Member must not be null"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// extractedFrom is what data was made from, as testdata/shapes.py says it.
const extractedFrom = "botocore 1.43.11"

// The extract is what botocore's models say.
func TestBotocoreHasTheSameShapes(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("python3", "testdata/shapes.py", dir)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) || strings.Contains(trouble.String(), "No module named 'botocore'") {
		t.Skip("python3 with botocore is not here: ", err)
	} else if err != nil {
		t.Fatalf("%v\n%s", err, trouble.Bytes())
	}
	if version := strings.TrimSpace(trouble.String()); version != extractedFrom {
		t.Skipf("%s is here, and the extract was made from %s: they need not be alike", version, extractedFrom)
	}
	for _, service := range shapes.Services() {
		want, err := os.ReadFile(filepath.Join(dir, service+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile("data/" + service + ".json"); err != nil || !bytes.Equal(got, want) {
			t.Errorf("data/%s.json is not what testdata/shapes.py writes (%v)", service, err)
		}
	}
	if made, err := filepath.Glob(filepath.Join(dir, "*.json")); err != nil || len(made) != len(shapes.Services()) {
		t.Errorf("testdata/shapes.py writes %d files, data has %d (%v)", len(made), len(shapes.Services()), err)
	}
}
