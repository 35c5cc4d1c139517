package bridge

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
	"github.com/rollcall-bot/rollcall/workflows"
)

// five pipelines of every kind: one waits for approval and has a newer execution
// before it, one has three in line, one some side by side, one is V1, one failed.
func (w *world) five() {
	hold := codepipeline.Script{Hold: true}
	p := w.pipeline("webshop", nil)
	w.pipeline("queue", map[string]any{"executionMode": "QUEUED"})
	w.pipeline("parallel", map[string]any{"executionMode": "PARALLEL"})
	w.pipeline("old", map[string]any{"pipelineType": "V1"})
	w.pipeline("broken", nil)
	p.Play("queue-pipeline", "Build", "Compile", hold)
	p.Play("broken-pipeline", "Build", "Compile", codepipeline.Script{Fail: &codepipeline.Failure{Code: "JobFailed", Message: "Build terminated with state: FAILED"}})
	for _, name := range []string{"webshop", "webshop", "queue", "queue", "queue", "parallel", "old", "broken"} {
		w.pass(time.Second)
		w.start(name)
	}
	w.pass(time.Second)
}

var names = []string{"webshop", "queue", "parallel", "old", "broken"}

const built = "; Source Succeeded Checkout.1=Succeeded; Build Succeeded Compile.1=Succeeded; Production "

// shown is how the five pipelines stand.
var shown = map[string]string{
	"webshop": "Source:\nBuild:\nProduction: <#3\n" +
		"#1 InProgress" + built + "InProgress SignOff.1=InProgress token\n" +
		"#2 Superseded (Superseded: a newer execution went past it)" + built + "NotStarted\n" +
		"#3 InProgress" + built + "NotStarted\n",
	"queue": "Source:\nBuild: <#3 <#4\nProduction:\n" +
		"#1 InProgress" + built + "InProgress SignOff.1=InProgress token\n" +
		"#2 InProgress; Source Succeeded Checkout.1=Succeeded; Build InProgress Compile.1=InProgress; Production NotStarted\n" +
		"#3 InProgress; Source Succeeded Checkout.1=Succeeded; Build NotStarted; Production NotStarted\n" +
		"#4 InProgress; Source Succeeded Checkout.1=Succeeded; Build NotStarted; Production NotStarted\n",
	"parallel": "Source:\nBuild:\nProduction:\n" +
		"#1 InProgress" + built + "InProgress SignOff.1=InProgress token\n" +
		"#2 InProgress" + built + "InProgress SignOff.1=InProgress token\n",
	"old": "Source:\nBuild:\nProduction: <#2\n" +
		"#1 InProgress" + built + "InProgress SignOff.1=InProgress token\n" +
		"#2 InProgress" + built + "NotStarted\n",
	"broken": "Source:\nBuild:\nProduction:\n" +
		"#1 InProgress" + built + "InProgress SignOff.1=InProgress token\n" +
		"#2 Failed (ActionFailed: Build/Compile failed: Build terminated with state: FAILED); Source Succeeded Checkout.1=Succeeded; Build Failed Compile.1=Failed; Production NotStarted\n",
}

func (w *world) stands(name, want string) {
	w.t.Helper()
	if got := w.story(name); got != want {
		w.t.Errorf("%s stands\n%swant\n%s", name, got, want)
	}
}

// Five pipelines are there within 35 s at two calls a second, and nothing is changed.
func TestFivePipelinesAppear(t *testing.T) {
	in(t, bridgeOf("watch", names...), func(w *world) {
		t := w.t
		w.five()
		w.run()
		w.pass(35 * time.Second)
		for _, name := range names {
			w.stands(name, shown[name])
		}
		w.pace()
		w.changesNothing()
		edits := map[string]string{}
		for _, e := range w.engine.edits {
			edits[e.Pipeline] = fmt.Sprint(e.Version, " ", e.ManagedBy, " ", e.NewDefinition.Bridge.Type, " ", e.NewDefinition.ExecutionMode, " ", e.NewDefinition.Bridge.ARN)
		}
		if got := edits["old"]; got != "1 bridge:prod-eu V1 SUPERSEDED arn:aws:codepipeline:eu-west-1:111122223333:old-pipeline" {
			t.Errorf("old is defined as %s", got)
		}
	})
}

func (w *world) changesNothing() {
	w.t.Helper()
	for _, c := range w.aws.Calls() {
		if c.Changes() && strings.Contains(c.Principal, "assumed-role") {
			w.t.Errorf("%s changes something", c.Operation)
		}
	}
}

// Throttling, lost answers and faults of AWS's end in the same state.
func TestTroubleEndsInTheSameState(t *testing.T) {
	for _, trouble := range []awsfake.Trouble{awsfake.Throttle, awsfake.ServerError, awsfake.CutAfter} {
		t.Run(string(trouble), func(t *testing.T) {
			in(t, bridgeOf("watch", names...), func(w *world) {
				w.five()
				w.aws.Faults(awsfake.Fault{Operation: "codepipeline:*", Trouble: trouble, Share: 0.3})
				w.run()
				w.pass(5 * time.Minute)
				for _, name := range names {
					w.stands(name, shown[name])
				}
				w.pace()
				if len(w.engine.lost) > 0 {
					w.t.Errorf("said to be lost: %v", w.engine.lost)
				}
			})
		})
	}
}

