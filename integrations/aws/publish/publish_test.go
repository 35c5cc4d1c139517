package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	fakeevents "github.com/rollcall-bot/rollcall/integrations/aws/awsfake/events"
	fakesns "github.com/rollcall-bot/rollcall/integrations/aws/awsfake/sns"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	id42    = "019cadfd-8900-7744-98aa-2786dd0d8946"
)

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// world is an AWS, a pipeline and followers that tell of it.
type world struct {
	t     *testing.T
	aws   *awsfake.Server
	x     workflows.Execution
	p     workflows.Pipeline
	memos map[string][]byte
	seq   uint64
	gone  bool
}

// in runs a test against a world of its own, in a bubble of virtual time.
func in(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, aws: awsfake.New(awsfake.Options{}), memos: map[string][]byte{}}
	w.p = workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{{Name: "Production", Actions: []workflows.Action{
		{Name: "SignOff", ActionType: workflows.ActionType{Category: "Approval", Owner: "AWS", Provider: "Manual", Version: "1"}},
		{Name: "Deploy", ActionType: workflows.ActionType{Category: "Deploy", Owner: "AWS", Provider: "ECS", Version: "1"}, Region: "us-east-1", InputArtifacts: []string{"dist"}, OutputArtifacts: []workflows.OutputArtifact{{Name: "report"}}}}}}}
	from := began.Add(2 * time.Minute)
	w.x = workflows.Execution{ID: id42, Number: 42, Pipeline: "webshop", Version: 7, Attempt: 1, Type: workflows.TypeStandard, Status: workflows.StatusInProgress, StartedAt: began,
		Trigger:         workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: "push", By: workflows.Principal{ID: "github:ana", Name: "ana"}},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "4f2a9c1", RevisionSummary: "Mend the cart", Repository: "acme/webshop", Branch: "main", Author: &workflows.Author{Name: "Ana", Login: "ana"}}},
		Artifacts:       map[string]workflows.Artifact{"dist": {Name: "dist", At: "s3://acme-art/rollcall/dist.zip?versionId=v1"}, "report": {Name: "report"}},
		Stages: []workflows.StageExecution{{Name: "Production", Status: workflows.StatusInProgress, Actions: []workflows.ActionExecution{
			{Name: "SignOff", Attempt: 1, StartedAt: &from, Approval: &workflows.Approval{OpenedAt: began}}, {Name: "Deploy", Attempt: 1, StartedAt: &from, ExternalID: "deployment-1"}}}}}
	return w
}

func (w *world) Execution(_ context.Context, _ workflows.Principal, ref string) (workflows.Execution, error) {
	if w.gone || ref != w.x.ID {
		return workflows.Execution{}, &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: "there is none"}
	}
	return w.x, nil
}

func (w *world) Pipeline(_ context.Context, _ workflows.Principal, _ string, version int) (workflows.PipelineView, error) {
	v := workflows.PipelineView{Name: "webshop", Version: 7, Definition: &w.p, Stages: []workflows.StageView{{Name: "Production", Inbound: []string{"a", "b"}}}}
	if version != 0 && version != 7 {
		return v, &workflows.Problem{Code: workflows.CodeVersionNotFound}
	}
	return v, nil
}

// notes are the memos of one follower.
type notes struct {
	w     *world
	owner string
}

func (n notes) Memo(_ context.Context, key string) ([]byte, bool, error) {
	value, ok := n.w.memos[n.owner+" "+key]
	return value, ok, nil
}

func (n notes) Note(_ context.Context, key string, value []byte) error {
	n.w.memos[n.owner+" "+key] = value
	return nil
}

// follower is one of those that a start of the service makes.
func (w *world) follower(name string, o Options) *Follower {
	w.t.Helper()
	o.Reader, o.PublicURL, o.Log, o.Now = w, "https://rollcall.example/", slog.New(slog.DiscardHandler), func() time.Time { return began.Add(time.Hour) }
	o.Notes = func(owner string) Notes { return notes{w, owner} }
	o.Accounts = accounts.Open(accounts.Options{Region: region, Calls: 1000, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.aws) }})
	for _, f := range Followers(o) {
		if f.Name() == name {
			return f
		}
	}
	w.t.Fatalf("no follower %s", name)
	return nil
}

