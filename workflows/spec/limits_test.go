package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// file is a pipeline file with these keys of the pipeline, of its second stage
// and of that stage's action, and more stages.
func file(pipeline, stage, action, more string) string {
	return fmt.Sprintf(`name: webshop
%s
stages:
  - name: Source
    actions: [{name: App, provider: Git, namespace: App, configuration: {Repository: /srv/app, BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    %s
    actions: [{name: Make, provider: Commands, commands: [make], %s}]
%s`, pipeline, stage, action, more)
}

func stages(n int) (text string) {
	for i := range n {
		text += fmt.Sprintf("  - {name: S%d, actions: [{name: A, provider: Commands, commands: [make]}]}\n", i)
	}
	return text
}

func actions(n int) string {
	text := "  - name: Many\n    actions:\n"
	for i := range n {
		text += fmt.Sprintf("      - {name: A%d, provider: Commands, commands: [make]}\n", i)
	}
	return text
}

func variables(n int) string {
	text := "variables:\n"
	for i := range n {
		text += fmt.Sprintf("  - {name: v%d}\n", i)
	}
	return text
}

// TestLimits holds each of CodePipeline's limits from both sides (an empty says: accepted).
func TestLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ about, text, says string }{
		{"the smallest file", file("", "", "", ""), ""},
		{"1: one stage", "name: one\nstages:\n  - name: Source\n    actions: [{name: App, provider: Git, configuration: {Repository: /srv/app, BranchName: main}, outputArtifacts: [app]}]\n", "the pipeline has 1 stage"},
		{"1: 50 stages", file("", "", "", stages(48)), ""},
		{"1: 51 stages", file("", "", "", stages(49)), "the pipeline has 51 stages"},
		{"50 actions", file("", "", "", actions(50)), ""},
		{"51 actions", file("", "", "", actions(51)), "the stage has 51 actions"},
		{"3: an action's name in two stages", file("", "", "", "  - {name: Next, actions: [{name: Make, provider: Commands, commands: [make]}]}\n"), ""},
		{"6: one artifact store", file("artifactStore: {type: S3}", "", "", ""), ""},
		{"6: both", file("artifactStore: {type: S3}\nartifactStores: {}", "", "", ""), "both given"},
		{"8: 100 characters", file("", "", "", strings.Replace(stages(1), "S0", "a.@-_"+long(95), 1)), ""},
		{"8: 101 characters", file("", "", "", strings.Replace(stages(1), "S0", long(101), 1)), "the stage's name has 101 characters"},
		{"9: the last run order", file("", "", "runOrder: 999", ""), ""},
		{"9: a negative run order", file("", "", "runOrder: -1", ""), "runOrder cannot be -1"},
		{"11: a short time limit of a command", file("", "", "timeoutInMinutes: 1", ""), ""},
		{"11: none", file("", "", "timeoutInMinutes: 0", ""), "timeoutInMinutes cannot be 0"},
		{"50 variables", file(variables(50), "", "", ""), ""},
		{"51 variables", file(variables(51), "", "", ""), "the pipeline has 51 variables"},
		{"a variable of 128 characters", file("variables: [{name: "+long(128)+", defaultValue: "+long(1000)+", description: "+long(200)+"}]", "", "", ""), ""},
		{"129, 1001 and 201 characters", file("variables: [{name: "+long(129)+", defaultValue: "+long(1001)+", description: "+long(201)+"}]", "", "", ""),
			"the variable's name has 129 characters; the description is longer than 200 characters; the defaultValue is longer than 1000 characters"},
		{"a namespace with a dot", file("", "", "namespace: a.b", ""), `the namespace cannot be "a.b"`},
		{"an artifact with an @", file("", "", "outputArtifacts: [a@b]", ""), `the artifact's name cannot be "a@b"`},
		{"eleven input artifacts", file("", "", "inputArtifacts: ["+strings.Repeat("app, ", 11)+"]", ""), "Commands actions have 0 to 10 input artifacts, this one has 11"},
		{"a pattern of 255 characters", file("triggers: [{push: {branches: "+long(255)+"}}]", "", "", ""), ""},
		{"a pattern of 256 characters", file("triggers: [{push: {branches: "+long(256)+"}}]", "", "", ""), "a pattern has at most 255 characters"},
		{"a rollback policy under its earlier key", file("", "rollback: {hold: manual}", "", ""), `rollback has no key "hold"`},
		{"a rollback policy", file("", "rollback: {lock: manual, eligible: sameVersion, approval: require}", "", ""), ""},
		{"a stage that is announced without an environment", file("", "announce: success", "", ""), ""},
		{"a channel's ID", file("channel: C0123ABCD", "", "", ""), ""},
		{"a channel without its sign", file("channel: webshop", "", "", ""), `the channel cannot be "webshop"`},
		{"a pipeline's own execution", file("", "", `environmentVariables: {ID: "#{codepipeline.PipelineExecutionId}", C: "#{App.CommitId}"}`, ""), ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			p, faults := spec.Parse("x.yaml", []byte(c.text))
			if c.says == "" {
				if p == nil || len(faults) > 0 {
					t.Fatalf("refused: %v", faults)
				}
				roundTrip(t, p)
				return
			}
			if p != nil {
				t.Error("it was accepted")
			}
			var got strings.Builder
			for _, f := range faults {
				got.WriteString(f.Message + "\n")
			}
			for says := range strings.SplitSeq(c.says, "; ") {
				if !strings.Contains(got.String(), says) {
					t.Errorf("got %s, want %q", got.String(), says)
				}
			}
		})
	}
}

// TestASecretIsNotKept: definitions are shown to whoever may look.
func TestASecretIsNotKept(t *testing.T) {
	text := strings.Replace(file("", "", "", ""), "provider: Git, namespace: App, configuration: {Repository: /srv/app, BranchName: main}",
		"provider: GitHub, namespace: App, configuration: {Owner: acme, Repo: app, Branch: main, OAuthToken: hunter2}", 1)
	p, faults := spec.Parse("x.yaml", []byte(text))
	if p == nil || len(faults) != 1 || !faults[0].Warning {
		t.Fatalf("got %v", faults)
	}
	if strings.Contains(string(spec.Print(p)), "hunter2") || strings.Contains(faults[0].String(), "hunter2") {
		t.Errorf("the secret is still there: %v\n%s", faults, spec.Print(p))
	}
	if c := p.Stages[0].Actions[0].Configuration; c["FullRepositoryId"] != "acme/app" || c["BranchName"] != "main" {
		t.Errorf("got %v", c)
	}
}

// TestEveryGoldenFileIsExpected: no .expected outlives its file.
func TestEveryGoldenFileIsExpected(t *testing.T) {
	files, err := filepath.Glob("testdata/*.expected")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, err := os.Stat(strings.TrimSuffix(f, ".expected")); err != nil {
			t.Error(err)
		}
	}
}
