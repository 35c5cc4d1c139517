package stack

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudformation"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	// one has a queue; two has another name for it, a topic more, and says its URL.
	one = `{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}, "Old": {"Type": "AWS::SNS::Topic"}}}`
	two = `{"Parameters": {"Size": {"Type": "Number", "Default": 1}},
		"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "work", "Size": {"Ref": "Size"}}}, "Topic": {"Type": "AWS::SNS::Topic"}},
		"Outputs": {"Url": {"Value": {"Ref": "Queue"}}, "Size": {"Value": {"Ref": "Size"}}}}`
	rights = `{"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "shop"}}}}`
	nested = `{"Resources": {"Data": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}}}}`

	denied = `Resource handler returned message: "User: arn:aws:sts::111122223333:assumed-role/cfn-exec/AWSCloudFormation is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:eu-west-1:111122223333:work because no identity-based policy allows the sqs:createqueue action" (RequestToken: 1b2c, HandlerErrorCode: AccessDenied)`
	taken  = `Resource handler returned message: "Topic already exists" (RequestToken: 1b2c, HandlerErrorCode: AlreadyExists)`
	exec   = "arn:aws:iam::111122223333:role/cfn-exec"
)

func kindOfStacks() runner.Kind { return Kinds()[0] }

// stacks is CloudFormation of the world.
func stacks(w *runnertest.World) *cloudformation.Service {
	return awsfake.At[*cloudformation.Service](w.AWS, runnertest.Account, runnertest.Region)
}

// task deploys a template; more are settings that differ.
func task(w *runnertest.World, mode, template string, more map[string]string) work.Task {
	w.Files["app"] = map[string]string{"stack.json": template}
	c := map[string]string{"ActionMode": mode, "StackName": "shop", "TemplatePath": "app::stack.json"}
	maps.Copy(c, more)
	return w.Task(c, "app")
}