// frame is the next frame of the pipeline.
func (w *world) frame(all ...event.Event) event.Frame {
	w.seq++
	for i := range all {
		all[i].Execution, all[i].At = id42, began.Add(time.Duration(w.seq)*time.Minute)
	}
	return event.Frame{Pipeline: "webshop", Seq: w.seq, Events: all}
}

func (w *world) batch(frames ...event.Frame) event.Batch {
	return event.Batch{Pipeline: "webshop", Frames: frames}
}

func (w *world) follow(f *Follower, b event.Batch) {
	w.t.Helper()
	if err := f.Follow(w.t.Context(), b); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) entries() []fakeevents.Entry {
	return awsfake.At[*fakeevents.Service](w.aws, account, region).Entries()
}

// told are the events on the bus: level, state and our ID.
func (w *world) published() (all []string) {
	for _, e := range w.entries() {
		var d detail
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, strings.Fields(e.DetailType)[1]+" "+d.State+" "+d.Own.ID)
	}
	return all
}

// deploys is a deployment as it is decided, frame by frame.
func (w *world) deploys() event.Batch {
	reason := &workflows.Reason{Code: "AccessDenied", Message: "the role may not"}
	return w.batch(
		w.frame(event.Event{Kind: event.ExecutionStarted, Started: &w.x}, event.Event{Kind: event.StageEntered, Stage: "Production"}),
		w.frame(event.Event{Kind: event.ActionStarted, Stage: "Production", Action: "Deploy", Attempt: 1}, event.Event{Kind: event.ActionStarted, Stage: "Production", Action: "onSuccess:Smoke", Attempt: 1}),
		w.frame(event.Event{Kind: event.ActionFailed, Stage: "Production", Action: "Deploy", Attempt: 1, Reason: reason, Outcome: &event.Outcome{ExternalURL: "https://console.aws.amazon.com/ecs"}},
			event.Event{Kind: event.StageFailed, Stage: "Production", Reason: reason}, event.Event{Kind: event.ExecutionFailed, Reason: reason}),
	)
}

// The three shapes, key by key, as CodePipeline has them.
func TestEventsHaveCodePipelinesShapes(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.follow(w.follower("aws-events", Options{Bus: "default"}), w.deploys())
		want := []string{"Pipeline STARTED webshop/1.0.0", "Stage STARTED webshop/1.1.0", "Action STARTED webshop/2.0.0", "Action FAILED webshop/3.0.0", "Stage FAILED webshop/3.1.0", "Pipeline FAILED webshop/3.2.0"}
		if got := w.published(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		for i, want := range map[int]string{
			0: `{"pipeline":"webshop","execution-id":"` + id42 + `","start-time":"2026-03-02T09:00:00.000Z","execution-trigger":{"trigger-type":"Webhook","trigger-detail":"push","author-display-name":"Ana","author-id":"ana","full-repository-name":"acme/webshop","commit-message":"Mend the cart","commit-id":"4f2a9c1","branch-name":"main"},"state":"STARTED","version":7.0,"pipeline-execution-attempt":1.0,"rollcall":{"id":"webshop/1.0.0","execution":"webshop#42","url":"https://rollcall.example/executions/` + id42 + `"}}`,
			1: `{"pipeline":"webshop","execution-id":"` + id42 + `","start-time":"2026-03-02T09:01:00.000Z","stage":"Production","state":"STARTED","version":7.0,"pipeline-execution-attempt":1.0,"rollcall":{"id":"webshop/1.1.0","execution":"webshop#42","url":"https://rollcall.example/executions/` + id42 + `"}}`,
			3: `{"pipeline":"webshop","execution-id":"` + id42 + `","start-time":"2026-03-02T09:02:00.000Z","stage":"Production","action":"Deploy","action-execution-id":"` + identity(id42+"/Production/Deploy/1") + `","input-artifacts":[{"name":"dist","s3location":{"bucket":"acme-art","key":"rollcall/dist.zip"}}],"execution-result":{"external-execution-id":"deployment-1","external-execution-url":"https://console.aws.amazon.com/ecs","external-execution-summary":"the role may not","error-code":"AccessDenied"},"state":"FAILED","region":"us-east-1","type":{"owner":"AWS","category":"Deploy","provider":"ECS","version":"1"},"version":7.0,"pipeline-execution-attempt":1.0,"rollcall":{"id":"webshop/3.0.0","execution":"webshop#42","url":"https://rollcall.example/executions/` + id42 + `"}}`,
		} {
			e := w.entries()[i]
			if string(e.Detail) != want {
				t.Errorf("event %d is\n%s\nwant\n%s", i, e.Detail, want)
			}
			if e.Source != "rollcall" || e.Bus != "default" || !slices.Equal(e.Resources, []string{"arn:aws:codepipeline:eu-west-1:111122223333:webshop"}) {
				t.Errorf("event %d: %+v", i, e)
			}
		}
		if at := w.entries()[3].Time; !at.Equal(began.Add(3 * time.Minute)) {
			t.Errorf("at %s", at)
		}
	})
}

