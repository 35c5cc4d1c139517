package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudformation"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codecommit"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codedeploy"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecr"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/events"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/sns"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/states"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	functionARN = "arn:aws:lambda:eu-west-1:111122223333:function:"
	roles       = "arn:aws:iam::111122223333:role/"
)

// have makes what a shop has in AWS.
func have(w *runnertest.World) {
	w.AWS.Roles(awsfake.Role{ARN: roles + "cfn", Services: []string{"cloudformation.amazonaws.com"}}, awsfake.Role{ARN: roles + "ec2", Services: []string{"ec2.amazonaws.com"}})
	shop := func(f func(account, region string)) { f(runnertest.Account, runnertest.Region) }
	shop(func(a, r string) {
		b := awsfake.At[*codebuild.Service](w.AWS, a, r)
		b.Projects(codebuild.Project{Name: "app", Buildspec: "build/spec.yml"}, codebuild.Project{Name: "smoke", Buildspec: "version: 0.2\nphases: {}\n"})
		e := awsfake.At[*ecs.Service](w.AWS, a, r)
		task := map[string]any{"family": "web", "containerDefinitions": []any{map[string]any{"name": "web", "image": "shop:1"}}}
		for _, name := range []string{"web", "hooked", "shifted"} {
			e.Create("shop", name, e.Define(task))
		}
		e.Control("shop", "shifted", "CODE_DEPLOY")
		e.Call("shop", "hooked", functionARN+"gone")
		e.Call("shop", "web", functionARN+"migrate")
		d := awsfake.At[*codedeploy.Service](w.AWS, a, r)
		d.Create(codedeploy.Group{Application: "shop", Name: "fleet"})
		d.Create(codedeploy.Group{Application: "shop", Name: "service", Platform: "ECS"})
		f := awsfake.At[*lambda.Service](w.AWS, a, r)
		f.Create(lambda.Function{Name: "migrate", Aliases: []string{"live"}})
		c := awsfake.At[*cloudformation.Service](w.AWS, a, r)
		c.Have("shop", `{"Resources": {"Role": {"Type": "AWS::IAM::Role"}}}`, nil)
		c.Have("broken", `{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}`, nil)
		c.Put("broken", "UPDATE_ROLLBACK_FAILED", 0)
		store := awsfake.At[*s3.Service](w.AWS, a, r)
		store.Create(s3.Bucket{Name: "site", Owner: a, Region: r})
		store.Create(s3.Bucket{Name: "far", Owner: a, Region: "us-east-1"})
		store.Create(s3.Bucket{Name: "plain", Owner: a, Region: r, Unversioned: true})
		store.Create(s3.Bucket{Name: "theirs", Owner: "999999999999", Region: r})
		store.Put("site", "app.zip", []byte("1"))
		store.Put("plain", "app.zip", []byte("1"))
		awsfake.At[*codecommit.Service](w.AWS, a, r).Commit("shop", "main", codecommit.Commit{Message: "first"})
		awsfake.At[*ecr.Service](w.AWS, a, r).Push("shop", "one", "latest")
		awsfake.At[*sns.Service](w.AWS, a, r).Topic("released")
		awsfake.At[*events.Service](w.AWS, a, r).Bus("releases")
		awsfake.At[*states.Service](w.AWS, a, r).Create(states.Machine{Name: "release"})
		awsfake.At[*cloudwatch.Service](w.AWS, a, r).Set("MetricAlarm", "shop-5xx", cloudwatch.OK, "")
	})
}

