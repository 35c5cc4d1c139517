package checkup_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/checkup"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

const (
	account  = "444455556666"
	region   = "eu-west-1"
	base     = "arn:aws:iam::111122223333:user/rollcall"
	role     = "arn:aws:iam::444455556666:role/rollcall-bridge"
	outsider = "arn:aws:iam::444455556666:user/eve"
	pipeline = "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline"
)

// declared is a pipeline in AWS.
func declared(name, kind string) map[string]any {
	action := func(name, category, provider string, configuration map[string]any) map[string]any {
		return map[string]any{"name": name, "runOrder": 1, "configuration": configuration,
			"actionTypeId": map[string]any{"category": category, "owner": "AWS", "provider": provider, "version": "1"}}
	}
	source := action("Checkout", "Source", "CodeCommit", map[string]any{"RepositoryName": "webshop", "BranchName": "main"})
	source["outputArtifacts"] = []any{map[string]any{"name": "App"}}
	build := action("Compile", "Build", "CodeBuild", map[string]any{"ProjectName": "webshop"})
	build["inputArtifacts"] = []any{map[string]any{"name": "App"}}
	return map[string]any{"name": name, "roleArn": "arn:aws:iam::444455556666:role/pipeline", "pipelineType": kind, "executionMode": "SUPERSEDED",
		"artifactStore": map[string]any{"type": "S3", "location": "acme-art"},
		"stages": []any{
			map[string]any{"name": "Source", "actions": []any{source}},
			map[string]any{"name": "Build", "actions": []any{build}},
			map[string]any{"name": "Production", "actions": []any{action("SignOff", "Approval", "Manual", nil)}},
		}}
}

// cloud is an AWS in which everything is as the configuration says.
type cloud struct {
	*awsfake.Server
	o checkup.Options
	t *testing.T
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDROLLCALL")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-very-secret-key")
	c := &cloud{Server: awsfake.New(awsfake.Options{Now: time.Now}), t: t}
	c.Roles(awsfake.Role{ARN: role, ExternalID: "acme-external"})
	c.create(declared("webshop-pipeline", "V2"))
	server := httptest.NewServer(c.Server)
	t.Cleanup(server.Close)
	c.o = checkup.Options{
		Accounts: accounts.Options{Region: region, EndpointURL: server.URL, Roles: map[string]accounts.Role{role: {ExternalID: "acme-external"}}},
		QueueURL: c.Queue("111122223333", region, "rollcall"),
		Bridges: []checkup.Bridge{{Name: "prod-eu", Region: region, Role: role, Act: true,
			Pipelines: []checkup.Pipeline{{Name: "webshop-pipeline", Stages: []string{"Production"}, Approvals: []string{"Production/SignOff"}}}}},
	}
	c.may(role, c.policies("read", "act")...)
	return c
}

// policies are documents that iam-policy prints for the bridge, with the right to ask the simulator.
func (c *cloud) policies(kinds ...string) []string {
	c.t.Helper()
	documents := []string{`{"Statement":[{"Effect":"Allow","Action":"iam:SimulatePrincipalPolicy","Resource":"*"}]}`}
	b := policy.Bridge{Name: "prod-eu", Region: region, Account: account, Role: role, Act: true, Pipelines: []string{"webshop-pipeline"}}
	for _, d := range b.Policies().Documents {
		for _, kind := range kinds {
			if d.Kind == kind {
				text, err := json.Marshal(d)
				if err != nil {
					c.t.Fatal(err)
				}
				documents = append(documents, string(text))
			}
		}
	}
	return documents
}