// The states of CodePipeline, each by the event that it comes from.
func TestStatesAreCodePipelines(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		stop := event.Event{Kind: event.ExecutionStopping, Stop: &workflows.Stop{Reason: "wrong branch"}}
		w.follow(w.follower("aws-events", Options{Bus: "default"}), w.batch(
			w.frame(event.Event{Kind: event.ExecutionResumed, Stage: "Production", Resumed: &event.Resumed{}}, stop, event.Event{Kind: event.ExecutionStopped}, event.Event{Kind: event.ExecutionSuperseded}, event.Event{Kind: event.ExecutionCancelled}),
			w.frame(event.Event{Kind: event.StageResumed, Stage: "Production"}, event.Event{Kind: event.StageStopped, Stage: "Production"}, event.Event{Kind: event.StageCancelled, Stage: "Production"}, event.Event{Kind: event.StageSucceeded, Stage: "Production"}),
			w.frame(event.Event{Kind: event.ActionAbandoned, Stage: "Production", Action: "Deploy", Attempt: 1}, event.Event{Kind: event.ActionSucceeded, Stage: "Production", Action: "Deploy", Attempt: 1}, event.Event{Kind: event.StageSkipped, Stage: "Production"}, event.Event{Kind: event.GateVoted}, event.Event{Kind: event.ExecutionSucceeded}),
		))
		var got []string
		for _, line := range w.published() {
			got = append(got, line[:strings.LastIndexByte(line, ' ')])
		}
		want := []string{"Pipeline RESUMED", "Stage RESUMED", "Pipeline STOPPING", "Stage STOPPING", "Pipeline STOPPED", "Pipeline SUPERSEDED", "Pipeline CANCELED", "Stage RESUMED", "Stage STOPPED", "Stage CANCELED", "Stage SUCCEEDED", "Action ABANDONED", "Action SUCCEEDED", "Pipeline SUCCEEDED"}
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		if d := string(w.entries()[2].Detail); !strings.Contains(d, `"stop-execution-comments":"wrong branch"`) {
			t.Errorf("stopping: %s", d)
		}
		if d := string(w.entries()[12].Detail); !strings.Contains(d, `"output-artifacts":[{"name":"report"}]`) {
			t.Errorf("succeeded: %s", d)
		}
		if d := string(w.entries()[3].Detail); !strings.Contains(d, `"stage":"Production","state":"STOPPING"`) || strings.Contains(d, "comments") {
			t.Errorf("the stage is stopping: %s", d)
		}
	})
}

