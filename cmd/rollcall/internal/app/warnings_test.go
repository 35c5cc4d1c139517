package app

import (
	"strings"
	"testing"
)

// toECS is a pipeline that deploys to ECS; more of its actions may follow.
const toECS = `name: shop
stages:
- name: Source
  actions: [{name: App, provider: Git, configuration: {Repository: https://git.example/shop, BranchName: main}, outputArtifacts: [app]}]
- name: Deploy
  actions:
  - {name: Roll, provider: ECS, inputArtifacts: [app], configuration: {ClusterName: c, ServiceName: s}}
`

// What works in AWS is said when the file is read, once for each provider, and
// the pipeline is in force all the same.
func TestActionsInAWSAreWarnedOf(t *testing.T) {
	p := newFixture(t, "")
	p.write("shop.yaml", toECS+`  - {name: Again, provider: ECS, inputArtifacts: [app], configuration: {ClusterName: d, ServiceName: s}}
  - {name: Say, provider: Commands, commands: [echo done]}
`)
	if in := p.read(); len(in) != 1 {
		t.Errorf("in force: %v", in)
	}
	if text := p.log.String(); strings.Count(text, "ECS needs `aws` in the configuration") != 1 || strings.Contains(text, "Commands needs") {
		t.Errorf("the log says:\n%s", text)
	}
}

// A trigger by events needs the queue that they come from; that is said when the file is read.
func TestEventsAreAskedFor(t *testing.T) {
	shop := "triggers: [{event: {source: [acme.registry]}}]\n" + strings.Replace(toECS, "outputArtifacts: [app]}]", "outputArtifacts: [app]}, {name: Base, provider: ECR, configuration: {RepositoryName: base}, outputArtifacts: [base]}]", 1)
	for section, want := range map[string]int{"aws: {region: eu-west-1}\n": 1, "aws: {region: eu-west-1, events: {queueURL: \"https://sqs.eu-west-1.amazonaws.com/111122223333/rollcall\"}}\n": 0} {
		p := newFixture(t, section)
		p.write("shop.yaml", shop)
		p.read()
		if text := p.log.String(); strings.Count(text, "a trigger with an event starts nothing: aws.events.queueURL is not in the configuration") != want || strings.Count(text, "the ECR source Base starts nothing") != want {
			t.Errorf("with %s the log says:\n%s", section, text)
		}
	}
}

// What AWS reads and writes must be in S3; that is said when the file is read, of
// those that have artifacts.
func TestArtifactsInS3AreAskedFor(t *testing.T) {
	shop := toECS + `  - {name: Count, provider: StepFunctions, configuration: {StateMachineArn: "arn:aws:states:eu-west-1:111122223333:stateMachine:count"}}
`
	for section, want := range map[string]int{"aws: {region: eu-west-1}\n": 1, "aws: {region: eu-west-1, artifacts: {bucket: acme-artifacts}}\n": 0} {
		p := newFixture(t, section)
		p.write("shop.yaml", shop)
		p.read()
		if text := p.log.String(); strings.Count(text, "ECS needs aws.artifacts") != want || strings.Contains(text, "StepFunctions needs aws.artifacts") {
			t.Errorf("with %s the log says:\n%s", section, text)
		}
	}
}

// A gate that is answered in Jira needs Jira, and people who are known there; that is said when the file is read.
func TestJiraIsAskedForWhereApprovalsAreInIt(t *testing.T) {
	shop := strings.Replace(toECS, "  actions:\n", "  actions:\n  - {name: Ask, provider: Manual, approval: {jira: {}}}\n", 1)
	t.Setenv("JIRA_TOKEN", "t")
	const tracker = "jira: {url: \"https://jira.example\", token: {env: JIRA_TOKEN}, project: OPS}\n"
	for section, want := range map[string]string{
		"": "Deploy/Ask is asked for in chat only: `jira` is not in the configuration", tracker: "Deploy/Ask is answered by nobody there: `people` names no Jira account",
		tracker + "people: [{email: ana@acme.example, jira: 5b1}]\n": "",
	} {
		p := newFixture(t, section)
		p.write("shop.yaml", shop)
		p.read()
		text := p.log.String()
		if n := strings.Count(text, "has an approval in Jira"); want == "" && n != 0 || want != "" && (n != 1 || !strings.Contains(text, want)) {
			t.Errorf("with %q the log says:\n%s", section, text)
		}
	}
}