// A second process sees the same, and what is not new makes no difference.
func TestRestartSeesTheSame(t *testing.T) {
	in(t, bridgeOf("watch", names...), func(w *world) {
		w.five()
		w.run()
		w.pass(time.Minute)
		changes := w.engine.changes
		w.stop()
		w.open(bridgeOf("watch", names...), "")
		w.run()
		w.pass(2 * time.Minute)
		for _, name := range names {
			w.stands(name, shown[name])
		}
		if w.engine.changes != changes {
			w.t.Errorf("%d differences after a restart, want none", w.engine.changes-changes)
		}
	})
}

// What changes later is seen within the interval and one look: an approval in
// AWS, a lock, a new version, a new execution, one that is stopped.
func TestLaterChangesAreSeen(t *testing.T) {
	in(t, bridgeOf("watch", "webshop"), func(w *world) {
		t := w.t
		w.pipeline("webshop", nil)
		w.run()
		w.pass(20 * time.Second)
		w.console("PutApprovalResult", map[string]any{"pipelineName": "webshop-pipeline", "stageName": "Production", "actionName": "SignOff", "token": w.token(1), "result": map[string]any{"status": "Approved", "summary": "lgtm"}}, nil)
		w.pass(10 * time.Second)
		if got := w.story("webshop"); !strings.Contains(got, "SignOff.1=Succeeded approve by "+bob+": lgtm Deploy.1=Succeeded") || !strings.Contains(got, "#1 Succeeded") {
			t.Errorf("after the approval:\n%s", got)
		}
		w.pass(2 * time.Minute)
		w.console("DisableStageTransition", map[string]any{"pipelineName": "webshop-pipeline", "stageName": "Production", "transitionType": "Inbound", "reason": "not today"}, nil)
		w.pass(66 * time.Second)
		if got := w.story("webshop"); !strings.Contains(got, "Production: locked(not today)") {
			t.Errorf("after the lock:\n%s", got)
		}
		id := w.start("webshop")
		w.pass(66 * time.Second)
		if x := w.execution("webshop", 2); x.ExternalID != id || x.WaitsFor == nil || x.WaitsFor.For != workflows.WaitsForTransition {
			t.Errorf("the second execution: %+v", x.WaitsFor)
		}
		w.console("StopPipelineExecution", map[string]any{"pipelineName": "webshop-pipeline", "pipelineExecutionId": id, "abandon": true, "reason": "wrong commit"}, nil)
		w.pass(10 * time.Second)
		if x := w.execution("webshop", 2); x.Status != workflows.StatusStopped || x.StatusReason.Message != "wrong commit" {
			t.Errorf("after the stop: %s %+v", x.Status, x.StatusReason)
		}
		w.changesNothing()
	})
}

// Dead credentials and a pipeline that is gone are said in words, and pass by themselves.
func TestLostAndSeenAgain(t *testing.T) {
	in(t, bridgeOf("watch", "webshop"), func(w *world) {
		t := w.t
		w.pipeline("webshop", nil)
		w.run()
		w.pass(20 * time.Second)
		for trouble, want := range map[awsfake.Fault]string{
			{Trouble: awsfake.ExpiredToken}:                                                                            "Credentials: AWS does not accept rollcall's credentials: ",
			{Operation: "codepipeline:*", Trouble: awsfake.CutBefore}:                                                  "AWSUnavailable: the connection to AWS broke",
			{Operation: "codepipeline:*", Trouble: awsfake.Throttle}:                                                   "Throttled: AWS answers no calls for now",
			{Operation: "codepipeline:*", Trouble: awsfake.ServerError}:                                                "InternalFailure",
			{Operation: "codepipeline:*", Trouble: awsfake.Refuse, Code: "PipelineNotFoundException", Message: "gone"}: "PipelineNotFound: there is no pipeline webshop-pipeline in eu-west-1 any more",
		} {
			w.aws.Faults(trouble)
			w.pass(5 * time.Minute)
			if lost := w.engine.lost["webshop"]; lost == nil || !strings.Contains(lost.Code+": "+lost.Message, want) && trouble.Trouble != awsfake.ServerError {
				t.Errorf("%s: lost is %+v, want %s", trouble.Trouble, lost, want)
			}
			w.aws.Faults()
			w.pass(time.Minute)
			if lost := w.engine.lost["webshop"]; lost != nil {
				t.Errorf("%s: still lost: %+v", trouble.Trouble, lost)
			}
		}
	})
}