// What an edit of the pipeline ends is canceled, as in CodePipeline, and not abandoned.
func TestWhatAnEditEndsIsCanceled(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.x.Stop = &workflows.Stop{Cancel: true, Abandon: true}
		w.follow(w.follower("aws-events", Options{Bus: "default"}), w.batch(
			w.frame(event.Event{Kind: event.ActionAbandoned, Stage: "Production", Action: "Deploy", Attempt: 1}, event.Event{Kind: event.StageCancelled, Stage: "Production"}, event.Event{Kind: event.ExecutionCancelled})))
		if got, want := w.published(), []string{"Action CANCELED webshop/1.0.0", "Stage CANCELED webshop/1.1.0", "Pipeline CANCELED webshop/1.2.0"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// Whatever goes wrong, each event comes; one that comes again has the same ID.
func TestEveryEventComesAtLeastOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fault   awsfake.Fault
		repeats int // events that are there twice
	}{
		"nothing":       {awsfake.Fault{}, 0},
		"throttled":     {awsfake.Fault{Trouble: awsfake.Throttle, Times: 5}, 0},
		"a fault":       {awsfake.Fault{Trouble: awsfake.ServerError, Times: 5}, 0},
		"cut before it": {awsfake.Fault{Trouble: awsfake.CutBefore, Times: 5}, 0},
		"cut after it":  {awsfake.Fault{Trouble: awsfake.CutAfter, Times: 1}, 6},
		"denied":        {awsfake.Fault{Trouble: awsfake.Refuse, Code: "AccessDeniedException", Times: 5}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				if c.fault.Trouble != "" {
					c.fault.Operation = "events:PutEvents"
					w.aws.Faults(c.fault)
				}
				b := w.deploys()
				for range 10 {
					if err := w.follower("aws-events", Options{Bus: "default"}).Follow(t.Context(), b); err == nil { // a start each time
						break
					} else if strings.Contains(err.Error(), "a-secret") {
						t.Error(err)
					}
				}
				count := map[string]int{}
				for _, line := range w.published() {
					count[line]++
				}
				repeated := 0
				for _, n := range count {
					repeated += n - 1
				}
				if len(count) != 6 || repeated != c.repeats {
					t.Errorf("told %v", count)
				}
				w.follow(w.follower("aws-events", Options{Bus: "default"}), b) // what a restart brings again
				if n := len(w.entries()); n != 6+c.repeats {
					t.Errorf("%d events after a restart", n)
				}
			})
		})
	}
}

// EventBridge refuses single events in an answer of status 200: only those come again.
func TestOnlyWhatWasRefusedComesAgain(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		bus := awsfake.At[*fakeevents.Service](w.aws, account, region)
		bus.Fail(`"webshop/2.0.0"`, "InternalFailure")
		f, b := w.follower("aws-events", Options{Bus: "default"}), w.deploys()
		if err := f.Follow(t.Context(), b); err == nil || !strings.Contains(err.Error(), "1 of 6") {
			t.Errorf("error %v", err)
		}
		w.follow(w.follower("aws-events", Options{Bus: "default"}), b)
		w.follow(w.follower("aws-events", Options{Bus: "default"}), b)
		got := w.published()
		if len(got) != 6 || got[5] != "Action STARTED webshop/2.0.0" {
			t.Errorf("told %q", got)
		}
		bus.Fail(`"webshop/4.0.0"`, "MalformedDetail") // never taken, so left out
		w.follow(f, w.batch(w.frame(event.Event{Kind: event.ExecutionSucceeded}), w.frame(event.Event{Kind: event.ExecutionSucceeded})))
		if got := w.published(); len(got) != 7 || got[6] != "Pipeline SUCCEEDED webshop/5.0.0" {
			t.Errorf("told %q", got)
		}
	})
}

// AWS tells of its own pipelines itself; of what is gone nothing is known.
func TestWhatRunsElsewhereIsLeftOut(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.x.ExternalID = "aws-id"
		f := w.follower("aws-events", Options{Bus: "default"})
		w.follow(f, w.deploys())
		w.x.ExternalID, w.gone = "", true
		w.follow(f, w.deploys())
		if got := w.published(); len(got) != 0 {
			t.Errorf("told %q", got)
		}
		if f.Concerns(w.frame(event.Event{Kind: event.GateVoted})) || !f.Concerns(w.frame(event.Event{Kind: event.GateVoted}, event.Event{Kind: event.StageEntered})) {
			t.Error("frames that say nothing are asked about, or others are not")
		}
	})
}

