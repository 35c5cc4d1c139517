package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// accountsOfExample are the accounts of the example with several, by their clusters in ECS.
func accountsOfExample() map[string]string {
	return map[string]string{"dev": "222233334444", "staging": "333344445555", "production": "444455556666"}
}

// play gives builds of a project a script, and the project where there is none.
func (w *patternFixture) play(account, project string, script codebuild.Script) {
	script.Takes = atOnce()
	w.aws.CodeBuild(account, awsRegion).Projects(codebuild.Project{Name: project})
	w.aws.CodeBuild(account, awsRegion).Play(project, script)
}

// haveAccounts is what the example with several accounts finds in them.
func (w *patternFixture) haveAccounts() {
	w.s3().Create(s3.Bucket{Name: artifactsOfPatterns, Owner: awsAccount, Region: awsRegion, Shared: true})
	w.play(awsAccount, "shop-image", codebuild.Script{Exported: map[string]string{"TAG": "shop:1.4.2"},
		Files: map[string]map[string]string{"": {"imagedefinitions.json": `[{"name": "shop", "imageUri": "` + containerRegistry + `1"}]`}}})
	for cluster, account := range accountsOfExample() {
		w.aws.Roles(awsfake.Role{ARN: "arn:aws:iam::" + account + ":role/rollcall-deploy"})
		w.play(account, "shop-smoke", codebuild.Script{})
		awsfake.At[*cloudwatch.Service](w.aws, account, awsRegion).Set(cloudwatch.Metric, "shop-5xx", cloudwatch.OK, "quiet")
		e := awsfake.At[*ecs.Service](w.aws, account, awsRegion)
		e.Create(cluster, "shop", e.Define(map[string]any{"family": "shop", "containerDefinitions": []any{map[string]any{"name": "shop", "image": containerRegistry + "0", "essential": true, "memory": 512}}}))
		e.Next(cluster, "shop", ecs.Plan{Takes: time.Millisecond})
	}
}

// haveStacks is what the examples for stacks, Terraform and the CDK find.
func (w *patternFixture) haveStacks() {
	for _, project := range []string{"shop-stack-validate", "shop-stack-smoke"} {
		w.play(awsAccount, project, codebuild.Script{})
	}
	w.play(awsAccount, "shop-stack-cost", codebuild.Script{Exported: map[string]string{"MONTHLY": "12.4"}})
	w.play(awsAccount, "commands", codebuild.Script{Exported: map[string]string{"SUMMARY": "Plan: 2 to add, 0 to change, 1 to destroy."},
		Files: map[string]map[string]string{"": {"plan.tfplan": "a plan", "cdk.out/Shop.template.json": oneTopic, "cdk.out/Shop.assets.json": "{}", "package.json": "{}"}}})
	w.stacks().Have("shop", oneQueue, nil)
}

// The other examples in AWS run as they stand: each is started once, asks whom it says and shows them what it says, and
// succeeds. What deploys to an account works there as that account's role, and in production not before it may.
func TestPatternsOfTheOtherExamples(t *testing.T) {
	w := newPattern(t, "accounts/accounts.yaml", func(w *patternFixture) {
		for _, file := range []string{"stack/stack.yaml", "terraform/terraform.yaml", "cdk/cdk.yaml"} {
			w.take(file)
		}
		w.haveAccounts()
		w.haveStacks()
	})
	w.write("work/templates/shop.yaml", strings.Replace(oneTopic, "QueueUrl", "Url", 1))
	w.write("work/config/production.json", "{}")
	w.commit("coupons", "Sell coupons")
	gates := map[string]struct {
		by    []slackfake.User
		shown string
	}{
		"accounts":  {[]slackfake.User{w.ana, w.ben}, "shop:1.4.2 has run in dev and staging"},
		"stack":     {[]slackfake.User{w.ana}, "Modify AWS::SQS::Queue Queue (replacement)"},
		"terraform": {[]slackfake.User{w.ben}, "2 to add, 0 to change, 1 to destroy"},
		"cdk":       {[]slackfake.User{w.ana}, "Add AWS::SNS::Topic Topic"},
	}
	for name, repository := range map[string]string{"accounts": "shop", "stack": "shop-stack", "terraform": "network", "cdk": "shop-cdk"} {
		w.git("", "clone", "-q", "--bare", w.path("git/acme/webshop.git"), w.path("git/acme", repository+".git"))
		w.pipeline = name
		w.begin()
	}
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		w.pipeline = name
		gate := ""
		w.meanwhile(name+" asks", func() bool {
			for _, m := range w.posts("rollcall_gate", w.execution(1).ID) {
				gate = w.slack.Rendered(m)
			}
			return gate != "" || w.execution(1).Status.Final()
		})
		if !strings.Contains(gate, gates[name].shown) {
			t.Errorf("the gate of %s does not show %q:\n%s", name, gates[name].shown, gate)
		}
		if name == "accounts" {
			w.worksIn("444455556666", 0)
		}
		for _, by := range gates[name].by {
			w.types(by, "approve "+w.ref(1)+" looks good")
		}
	}
	for name := range gates {
		w.pipeline = name
		w.over(1, workflows.StatusSucceeded)
	}
	for cluster, account := range accountsOfExample() {
		w.worksIn(account, 1)
		if runs := awsfake.At[*ecs.Service](w.aws, account, awsRegion).Runs(cluster, "shop"); !strings.HasSuffix(runs, ":2") {
			t.Errorf("%s runs %s", cluster, runs)
		}
	}
	if w.updates() != 1 || w.stacks().Status("Shop") != "CREATE_COMPLETE" {
		t.Errorf("the stack shop was updated %d times, Shop is %q", w.updates(), w.stacks().Status("Shop"))
	}
}

// worksIn checks that so many deployments were begun in an account, and that all calls there are its role's.
func (w *patternFixture) worksIn(account string, deployments int) {
	w.t.Helper()
	n := 0
	for _, c := range w.aws.Calls() {
		if c.Account != account {
			continue
		}
		if c.Name() == "ecs:UpdateService" {
			n++
		}
		if c.Role != "arn:aws:iam::"+account+":role/rollcall-deploy" {
			w.t.Errorf("%s is called in the account %s by %s", c.Name(), account, c.Principal)
		}
	}
	if n != deployments {
		w.t.Errorf("%d deployments in the account %s, want %d", n, account, deployments)
	}
}
