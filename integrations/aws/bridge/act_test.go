package bridge

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// request asks as the engine does: what could not be asked is looked up and asked
// again, later and later. It returns the outcome and how long that took.
func (w *world) request(r work.Request) (work.Outcome, time.Duration) {
	w.t.Helper()
	return w.resume(r, false)
}

// resume asks; before: an earlier process may have asked already.
func (w *world) resume(r work.Request, before bool) (work.Outcome, time.Duration) {
	w.t.Helper()
	if r.At.IsZero() {
		r.At = time.Now()
	}
	task := w.task(r)
	began := time.Now()
	for failures := 0; failures < 12; failures++ {
		if before {
			o, done, err := w.runner.Find(context.Background(), task, nil)
			if err == nil && done {
				return o, time.Since(began)
			}
			before = err != nil
		}
		if !before {
			o, err := w.runner.Start(context.Background(), task, nil)
			if err == nil {
				return o, time.Since(began)
			}
			w.t.Logf("%s: %v", r.Verb, err)
		}
		before = true
		w.pass(work.Backoff(failures))
	}
	w.t.Fatalf("%s had no outcome in %v", r.Verb, time.Since(began))
	return work.Outcome{}, 0
}

func (w *world) task(r work.Request) work.Task {
	r.ID = fmt.Sprint("request-", r.Verb, "-", r.ExternalID, "-", r.At.UnixNano())
	r.By = workflows.Principal{ID: "slack:UANA", Name: "Ana Ruiz", Email: "ana@acme.example", Via: "slack"}
	r.Bridge = workflows.Bridge{Name: "prod-eu", Account: account, Region: region, ARN: "arn:aws:codepipeline:" + region + ":" + account + ":webshop-pipeline", Mode: "act", Type: "V2"}
	return work.Task{ID: r.ID, Kind: work.Start, Pipeline: cmp.Or(w.about, "webshop"), Request: &r, Action: workflows.Action{ActionType: work.BridgeAction()}}
}

// asked are the calls of an operation that rollcall made.
func (w *world) asked(operation string) (all []map[string]any) {
	for _, c := range w.aws.Calls() {
		if c.Operation != operation || !strings.Contains(c.Principal, "assumed-role") {
			continue
		}
		var in map[string]any
		if err := json.Unmarshal(c.Input, &in); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, in)
	}
	return all
}

func (w *world) approve(n int) {
	w.t.Helper()
	x := w.execution("webshop", n)
	o, _ := w.request(work.Request{Verb: workflows.Approve, ExternalID: x.ExternalID, Stage: "Production", Action: "SignOff", Token: w.token(n), Text: "Ana Ruiz, Cho Lim via rollcall: tested"})
	if o.State != work.Succeeded {
		w.t.Fatalf("approve #%d: %+v", n, o.Error)
	}
	w.pass(20 * time.Second)
}

func (w *world) token(n int) string {
	w.t.Helper()
	x := w.execution("webshop", n)
	s, _ := x.Stage("Production")
	a, _ := s.Action("SignOff")
	if a == nil || a.Handle == "" {
		w.t.Fatalf("no approval waits in #%d:\n%s", n, w.story("webshop"))
	}
	return a.Handle
}

// acting is a world with the pipeline webshop, which its bridge may steer, after two releases.
func acting(t *testing.T, test func(w *world)) {
	t.Helper()
	in(t, bridgeOf("act", "webshop"), func(w *world) {
		w.pipeline("webshop", map[string]any{"variables": []any{map[string]any{"name": "canary", "defaultValue": "10"}}})
		w.run()
		w.pass(30 * time.Second)
		w.approve(1)
		w.start("webshop")
		w.pass(90 * time.Second)
		w.approve(2)
		test(w)
	})
}

