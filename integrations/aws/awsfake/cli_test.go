package awsfake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type answerOfCLI struct {
	Status        int
	Output, Error string
}

// cli drives the fake by AWS's command line, a client that nobody here wrote.
func cli(t *testing.T, url string, commands ...[]string) []answerOfCLI {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/drive.py")
	cmd.Stdin = strings.NewReader(asJSON(t, commands))
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") }),
		"AWS_ENDPOINT_URL="+url, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_CONFIG_FILE="+none, "AWS_SHARED_CREDENTIALS_FILE="+none, "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=")
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) || strings.Contains(trouble.String(), "No module named") {
		t.Skip("python3 with awscli is not here: ", err)
	} else if err != nil {
		t.Fatalf("%v\n%s", err, trouble.Bytes())
	}
	var answers []answerOfCLI
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	return answers
}

func words(line string, more ...string) []string { return append(strings.Fields(line), more...) }

func TestAWSCommandLine(t *testing.T) {
	a := newAWS(t)
	a.User("AKIDEXAMPLE", bob)
	u := serve(t, a)
	a.Log(account, region, "/aws/codebuild/webshop", "one", "1 test failed")
	file := filepath.Join(t.TempDir(), "pipeline.json")
	if err := os.WriteFile(file, []byte(asJSON(t, map[string]any{"pipeline": decl("shop", nil)})), 0o600); err != nil {
		t.Fatal(err)
	}
	first := cli(t, u,
		words("codepipeline create-pipeline --cli-input-json", "file://"+file),
		words("codepipeline get-pipeline-state --name shop --query stageStates[2].actionStates[0].latestExecution.token --output text"),
		words("codepipeline list-pipeline-executions --pipeline-name shop --query pipelineExecutionSummaries[0].pipelineExecutionId --output text"),
		words("sts get-caller-identity --query Arn --output text"),
		words("codepipeline get-pipeline-state --name other"),
		words("logs get-log-events --log-group-name /aws/codebuild/webshop --log-stream-name one --query events[0].message --output text"),
	)
	for i, x := range first {
		if x.Status != map[int]int{4: 255}[i] {
			t.Fatalf("command %d ended with %d: %s%s", i, x.Status, x.Output, x.Error)
		}
	}
	token, id := strings.TrimSpace(first[1].Output), strings.TrimSpace(first[2].Output)
	if strings.TrimSpace(first[3].Output) != bob || strings.TrimSpace(first[5].Output) != "1 test failed" {
		t.Errorf("it is %q and the log %q", first[3].Output, first[5].Output)
	}
	if want := "An error occurred (PipelineNotFoundException) when calling the GetPipelineState operation: Account '111122223333' does not have a pipeline with name 'other'"; !strings.Contains(first[4].Error, want) {
		t.Errorf("of a pipeline that is not there it says %q", first[4].Error)
	}
	for i, x := range cli(t, u,
		words("codepipeline put-approval-result --pipeline-name shop --stage-name Production --action-name SignOff --token "+token, "--result", "summary=lgtm,status=Approved"),
		words("codepipeline rollback-stage --pipeline-name shop --stage-name Production --target-pipeline-execution-id "+id),
		words("codepipeline disable-stage-transition --pipeline-name shop --stage-name Production --transition-type Inbound", "--reason", "rolled back by bob"),
	) {
		if x.Status != 0 {
			t.Errorf("command %d ended with %d: %s%s", i, x.Status, x.Output, x.Error)
		}
	}
	a.wantHistory("shop", "Succeeded InProgress(to #1)")
	if got := hold(t, a.Calls()); !strings.HasSuffix(got, ", 0 faults\n") {
		t.Error(got)
	}
}

// Pipelines that others recorded from AWS go in by the command line and come out as they were.
func TestAWSCommandLineWithRecordedPipelines(t *testing.T) {
	dir := os.Getenv("ROLLCALL_SAMPLES")
	if dir == "" {
		t.Skip("ROLLCALL_SAMPLES is not set")
	}
	files, err := filepath.Glob(filepath.Join(dir, "codepipeline", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s: %v", dir, err)
	}
	var commands [][]string
	want := make([]map[string]any, len(files))
	for i, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var sample struct{ Pipeline map[string]any }
		create := words("codepipeline create-pipeline --cli-input-json", "file://"+f)
		if json.Unmarshal(raw, &sample) == nil { // one of them has a comma too many
			want[i], create = sample.Pipeline, words("codepipeline create-pipeline --pipeline", asJSON(t, sample.Pipeline))
		}
		name, _ := sample.Pipeline["name"].(string)
		commands = append(commands, create, words("codepipeline get-pipeline --output json --name", name))
	}
	a := newAWS(t)
	answers, kept := cli(t, serve(t, a), commands...), 0
	for i, f := range files {
		name := filepath.Base(f)
		create, get := answers[2*i], answers[2*i+1]
		role, _ := want[i]["roleArn"].(string)
		switch {
		case want[i] == nil:
			if !strings.Contains(create.Error, "Invalid JSON") {
				t.Errorf("%s: it is no JSON, and the command line says %s", name, create.Error)
			}
		case strings.Contains(role, "ACCOUNT_ID"):
			if !strings.Contains(create.Error, "(ValidationException)") || !strings.Contains(create.Error, "'pipeline.roleArn' failed to satisfy constraint") {
				t.Errorf("%s: a role without an account is refused by %q", name, create.Error)
			}
		case create.Status != 0 || get.Status != 0:
			t.Errorf("%s: %s%s", name, create.Error, get.Error)
		default:
			var got struct{ Pipeline map[string]any }
			if err := json.Unmarshal([]byte(get.Output), &got); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			delete(want[i], "version") // AWS counts
			contains(t, name, got.Pipeline, want[i])
			kept++
		}
	}
	if kept < len(files)/2 {
		t.Errorf("only %d of %d samples were kept", kept, len(files))
	}
}

// contains demands that everything wanted is there; AWS adds what nobody wrote, and hides secrets.
func contains(t *testing.T, at string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for k, w := range want {
			if !ok || g[k] == nil {
				t.Errorf("%s.%s is missing", at, k)
				continue
			}
			contains(t, at+"."+k, g[k], w)
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(want) {
			t.Errorf("%s has %d entries, want %d", at, len(g), len(want))
			return
		}
		for i, w := range want {
			contains(t, at, g[i], w)
		}
	default:
		if !reflect.DeepEqual(got, want) && got != "****" {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}
}