// Every kind of action can be checked before it runs: what it names is looked for, in
// words that say what is wrong, and a check changes nothing.
func TestEveryKindIsChecked(t *testing.T) {
	type set = map[string]string
	checked := map[string]bool{}
	const machines, topics = "arn:aws:states:eu-west-1:111122223333:stateMachine:", "arn:aws:sns:eu-west-1:111122223333:"
	for _, c := range []struct {
		kind  string
		set   set
		input string
		says  string // empty: nothing is wrong
	}{
		{"Build/CodeBuild", set{"ProjectName": "app"}, "app", ""},
		{"Build/CodeBuild", set{"ProjectName": "smoke"}, "", ""},
		{"Build/CodeBuild", set{"ProjectName": "app"}, "", "the action has no input artifact|build/spec.yml|write the buildspec into the project"},
		{"Test/CodeBuild", set{"ProjectName": "gone"}, "app", "there is no CodeBuild project gone in eu-west-1"},
		{"Rule/CodeBuild", set{"ProjectName": "gone"}, "app", "there is no CodeBuild project gone"},
		{"Build/Commands", nil, "app", "there is no CodeBuild project rollcall"},
		{"Build/ECRBuildAndPublish", nil, "app", "there is no CodeBuild project rollcall"},
		{"Deploy/ECS", set{"ClusterName": "shop", "ServiceName": "web"}, "app", ""},
		{"Deploy/ECS", set{"ClusterName": "gone", "ServiceName": "web"}, "app", "there is no cluster gone in eu-west-1"},
		{"Deploy/ECS", set{"ClusterName": "shop", "ServiceName": "gone"}, "app", "the cluster shop has no service gone"},
		{"Deploy/ECS", set{"ClusterName": "shop", "ServiceName": "shifted"}, "app", "the service shifted is deployed by the controller CODE_DEPLOY"},
		{"Deploy/ECS", set{"ClusterName": "shop", "ServiceName": "hooked"}, "app", "calls the function " + functionARN + "gone|there is no such function|take the lifecycle hook out"},
		{"Deploy/CodeDeploy", set{"ApplicationName": "shop", "DeploymentGroupName": "fleet"}, "app", ""},
		{"Deploy/CodeDeploy", set{"ApplicationName": "gone", "DeploymentGroupName": "fleet"}, "app", "there is no CodeDeploy application gone"},
		{"Deploy/CodeDeploy", set{"ApplicationName": "shop", "DeploymentGroupName": "gone"}, "app", "the CodeDeploy application shop has no deployment group gone"},
		{"Deploy/CodeDeploy", set{"ApplicationName": "shop", "DeploymentGroupName": "service"}, "app", "is for the compute platform ECS|the provider CodeDeploy does not"},
		{"Deploy/CodeDeployToECS", set{"ApplicationName": "shop", "DeploymentGroupName": "service"}, "app", ""},
		{"Deploy/CodeDeployToECS", set{"ApplicationName": "shop", "DeploymentGroupName": "fleet"}, "app", "is for the compute platform Server"},
		{"Deploy/CloudFormation", set{"StackName": "new", "ActionMode": "CREATE_UPDATE"}, "app", ""},
		{"Deploy/CloudFormation", set{"StackName": "shop", "ActionMode": "CREATE_UPDATE", "Capabilities": "CAPABILITY_NAMED_IAM"}, "app", ""},
		{"Deploy/CloudFormation", set{"StackName": "shop", "ActionMode": "CREATE_UPDATE"}, "app", "the stack shop was made with CAPABILITY_IAM|add CAPABILITY_IAM to Capabilities"},
		{"Deploy/CloudFormation", set{"StackName": "broken", "ActionMode": "CREATE_UPDATE"}, "app", "stuck in UPDATE_ROLLBACK_FAILED|takes no update|continue-update-rollback"},
		{"Deploy/CloudFormation", set{"StackName": "broken", "ActionMode": "REPLACE_ON_FAILURE"}, "app", ""},
		{"Deploy/CloudFormation", set{"StackName": "broken", "ActionMode": "DELETE_ONLY"}, "", ""},
		{"Deploy/CloudFormation", set{"StackName": "new", "ActionMode": "CREATE_UPDATE", "RoleArn": roles + "cfn"}, "app", ""},
		{"Deploy/CloudFormation", set{"StackName": "new", "ActionMode": "CREATE_UPDATE", "RoleArn": roles + "gone"}, "app", "there is no execution role " + roles + "gone|correct RoleArn"},
		{"Deploy/CloudFormation", set{"StackName": "new", "ActionMode": "CREATE_UPDATE", "RoleArn": roles + "ec2"}, "app", "does not trust CloudFormation|trust policy"},
		{"Deploy/Lambda", set{"FunctionName": "migrate", "FunctionAlias": "live"}, "app", ""},
		{"Deploy/Lambda", set{"FunctionName": "gone"}, "app", "there is no function gone in eu-west-1"},
		{"Deploy/Lambda", set{"FunctionName": "migrate", "FunctionAlias": "beta"}, "app", "there is no function migrate with an alias beta"},
		{"Deploy/S3", set{"BucketName": "site"}, "app", ""},
		{"Deploy/S3", set{"BucketName": "gone"}, "app", "there is no bucket gone"},
		{"Deploy/S3", set{"BucketName": "far"}, "app", "the bucket far is not in eu-west-1|set region of the action"},
		{"Deploy/S3", set{"BucketName": "theirs"}, "app", "Forbidden"},
		{"Invoke/Lambda", set{"FunctionName": "migrate"}, "", ""},
		{"Invoke/Lambda", set{"FunctionName": functionARN + "gone"}, "", "there is no function gone"},
		{"Rule/LambdaInvoke", set{"FunctionName": "gone"}, "", "there is no function gone"},
		{"Invoke/StepFunctions", set{"StateMachineArn": machines + "release"}, "", ""},
		{"Invoke/StepFunctions", set{"StateMachineArn": machines + "gone"}, "", "there is no state machine " + machines + "gone"},
		{"Invoke/SNS", set{"TopicArn": topics + "released"}, "", ""},
		{"Invoke/SNS", set{"TopicArn": topics + "gone"}, "", "there is no topic " + topics + "gone"},
		{"Invoke/EventBridge", nil, "", ""},
		{"Invoke/EventBridge", set{"EventBusName": "releases"}, "", ""},
		{"Invoke/EventBridge", set{"EventBusName": "gone"}, "", "there is no event bus gone"},
		{"Source/S3", set{"S3Bucket": "site", "S3ObjectKey": "app.zip"}, "", ""},
		{"Source/S3", set{"S3Bucket": "site", "S3ObjectKey": "gone.zip"}, "", "there is nothing at s3://site/gone.zip"},
		{"Source/S3", set{"S3Bucket": "plain", "S3ObjectKey": "app.zip"}, "", "keeps no versions"},
		{"Source/ECR", set{"RepositoryName": "shop"}, "", ""},
		{"Source/ECR", set{"RepositoryName": "shop", "ImageTag": "v9"}, "", "no image of the repository shop has the tag v9|push one"},
		{"Source/ECR", set{"RepositoryName": "gone"}, "", "there is no ECR repository gone"},
		{"Source/CodeCommit", set{"RepositoryName": "shop", "BranchName": "main"}, "", ""},
		{"Source/CodeCommit", set{"RepositoryName": "shop", "BranchName": "dev"}, "", "the repository shop has no branch dev"},
		{"Source/CodeCommit", set{"RepositoryName": "gone", "BranchName": "main"}, "", "there is no CodeCommit repository gone"},
		{"Rule/CloudWatchAlarm", set{"AlarmName": "shop-5xx"}, "", ""},
		{"Rule/CloudWatchAlarm", set{"AlarmName": "gone"}, "", `CloudWatch has no alarm "gone"`},
		{"Rule/CloudWatchAlarm", set{work.WatchedAlarms: `["shop-5xx", "late"]`}, "", `CloudWatch has no alarm "late"`},
	} {
		checked[c.kind] = true
		runnertest.In(t, kindNamed(c.kind), func(w *runnertest.World) {
			have(w)
			task := w.Task(c.set)
			if c.input != "" {
				task.Action.InputArtifacts = []string{c.input}
			}
			before := len(w.AWS.Calls())
			said := ""
			if err := w.Check(task); err != nil {
				said = err.Error()
				if wrong := (*runner.SettingsError)(nil); errors.As(err, &wrong) {
					said += " " + wrong.Fix
				}
			}
			for part := range strings.SplitSeq(c.says, "|") {
				if c.says == "" && said != "" || !strings.Contains(said, part) {
					t.Errorf("%s %v: it says %q, want %q", c.kind, c.set, said, part)
				}
			}
			for _, call := range w.AWS.Calls()[before:] {
				reads := slices.ContainsFunc([]string{"Get", "Describe", "Head", "BatchGet"}, func(verb string) bool { return strings.HasPrefix(call.Operation, verb) })
				if !reads && call.Name() != "sts:AssumeRole" {
					t.Errorf("%s: %s changes something", c.kind, call.Name())
				}
			}
		})
	}
	for _, k := range Kinds("rollcall") {
		if k.Check == nil {
			t.Errorf("%s has no Check", k.Name())
		}
		if !checked[k.Name()] && k.Provider != "Commands" {
			t.Errorf("no line of the table is about %s", k.Name())
		}
	}
}

