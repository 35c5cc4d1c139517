package needs

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudformation"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudfront"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codecommit"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codedeploy"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecr"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/sns"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/states"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// shop is what a pipeline needs to find: files in its artifacts, variables that its
// actions export, and everything in AWS that it names.
type shop struct {
	p        *workflows.Pipeline
	aws      *awsfake.Server
	in       policy.Pipelines
	broken   string                       // the step whose deployment fails: "Production/Deploy"; empty: none
	files    map[string]map[string]string // by artifact, then by path
	exported map[string]map[string]string // by namespace
	scripts  map[project][]codebuild.Script
}

// project is one of CodeBuild.
type project struct{ account, region, name string }

// furnish makes all that the pipeline names.
func furnish(p *workflows.Pipeline, aws *awsfake.Server, in policy.Pipelines, broken string) *shop {
	s := &shop{p: p, aws: aws, in: in, broken: broken, files: map[string]map[string]string{}, exported: map[string]map[string]string{}, scripts: map[project][]codebuild.Script{}}
	awsfake.At[*sns.Service](aws, account, region).Topic(last(topic, ":"))
	steps := Steps(p, commandsOn)
	for _, stage := range p.Stages {
		for _, a := range stage.Actions {
			for _, value := range a.Configuration {
				s.refersTo(value)
			}
		}
	}
	for _, one := range steps {
		for _, name := range one.Action.InputArtifacts {
			s.put(name, "README", "shop")
		}
	}
	for _, one := range steps {
		s.reads(&one.Action)
	}
	for _, one := range steps {
		s.make(one, one.place(p, in))
	}
	for at, scripts := range s.scripts {
		builds := awsfake.At[*codebuild.Service](aws, at.account, at.region)
		builds.Projects(codebuild.Project{Name: at.name, BatchRole: "arn:aws:iam::" + at.account + ":role/batch"})
		builds.Play(at.name, scripts...)
		builds.PlayBatch(at.name, codebuild.Group{ID: "linux"})
	}
	return s
}

func (s *shop) put(artifact, path, content string) {
	if s.files[artifact] == nil {
		s.files[artifact] = map[string]string{}
	}
	s.files[artifact][path] = content
}

// refersTo has the namespaces that a value names export what it wants of them.
func (s *shop) refersTo(value string) {
	for _, m := range regexp.MustCompile(`#\{([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\}`).FindAllStringSubmatch(value, -1) {
		if s.exported[m[1]] == nil {
			s.exported[m[1]] = map[string]string{}
		}
		s.exported[m[1]][m[2]] = "1"
	}
}

// reads puts into artifacts what an action reads there.
func (s *shop) reads(a *workflows.Action) {
	c := a.Configuration
	switch a.ActionType.Provider {
	case "CloudFormation":
		if artifact, path, ok := strings.Cut(c["TemplatePath"], "::"); ok {
			s.put(artifact, path, s.template(c["StackName"]))
		}
		if artifact, path, ok := strings.Cut(c["TemplateConfiguration"], "::"); ok {
			s.put(artifact, path, `{"Tags": {"team": "shop"}, "StackPolicy": {"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}}`)
		}
	case "ECS":
		s.put(a.InputArtifacts[0], cmp.Or(c["FileName"], "imagedefinitions.json"), `[{"name": "web", "imageUri": "shop:2"}]`)
	case "CodeDeployToECS":
		s.put(c["TaskDefinitionTemplateArtifact"], cmp.Or(c["TaskDefinitionTemplatePath"], "taskdef.json"),
			`{"family": "web", "executionRoleArn": "arn:aws:iam::111122223333:role/exec", "containerDefinitions": [{"name": "web", "image": "<`+cmp.Or(c["Image1ContainerName"], "IMAGE")+`>", "essential": true}]}`)
		s.put(c["AppSpecTemplateArtifact"], cmp.Or(c["AppSpecTemplatePath"], "appspec.yaml"), "Resources:\n  - TargetService:\n      Properties:\n        TaskDefinition: <TASK_DEFINITION>\n")
		if image := c["Image1ArtifactName"]; image != "" {
			s.put(image, "imageDetail.json", `{"ImageURI": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:abc"}`)
		}
	}
}

