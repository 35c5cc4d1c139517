package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codecommit"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/workflows"
)

const containerRegistry = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop@sha256:"

// newContainer is the pattern CodeCommit, an image by CodeBuild, its tests, and ECS. The n-th build makes the image n;
// each build of the tests plays the next script.
//
// The service itself may do nothing but be the pipeline's role, keep artifacts and hear of events.
func newContainer(t *testing.T, tests ...codebuild.Script) *patternFixture {
	w := newPattern(t, "container/container.json", func(w *patternFixture) {
		if err := w.aws.Policies("arn:aws:iam::"+awsAccount+":user/rollcall", `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::111122223333:role/container-pipeline"},
			{"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:111122223333:rollcall-events"},
			{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::acme-artifacts", "arn:aws:s3:::acme-artifacts/*"]}]}`); err != nil {
			w.t.Fatal(err)
		}
		w.commits("Begin")
		e, builds := w.ecs(), w.aws.CodeBuild(awsAccount, awsRegion)
		e.Create("shop", "web", e.Define(map[string]any{"family": "web", "containerDefinitions": []any{map[string]any{"name": "web", "image": containerRegistry + "0", "essential": true, "memory": 512,
			"logConfiguration": map[string]any{"logDriver": "awslogs", "options": map[string]any{"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "web", "awslogs-region": awsRegion}}}}}))
		builds.Projects(codebuild.Project{Name: "shop-image"}, codebuild.Project{Name: "shop-tests"})
		var images []codebuild.Script
		for n := range 4 {
			image := fmt.Sprint(containerRegistry, n+1)
			images = append(images, codebuild.Script{Takes: atOnce(), Exported: map[string]string{"IMAGE": image},
				Files: map[string]map[string]string{"": {"imagedefinitions.json": `[{"name": "web", "imageUri": "` + image + `"}]`}}})
		}
		builds.Play("shop-image", images...)
		builds.Play("shop-tests", tests...)
	})
	// What is there already starts nothing: the branch is looked at first.
	w.until("the branch is looked at, as the role of the pipeline", func() bool { return w.calls("codecommit:GetBranch") > 0 })
	return w
}

func (w *patternFixture) ecs() *ecs.Service {
	return awsfake.At[*ecs.Service](w.aws, awsAccount, awsRegion)
}

// commits has somebody push to the repository in CodeCommit, which tells nobody.
func (w *patternFixture) commits(message string) string {
	return awsfake.At[*codecommit.Service](w.aws, awsAccount, awsRegion).Commit("shop", "main", codecommit.Commit{Message: message, Author: "Dan", Email: "dan@acme.example",
		Files: map[string]string{"Dockerfile": "FROM scratch\n", "cmd/main.go": "package main // " + message + "\n"}})
}

// image is the one that the service in ECS is to run.
func (w *patternFixture) image() string {
	w.t.Helper()
	arn := w.ecs().Runs("shop", "web")
	revision := 0
	if _, err := fmt.Sscan(arn[strings.LastIndexByte(arn, ':')+1:], &revision); err != nil {
		w.t.Fatal(err)
	}
	container, _ := w.ecs().Definitions("web")[revision-1]["containerDefinitions"].([]any)[0].(map[string]any)
	return strings.TrimPrefix(fmt.Sprint(container["image"]), containerRegistry)
}

// A commit is found by looking, becomes an image, is tested as that image and runs in ECS. A deployment whose tasks do not
// start is given up by ECS; that is a failure with ECS's reason and the container's words, and what ran before is
// deployed once more. Until somebody has looked, nothing else reaches production.
func TestPatternContainer(t *testing.T) {
	w := newContainer(t, codebuild.Script{Takes: atOnce()})
	w.ecs().Next("shop", "web", ecs.Plan{Takes: time.Millisecond}, ecs.Plan{Takes: time.Millisecond, Breaks: true,
		Stopped: ecs.Stop{Code: "EssentialContainerExited", Reason: "Essential container in task exited", Container: "web", ExitCode: 1, Log: []string{"listening on :8080", "panic: no database"}}}, ecs.Plan{Takes: time.Millisecond})
	sha := w.commits("Sell coupons")
	w.ended(1, workflows.StatusSucceeded)
	if e := w.execution(1); e.SourceRevisions[0].RevisionID != sha || e.Trigger.Type != workflows.TriggerPoll || w.image() != "1" {
		t.Errorf("started by %+v with %+v; ECS runs %s", e.Trigger, e.SourceRevisions, w.image())
	}
	if got := w.tested(); got != containerRegistry+"1" {
		t.Errorf("the image %q was tested", got)
	}

	w.commits("Ask for a database")
	w.until("ECS is told of it", func() bool { return w.calls("ecs:UpdateService") == 2 })
	w.passes(time.Minute)
	w.ended(2, workflows.StatusFailed)
	if e := w.action(2, "Production/Deploy").Error; e == nil || e.Code != "DeploymentRolledBack" || !strings.Contains(e.Message, "circuit breaker") {
		t.Errorf("the deployment failed with %+v", e)
	}
	w.says(2, "circuit breaker", "panic: no database", "the container web")
	w.ended(3, workflows.StatusSucceeded)
	if e := w.execution(3); e.Type != workflows.TypeRollback || e.Rollback.Target != w.execution(1).ID || w.image() != "1" {
		t.Errorf("rolled back by %+v, ECS runs %s", e, w.image())
	}
	if w.stage("Production").Transition.Enabled {
		t.Error("the next commit would be deployed at once")
	}
}

// tested is the image that the newest build of the tests was told of.
func (w *patternFixture) tested() (image string) {
	w.t.Helper()
	for _, c := range w.aws.Calls() {
		if text := string(c.Input); c.Name() == "codebuild:StartBuild" && strings.Contains(text, "shop-tests") {
			_, text, _ = strings.Cut(text, containerRegistry)
			image, _, _ = strings.Cut(text, `"`)
			image = containerRegistry + image
		}
	}
	return image
}

// Tests that fail are shown with their number and the last lines of the build; the image stays where it is.
func TestPatternContainerFailsItsTests(t *testing.T) {
	w := newContainer(t, codebuild.Script{Takes: atOnce(), Fail: &codebuild.Failure{Message: "Error while executing command: go test ./... Reason: exit status 1", Code: "COMMAND_EXECUTION_ERROR"},
		Lines:   map[string][]string{"BUILD": {"--- FAIL: TestCoupons (0.02s)", "coupons_test.go:14: the discount is 110 %"}},
		Reports: []codebuild.Report{{Name: "unit", Cases: []codebuild.Case{{Name: "TestCart"}, {Name: "TestCoupons", Status: "FAILED"}}}}})
	w.commits("Sell coupons")
	w.ended(1, workflows.StatusFailed)
	w.says(1, "1 passed, 1 failed", "coupons_test.go:14: the discount is 110 %", "https://eu-west-1.console.aws.amazon.com/codesuite/codebuild/projects/shop-tests/build/shop-tests")
	if got := w.action(1, "Production/Deploy").Status; got != workflows.StatusNotStarted || w.image() != "0" {
		t.Errorf("the deployment is %s, ECS runs %s", got, w.image())
	}
}
