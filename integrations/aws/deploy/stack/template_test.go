package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// echo is a template whose outputs are its parameters.
func echo(names ...string) string {
	parameters, outputs := map[string]any{}, map[string]any{}
	for _, name := range names {
		parameters[name] = map[string]any{"Type": "String", "Default": "-"}
		outputs[name] = map[string]any{"Value": map[string]any{"Ref": name}}
	}
	data, _ := json.Marshal(map[string]any{"Parameters": parameters, "Outputs": outputs, "Resources": map[string]any{"Topic": map[string]any{"Type": "AWS::SNS::Topic"}}})
	return string(data)
}

// Parameters come from the template configuration, and those of ParameterOverrides
// stand above them; CodePipeline's two functions read the input artifacts.
func TestStackParameters(t *testing.T) {
	const configuration = `{"Parameters": {"Stage": "test", "Size": "1"}, "Tags": {"team": "shop"}, "StackPolicy": {"Statement": [{"Effect": "Deny", "Action": "Update:Replace", "Principal": "*", "Resource": "*"}]}}`
	for name, c := range map[string]struct {
		overrides, configuration string
		want                     map[string]string // of Stage, Size, Bucket, Key, URL, Image
		says                     string            // of the failure
	}{
		"the template's own":     {want: map[string]string{"Stage": "-", "Size": "-"}},
		"from the configuration": {configuration: "app::prod.json", want: map[string]string{"Stage": "test", "Size": "1"}},
		"overridden":             {configuration: "app::prod.json", overrides: `{"Stage": "production", "Size": 3}`, want: map[string]string{"Stage": "production", "Size": "3"}},
		"where the artifact is": {overrides: `{"Bucket": {"Fn::GetArtifactAtt": ["app", "BucketName"]}, "Key": {"Fn::GetArtifactAtt": ["app", "ObjectKey"]}, "URL": {"Fn::GetArtifactAtt": ["app", "URL"]}}`,
			want: map[string]string{"Bucket": "acme-art", "Key": "app", "URL": "https://acme-art.s3.eu-west-1.amazonaws.com/app"}},
		"out of a file":             {overrides: `{"Image": {"Fn::GetParam": ["app", "image.json", "uri"]}}`, want: map[string]string{"Image": "shop:1.4"}},
		"a key that is not there":   {overrides: `{"Image": {"Fn::GetParam": ["app", "image.json", "name"]}}`, says: "image.json in the artifact app has no text name"},
		"a file that is not there":  {overrides: `{"Image": {"Fn::GetParam": ["app", "none.json", "uri"]}}`, says: "the artifact app has no file none.json"},
		"another artifact":          {overrides: `{"Image": {"Fn::GetParam": ["lib", "image.json", "uri"]}}`, says: "the action has no input artifact lib"},
		"no such attribute":         {overrides: `{"Image": {"Fn::GetArtifactAtt": ["app", "Size"]}}`, says: "an artifact has no Size"},
		"another function":          {overrides: `{"Image": {"Fn::Join": ["", ["a"]]}}`, says: "Image is no text, no Fn::GetArtifactAtt"},
		"no JSON":                   {overrides: `Stage=production`, says: "ParameterOverrides is no JSON object"},
		"unknown to the template":   {overrides: `{"Colour": "red"}`, says: "Parameters: [Colour] do not exist in the template"},
		"configuration without ::":  {configuration: "prod.json", says: "does not have the form Artifact::path"},
		"configuration that is not": {configuration: "app::image.txt", says: "is no JSON object of Parameters, Tags and StackPolicy"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
				task := task(w, createUpdate, echo("Stage", "Size", "Bucket", "Key", "URL", "Image"), map[string]string{"ParameterOverrides": c.overrides, "TemplateConfiguration": c.configuration})
				maps.Copy(w.Files["app"], map[string]string{"prod.json": configuration, "image.json": `{"uri": "shop:1.4"}`, "image.txt": "shop:1.4"})
				o := w.Run(task)
				if c.says != "" {
					if o.State != work.Failed || !strings.Contains(o.Error.Message, c.says) {
						t.Errorf("%s %+v, want %q", o.State, o.Error, c.says)
					}
					return
				}
				for name, want := range c.want {
					if o.Outputs[name] != want {
						t.Errorf("%s is %q, want %q (%+v)", name, o.Outputs[name], want, o.Error)
					}
				}
				if policy := stacks(w).Policy("shop"); (c.configuration != "") != strings.Contains(policy, "Update:Replace") {
					t.Errorf("the stack policy is %q", policy)
				}
			})
		})
	}
}

// A template too long for a request goes through S3, and one too long for that is refused.
func TestStackLongTemplate(t *testing.T) {
	padded := func(size int) string {
		t := echo("Stage")
		return t + strings.Repeat(" ", size-len(t))
	}
	for name, c := range map[string]struct {
		size  int
		state string
		inS3  bool
	}{
		"in the request": {51_200, work.Succeeded, false},
		"in S3":          {51_201, work.Succeeded, true},
		"as long as any": {1 << 20, work.Succeeded, true},
		"longer":         {1<<20 + 1, work.Failed, false},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
				bucket := awsfake.At[*s3.Service](w.AWS, runnertest.Account, runnertest.Region)
				bucket.Create(s3.Bucket{Name: runnertest.Bucket, Owner: runnertest.Account, Region: runnertest.Region})
				o := w.Run(task(w, createUpdate, padded(c.size), nil))
				if got := len(bucket.Objects(runnertest.Bucket)) == 1; o.State != c.state || got != c.inS3 {
					t.Errorf("%s %+v, in S3: %v", o.State, o.Error, got)
				}
			})
		})
	}
}

// The stack's outputs are a file of the output artifact, for later actions.
func TestStackOutputFile(t *testing.T) {
	for name, c := range map[string]struct{ mode, file, want string }{
		"the stack's outputs":     {createUpdate, "stack/outputs.json", "{\n  \"Size\": \"1\",\n  \"Url\": \"queue-1\"\n}\n"},
		"without a name":          {createUpdate, "", "{\n  \"Size\": \"1\",\n  \"Url\": \"queue-1\"\n}\n"},
		"the planned changes":     {changeSetReplace, "changes.json", "{\n  \"ChangeSetName\": \"release\",\n  \"Changes\": [\n    \"Add AWS::SQS::Queue Queue\",\n    \"Add AWS::SNS::Topic Topic\"\n  ],\n  \"StackName\": \"shop\"\n}\n"},
		"outside of the artifact": {createUpdate, "../../etc/passwd", ""},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
				task := task(w, c.mode, two, map[string]string{"OutputFileName": c.file, "ChangeSetName": "release"})
				task.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "made"}}
				o := w.Run(task)
				got := fmt.Sprint(w.Workspace.Packed["made"])
				want := fmt.Sprint(map[string]string{map[bool]string{true: "outputs.json", false: c.file}[c.file == ""]: c.want})
				if c.want == "" {
					want = fmt.Sprint(map[string]string(nil))
				}
				if got != want || (o.State == work.Succeeded) != (c.want != "") {
					t.Errorf("%s %+v\n%s\nwant\n%s", o.State, o.Error, got, want)
				}
			})
		})
	}
}