// template is too long for a request, and says what others want to know of the stack.
func (s *shop) template(stack string) string {
	outputs := map[string]any{}
	for _, one := range Steps(s.p, commandsOn) {
		if one.Action.ActionType.Provider == "CloudFormation" && one.Action.Configuration["StackName"] == stack {
			for name := range s.exported[one.Action.Namespace] {
				outputs[name] = map[string]any{"Value": map[string]any{"Ref": "Queue"}}
			}
		}
	}
	text, _ := json.Marshal(map[string]any{"Description": strings.Repeat("long ", 12_000), "Resources": map[string]any{"Queue": map[string]any{"Type": "AWS::SQS::Queue"}}, "Outputs": outputs})
	return string(text)
}

// make makes in AWS what a step names.
func (s *shop) make(one Step, at policy.Place) {
	a := one.Action
	c, account, region := a.Configuration, at.Account, at.Region
	switch provider := a.ActionType.Provider; provider {
	case "CodeBuild":
		s.builds(project{account, region, c["ProjectName"]}, one, true)
	case "Commands", "ECRBuildAndPublish":
		s.builds(project{account, region, commandsOn}, one, false)
	case "CloudWatchAlarm":
		var watched []string
		_ = json.Unmarshal([]byte(c[work.WatchedAlarms]), &watched) // of a rule there are none
		for _, name := range append(watched, c["AlarmName"]) {
			awsfake.At[*cloudwatch.Service](s.aws, account, region).Set(cloudwatch.Metric, name, cloudwatch.OK, "")
		}
	case "Lambda", "LambdaInvoke":
		for _, name := range strings.FieldsFunc(c["Alarms"], func(r rune) bool { return r == ',' || r == ' ' }) {
			awsfake.At[*cloudwatch.Service](s.aws, account, region).Set(cloudwatch.Metric, name, cloudwatch.OK, "")
		}
		awsfake.At[*lambda.Service](s.aws, account, region).Create(lambda.Function{Name: last(c["FunctionName"], ":"), Aliases: []string{cmp.Or(c["FunctionAlias"], "live")}})
	case "CloudFormation":
		awsfake.At[*cloudformation.Service](s.aws, account, region).Have(c["StackName"], `{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}`, nil)
	case "SNS":
		awsfake.At[*sns.Service](s.aws, account, region).Topic(last(c["TopicArn"], ":"))
	case "StepFunctions":
		awsfake.At[*states.Service](s.aws, account, region).Create(states.Machine{Name: last(c["StateMachineArn"], ":"), Run: func(string) states.Result { return states.Result{Output: "{}"} }})
	case "EventBridge": // the default bus is there
	case "S3", "CodeCommit", "ECR":
		s.source(one, at)
	case "ECS", "CodeDeploy", "CodeDeployToECS":
		s.fleet(one, at)
	default:
		panic("say here what " + provider + " finds in AWS")
	}
}

func (s *shop) builds(at project, one Step, tested bool) {
	a := one.Action
	script := codebuild.Script{Lines: map[string][]string{"BUILD": {"building"}}, Exported: s.exported[a.Namespace], Files: map[string]map[string]string{}}
	if one.Where == s.broken {
		script.Fail = &codebuild.Failure{}
	}
	if tested {
		script.Reports = []codebuild.Report{{Name: "unit", Cases: []codebuild.Case{{Name: "A"}}}}
	}
	for i, out := range a.OutputArtifacts {
		identifier := ""
		if i > 0 {
			identifier = strings.NewReplacer("-", "_", ".", "_", "@", "_").Replace(out.Name)
		}
		script.Files[identifier] = s.of(out.Name)
	}
	s.scripts[at] = append(s.scripts[at], script)
}

// of are the files of an artifact.
func (s *shop) of(artifact string) map[string]string {
	files := map[string]string{"built": artifact}
	maps.Copy(files, s.files[artifact])
	return files
}