func TestApprovingIsOneCallWithThePeoplesNames(t *testing.T) {
	acting(t, func(w *world) {
		t := w.t
		calls := w.asked("PutApprovalResult")
		if len(calls) != 2 {
			t.Fatalf("%d calls, want one for each release", len(calls))
		}
		result := calls[0]["result"].(map[string]any)
		if result["status"] != "Approved" || result["summary"] != "Ana Ruiz, Cho Lim via rollcall: tested" {
			t.Errorf("asked: %v", calls[0])
		}
		x := w.execution("webshop", 1)
		if x.Status != workflows.StatusSucceeded {
			t.Errorf("#1 is %s:\n%s", x.Status, w.story("webshop"))
		}
		s, _ := x.Stage("Production")
		a, _ := s.Action("SignOff")
		if a.Approval == nil || len(a.Approval.Votes) != 1 || a.Approval.Votes[0].Answer != "approve" || !strings.Contains(a.Approval.Votes[0].By.ID, "assumed-role/rollcall-bridge") {
			t.Errorf("the answer is shown as %+v", a.Approval)
		}
	})
}

// An answer that is lost is looked up, and what did not happen is asked again:
// each of it happens once, in the time that the contract gives.
func TestLostAnswers(t *testing.T) {
	for _, c := range []struct {
		trouble awsfake.Trouble
		within  time.Duration
		calls   int
	}{{awsfake.CutAfter, 45 * time.Second, 1}, {awsfake.CutBefore, 110 * time.Second, 2}, {awsfake.ServerError, 110 * time.Second, 2}, {awsfake.Throttle, 20 * time.Second, 2}} {
		for verb, operation := range map[workflows.Verb]string{workflows.RollBack: "RollbackStage", workflows.Approve: "PutApprovalResult", workflows.Start: "StartPipelineExecution", workflows.Lock: "DisableStageTransition", workflows.Unlock: "EnableStageTransition", workflows.Retry: "RetryStageExecution", workflows.StopExecution: "StopPipelineExecution"} {
			for _, killed := range []bool{false, true} {
				t.Run(fmt.Sprint(c.trouble, "/", verb, "/killed=", killed), func(t *testing.T) {
					acting(t, func(w *world) {
						t := w.t
						r := work.Request{Verb: verb, Stage: "Production", Text: "Ana Ruiz via rollcall", At: time.Now()}
						switch verb {
						case workflows.RollBack:
							r.ExternalID = w.execution("webshop", 1).ExternalID
						case workflows.Approve, workflows.StopExecution:
							w.start("webshop")
							w.pass(90 * time.Second)
							r.ExternalID, r.Action, r.Token, r.At = w.execution("webshop", 3).ExternalID, "SignOff", w.token(3), time.Now()
						case workflows.Unlock:
							w.console("DisableStageTransition", map[string]any{"pipelineName": "webshop-pipeline", "stageName": "Production", "transitionType": "Inbound", "reason": "a check"}, nil)
						case workflows.Retry:
							p := w.aws.Pipelines(account, region)
							p.Play("webshop-pipeline", "Build", "Compile", codepipeline.Script{Fail: &codepipeline.Failure{Code: "JobFailed", Message: "exit status 1"}})
							w.start("webshop")
							w.pass(90 * time.Second)
							p.Play("webshop-pipeline", "Build", "Compile", codepipeline.Script{})
							r.Stage, r.ExternalID, r.At = "Build", w.execution("webshop", 3).ExternalID, time.Now()
						}
						w.aws.Faults(awsfake.Fault{Operation: "codepipeline:" + operation, Trouble: c.trouble, Times: 1})
						before := len(w.asked(operation))
						if killed {
							if _, err := w.runner.Start(context.Background(), w.task(r), nil); err == nil {
								t.Fatal("the answer was not lost")
							}
							w.pass(3 * time.Second)
							w.runner = NewRunner(w.bridges)
						}
						o, took := w.resume(r, killed)
						if o.State != work.Succeeded || took > c.within && !(killed && took < 110*time.Second && c.trouble == awsfake.Throttle) {
							t.Fatalf("%s after %v: %+v", o.State, took, o.Error)
						}
						calls := len(w.asked(operation)) - before
						if verb == workflows.Start {
							calls = min(calls, c.calls) // one with the same token does no harm
						}
						if calls != c.calls {
							t.Errorf("%d calls of %s, want %d", calls, operation, c.calls)
						}
						w.pass(30 * time.Second)
						n := len(w.engine.numbers["webshop"])
						if want := map[workflows.Verb]int{workflows.RollBack: 3, workflows.Start: 3, workflows.Lock: 2, workflows.Unlock: 2, workflows.Retry: 3, workflows.Approve: 3, workflows.StopExecution: 3}[verb]; n != want {
							t.Errorf("there are %d executions, want %d:\n%s", n, want, w.story("webshop"))
						}
						if verb == workflows.RollBack || verb == workflows.Start {
							if id := w.execution("webshop", 3).ExternalID; o.ExternalID != id {
								t.Errorf("it began %s, and not %s", o.ExternalID, id)
							}
						}
					})
				})
			}
		}
	}
}