func (w *world) gate(topic string) event.Event {
	g := &workflows.Approval{Token: "token-of-the-gate", NotificationArn: topic, ExpiresAt: began.Add(48*time.Hour + 22*time.Minute), Link: "https://example.com/notes", Text: "Release 1.4.0", OpenedAt: began}
	w.x.Stages[0].Actions[0].Approval = g
	return event.Event{Kind: event.GateOpened, Stage: "Production", Action: "SignOff", Attempt: 1, Gate: g}
}

func TestAnApprovalIsToldInAWSShape(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		topics := awsfake.At[*fakesns.Service](w.aws, account, "us-east-1")
		f := w.follower("aws-approvals", Options{Approvals: true})
		b := w.batch(w.frame(w.gate(topics.Topic("releases"))))
		w.follow(f, b)
		w.follow(w.follower("aws-approvals", Options{Approvals: true}), b)
		all := topics.Messages()
		page := "https://rollcall.example/executions/" + id42
		want := `{"region":"us-east-1","consoleLink":"` + page + `","approval":{"pipelineName":"webshop","stageName":"Production","actionName":"SignOff","token":"token-of-the-gate","expires":"2026-03-04T09:22Z","externalEntityLink":"https://example.com/notes","approvalReviewLink":"` + page + `","customData":"Release 1.4.0"},"rollcall":{"id":"webshop/1.0.0","execution":"webshop#42"}}`
		if len(all) != 1 || all[0].Message != want || all[0].Subject != "APPROVAL NEEDED: AWS CodePipeline webshop for action SignOff" {
			t.Errorf("messages %+v, want %s", all, want)
		}
		// A FIFO topic drops what an answer's loss repeats.
		w.aws.Faults(awsfake.Fault{Operation: "sns:Publish", Trouble: awsfake.CutAfter, Times: 1})
		b = w.batch(w.frame(w.gate(topics.Topic("releases.fifo"))))
		if err := f.Follow(t.Context(), b); err == nil {
			w.follow(f, b)
		}
		w.follow(f, b)
		if all := topics.Messages(); len(all) != 2 || all[1].Group != "webshop" {
			t.Errorf("messages %+v", all)
		}
	})
}

func TestAnApprovalThatNobodyCanBeToldOf(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		topics := awsfake.At[*fakesns.Service](w.aws, account, region)
		f := w.follower("aws-approvals", Options{Approvals: true})
		w.follow(f, w.batch(w.frame(w.gate("arn:aws:sns:eu-west-1:111122223333:nowhere")))) // no such topic: left out
		w.aws.Faults(awsfake.Fault{Operation: "sns:Publish", Trouble: awsfake.Refuse, Code: "AuthorizationErrorException", Times: 1})
		gate := w.gate(topics.Topic("releases"))
		b := w.batch(w.frame(gate))
		if err := f.Follow(t.Context(), b); err == nil { // a right that is missing can be given
			t.Error("no error although the role may not publish")
		}
		gate.Gate.Closed = "approved" // by then it is decided
		w.follow(f, b)
		w.follow(f, w.batch(w.frame(w.gate(""))))
		if all := topics.Messages(); len(all) != 0 {
			t.Errorf("messages %+v", all)
		}
	})
}

func TestNothingIsSwitchedOnByItself(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		if all := Followers(Options{}); len(all) != 0 {
			t.Errorf("%d followers", len(all))
		}
		names := map[string]bool{}
		o := Options{Metrics: "Rollcall", Bus: "default", Approvals: true, Notes: func(owner string) Notes { return notes{w, owner} }}
		for _, f := range Followers(o) {
			names[f.Name()] = true
		}
		if want := map[string]bool{"aws-events": true, "aws-metrics": true, "aws-approvals": true}; !maps.Equal(names, want) {
			t.Errorf("followers %v", names)
		}
	})
}

