package needs

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

var update = flag.Bool("update", false, "write docs/aws-actions.md")

// notes are what no code says: output variables, and what costs money.
func notes() map[string]struct{ outputs, cost string } {
	return map[string]struct{ outputs, cost string }{
		"Source/S3":                {"`BucketName`, `ObjectKey`, `ETag`, `VersionId`", "requests to S3: one HEAD a look"},
		"Source/CodeCommit":        {"`AuthorDate`, `BranchName`, `CommitId`, `CommitMessage`, `CommitterDate`, `RepositoryName`", "none beyond the users of CodeCommit"},
		"Source/ECR":               {"`RegistryId`, `RepositoryName`, `ImageTag`, `ImageDigest`, `ImageURI`", "none: images are not pulled"},
		"Build/CodeBuild":          {"`BuildId`, `BuildNumber`, `ResolvedSourceVersion`, every exported variable; of a batch `BuildBatchId`", "build minutes by the size of the compute type: take the smallest that is not slower, and a local or S3 cache for dependencies. A batch pays for each of its builds"},
		"Test/CodeBuild":           {"as of the category Build", "as of the category Build"},
		"Build/ECRBuildAndPublish": {"`ECRImageDigestId`, `ECRRepositoryName`", "build minutes, and what the image takes in ECR: set a lifecycle policy"},
		"Deploy/S3":                {"none", "one PUT for each file; an invalidation of CloudFront beyond the first 1,000 paths a month"},
		"Deploy/CloudFormation":    {"the stack's outputs", "nothing but what the stack makes"},
		"Deploy/ECS":               {"none", "nothing but the tasks: during a deployment old and new ones run side by side"},
		"Deploy/CodeDeployToECS":   {"none", "both task sets until the old one is stopped: a long wait for termination is paid for"},
		"Deploy/CodeDeploy":        {"none", "nothing for EC2 and Lambda; on-premises instances by update"},
		"Deploy/Lambda":            {"`FunctionVersion`", "nothing: a version without calls costs its storage beyond 75 GB in the account"},
		"Invoke/Lambda":            {"those that the function reports", "the function's time"},
		"Invoke/StepFunctions":     {"`StateMachineArn`, `ExecutionArn`", "state transitions of standard state machines"},
		"Invoke/SNS":               {"none", "messages beyond the first million a month"},
		"Invoke/EventBridge":       {"none", "events on a bus of your own"},
		"Rule/CloudWatchAlarm":     {"–", "the alarm itself; a composite alarm costs more than a plain one"},
		"Rule/LambdaInvoke":        {"–", "the function's time"},
		"Rule/CodeBuild":           {"–", "build minutes"},
	}
}

// settings are those that a kind looks into to know what it needs.
func settings() map[string]map[string]string {
	return map[string]map[string]string{
		"Deploy/CloudFormation": {"ActionMode": "CREATE_UPDATE", "RoleArn": "ROLEARN", "TemplatePath": "Artifact::template.yaml"},
		"Deploy/Lambda":         {"FunctionAlias": "FUNCTIONALIAS"},
		"Invoke/StepFunctions":  {"StateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:NAME"},
	}
}

// TestReference keeps docs/aws-actions.md in step with the kinds; -update writes it.
func TestReference(t *testing.T) {
	const path = "../../../../docs/aws-actions.md"
	prose, err := os.ReadFile("testdata/aws-actions.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(prose)
	kinds := aws.Kinds("PROJECT")
	slices.SortStableFunc(kinds, func(a, b runner.Kind) int { return strings.Compare(a.Name(), b.Name()) })
	for _, k := range kinds {
		page += section(t, k)
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != page {
		t.Errorf("%s is not what the kinds say: write it with go test ./cmd/rollcall/internal/needs -run TestReference -update (%v)", path, err)
	}
}

// section is what the page says of a kind.
func section(t *testing.T, k runner.Kind) string {
	t.Helper()
	all := spec.Catalogue()
	i := slices.IndexFunc(all, func(e spec.Entry) bool { return e.Type.Category == k.Category && e.Type.Provider == k.Provider })
	if i < 0 {
		t.Fatalf("the catalogue has no %s", k.Name())
	}
	e := all[i]
	a := workflows.Action{Name: "ACTION", ActionType: e.Type, Configuration: map[string]string{}}
	var keys []string
	for _, key := range e.Keys {
		a.Configuration[key] = strings.ToUpper(key)
		if slices.Contains(e.Required, key) {
			key += " ●"
		}
		keys = append(keys, key)
	}
	for _, optional := range e.Keys {
		if !slices.Contains(e.Required, optional) {
			delete(a.Configuration, optional)
		}
	}
	for key, value := range settings()[k.Name()] {
		a.Configuration[key] = value
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "\n## %s (%s)\n| | |\n|---|---|\n", k.Provider, k.Category)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "| %s | %s |\n", name, strings.ReplaceAll(text, "|", `\|`))
		}
	}
	line("Keys", strings.Join(keys, ", "))
	if k.Category != "Rule" {
		line("Artifacts", span(e.Inputs)+" in, "+span(e.Outputs)+" out")
		line("Output variables", notes()[k.Name()].outputs)
	}
	line("Time limit", limit(a.TimeLimit()))
	if k.Provider != "CloudWatchAlarm" { // nothing is begun that could go on
		line("Can be stopped", map[bool]string{true: "yes", false: "no: it goes on in AWS"}[k.Cancel != nil || k.Poll == nil])
	}
	if k.Unrepeatable {
		line("A lost answer", "leaves it in doubt, because nothing tells whether it happened; `restartable: true` has it started again")
	}
	if k.Service != nil {
		line("Artifacts are read and written by", "the service role of "+k.Service(&a))
	}
	line("What costs", notes()[k.Name()].cost)
	if k.Needs == nil {
		return b.String()
	}
	fmt.Fprintf(b, "\n| Right | On | For |\n|---|---|---|\n")
	at := policy.Place{Region: "<region>", Account: "<account>", Artifacts: policy.Store{Bucket: "<artifacts>"}}
	for _, s := range k.Needs(&a, at) {
		on := "`" + strings.Join(s.Resources, "`, `") + "`"
		for _, c := range s.Conditions {
			on += fmt.Sprintf(" where `%s` is `%s`", c.Key, strings.Join(c.Values, "`, `"))
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.Join(s.Actions, "`, `"), on, s.Comment)
	}
	return b.String()
}

func span(n [2]int) string {
	if n[0] == n[1] {
		return fmt.Sprint(n[0])
	}
	return fmt.Sprintf("%d to %d", n[0], n[1])
}

func limit(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return words.Count(int(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return words.Count(int(d/time.Hour), "hour")
	}
	return words.Count(int(d/time.Minute), "minute")
}