// What AWS refuses is a code without Exception and a sentence, and is not asked again.
func TestRefusals(t *testing.T) {
	acting(t, func(w *world) {
		t := w.t
		w.start("webshop")
		w.pass(90 * time.Second)
		third := w.execution("webshop", 3).ExternalID
		first := w.execution("webshop", 1).ExternalID
		for _, c := range []struct {
			r    work.Request
			code string
		}{
			{work.Request{Verb: workflows.RollBack, Stage: "Production", ExternalID: first}, "UnableToRollbackStage"}, // the stage runs
			{work.Request{Verb: workflows.Retry, Stage: "Build", ExternalID: third}, "StageNotRetryable"},
			{work.Request{Verb: workflows.Approve, Stage: "Production", Action: "SignOff", ExternalID: third, Token: "00000000-0000-4000-8000-000000000000", Text: "x"}, "InvalidApprovalToken"},
			{work.Request{Verb: workflows.StopExecution, ExternalID: first, Text: "stop"}, "PipelineExecutionNotStoppable"},
			{work.Request{Verb: workflows.Lock, Stage: "Nowhere"}, "StageNotFound"},
			{work.Request{Verb: workflows.Resolve, Stage: "Build"}, "Validation"},
		} {
			before := len(w.aws.Calls())
			o, _ := w.request(c.r)
			if o.State != work.Failed || o.Error.Code != c.code || o.Error.Message == "" {
				t.Errorf("%s: %s %+v, want %s", c.r.Verb, o.State, o.Error, c.code)
			}
			changing := 0
			for _, call := range w.aws.Calls()[before:] {
				if call.Changes() {
					changing++
				}
			}
			if changing > 1 {
				t.Errorf("%s: %d changing calls", c.r.Verb, changing)
			}
		}
	})
}

// A refusal is no echo where nothing was asked before: an action that has just
// begun does not make a retry that AWS refuses a success.
func TestARefusalIsNoEcho(t *testing.T) {
	acting(t, func(w *world) {
		id := w.start("webshop")
		if o, _ := w.request(work.Request{Verb: workflows.Retry, Stage: "Source", ExternalID: id}); o.State != work.Failed || o.Error.Code != "StageNotRetryable" {
			w.t.Errorf("%s %+v", o.State, o.Error)
		}
	})
}