// What an action mode does to a stack, from how the stack was to how the action and
// the stack end.
func TestStackActionModes(t *testing.T) {
	for name, c := range map[string]struct {
		mode, template string
		settings       map[string]string
		given          func(f *cloudformation.Service)
		state, says    string // says: in summary or error
		code           string
		status         string // of the stack at the end
		changes        string
		outputs        map[string]string
		not            []string // operations that must not happen
	}{
		"a new stack": {mode: createUpdate, template: two, state: work.Succeeded, says: "2 changes to shop made", status: "CREATE_COMPLETE",
			changes: "2 changes to shop made\nAdd AWS::SQS::Queue Queue\nAdd AWS::SNS::Topic Topic", outputs: map[string]string{"Url": "queue-1", "Size": "1"}},
		"an update says first what is lost": {mode: createUpdate, template: two, given: have(one), state: work.Succeeded, says: "3 changes", status: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
			changes: "3 changes to shop made\nModify AWS::SQS::Queue Queue (replacement)\nRemove AWS::SNS::Topic Old\nAdd AWS::SNS::Topic Topic", outputs: map[string]string{"Url": "queue-1", "Size": "1"}},
		"nothing to change": {mode: createUpdate, template: two, given: have(two), state: work.Succeeded, says: "no change", status: "CREATE_COMPLETE",
			changes: "no change to shop", outputs: map[string]string{"Url": "queue-1", "Size": "1"}, not: []string{"cloudformation:ExecuteChangeSet"}},
		"a change set for people to look at": {mode: changeSetReplace, template: two, settings: release, given: have(one), state: work.Succeeded, says: "3 changes, 1 replacement", status: "CREATE_COMPLETE",
			changes: "3 changes to shop planned\nModify AWS::SQS::Queue Queue (replacement)\nRemove AWS::SNS::Topic Old\nAdd AWS::SNS::Topic Topic", not: []string{"cloudformation:ExecuteChangeSet"}},
		"a change set for a new stack": {mode: changeSetReplace, template: two, settings: release, state: work.Succeeded, says: "2 changes", status: "REVIEW_IN_PROGRESS",
			changes: "2 changes to shop planned\nAdd AWS::SQS::Queue Queue\nAdd AWS::SNS::Topic Topic"},
		"a change set that is not there": {mode: changeSetExecute, settings: release, given: have(one), state: work.Failed, code: "ChangeSetNotFound", says: "it was executed or deleted", status: "CREATE_COMPLETE"},
		"a deletion":                     {mode: deleteOnly, given: have(one), state: work.Succeeded, says: "the stack shop is deleted", status: "DELETE_COMPLETE"},
		"a deletion of nothing":          {mode: deleteOnly, state: work.Succeeded, says: "there is no stack shop", not: []string{"cloudformation:DeleteStack"}},
		"a deletion that somebody else has begun": {mode: deleteOnly, given: func(f *cloudformation.Service) { have(one)(f); f.Delete("shop") }, state: work.Succeeded, says: "is deleted", status: "DELETE_COMPLETE",
			not: []string{"cloudformation:DeleteStack"}},
		"a deletion that fails": {mode: deleteOnly, given: func(f *cloudformation.Service) {
			have(one)(f)
			f.Fail("shop/Queue", "the queue is in use by Billing: delete failed")
		},
			state: work.Failed, code: "StackFailed", says: "Queue (AWS::SQS::Queue): the queue is in use", status: "DELETE_FAILED"},
		"a stack whose creation failed is replaced": {mode: replaceOnFailure, template: two, given: broken("ROLLBACK_COMPLETE"), state: work.Succeeded, says: "2 changes", status: "CREATE_COMPLETE",
			changes: "2 changes to shop made\nAdd AWS::SQS::Queue Queue\nAdd AWS::SNS::Topic Topic", outputs: map[string]string{"Url": "queue-1", "Size": "1"}},
		"a healthy stack is not replaced":  {mode: replaceOnFailure, template: two, given: have(one), state: work.Succeeded, says: "3 changes", status: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", not: []string{"cloudformation:DeleteStack"}},
		"a stack that can only be deleted": {mode: createUpdate, template: two, given: broken("ROLLBACK_COMPLETE"), state: work.Failed, code: "StackStuck", says: "ROLLBACK_COMPLETE", status: "ROLLBACK_COMPLETE"},
		"a stack whose rollback failed":    {mode: createUpdate, template: two, given: broken("UPDATE_ROLLBACK_FAILED"), state: work.Failed, code: "StackStuck", says: "UPDATE_ROLLBACK_FAILED", status: "UPDATE_ROLLBACK_FAILED"},
		"a creation that fails":            {mode: createUpdate, template: two, given: fail("shop/Topic", taken), state: work.Failed, code: "StackRolledBack", says: "Topic (AWS::SNS::Topic): Resource handler", status: "ROLLBACK_COMPLETE"},
		"an update that fails":             {mode: createUpdate, template: two, given: both(have(one), fail("shop/Topic", taken)), state: work.Failed, code: "StackRolledBack", says: "(UPDATE_ROLLBACK_COMPLETE): Topic", status: "UPDATE_ROLLBACK_COMPLETE"},
		"an update that cannot go back": {mode: createUpdate, template: two, given: both(have(one), fail("shop/Topic", taken), func(f *cloudformation.Service) { f.Stick("shop") }),
			state: work.Failed, code: "StackRolledBack", says: "(UPDATE_ROLLBACK_FAILED): Topic", status: "UPDATE_ROLLBACK_FAILED"},
		"a new stack whose events say nothing of who began it": {mode: createUpdate, template: two, given: (*cloudformation.Service).Silence, state: work.Succeeded, says: "2 changes to shop made", status: "CREATE_COMPLETE",
			outputs: map[string]string{"Url": "queue-1", "Size": "1"}},
		"an update whose events say nothing of who began it": {mode: createUpdate, template: two, given: both(have(one), (*cloudformation.Service).Silence), state: work.Succeeded, says: "3 changes to shop made",
			status: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"},
		"a failed update whose events say nothing of who began it": {mode: createUpdate, template: two, given: both(have(one), fail("shop/Topic", taken), (*cloudformation.Service).Silence), state: work.Failed, code: "StackRolledBack",
			says: "(UPDATE_ROLLBACK_COMPLETE): Topic", status: "UPDATE_ROLLBACK_COMPLETE"},
		"a nested stack that fails":     {mode: createUpdate, template: nested, given: fail("shop/Data/Table", "Cannot create the table"), state: work.Failed, code: "StackRolledBack", says: "Table (AWS::DynamoDB::Table): Cannot create the table", status: "ROLLBACK_COMPLETE"},
		"a capability that nobody gave": {mode: createUpdate, template: rights, state: work.Failed, code: "InsufficientCapabilities", says: "CAPABILITY_NAMED_IAM", not: []string{"cloudformation:ExecuteChangeSet"}},
		"a capability that was given":   {mode: createUpdate, template: rights, settings: map[string]string{"Capabilities": "CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND"}, state: work.Succeeded, says: "1 change", status: "CREATE_COMPLETE"},
		"a template that is none":       {mode: createUpdate, template: "{}", state: work.Failed, code: "ValidationError", says: "At least one Resources member"},
		"no such mode":                  {mode: "CREATE", template: one, state: work.Failed, code: "ConfigurationInvalid", says: "is none of CREATE_UPDATE"},
		"a change set without a name":   {mode: changeSetReplace, template: one, state: work.Failed, code: "ConfigurationInvalid", says: "needs ChangeSetName"},
		"a template that is not there":  {mode: createUpdate, settings: map[string]string{"TemplatePath": "app::other.json"}, state: work.Failed, code: "ConfigurationInvalid", says: "the artifact app has no file other.json"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
				f := stacks(w)
				f.Pages(2) // so that every list has several
				if c.given != nil {
					c.given(f)
				}
				o := w.Run(task(w, c.mode, c.template, c.settings))
				says, code := o.Summary, ""
				if o.Error != nil {
					says, code = o.Error.Message, o.Error.Code
				}
				if o.State != c.state || code != c.code || !strings.Contains(says, c.says) {
					t.Errorf("%s %s %q, want %s %s %q", o.State, code, says, c.state, c.code, c.says)
				}
				if got := f.Status("shop"); got != c.status {
					t.Errorf("the stack is %q, want %q", got, c.status)
				}
				if got := o.Outputs[say.StackChanges]; c.changes != "" && got != c.changes {
					t.Errorf("changes\n%s\nwant\n%s", got, c.changes)
				}
				delete(o.Outputs, say.StackChanges)
				if c.outputs != nil && !maps.Equal(o.Outputs, c.outputs) {
					t.Errorf("outputs %v, want %v", o.Outputs, c.outputs)
				}
				for _, op := range c.not {
					if w.Called(op) > 0 {
						t.Errorf("%s was called", op)
					}
				}
			})
		})
	}
}