// A role may do what is printed for it as needed and as optional, and no more: then
// everything can be checked.
func TestChecksNeedNoMoreThanIsPrinted(t *testing.T) {
	for _, c := range []struct {
		kind string
		set  map[string]string
	}{
		{"Build/CodeBuild", map[string]string{"ProjectName": "smoke"}}, {"Deploy/ECS", map[string]string{"ClusterName": "shop", "ServiceName": "hooked"}},
		{"Deploy/CodeDeploy", map[string]string{"ApplicationName": "shop", "DeploymentGroupName": "fleet"}}, {"Deploy/CloudFormation", map[string]string{"StackName": "new", "ActionMode": "CREATE_UPDATE", "RoleArn": roles + "cfn"}},
		{"Deploy/Lambda", map[string]string{"FunctionName": "migrate"}}, {"Deploy/S3", map[string]string{"BucketName": "site"}}, {"Invoke/Lambda", map[string]string{"FunctionName": "migrate"}},
		{"Invoke/SNS", map[string]string{"TopicArn": "arn:aws:sns:eu-west-1:111122223333:released"}}, {"Invoke/EventBridge", map[string]string{"EventBusName": "releases"}},
		{"Source/S3", map[string]string{"S3Bucket": "site", "S3ObjectKey": "app.zip"}}, {"Source/ECR", map[string]string{"RepositoryName": "shop"}},
		{"Source/CodeCommit", map[string]string{"RepositoryName": "shop", "BranchName": "main"}}, {"Rule/CloudWatchAlarm", map[string]string{"AlarmName": "shop-5xx"}},
	} {
		runnertest.In(t, kindNamed(c.kind), func(w *runnertest.World) {
			have(w)
			task := w.Task(c.set)
			statements := may(t, w.Kind, &task.Action)
			if err := w.AWS.Policies(runnertest.Role, statements); err != nil {
				t.Fatal(err)
			}
			err := w.Check(task)
			if hooked := c.kind == "Deploy/ECS"; (err != nil) != hooked || hooked && !strings.Contains(err.Error(), "no such function") {
				t.Errorf("%s: %v", c.kind, err)
			}
		})
	}
}

func may(t *testing.T, k runner.Kind, a *workflows.Action) string {
	t.Helper()
	at := policy.Place{Region: runnertest.Region, Account: runnertest.Account}
	u := policy.Use{Roles: []string{runnertest.Role}, At: at, Statements: k.Needs(a, at)}
	if k.Optional != nil {
		u.Optional = k.Optional(a, at)
	}
	all := policy.Document{}
	for _, d := range (policy.Pipelines{Name: "shop", Uses: []policy.Use{u}}).Policies().Documents {
		if d.Role == runnertest.Role && d.Kind != "trust" {
			all.Statements = append(all.Statements, d.Statements...)
		}
	}
	text, err := all.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func kindNamed(name string) runner.Kind {
	for _, k := range Kinds("rollcall") {
		if k.Name() == name {
			return k
		}
	}
	panic("there is no " + name)
}