func (c *cloud) may(arn string, documents ...string) {
	c.t.Helper()
	if err := c.Policies(arn, documents...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) create(d map[string]any) {
	c.t.Helper()
	if err := c.Console("arn:aws:iam::444455556666:user/ops", region).Do("CreatePipeline", map[string]any{"pipeline": d}, nil); err != nil {
		c.t.Fatal(err)
	}
}

// without are the documents without an action.
func without(action string, documents []string) []string {
	var all []string
	for _, d := range documents {
		all = append(all, strings.ReplaceAll(d, `"`+action+`"`, `"codepipeline:ListTagsForResource"`))
	}
	return all
}

// lines are the checks as a test compares them: status, about, message, fixes, statement.
func lines(checks []selftest.Result) string {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%s %s: %s | %s", c.Status, c.About, c.Message, strings.Join(c.Fix, "; "))
		if c.Finding != nil {
			fmt.Fprintf(&b, " | %s %s", c.Finding.Cause, c.Finding.Statement)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Each fault is planted alone: it is found, named with what to do, and nothing
// else is said to be wrong. No call changes anything.
func TestPlantedFaults(t *testing.T) {
	for _, f := range []struct {
		name  string
		plant func(c *cloud)
		want  []string // a line each that is not ok, by its parts with | between
	}{
		{"nothing", func(*cloud) {}, nil},
		{"no credentials", func(c *cloud) { os.Unsetenv("AWS_ACCESS_KEY_ID") }, []string{"failed credentials: |credentials do not work", "skipped"}},
		{"an access key that is withdrawn", func(c *cloud) {
			c.Faults(awsfake.Fault{Operation: "sts:GetCallerIdentity", Trouble: awsfake.Refuse, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."})
		}, []string{"failed credentials: |rollcall doctor says", "skipped"}},
		{"AWS away", func(c *cloud) { c.o.Accounts.EndpointURL = "http://127.0.0.1:1" }, []string{"failed credentials: |cannot be reached|proxy", "skipped"}},
		{"a clock that is ten minutes off", func(c *cloud) { c.o.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) } }, []string{"failed clock: |differs from AWS's by 10m|NTP"}},
		{"a clock that is two minutes off", func(c *cloud) { c.o.Now = func() time.Time { return time.Now().Add(2 * time.Minute) } }, []string{"warning clock: |by 2m|NTP"}},
		{"a wrong external ID", func(c *cloud) { c.o.Accounts.Roles[role] = accounts.Role{ExternalID: "other"} },
			[]string{`failed bridge prod-eu: |cannot be assumed|trust policy of ` + role + `|external ID|{"Effect":"Allow","Principal":{"AWS":"` + base + `"},"Action":["sts:AssumeRole"]}`, "skipped"}},
		{"a source identity that is not trusted", func(c *cloud) {
			c.o.Accounts.Roles[role] = accounts.Role{ExternalID: "acme-external", SourceIdentity: true}
		}, nil}, // the service names nobody, so it is not sent
		{"a role that is not there", func(c *cloud) { c.o.Bridges[0].Role = "arn:aws:iam::444455556666:role/gone" }, []string{"failed bridge prod-eu: |arn:aws:iam::444455556666:role/gone", "skipped"}},
		{"a base role that is not there", func(c *cloud) { c.o.Accounts.RoleARN = "arn:aws:iam::111122223333:role/gone" }, []string{"failed credentials: aws.roleArn|trust policy of arn:aws:iam::111122223333:role/gone", "skipped"}},
		{"a wrong Region", func(c *cloud) { c.o.Bridges[0].Region = "us-east-1" }, []string{
			"failed bridge prod-eu, webshop-pipeline: there is no such pipeline in account 444455556666, us-east-1|check account and Region", "skipped"}},
		{"a name that is misspelt", func(c *cloud) { c.o.Bridges[0].Pipelines[0].Name = "webshop-pipelin" }, []string{"failed bridge prod-eu, webshop-pipelin: |no such pipeline|there are: webshop-pipeline", "skipped"}},
		{"a name that is misspelt, and the others cannot be listed", func(c *cloud) {
			c.o.Bridges[0].Pipelines[0].Name = "webshop-pipelin"
			c.may(role, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:*"}]}`)
		}, []string{"warning", "failed bridge prod-eu, webshop-pipelin: |no such pipeline in that account and region|check name, region and role", "skipped"}},
		{"GetPipeline is not allowed", func(c *cloud) { c.may(role, without("codepipeline:GetPipeline", c.policies("read", "act"))...) },
			[]string{`failed bridge prod-eu, webshop-pipeline: |codepipeline:GetPipeline|{"Effect":"Allow","Action":["codepipeline:GetPipeline"],"Resource":"` + pipeline + `"}`, "skipped"}},
		{"the state is not allowed", func(c *cloud) { c.may(role, without("codepipeline:GetPipelineState", c.policies("read", "act"))...) },
			[]string{"failed bridge prod-eu, webshop-pipeline: its state cannot be read|codepipeline:GetPipelineState"}},
		{"executions are not allowed", func(c *cloud) {
			c.may(role, without("codepipeline:ListPipelineExecutions", c.policies("read", "act"))...)
		},
			[]string{"failed bridge prod-eu, webshop-pipeline: its executions cannot be listed"}},
		{"one execution is not allowed", func(c *cloud) {
			c.may(role, without("codepipeline:GetPipelineExecution", c.policies("read", "act"))...)
		},
			[]string{"failed bridge prod-eu, webshop-pipeline: its executions cannot be read"}},
		{"actions are not allowed", func(c *cloud) {
			c.may(role, without("codepipeline:ListActionExecutions", c.policies("read", "act"))...)
		},
			[]string{"failed bridge prod-eu, webshop-pipeline: its actions cannot be listed"}},
		{"rules are not allowed", func(c *cloud) { c.may(role, without("codepipeline:ListRuleExecutions", c.policies("read", "act"))...) },
			[]string{"failed bridge prod-eu, webshop-pipeline: its rules cannot be listed"}},
		{"listing pipelines is not allowed", func(c *cloud) { c.may(role, without("codepipeline:ListPipelines", c.policies("read", "act"))...) },
			[]string{`warning bridge prod-eu: |init --aws|"Resource":"*"`}},
		{"logs are not allowed", func(c *cloud) { c.may(role, without("logs:GetLogEvents", c.policies("read", "act"))...) },
			[]string{"warning bridge prod-eu: failed builds are shown without their log|log-group:/aws/codebuild/webshop"}},
		{"builds are not allowed", func(c *cloud) { c.may(role, without("codebuild:BatchGetBuilds", c.policies("read", "act"))...) },
			[]string{"warning bridge prod-eu: failed builds are shown without their log|project/webshop"}},
		{"rollback is granted on the pipeline only", func(c *cloud) {
			c.may(role, append(without("codepipeline:RollbackStage", c.policies("read", "act")), `{"Statement":[{"Effect":"Allow","Action":"codepipeline:RollbackStage","Resource":"`+pipeline+`"}]}`)...)
		}, []string{
			"failed bridge prod-eu: |codepipeline:RollbackStage on " + pipeline + "/Source", "failed bridge prod-eu: |codepipeline:RollbackStage on " + pipeline + "/Build",
			`failed bridge prod-eu: ` + role + ` likely may not codepipeline:RollbackStage on ` + pipeline + `/Production|"Action":["codepipeline:RollbackStage"],"Resource":"` + pipeline + `/Production"`}},
		{"approving is not allowed", func(c *cloud) { c.may(role, without("codepipeline:PutApprovalResult", c.policies("read", "act"))...) },
			[]string{"failed bridge prod-eu: |codepipeline:PutApprovalResult on " + pipeline + "/Production/SignOff"}},
		{"starting is denied", func(c *cloud) {
			c.may(role, append(c.policies("read", "act"), `{"Statement":[{"Effect":"Deny","Action":"codepipeline:StartPipelineExecution","Resource":"*"}]}`)...)
		}, []string{"failed bridge prod-eu: |codepipeline:StartPipelineExecution on " + pipeline + "|a policy forbids it"}},
		{"the simulator is not allowed", func(c *cloud) {
			c.may(role, without("iam:SimulatePrincipalPolicy", c.policies("read", "act"))...)
			c.may(base, `{"Statement":[{"Effect":"Allow","Action":["sts:*","sqs:*"],"Resource":"*"}]}`)
		}, []string{
			"unknown bridge prod-eu: |codepipeline:StartPipelineExecution|on " + pipeline + " is not known|allow iam:SimulatePrincipalPolicy on " + role,
			"unknown bridge prod-eu: |codepipeline:RollbackStage|" + pipeline + "/Source, " + pipeline + "/Build, " + pipeline + "/Production is not known",
			"unknown bridge prod-eu: |codepipeline:PutApprovalResult|" + pipeline + "/Production/SignOff is not known"}},
		{"IAM does not answer", func(c *cloud) {
			c.Faults(awsfake.Fault{Operation: "iam:SimulatePrincipalPolicy", Trouble: awsfake.Refuse, Code: "InvalidAction", Message: "Could not find operation"})
		}, []string{"unknown bridge prod-eu: |StartPipelineExecution|Could not find operation", "unknown bridge prod-eu: |codepipeline:RollbackStage|" + pipeline + "/Production", "unknown bridge prod-eu: |PutApprovalResult"}},
		{"a stage that the pipeline has not", func(c *cloud) { c.o.Bridges[0].Pipelines[0].Stages = []string{"Prod"} }, []string{"failed bridge prod-eu, webshop-pipeline: environments names Prod|Source, Build, Production"}},
		{"an approval that the pipeline has not", func(c *cloud) { c.o.Bridges[0].Pipelines[0].Approvals = []string{"Production/Signoff"} },
			[]string{"failed bridge prod-eu, webshop-pipeline: approvals names Production/Signoff|Production/SignOff"}},
		{"a V1 pipeline", func(c *cloud) {
			c.create(declared("old", "V1"))
			c.o.Bridges[0].Pipelines[0] = checkup.Pipeline{Name: "old"}
			c.may(role)
		}, []string{"warning bridge prod-eu, old: |V1"}},
		{"no queue", func(c *cloud) { c.o.QueueURL += "-gone" }, []string{"failed queue: aws.events.queueURL"}},
		{"a queue without a policy", func(c *cloud) { c.QueuePolicy(c.o.QueueURL, "") }, []string{"warning queue: the queue's policy does not let EventBridge"}},
		{"a queue for others", func(c *cloud) {
			c.QueuePolicy(c.o.QueueURL, `{"Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage"}]}`)
		}, []string{"warning queue: the queue's policy does not let EventBridge"}},
		{"the queue is not allowed", func(c *cloud) {
			c.may(base, `{"Statement":[{"Effect":"Allow","Action":["sts:*","iam:*"],"Resource":"*"}]}`)
		},
			[]string{"unknown queue: |sqs:GetQueueAttributes"}},
		{"somebody else may approve", func(c *cloud) { c.o.Principals = []string{outsider} }, []string{"warning bridge prod-eu: " + outsider + " can answer 1 approval outside|iam-policy --bridge prod-eu"}},
		{"somebody else may not", func(c *cloud) {
			c.o.Principals = []string{outsider}
			c.may(outsider, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"codepipeline:PutApprovalResult","Resource":"`+pipeline+`/*/*"}]}`)
		}, nil},
		{"only watching needs no more than reading", func(c *cloud) { c.o.Bridges[0].Act = false; c.may(role, c.policies("read")...) }, nil},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := newCloud(t)
			f.plant(c)
			before := len(c.Calls())
			checks := checkup.Run(t.Context(), c.o)
			var bad []selftest.Result
			for _, check := range checks {
				if check.Status != selftest.OK {
					bad = append(bad, check)
				}
			}
			got := strings.Split(strings.TrimSuffix(lines(bad), "\n"), "\n")
			if len(bad) != len(f.want) {
				t.Fatalf("%d checks are not ok, want %d:\n%s", len(bad), len(f.want), lines(checks))
			}
			for i, want := range f.want {
				for part := range strings.SplitSeq(want, "|") {
					if !strings.Contains(got[i], part) {
						t.Errorf("%s\ndoes not say %s", got[i], part)
					}
				}
			}
			for _, call := range c.Calls()[before:] {
				if call.Changes() {
					t.Errorf("%s would change something", call.Name())
				}
			}
			if all := lines(checks); strings.Contains(all, "a-very-secret-key") || strings.Contains(all, "acme-external") || strings.Contains(all, "secret-of-") {
				t.Errorf("it shows a secret:\n%s", all)
			}
		})
	}
}

// gates is an AWS in which the services web and api of the cluster prod are gates of ECS,
// with the policies that iam-policy prints for them.
func gates(t *testing.T, service string) (*cloud, *ecs.Service) {
	t.Helper()
	c := newCloud(t)
	c.o.Bridges, c.o.QueueURL = nil, ""
	c.o.Hooks = []checkup.Hooks{{Name: "ecs-prod", Region: region, Role: role, Cluster: "prod", Service: service}}
	e := awsfake.At[*ecs.Service](c.Server, account, region)
	for _, name := range []string{"web", "api"} {
		e.Create("prod", name, e.Define(map[string]any{"family": name, "containerDefinitions": []any{map[string]any{"name": name, "image": "shop:1"}}}))
	}
	e.Hooks("prod", "web", ecs.Pause{Stage: "POST_SCALE_UP"})
	c.may(role, c.hookPolicies(service)...)
	return c, e
}

func (c *cloud) hookPolicies(service string) []string {
	c.t.Helper()
	documents := []string{`{"Statement":[{"Effect":"Allow","Action":"iam:SimulatePrincipalPolicy","Resource":"*"}]}`}
	b := policy.Bridge{Name: "ecs-prod", Region: region, Account: account, Role: role, Act: true, Hooks: &policy.Hooks{Cluster: "prod", Service: service}}
	for _, d := range b.Policies().Documents {
		if d.Kind != "read" && d.Kind != "act" {
			continue
		}
		text, err := json.Marshal(d)
		if err != nil {
			c.t.Fatal(err)
		}
		documents = append(documents, string(text))
	}
	return documents
}

// Each fault of a gate of ECS is found, with what to do.
func TestGatesOfECS(t *testing.T) {
	for _, f := range []struct {
		name, service string
		plant         func(c *cloud, e *ecs.Service)
		want          []string
	}{
		{"nothing", "web", func(*cloud, *ecs.Service) {}, nil},
		{"nothing, by a pattern", "*", func(*cloud, *ecs.Service) {}, nil},
		{"no such service", "shop", func(*cloud, *ecs.Service) {}, []string{"failed ECS gate ecs-prod: |there is no service shop in the cluster prod|check cluster, service, region and roleArn"}},
		{"a pattern of nothing", "shop-*", func(*cloud, *ecs.Service) {}, []string{"warning ECS gate ecs-prod: |there is no service shop-*|check cluster"}},
		{"no hook", "api", func(*cloud, *ecs.Service) {}, []string{"warning ECS gate ecs-prod: |no service has a pause hook|targetType: PAUSE"}},
		{"deployed by CodeDeploy", "web", func(_ *cloud, e *ecs.Service) { e.Control("prod", "web", "CODE_DEPLOY") },
			[]string{"warning ECS gate ecs-prod: |deployed by CODE_DEPLOY"}},
		{"deployments that cannot be read", "web", func(c *cloud, _ *ecs.Service) {
			c.may(role, without("ecs:DescribeServiceDeployments", c.hookPolicies("web"))...)
		}, []string{"failed ECS gate ecs-prod: |the deployments of web cannot be read|ecs:DescribeServiceDeployments"}},
		{"hooks that cannot be answered", "web", func(c *cloud, _ *ecs.Service) {
			c.may(role, without("ecs:ContinueServiceDeployment", c.hookPolicies("web"))...)
		}, []string{"failed ECS gate ecs-prod: |likely may not ecs:ContinueServiceDeployment|ecs:ContinueServiceDeployment"}},
		{"services that cannot be listed", "*", func(c *cloud, _ *ecs.Service) {
			c.may(role, without("ecs:ListServices", c.hookPolicies("*"))...)
		}, []string{"failed ECS gate ecs-prod: |the services cannot be listed|ecs:ListServices"}},
		{"a role that cannot be assumed", "web", func(c *cloud, _ *ecs.Service) { c.o.Hooks[0].Role = role + "-gone" }, []string{"failed ECS gate ecs-prod: |its role cannot be used", "skipped ECS gate ecs-prod: |its services were not looked at"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			c, e := gates(t, f.service)
			f.plant(c, e)
			checks := checkup.Run(t.Context(), c.o)
			var bad []selftest.Result
			for _, check := range checks {
				if check.Status != selftest.OK {
					bad = append(bad, check)
				}
			}
			got := strings.Split(strings.TrimSpace(lines(bad)), "\n")
			if len(bad) != len(f.want) {
				t.Fatalf("got\n%s\nwant %v\nof\n%s", strings.Join(got, "\n"), f.want, lines(checks))
			}
			for i, want := range f.want {
				for part := range strings.SplitSeq(want, "|") {
					if !strings.Contains(got[i], part) {
						t.Errorf("%s\nhas no %q", got[i], part)
					}
				}
			}
		})
	}
}

// Whether events may be published is asked of IAM's simulator: publishing one would be seen.
func TestPublishing(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		status   selftest.Status
		says     string
	}{
		"allowed":           {`{"Statement":[{"Effect":"Allow","Action":["cloudwatch:PutMetricData","iam:SimulatePrincipalPolicy","sts:AssumeRole"],"Resource":"*","Condition":{"StringEquals":{"cloudwatch:namespace":"Shop"}}},{"Effect":"Allow","Action":["iam:SimulatePrincipalPolicy","sts:AssumeRole"],"Resource":"*"}]}`, selftest.OK, "may cloudwatch:PutMetricData on *"},
		"another namespace": {`{"Statement":[{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*","Condition":{"StringEquals":{"cloudwatch:namespace":"Other"}}},{"Effect":"Allow","Action":["iam:SimulatePrincipalPolicy","sts:AssumeRole"],"Resource":"*"}]}`, selftest.Failed, "likely may not cloudwatch:PutMetricData on *"},
		"no simulator":      {`{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`, selftest.Unknown, "is not known before something is published"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := newCloud(t)
			cloud.may(base, c.document)
			cloud.o.Bridges, cloud.o.QueueURL, cloud.o.Publish = nil, "", []policy.Statement{policy.PublishMetrics("Shop")}
			for _, r := range checkup.Run(t.Context(), cloud.o) {
				if r.About == "publish" {
					if r.Status != c.status || !strings.Contains(r.Message, c.says) {
						t.Errorf("%s: %s", r.Status, r.Message)
					}
					return
				}
			}
			t.Error("nothing is said of it")
		})
	}
}
