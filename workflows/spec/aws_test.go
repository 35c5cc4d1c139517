package spec_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// What a stage runs is known by its digest for years: of definitions that say
// nothing of what was added since, it is what it was when they were written.
func TestDigestsOfStagesStay(t *testing.T) {
	for file, want := range map[string]string{
		"contract.yaml":    "5034b087696595a534223dc84153314c a995be8a737faff7ff4e6798e2c1ab3f e52f78fe98194f7b63e2e9822ad8a36d",
		"short-forms.yaml": "a3ded4487b4ac159c5dd06c7a44fda8a 3dd03cd96796df7567f4923f423c69c1",
		"conditions.yaml":  "5034b087696595a534223dc84153314c 2d33a1674c2d96c4b5dca282c3ccbe49 efe66c8e64bfad0f42e2561b7e362bb2 da0d07cd99411ac0d8c60a2a781fc6cb",
	} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		p, faults := spec.Parse(file, text)
		if p == nil {
			t.Fatal(faults)
		}
		var got []string
		for i := range p.Stages {
			got = append(got, p.Stages[i].Digest())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: stages %q, want %s", file, got, want)
		}
		last := &p.Stages[len(p.Stages)-1]
		before, whole := last.Digest(), p.Digest()
		p.RoleArn = "arn:aws:iam::111122223333:role/deploy"
		if p.Digest() == whole || last.Digest() != before {
			t.Errorf("%s: the pipeline's role is part of the definition and of no stage", file)
		}
		last.Actions[0].Region = "eu-west-1"
		if last.Digest() == before {
			t.Errorf("%s: where an action works is part of what its stage runs", file)
		}
	}
}

// shop is a pipeline around one action.
func shop(action string) []byte {
	return []byte("name: shop\nstages:\n- name: Source\n  actions: [{name: App, provider: Git, configuration: {Repository: https://git.example/shop, BranchName: main}, outputArtifacts: [app]}]\n- name: Deploy\n  actions: [" + action + "]\n")
}

// A Region, a role and the kind of a value are kept as they are written; nothing of it is dropped.
func TestWhereAndAsWhomIsKept(t *testing.T) {
	p, faults := spec.Parse("shop.yaml", shop(`{name: Roll, provider: EKS, region: eu-west-1, roleArn: "arn:aws:iam::1:role/d", inputArtifacts: [app], configuration: {ClusterName: c},
    environmentVariables: [{name: A, value: a, type: PLAINTEXT}, {name: B, value: /shop/b, type: PARAMETER_STORE}, {name: C, value: shop-c, type: SECRETS_MANAGER}]}`))
	if p == nil {
		t.Fatal(faults)
	}
	a := p.Stages[1].Actions[0]
	want := []workflows.EnvironmentVar{{Name: "A", Value: "a"}, {Name: "B", Value: "/shop/b", Type: "PARAMETER_STORE"}, {Name: "C", Value: "shop-c", Type: "SECRETS_MANAGER"}}
	if a.Region != "eu-west-1" || a.RoleArn != "arn:aws:iam::1:role/d" || !slices.Equal(a.EnvironmentVariables, want) {
		t.Errorf("read as %+v", a)
	}
	if again, faults := spec.Parse("again.yaml", spec.Print(p)); again == nil || again.Digest() != p.Digest() {
		t.Errorf("printed as\n%s%v", spec.Print(p), faults)
	}
}

// A secret without a name is refused in words, and so are the keys
// of actions that AWS does not know, whether or not they run here.
func TestRefusalsAroundAWS(t *testing.T) {
	for action, want := range map[string]string{
		`{name: X, provider: Commands, commands: [make], environmentVariables: [{name: T, value: "", type: SECRETS_MANAGER}]}`:                        "the environment variable T names no secret",
		`{name: X, provider: Commands, commands: [make], environmentVariables: [{name: T, value: x, type: SECRET}]}`:                                  `type cannot be "SECRET"`,
		`{name: X, provider: ECS, inputArtifacts: [app], configuration: {ClusterName: c, Servicename: s}}`:                                            `ECS has no configuration key "Servicename" (did you mean ServiceName`,
		`{name: X, provider: CodeDeploy, inputArtifacts: [app], configuration: {ApplicationName: a}}`:                                                 "CodeDeploy needs the configuration key DeploymentGroupName",
		`{name: X, actionTypeId: {category: Invoke, owner: AWS, provider: Lambda}, configuration: {FunctionName: f, FunctionAlias: live}}`:            `Lambda has no configuration key "FunctionAlias"`,
		`{name: X, actionTypeId: {category: Deploy, owner: AWS, provider: S3}, inputArtifacts: [app], configuration: {S3Bucket: b, Extract: "true"}}`: "S3 needs the configuration key BucketName",
	} {
		_, faults := spec.Parse("shop.yaml", shop(action))
		if !slices.ContainsFunc(faults, func(d spec.Diagnostic) bool { return strings.Contains(d.String(), want) && !d.Warning }) {
			t.Errorf("%s\n%v\nwant %s", action, faults, want)
		}
	}
}

// What works in AWS is named, once each, wherever it stands; what AWS made up
// and runs here is not.
func TestNeedsAWS(t *testing.T) {
	p, faults := spec.Parse("shop.yaml", []byte(`name: shop
stages:
- name: Source
  actions: [{name: App, provider: CodeStarSourceConnection, configuration: {FullRepositoryId: acme/shop, BranchName: main}, outputArtifacts: [app]}]
- name: Build
  beforeEntry: {result: FAIL, rules: [{name: Quiet, provider: CloudWatchAlarm, configuration: {AlarmName: a}}, {name: Hours, provider: DeploymentWindow, configuration: {Cron: "* * 9-16 ? * MON-FRI"}}]}
  actions: [{name: Make, provider: CodeBuild, inputArtifacts: [app], configuration: {ProjectName: p}}, {name: Test, provider: CodeBuild, inputArtifacts: [app], configuration: {ProjectName: q}}]
- name: Deploy
  onFailure: {condition: {result: ROLLBACK, rules: [{name: Ask, provider: LambdaInvoke, configuration: {FunctionName: f}}]}}
  actions: [{name: OK, provider: Manual}, {name: Roll, provider: ECS, inputArtifacts: [app], configuration: {ClusterName: c, ServiceName: s}}, {name: Say, provider: Commands, commands: [echo done]}]
`))
	if p == nil {
		t.Fatal(faults)
	}
	if got, want := spec.NeedsAWS(p), []string{"CloudWatchAlarm", "CodeBuild", "ECS", "LambdaInvoke"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