func have(template string) func(*cloudformation.Service) {
	return func(f *cloudformation.Service) { f.Have("shop", template, nil) }
}

func broken(status string) func(*cloudformation.Service) {
	return func(f *cloudformation.Service) { f.Have("shop", one, nil); f.Put("shop", status, 0) }
}

func fail(resource, reason string) func(*cloudformation.Service) {
	return func(f *cloudformation.Service) { f.Fail(resource, reason) }
}

func both(all ...func(*cloudformation.Service)) func(*cloudformation.Service) {
	return func(f *cloudformation.Service) {
		for _, one := range all {
			one(f)
		}
	}
}

// One action makes the change set, people look at it, another executes it. One
// without changes is no failure of either, and one that the stack has overtaken is not executed.
func TestChangeSetThenExecute(t *testing.T) {
	for name, c := range map[string]struct {
		before        string // template of the stack; empty: there is none
		between       func(f *cloudformation.Service)
		state, status string
		says          string
	}{
		"a new stack":             {state: work.Succeeded, status: "CREATE_COMPLETE", says: "2 changes to shop made"},
		"an update":               {before: one, state: work.Succeeded, status: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", says: "3 changes to shop made"},
		"nothing to change":       {before: two, state: work.Succeeded, status: "CREATE_COMPLETE", says: "no change"},
		"somebody was in between": {before: one, between: func(f *cloudformation.Service) { f.Put("shop", "UPDATE_COMPLETE", 0) }, state: work.Failed, status: "UPDATE_COMPLETE", says: "it is OBSOLETE"},
		"it fails":                {before: one, between: fail("shop/Queue", denied), state: work.Failed, status: "UPDATE_ROLLBACK_COMPLETE", says: "not authorized to perform: sqs:createqueue"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
				f := stacks(w)
				if c.before != "" {
					f.Have("shop", c.before, nil)
				}
				for range 2 { // the second replaces the first
					first := task(w, changeSetReplace, two, release)
					first.ID += time.Now().String()
					if o := w.Run(first); o.State != work.Succeeded {
						t.Fatalf("%s %+v", o.State, o.Error)
					}
				}
				if c.between != nil {
					c.between(f)
				}
				second := task(w, changeSetExecute, "", release)
				second.ID = "execute"
				o := w.Run(second)
				says := o.Summary
				if o.Error != nil {
					says = o.Error.Message
				}
				if o.State != c.state || !strings.Contains(says, c.says) || f.Status("shop") != c.status {
					t.Errorf("%s %q, the stack %s; want %s %q %s", o.State, says, f.Status("shop"), c.state, c.says, c.status)
				}
			})
		})
	}
}