// A role without the right on the stage: message and finding name both.
func TestDeniedNamesActionAndStage(t *testing.T) {
	acting(t, func(w *world) {
		t := w.t
		arn := "arn:aws:codepipeline:eu-west-1:111122223333:webshop-pipeline"
		if err := w.aws.Policies(role, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"codepipeline:*","Resource":"`+arn+`"}}`); err != nil {
			t.Fatal(err)
		}
		o, _ := w.request(work.Request{Verb: workflows.RollBack, Stage: "Production", ExternalID: w.execution("webshop", 1).ExternalID})
		if o.State != work.Failed || o.Error.Code != "AccessDenied" || o.Error.Message != "the role of the bridge prod-eu lacks codepipeline:RollbackStage on "+arn+"/Production" {
			t.Fatalf("%s %+v", o.State, o.Error)
		}
		f := o.Error.Finding
		if f == nil || f.Class != "AccessDenied" || !strings.Contains(string(f.Statement), arn+"/Production") || !strings.Contains(string(f.Statement), "codepipeline:RollbackStage") {
			t.Errorf("finding: %+v", f)
		}
	})
}

func TestWatchingBridgesAskNothing(t *testing.T) {
	in(t, bridgeOf("watch", "webshop"), func(w *world) {
		t := w.t
		w.pipeline("webshop", nil)
		for _, verb := range []workflows.Verb{workflows.Start, workflows.RollBack, workflows.Lock, workflows.Approve} {
			o, err := w.runner.Start(context.Background(), w.task(work.Request{Verb: verb, Stage: "Production", At: time.Now()}), nil)
			if err != nil || o.State != work.Failed || o.Error.Code != "WatchOnly" {
				t.Errorf("%s: %v %+v", verb, err, o)
			}
		}
		if calls := w.calls(); len(calls) > 0 {
			t.Errorf("AWS was called: %v", calls)
		}
	})
}

// A start carries variables and revisions, and a token that AWS takes.
func TestStartCarriesWhatWasAskedFor(t *testing.T) {
	acting(t, func(w *world) {
		t := w.t
		o, _ := w.request(work.Request{Verb: workflows.Start, Intent: workflows.Intent{Variables: map[string]string{"canary": "50"}, Revisions: []workflows.RevisionOverride{{ActionName: "Checkout", RevisionValue: "c0ffee"}}}})
		if o.State != work.Succeeded || o.ExternalID == "" {
			t.Fatalf("%+v", o)
		}
		in := w.asked("StartPipelineExecution")[0]
		if token, _ := in["clientRequestToken"].(string); !regexp.MustCompile(`^rc-[0-9a-f]{48}$`).MatchString(token) {
			t.Errorf("the token is %v", in["clientRequestToken"])
		}
		w.pass(30 * time.Second)
		if x := w.execution("webshop", 3); x.Variables["canary"] != "50" || x.ExternalID != o.ExternalID || len(x.SourceRevisions) == 0 || x.SourceRevisions[0].RevisionID != "c0ffee" {
			t.Errorf("#3: %v %v", x.Variables, x.SourceRevisions)
		}
	})
}

// Whatever people are called and write, AWS takes the reason of a lock.
func TestLockReasonsAreLegal(t *testing.T) {
	legal := regexp.MustCompile(`^[a-zA-Z0-9!@ \(\)\.\*\?\-]{1,300}$`)
	random := rand.New(rand.NewPCG(1, 2))
	ranges := [][2]rune{{0x20, 0x7e}, {0xa0, 0x24f}, {0x370, 0x4ff}, {0x5d0, 0x6ff}, {0x900, 0x97f}, {0x3040, 0x30ff}, {0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0x1f300, 0x1f6ff}, {0, 0x1f}, {0x200b, 0x202e}}
	for range 200 {
		var name strings.Builder
		for range 1 + random.IntN(40) {
			in := ranges[random.IntN(len(ranges))]
			name.WriteRune(in[0] + random.Int32N(in[1]-in[0]+1))
		}
		for _, text := range []string{name.String(), "webshop#42 rolled back by " + name.String(), strings.Repeat(name.String(), 20)} {
			a := &actor{r: &work.Request{Text: text, By: workflows.Principal{Name: name.String()}}}
			if got := a.lockReason(); !legal.MatchString(got) || strings.TrimSpace(got) == "" {
				t.Errorf("%q becomes %q", text, got)
			}
		}
	}
	for text, want := range map[string]string{
		"webshop#42 rolled back by Åsa Öström: it's broken, see /x_y": "webshop 42 rolled back by Aasa Oestroem it s broken see x y",
		"Łukasz Żółć (SRE)": "Lukasz Zolc (SRE)", "Иван": "Ivan", "山田": "locked by Ana", "": "locked by Ana", "🚀": "locked by Ana", "山田 says stop!": "?? says stop!",
	} {
		a := &actor{r: &work.Request{Text: text, By: workflows.Principal{Name: "Ana"}}}
		if got := a.lockReason(); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// Text is cut where AWS counts, and never inside a character.
func TestCut(t *testing.T) {
	for _, text := range []string{strings.Repeat("a", 600), strings.Repeat("é", 600), strings.Repeat("🚀", 600), "short"} {
		got := cut(text, 512)
		if n := len(utf16.Encode([]rune(got))); n > 512 || !strings.HasPrefix(text, got) || n < min(511, len(utf16.Encode([]rune(text)))) {
			t.Errorf("%d units of %.10q", n, text)
		}
	}
}