// Events make a pipeline be looked at at once. Repeated, foreign and malformed
// ones do no harm, and none stays in the queue.
func TestHints(t *testing.T) {
	bridges := bridgeOf("watch", "webshop")
	bridges[0].Poll = time.Hour
	in(t, bridges, func(w *world) {
		t := w.t
		w.pipeline("webshop", nil)
		queue := w.aws.Queue(account, region, "rollcall")
		w.aws.Forward(account, region, queue)
		w.open(bridges, queue)
		w.run()
		w.pass(20 * time.Second)
		w.console("PutApprovalResult", map[string]any{"pipelineName": "webshop-pipeline", "stageName": "Production", "actionName": "SignOff", "token": w.token(1), "result": map[string]any{"status": "Approved", "summary": "lgtm"}}, nil)
		w.pass(time.Minute)
		if x := w.execution("webshop", 1); x.Status != workflows.StatusSucceeded {
			t.Fatalf("not idle:\n%s", w.story("webshop"))
		}
		for _, body := range []string{"", "no JSON", `{"source":"aws.ec2","detail":{"pipeline":"webshop-pipeline"}}`, `{"detail-type":"CodePipeline Pipeline Execution State Change","source":"aws.codepipeline","region":"us-east-1","account":"9","detail":{"pipeline":"webshop-pipeline"}}`,
			`{"detail-type":"CodePipeline Pipeline Execution State Change","source":"aws.codepipeline","region":"eu-west-1","account":"111122223333","detail":{"pipeline":"webshop-pipeline"}}`, `{"detail-type":"CodePipeline Pipeline Execution State Change","source":"aws.codepipeline","region":"eu-west-1","account":"111122223333","detail":{"pipeline":"webshop-pipeline"}}`} {
			w.aws.Send(queue, body)
		}
		w.start("webshop")
		w.pass(15 * time.Second)
		if len(w.engine.numbers["webshop"]) != 2 {
			t.Errorf("the event was not heard:\n%s", w.story("webshop"))
		}
		w.pass(2 * time.Minute)
		before := w.calls()["ReceiveMessage"]
		got := 0
		for _, c := range w.aws.Calls() {
			if c.Operation == "DeleteMessage" {
				got++
			}
			if c.Operation == "DeleteMessageBatch" {
				got += strings.Count(string(c.Input), "ReceiptHandle")
			}
		}
		if got < 8 {
			t.Errorf("%d messages were deleted (%d reads)", got, before)
		}
	})
}

// Fifty idle pipelines: what looking at them costs in an hour.
func TestIdleCost(t *testing.T) {
	var rows []string
	for n := range 50 {
		rows = append(rows, fmt.Sprint("shop", n))
	}
	in(t, bridgeOf("watch", rows...), func(w *world) {
		t := w.t
		for _, name := range rows {
			w.pipeline(name, nil)
			if err := w.aws.Console(bob, region).Do("StopPipelineExecution", map[string]any{"pipelineName": name + "-pipeline", "pipelineExecutionId": w.newest(name), "abandon": true}, nil); err != nil {
				t.Fatal(err)
			}
		}
		w.run()
		w.pass(5 * time.Minute)
		if len(w.engine.first) != 50 {
			t.Fatalf("%d pipelines are there", len(w.engine.first))
		}
		before := w.total()
		w.pass(time.Hour)
		cost := w.total() - before
		t.Logf("%d calls in an hour: %v", cost, w.calls())
		if cost < 2900 || cost > 3300 {
			t.Errorf("50 idle pipelines cost %d calls an hour; docs/configuration.md says about 3,000", cost)
		}
		w.pace()
	})
}

func (w *world) newest(name string) string {
	w.t.Helper()
	var out struct {
		All []struct {
			ID string `json:"pipelineExecutionId"`
		} `json:"pipelineExecutionSummaries"`
	}
	w.console("ListPipelineExecutions", map[string]any{"pipelineName": name + "-pipeline"}, &out)
	return out.All[0].ID
}

func (w *world) total() (n int) {
	for _, k := range w.calls() {
		n += k
	}
	return n
}

// What only watches holds no way to change anything: its client has the reading
// calls, by what they take, and nothing else; a watched pipeline holds no client.
func TestAReaderCanChangeNothing(t *testing.T) {
	reads := regexp.MustCompile(`^\*codepipeline\.(Get|List)[A-Za-z]+Input$`)
	of := reflect.TypeFor[reader]()
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Type.Kind() != reflect.Func || f.Type.NumIn() < 2 || !reads.MatchString(f.Type.In(1).String()) {
			t.Errorf("the reader holds %s, a %s", f.Name, f.Type)
		}
	}
	for i := range of.NumMethod() {
		t.Errorf("the reader has the method %s", of.Method(i).Name)
	}
	held := reflect.TypeFor[watched]()
	for i := range held.NumField() {
		if name := held.Field(i).Type.String(); strings.Contains(name, "Client") || strings.Contains(name, "actor") {
			t.Errorf("a watched pipeline holds %s", name)
		}
	}
}