// A resource that may not be changed is the execution role's fault, not the
// action's, and the finding says which statement it lacks. Resources that were only
// cancelled because of it are no cause.
func TestStackFinding(t *testing.T) {
	for name, c := range map[string]struct {
		reason           string
		settings         map[string]string
		title, cause     string
		class, statement string
		fix              string
	}{
		"the execution role lacks a permission": {reason: denied, settings: map[string]string{"RoleArn": exec}, class: "AccessDenied", title: "the execution role may not change Queue",
			cause: "arn:aws:iam::111122223333:role/cfn-exec lacks sqs:createqueue on arn:aws:sqs:eu-west-1:111122223333:work", statement: "sqs:createqueue", fix: "add the statement to the policy of arn:aws:iam::111122223333:role/cfn-exec"},
		"there is no execution role": {reason: denied, class: "AccessDenied", title: "the role of the action may not change Queue", statement: "sqs:createqueue", fix: "or set RoleArn"},
		"it exists elsewhere":        {reason: taken, class: "Conflict", title: "Queue is there already, outside of the stack", fix: "import it into the stack"},
		"it never got healthy":       {reason: "Resource handler returned message: \"Exceeded attempts to wait\" (HandlerErrorCode: NotStabilized)", class: "HealthCheck", title: "Queue did not become healthy", fix: "its own events and logs"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
				f := stacks(w)
				f.Have("shop", one, nil)
				f.Fail("shop/Queue", c.reason)
				o := w.Run(task(w, createUpdate, two, c.settings))
				if o.State != work.Failed || o.Error == nil || o.Error.Finding == nil {
					t.Fatalf("%s %+v", o.State, o.Error)
				}
				found := o.Error.Finding
				if found.Class != c.class || found.Title != c.title || !strings.Contains(found.Cause, c.cause) || !strings.Contains(string(found.Statement), c.statement) || !contains(found, c.fix) {
					t.Errorf("%+v", found)
				}
				if len(found.Links) != 1 || !strings.HasPrefix(found.Links[0].URL, "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks/events?stackId=arn") {
					t.Errorf("links %+v", found.Links)
				}
				if log := w.Log(); !strings.Contains(log, "CREATE_FAILED AWS::SQS::Queue Queue: ") || strings.Count(log, "UPDATE_ROLLBACK_COMPLETE AWS::CloudFormation::Stack shop") != 1 {
					t.Errorf("the log does not have the stack's events, each once:\n%s", log)
				}
			})
		})
	}
}

func contains(found *workflows.Finding, step string) bool {
	return strings.Contains(strings.Join(found.Fix, "\n"), step)
}

