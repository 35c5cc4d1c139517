package main

import (
	"archive/zip"
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudformation"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Templates of the stack shop: a queue; another queue in its place, with a topic; the same with one more topic.
const (
	oneQueue  = `{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}}, "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}}}`
	oneTopic  = `{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "work"}}, "Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}}}`
	twoTopics = `{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "work"}}, "Topic": {"Type": "AWS::SNS::Topic"}, "Alerts": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}}}`
)

// newTemplates is the pattern templates, validation, stack, tests. The stack has one queue, and what lies in the bucket
// has a topic too.
func newTemplates(t *testing.T) *patternFixture {
	return newPattern(t, "templates/templates.json", func(w *patternFixture) {
		w.s3().Create(s3.Bucket{Name: "acme-templates", Owner: awsAccount, Region: awsRegion})
		w.templates(oneTopic)
		builds := w.aws.CodeBuild(awsAccount, awsRegion)
		builds.Projects(codebuild.Project{Name: "shop-templates-validate"}, codebuild.Project{Name: "shop-stack-tests"})
		builds.Play("shop-templates-validate", codebuild.Script{Takes: atOnce()})
		builds.Play("shop-stack-tests", codebuild.Script{Takes: atOnce()})
		w.stacks().Have("shop", oneQueue, nil)
	})
}

func (w *patternFixture) stacks() *cloudformation.Service {
	return awsfake.At[*cloudformation.Service](w.aws, awsAccount, awsRegion)
}

// templates puts a template into the bucket, as whoever develops it does.
func (w *patternFixture) templates(template string) {
	w.s3().Put("acme-templates", "shop.zip", zipped(w.t, map[string]string{"shop.json": template, "production.json": `{"Parameters": {}}`}))
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// begin starts an execution with what lies in the bucket.
func (w *patternFixture) begin() {
	w.t.Helper()
	if status, answer := w.post("/api/v1/pipelines/"+w.pipeline+"/executions", map[string]any{}); status != http.StatusCreated {
		w.t.Fatalf("the start was refused: %d %v", status, answer)
	}
}

// reviewed waits for the review of the n-th execution, has somebody approve it, and returns what they were shown.
func (w *patternFixture) reviewed(user slackfake.User, n int) (gate string) {
	w.t.Helper()
	w.meanwhile("the review opens", func() bool { return w.action(n, "Stack/Review").Needs == workflows.NeedsApproval })
	w.until("the review is shown", func() bool {
		for _, m := range w.posts("rollcall_gate", w.execution(n).ID) {
			gate = w.slack.Rendered(m)
		}
		return gate != ""
	})
	w.pressUnless(func() bool { return w.action(n, "Stack/Review").Status == workflows.StatusSucceeded }, user, "rollcall_gate", n, "approve")
	return gate
}

// over waits until the n-th execution has ended so.
func (w *patternFixture) over(n int, status workflows.Status) workflows.Execution {
	w.t.Helper()
	w.meanwhile(w.ref(n)+" ends", func() bool { return w.execution(n).Status.Final() })
	w.ended(n, status)
	return w.execution(n)
}

// updates counts the updates of the stack that were begun.
func (w *patternFixture) updates() (n int) {
	for _, what := range w.stacks().Begun() {
		if what == "UPDATE shop" {
			n++
		}
	}
	return n
}

// A person reads the changes before they are made, the tests are told what the stack puts out; and templates without a
// change go the same way and change nothing.
func TestPatternTemplates(t *testing.T) {
	w := newTemplates(t)
	w.begin()
	gate := w.reviewed(w.ana, 1)
	for _, text := range []string{"2 changes to shop planned", "Modify AWS::SQS::Queue Queue (replacement)", "Add AWS::SNS::Topic Topic"} {
		if !strings.Contains(gate, text) {
			t.Errorf("the review does not show %q:\n%s", text, gate)
		}
	}
	w.over(1, workflows.StatusSucceeded)
	told := slices.ContainsFunc(w.aws.Calls(), func(c awsfake.Call) bool {
		return c.Operation == "StartBuild" && strings.Contains(string(c.Input), "shop-stack-tests") && strings.Contains(string(c.Input), `"QUEUE_URL"`) && strings.Contains(string(c.Input), `"queue-1"`)
	})
	if status := w.stacks().Status("shop"); !strings.HasPrefix(status, "UPDATE_COMPLETE") || !told {
		t.Errorf("the stack is %s, the tests know its queue: %v", status, told)
	}

	w.templates(oneTopic) // a new version of the object starts the next one
	w.meanwhile("the bucket is looked at", func() bool { return len(w.executions()) == 2 })
	gate = w.reviewed(w.ben, 2)
	e := w.over(2, workflows.StatusSucceeded)
	if plan, apply := w.action(2, "Stack/Plan"), w.action(2, "Stack/Apply"); plan.Summary != "no change" || apply.Summary != "no change" || !strings.Contains(gate, "no change to shop") || w.updates() != 1 {
		t.Errorf("without changes: plan %q, apply %q, %d updates, the review shows\n%s", plan.Summary, apply.Summary, w.updates(), gate)
	}
	if e.Trigger.Type != workflows.TriggerPoll || !strings.Contains(w.card(2), "Started by a new object") {
		t.Errorf("it was started by %+v; the card says\n%s", e.Trigger, w.card(2))
	}
}

// What is no good is refused before anybody is asked: by the project that validates it, or by CloudFormation.
func TestPatternTemplatesThatAreRefused(t *testing.T) {
	w := newTemplates(t)
	builds := w.aws.CodeBuild(awsAccount, awsRegion)
	builds.Play("shop-templates-validate", codebuild.Script{Takes: atOnce(), Fail: &codebuild.Failure{Code: "COMMAND_EXECUTION_ERROR",
		Message: "Error while executing command: cfn-lint shop.json. Reason: exit status 2"}}, codebuild.Script{Takes: atOnce()})
	w.begin()
	w.over(1, workflows.StatusFailed)
	w.says(1, "cfn-lint shop.json")
	w.templates(`{"Resources": {}}`)
	w.meanwhile("the bucket is looked at", func() bool { return len(w.executions()) == 2 })
	w.over(2, workflows.StatusFailed)
	w.says(2, "At least one Resources member must be defined")
	if begun := w.stacks().Begun(); len(begun) > 0 || len(w.executions()) != 2 {
		t.Errorf("%v was begun, and there are %d executions", begun, len(w.executions()))
	}
}

// A stack that CloudFormation takes back says which resource failed and why. What follows is the templates that
// worked, in which there is nothing to change, and a locked stage; the mended templates go through when it is unlocked.
func TestPatternTemplatesStackRollsBack(t *testing.T) {
	const denied = "User: arn:aws:sts::111122223333:assumed-role/shop-stack/AWSCloudFormation is not authorized to perform: SNS:CreateTopic on resource: arn:aws:sns:eu-west-1:111122223333:alerts"
	w := newTemplates(t)
	w.begin()
	w.reviewed(w.ana, 1)
	w.over(1, workflows.StatusSucceeded)
	w.stacks().Fail("shop/Alerts", denied)
	w.templates(twoTopics)
	w.meanwhile("the bucket is looked at", func() bool { return len(w.executions()) == 2 })
	w.reviewed(w.ana, 2)
	w.over(2, workflows.StatusFailed)
	w.says(2, "Alerts (AWS::SNS::Topic)", "SNS:CreateTopic")
	if f := w.action(2, "Stack/Apply").Error.Finding; f == nil || f.Class != "AccessDenied" || !strings.Contains(string(f.Statement), "arn:aws:sns:eu-west-1:111122223333:alerts") {
		t.Errorf("the finding is %+v", f)
	}
	back := w.over(3, workflows.StatusSucceeded)
	if back.Type != workflows.TypeRollback || back.Rollback.Target != w.execution(1).ID || w.action(3, "Stack/Plan").Summary != "no change" || w.updates() != 2 || w.stacks().Status("shop") != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("what followed is %s to %+v: %q, %d updates, the stack is %s", back.Type, back.Rollback, w.action(3, "Stack/Plan").Summary, w.updates(), w.stacks().Status("shop"))
	}

	w.stacks().Fail("shop/Alerts", "")
	w.begin()
	w.meanwhile("it waits before the locked stage", func() bool { return slices.Contains(w.stage("Stack").Inbound, w.execution(4).ID) })
	w.types(w.ana, "unlock "+w.pipeline+" Stack")
	w.reviewed(w.ben, 4)
	w.over(4, workflows.StatusSucceeded)
}

// A stack whose tests fail gets the templates back that worked, without another approval.
func TestPatternTemplatesTestsFail(t *testing.T) {
	w := newTemplates(t)
	w.aws.CodeBuild(awsAccount, awsRegion).Play("shop-stack-tests", codebuild.Script{Takes: atOnce()},
		codebuild.Script{Takes: atOnce(), Fail: &codebuild.Failure{}}, codebuild.Script{Takes: atOnce()})
	w.begin()
	w.reviewed(w.ana, 1)
	w.over(1, workflows.StatusSucceeded)
	w.templates(twoTopics)
	w.meanwhile("the bucket is looked at", func() bool { return len(w.executions()) == 2 })
	w.reviewed(w.ben, 2)
	w.over(2, workflows.StatusFailed)
	w.says(2, "the phase BUILD of the build failed")
	back := w.over(3, workflows.StatusSucceeded)
	if changes := w.action(3, "Stack/Plan").OutputVariables["rollcall-changes"]; back.Type != workflows.TypeRollback || w.updates() != 3 || changes != "1 change to shop planned\nRemove AWS::SNS::Topic Alerts" {
		t.Errorf("what followed is %s, %d updates, %q", back.Type, w.updates(), changes)
	}
	if lock := w.stage("Stack").Transition; lock.Enabled {
		t.Error("the stage is not locked")
	}
}