// source makes what a source takes, or where S3 deploys to.
func (s *shop) source(one Step, at policy.Place) {
	a := one.Action
	c, artifact := a.Configuration, ""
	if len(a.OutputArtifacts) > 0 {
		artifact = a.OutputArtifacts[0].Name
	}
	store := awsfake.At[*s3.Service](s.aws, at.Account, at.Region)
	switch {
	case a.ActionType.Provider == "ECR":
		awsfake.At[*ecr.Service](s.aws, at.Account, at.Region).Push(c["RepositoryName"], "image", cmp.Or(c["ImageTag"], "latest"))
	case a.ActionType.Provider == "CodeCommit":
		awsfake.At[*codecommit.Service](s.aws, at.Account, at.Region).Commit(c["RepositoryName"], c["BranchName"], codecommit.Commit{Message: "first", Files: s.of(artifact)})
	case a.IsSource():
		store.Create(s3.Bucket{Name: c["S3Bucket"], Owner: at.Account, Region: at.Region})
		if one.Where != s.broken {
			store.Put(c["S3Bucket"], c["S3ObjectKey"], zipped(s.of(artifact)))
		}
	default:
		store.Create(s3.Bucket{Name: c["BucketName"], Owner: at.Account, Region: at.Region, ACLs: c["CannedACL"] != ""})
		if id := c["DistributionId"]; id != "" {
			awsfake.At[*cloudfront.Service](s.aws, "", "").Distribution(id, at.Account)
		}
	}
}

// fleet makes what deployments go to, and has the one fail that is to.
func (s *shop) fleet(one Step, at policy.Place) {
	c, fails := one.Action.Configuration, one.Where == s.broken
	if one.Action.ActionType.Provider == "ECS" {
		services := awsfake.At[*ecs.Service](s.aws, at.Account, at.Region)
		cluster, name := last(c["ClusterName"], "/"), last(c["ServiceName"], "/")
		services.Create(cluster, name, services.Define(map[string]any{"family": name, "taskRoleArn": "arn:aws:iam::" + at.Account + ":role/web", "executionRoleArn": "arn:aws:iam::" + at.Account + ":role/exec",
			"containerDefinitions": []any{map[string]any{"name": "web", "image": "shop:1", "essential": true, "logConfiguration": map[string]any{"logDriver": "awslogs",
				"options": map[string]any{"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "web", "awslogs-region": at.Region}}}}}))
		if fails {
			services.Next(cluster, name, ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "EssentialContainerExited", Reason: "Essential container in task exited", Container: "web", ExitCode: 1, Log: []string{"no database"}}})
		}
		return
	}
	deployments := awsfake.At[*codedeploy.Service](s.aws, at.Account, at.Region)
	g := codedeploy.Group{Application: c["ApplicationName"], Name: c["DeploymentGroupName"], Targets: []string{"i-1"}}
	if one.Action.ActionType.Provider == "CodeDeployToECS" {
		g.Platform = "ECS"
	}
	deployments.Create(g)
	if fails {
		deployments.Next(g.Application, g.Name, codedeploy.Plan{Code: "HEALTH_CONSTRAINTS", Hook: codedeploy.Hook{Event: "ValidateService", Code: "ScriptFailed", Script: "check.sh"}})
	}
}

// breakable are the steps whose failure is looked into with rights that a success does not take.
func breakable(p *workflows.Pipeline) (all []string) {
	for _, one := range Steps(p, commandsOn) {
		if slices.Contains([]string{"Deploy/ECS", "Deploy/CodeDeploy", "Deploy/CodeDeployToECS", "Source/S3"}, one.Action.ActionType.Category+"/"+one.Action.ActionType.Provider) {
			all = append(all, one.Where)
		}
	}
	return all
}

// last is what stands behind the last separator.
func last(text, separator string) string { return text[strings.LastIndex(text, separator)+1:] }

func zipped(files map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f, err := z.Create(path)
		if err == nil {
			_, err = f.Write([]byte(files[path]))
		}
		if err != nil {
			panic(err) // it is written into memory
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