// What an action may not do itself is told with the missing statement.
func TestStackCallDenied(t *testing.T) {
	runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
		if err := w.AWS.Policies(runnertest.Role, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}}`); err != nil {
			t.Fatal(err)
		}
		o := w.Run(task(w, createUpdate, one, map[string]string{"RoleArn": exec}))
		if o.State != work.Failed || o.Error.Code != "AccessDenied" || !strings.Contains(string(o.Error.Finding.Statement), "iam:PassRole") || !strings.Contains(string(o.Error.Finding.Statement), exec) {
			t.Errorf("%s %+v", o.State, o.Error)
		}
	})
}

// Another operation on the stack is waited for.
func TestStackIsBusy(t *testing.T) {
	runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
		f := stacks(w)
		f.Have("shop", one, nil)
		f.Put("shop", "UPDATE_IN_PROGRESS", 0)
		f.Put("shop", "UPDATE_COMPLETE", 5*time.Minute)
		began := time.Now()
		if o := w.Run(task(w, createUpdate, two, nil)); o.State != work.Succeeded || time.Since(began) < 5*time.Minute {
			t.Errorf("%s after %s: %+v", o.State, time.Since(began), o.Error)
		}
	})
}

// A cancel takes back what was begun: a change set that was not executed, an update, a creation.
func TestStackCancel(t *testing.T) {
	for name, c := range map[string]struct {
		mode, before string
		after        time.Duration
		status       string
		sets         int // that were executed
	}{
		"while the change set is made": {createUpdate, one, 2 * time.Second, "CREATE_COMPLETE", 0},
		"when the change set is ready": {createUpdate, one, 5500 * time.Millisecond, "CREATE_COMPLETE", 0},
		"during an update":             {createUpdate, one, 9 * time.Second, "UPDATE_ROLLBACK_COMPLETE", 1},
		"during a creation":            {createUpdate, "", 9 * time.Second, "DELETE_COMPLETE", 1},
		"of a change set for people":   {changeSetReplace, one, 2 * time.Second, "CREATE_COMPLETE", 0},
		"of a deletion":                {deleteOnly, one, 2 * time.Second, "DELETE_COMPLETE", 0},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
				f := stacks(w)
				if c.before != "" {
					f.Have("shop", c.before, nil)
				}
				o := w.Stop(task(w, c.mode, two, map[string]string{"ChangeSetName": "release"}), c.after)
				if o.State != work.Cancelled || f.Status("shop") != c.status || w.Called("cloudformation:ExecuteChangeSet") != c.sets {
					t.Errorf("%s %+v, the stack is %s, %d sets executed", o.State, o.Error, f.Status("shop"), w.Called("cloudformation:ExecuteChangeSet"))
				}
			})
		})
	}
}

// Whatever goes wrong with one call, the action ends in a defined state, and the
// change set is executed once.
func TestStackMatrix(t *testing.T) {
	for name, given := range map[string]func(w *runnertest.World) work.Task{
		replaceOnFailure: func(w *runnertest.World) work.Task {
			broken("ROLLBACK_COMPLETE")(stacks(w))
			return task(w, replaceOnFailure, two, nil)
		},
		changeSetExecute: func(w *runnertest.World) work.Task {
			prepared(w)
			return task(w, changeSetExecute, "", release)
		},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.Matrix(t, runnertest.Case{Kind: kindOfStacks, Given: given, Started: func(w *runnertest.World) (n int) {
				for _, what := range stacks(w).Begun() {
					if what == "CREATE shop" || what == "UPDATE shop" {
						n++
					}
				}
				return n
			}})
		})
	}
}

var release = map[string]string{"ChangeSetName": "release"}

// prepared is a world with the stack shop and a change set for it.
func prepared(w *runnertest.World) {
	stacks(w).Have("shop", one, nil)
	prepare(w, two)
}

// When the answer to a call stays away however often the SDK repeats it, what it
// began is looked up after a restart: nothing happens twice.
func TestStackLostAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		given     func(w *runnertest.World) work.Task
		operation string
		begun     string // with @ for the name made of the attempt's token
	}{
		"the change set":                {func(w *runnertest.World) work.Task { have(one)(stacks(w)); return task(w, createUpdate, two, nil) }, "CreateChangeSet", "SET @, UPDATE shop"},
		"its execution":                 {func(w *runnertest.World) work.Task { have(one)(stacks(w)); return task(w, createUpdate, two, nil) }, "ExecuteChangeSet", "SET @, UPDATE shop"},
		"the old change set's deletion": {func(w *runnertest.World) work.Task { prepared(w); return task(w, changeSetReplace, one+" ", release) }, "DeleteChangeSet", "SET release, SET release"},
		"a named change set":            {func(w *runnertest.World) work.Task { prepared(w); return task(w, changeSetReplace, one+" ", release) }, "CreateChangeSet", "SET release, SET release"},
		"the execution of a named one":  {func(w *runnertest.World) work.Task { prepared(w); return task(w, changeSetExecute, "", release) }, "ExecuteChangeSet", "SET release, UPDATE shop"},
		"a deletion":                    {func(w *runnertest.World) work.Task { have(one)(stacks(w)); return task(w, deleteOnly, "", nil) }, "DeleteStack", "DELETE shop"},
		"a replacement": {func(w *runnertest.World) work.Task {
			broken("ROLLBACK_COMPLETE")(stacks(w))
			return task(w, replaceOnFailure, two, nil)
		}, "DeleteStack", "DELETE shop, SET @, CREATE shop"},
		"what replaces": {func(w *runnertest.World) work.Task {
			broken("ROLLBACK_COMPLETE")(stacks(w))
			return task(w, replaceOnFailure, two, nil)
		}, "CreateChangeSet", "DELETE shop, SET @, CREATE shop"},
	} {
		for _, trouble := range []awsfake.Trouble{awsfake.CutBefore, awsfake.CutAfter} {
			t.Run(name+" "+string(trouble), func(t *testing.T) {
				runnertest.In(t, kindOfStacks(), func(w *runnertest.World) {
					task := c.given(w)
					w.Restart = true
					w.AWS.Faults(awsfake.Fault{Operation: "cloudformation:" + c.operation, Trouble: trouble, Times: 7})
					o := w.Run(task)
					begun := strings.ReplaceAll(strings.Join(stacks(w).Begun(), ", "), runner.TokenOf(task.ID), "@")
					if o.State != work.Succeeded || begun != c.begun {
						t.Errorf("%s %+v; begun: %s; want %s", o.State, o.Error, begun, c.begun)
					}
				})
			})
		}
	}
}