// data are the values in CloudWatch, in short.
func (w *world) data() (all []string) {
	for _, d := range awsfake.At[*cloudwatch.Service](w.aws, account, region).Data() {
		all = append(all, fmt.Sprintf("%s %s %s %g %s %s", d.Namespace, d.Name, strings.Join(d.Dimensions, ","), d.Value, d.Unit, d.At.Format("15:04")))
	}
	return all
}

func TestMetricsSayHowLongThingsTookAndHowTheyEnded(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		f := w.follower("aws-metrics", Options{Metrics: "Rollcall"})
		w.follow(f, w.deploys())
		w.follow(w.follower("aws-metrics", Options{Metrics: "Rollcall"}), w.batch()) // a restart
		gate := event.Event{Kind: event.GateClosed, Stage: "Production", Action: "SignOff", Attempt: 1, Text: "approved"}
		back := event.Event{Kind: event.ExecutionStarted, Started: &workflows.Execution{Rollback: &workflows.Rollback{Target: "x"}}}
		wait := event.Event{Kind: event.ExecutionWaiting, Wait: &workflows.Wait{Stage: "Production"}}
		ends := event.Event{Kind: event.ActionSucceeded, Stage: "Production", Action: "SignOff", Attempt: 1}
		rule := event.Event{Kind: event.ActionFailed, Stage: "Production", Action: "onSuccess:Smoke", Attempt: 1}
		w.follow(f, w.batch(w.frame(gate, back, wait, ends, rule), w.frame(event.Event{Kind: event.ExecutionSucceeded})))
		const stage, deploy = "Pipeline=webshop,Stage=Production", "Pipeline=webshop,Stage=Production,Action=Deploy"
		want := []string{
			"Rollcall QueueDepth " + stage + " 2 Count 09:01", "Rollcall ActionDuration " + deploy + " 60 Seconds 09:03", "Rollcall ActionFailed " + deploy + " 1 Count 09:03",
			"Rollcall ExecutionDuration Pipeline=webshop 180 Seconds 09:03", "Rollcall ExecutionFailed Pipeline=webshop 1 Count 09:03",
			"Rollcall ApprovalWait Pipeline=webshop,Stage=Production,Action=SignOff 240 Seconds 09:04", "Rollcall RollbackCount " + stage + " 1 Count 09:04", "Rollcall QueueDepth " + stage + " 2 Count 09:04",
			"Rollcall ExecutionDuration Pipeline=webshop 300 Seconds 09:05",
		}
		if got := w.data(); !slices.Equal(got, want) {
			t.Errorf("data\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Each value comes once, however often the frames come again; what CloudWatch
// refuses for good, or would by its age, keeps nothing up.
func TestEachMetricComesOnce(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		b := w.deploys()
		w.aws.Faults(awsfake.Fault{Operation: "cloudwatch:PutMetricData", Trouble: awsfake.ServerError, Times: 5})
		for range 5 {
			if err := w.follower("aws-metrics", Options{Metrics: "Rollcall"}).Follow(t.Context(), b); err == nil {
				break
			}
		}
		w.follow(w.follower("aws-metrics", Options{Metrics: "Rollcall"}), b)
		if got := w.data(); len(got) != 5 {
			t.Errorf("data %q", got)
		}
		w.follow(w.follower("aws-metrics", Options{Metrics: "AWS/Ours"}), w.batch(w.frame(event.Event{Kind: event.ExecutionSucceeded})))
		old := w.frame(event.Event{Kind: event.ExecutionSucceeded})
		old.Events[0].At = began.Add(-20 * 24 * time.Hour)
		w.follow(w.follower("aws-metrics", Options{Metrics: "Rollcall"}), w.batch(old))
		if got := w.data(); len(got) != 5 {
			t.Errorf("data %q", got)
		}
	})
}
