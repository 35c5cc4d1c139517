package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// codePipeline is a pipeline in AWS with one execution that waits at its gate, and
// the runner that asks it. It outlives engines.
type codePipeline struct {
	mu       sync.Mutex
	began    time.Time
	token    string // of the gate; empty: it is decided
	answered *workflows.Vote
	ended    *time.Time
	locked   string
	calls    map[string]int // by request
	verbs    []workflows.Verb
	cut      bool // the answer to the next call is lost
	refuse   *workflows.Reason
}

const awsID = "1f0c7a52-0000-4000-8000-000000000042"

func newCodePipeline() *codePipeline {
	return &codePipeline{began: time.Now().Add(-time.Hour).UTC(), token: "token-1", calls: map[string]int{}}
}

// Start does what is asked.
func (c *codePipeline) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[t.ID]++
	c.verbs = append(c.verbs, t.Request.Verb)
	if c.refuse != nil {
		return work.Outcome{State: work.Failed, Error: c.refuse}, nil
	}
	switch r := t.Request; r.Verb {
	case workflows.Approve, workflows.Reject:
		if c.token == "" || c.token != r.Token {
			return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ApprovalAlreadyCompleted", Message: "answered already"}}, nil
		}
		now := time.Now().UTC()
		c.token, c.ended = "", &now
		c.answered = &workflows.Vote{By: workflows.Principal{ID: "aws:role", Name: "role"}, Answer: string(r.Verb), Comment: r.Text, At: now}
	case workflows.Lock:
		c.locked = r.Text
	}
	if c.cut {
		c.cut = false
		return work.Outcome{}, errors.New("the connection was cut")
	}
	return work.Outcome{State: work.Succeeded}, nil
}

// Find looks whether what is asked has been done.
func (c *codePipeline) Find(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := c.answered != nil && c.answered.Comment == t.Request.Text || t.Request.Verb == workflows.Lock && c.locked == t.Request.Text
	return work.Outcome{State: work.Succeeded}, done, nil
}

func (c *codePipeline) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{}, errors.New("a request has no poll")
}

func (c *codePipeline) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{}, errors.New("a request has no cancel")
}

// look is what a bridge sees.
func (c *codePipeline) look() work.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, done := c.began, workflows.StatusSucceeded
	x := workflows.Execution{ExternalID: awsID, Version: 7, Type: workflows.TypeStandard, Status: workflows.StatusInProgress, StartedAt: at, UpdatedAt: at,
		Trigger:         workflows.StartedBy{Type: workflows.TriggerWebhook, By: workflows.Principal{ID: "aws:bob", Name: "bob", Via: "outside"}},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "c1"}},
		Stages: []workflows.StageExecution{
			{Name: "Source", Status: done, Since: &at, Actions: []workflows.ActionExecution{{Name: "App", RunOrder: 1, Provider: "CodeCommit", Status: done, StartedAt: &at, EndedAt: &at}}},
			{Name: "Production", Status: workflows.StatusInProgress, Since: &at, Actions: []workflows.ActionExecution{{Name: "SignOff", RunOrder: 1, Provider: "Manual", Status: workflows.StatusInProgress, StartedAt: &at, Handle: c.token}}},
		}}
	if c.ended != nil {
		st := &x.Stages[1]
		x.Status, st.Status = done, done
		if c.answered.Answer == "reject" {
			x.Status, st.Status = workflows.StatusFailed, workflows.StatusFailed
		}
		x.EndedAt, x.UpdatedAt, st.Since = c.ended, *c.ended, c.ended
		st.Actions[0].Status, st.Actions[0].EndedAt, st.Actions[0].Approval = st.Status, c.ended, &workflows.Approval{Votes: []workflows.Vote{*c.answered}}
	}
	seen := work.Snapshot{Pipeline: "webshop", At: time.Now(), Executions: []workflows.Execution{x}}
	for _, name := range []string{"Source", "Production"} {
		st := work.SnapshotStage{Name: name, Transition: workflows.Transition{Enabled: true}}
		if name == "Production" && c.locked != "" {
			st.Transition = workflows.Transition{Reason: c.locked, At: &at}
		}
		seen.Stages = append(seen.Stages, st)
	}
	return seen
}

// inAWS is the definition of that pipeline.
func inAWS(mode string) *workflows.Pipeline {
	action := func(name, category, provider string) workflows.Action {
		return workflows.Action{Name: name, RunOrder: 1, ActionType: workflows.ActionType{Category: category, Owner: "AWS", Provider: provider, Version: "1"},
			Configuration: map[string]string{"RepositoryName": "shop", "BranchName": "main"}}
	}
	sign := action("SignOff", "Approval", "Manual")
	sign.Approval = &workflows.ApprovalPolicy{From: []string{ana.Email, ben.Email}, Required: 2, Comment: "optional"}
	return &workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeSuperseded, Bridge: &workflows.Bridge{Name: "prod", ARN: "arn:aws:codepipeline:eu-west-1:1:webshop", Mode: mode, Type: "V2"},
		Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{action("App", "Source", "CodeCommit")}}, {Name: "Production", Actions: []workflows.Action{sign}}}}
}

// followInAWS puts the definition in force and takes a look in.
func (w *world) followInAWS(ctx context.Context, c *codePipeline, mode string) error {
	in := workflows.Intent{Verb: workflows.Edit, Pipeline: "webshop", NewDefinition: inAWS(mode), ManagedBy: "bridge:prod", Version: 7}
	if _, err := w.Submit(ctx, in, workflows.EnginePrincipal()); err != nil {
		return err
	}
	return w.Observe(ctx, c.look())
}

// approved tells the story of an approval in AWS as people and a bridge would who
// repeat what was not answered.
func (w *world) approved(ctx context.Context, c *codePipeline) error {
	if err := w.followInAWS(ctx, c, workflows.BridgeActs); err != nil {
		return err
	}
	for _, who := range []workflows.Principal{ana, ben} {
		_, err := w.Submit(ctx, workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: awsID, Reason: "tested"}, who)
		var refused *workflows.Problem
		if err != nil && (!errors.As(err, &refused) || refused.Code != workflows.CodeConflict && refused.Code != workflows.CodeApprovalCompleted) {
			return err
		}
	}
	pass(30 * time.Second)
	if err := w.Observe(ctx, c.look()); err != nil {
		return err
	}
	x, err := w.Execution(ctx, ana, awsID)
	if err != nil {
		return err
	}
	if x.Status != workflows.StatusSucceeded || len(x.Requests) != 1 || x.Requests[0].State != workflows.RequestDone {
		return fmt.Errorf("it is %s, with %+v", x.Status, x.Requests)
	}
	return nil
}

// TestCrashAtEveryCommitInAWS ends the process at each commit of an approval in AWS,
// before and after it was written, also where AWS's answer is lost. The next one
// finishes it, and AWS is told once.
func TestCrashAtEveryCommitInAWS(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for at := 1; ; at++ {
			reached := false
			play(t, func(w *world) {
				c := newCodePipeline()
				c.cut = at%2 == 0
				w.options.Runners["Bridge/CodePipeline"] = c
				w.boot()
				down := make(chan struct{})
				w.plug.fail(func(n int) string {
					switch {
					case n < at:
						return ""
					case n > at:
						return "before"
					}
					reached = true
					w.plug.kill()
					close(down)
					return when
				})
				ctx, cancel := context.WithCancel(w.t.Context())
				defer cancel()
				go func() {
					select {
					case <-down:
						cancel()
					case <-ctx.Done():
					}
				}()
				err := w.approved(ctx, c)
				if !reached {
					if err != nil {
						t.Errorf("without a crash: %v", err)
					}
					return
				}
				w.crash()
				w.boot()
				if err := w.approved(w.t.Context(), c); err != nil {
					t.Errorf("%s commit %d: %v", when, at, err)
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				if len(c.verbs) != 1 {
					t.Errorf("%s commit %d: AWS was asked to %v", when, at, c.verbs)
				}
				if n := w.disk.count(event.ExecutionStarted) + w.disk.count(event.ExecutionObserved); n != 1 {
					t.Errorf("%s commit %d: %d executions", when, at, n)
				}
			})
			if !reached || t.Failed() {
				if at < 5 {
					t.Errorf("only %d commits were tried", at)
				}
				break
			}
		}
	}
}

// A look that was there already, and one that is older than the newest, change
// nothing; a view says when the pipeline was last seen, and what is lost says why.
func TestLooks(t *testing.T) {
	play(t, func(w *world) {
		c := newCodePipeline()
		w.options.Runners["Bridge/CodePipeline"] = c
		w.boot()
		w.problem(w.Observe(w.t.Context(), c.look()), workflows.CodePipelineNotFound)
		if err := w.followInAWS(w.t.Context(), c, workflows.BridgeWatches); err != nil {
			t.Fatal(err)
		}
		frames := func() int { w.disk.mu.Lock(); defer w.disk.mu.Unlock(); return len(w.disk.frames) }
		observe := func(seen work.Snapshot) {
			t.Helper()
			if err := w.Observe(w.t.Context(), seen); err != nil {
				t.Fatal(err)
			}
		}
		first, older := frames(), c.look()
		pass(time.Minute)
		observe(c.look())
		if n := frames(); n != first {
			t.Errorf("%d frames of a look that saw nothing new", n-first)
		}
		older.Stages[1].Transition = workflows.Transition{Reason: "old news", At: &c.began}
		observe(older)
		if n := frames(); n != first {
			t.Errorf("%d frames of an older look", n-first)
		}
		view, err := w.Pipeline(w.t.Context(), ana, "webshop", 0)
		if err != nil || view.ManagedBy != "bridge" || view.Version != 7 || view.Bridge.SeenAt == nil || time.Since(*view.Bridge.SeenAt) > time.Second {
			t.Errorf("the view: %+v, %v", view.Bridge, err)
		}
		observe(work.Snapshot{Pipeline: "webshop", At: time.Now(), Lost: &workflows.Reason{Code: "ExpiredToken", Message: "the token is expired"}})
		if view, err = w.Pipeline(w.t.Context(), ana, "webshop", 0); err != nil || view.Bridge.Error == nil {
			t.Errorf("the view: %+v, %v", view.Bridge, err)
		}
		x := w.execution(awsID)
		if len(x.Offers) > 0 || x.ExternalID != awsID || x.Number != 1 {
			t.Errorf("the execution: %+v", x)
		}
		w.reboot()
		observe(c.look())
		w.refused(ana, workflows.Intent{Verb: workflows.Approve, Pipeline: "webshop", Execution: x.ID}, workflows.CodeWatchOnly)
		w.refused(ana, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, workflows.CodeWatchOnly)
		if len(c.verbs) > 0 {
			t.Errorf("AWS was asked to %v", c.verbs)
		}
	})
}

// What the pipeline's repository or its clock would start is AWS's to start.
func TestNothingHereStartsWhatIsInAWS(t *testing.T) {
	play(t, func(w *world) {
		c := newCodePipeline()
		src := &countingSource{}
		w.options.Sources = map[string]runtime.Source{"CodeCommit": src}
		w.options.Runners["Bridge/CodePipeline"] = c
		w.boot()
		p := inAWS(workflows.BridgeActs)
		p.Triggers = []workflows.Trigger{{Schedule: &workflows.Schedule{Cron: "0 * * * ?", Timezone: "UTC"}}}
		in := workflows.Intent{Verb: workflows.Edit, Pipeline: "webshop", NewDefinition: p, ManagedBy: "bridge:prod", Version: 7}
		w.submit(workflows.EnginePrincipal(), in)
		pass(40 * 24 * time.Hour)
		if n := w.disk.count(event.ScheduleFired) + w.disk.count(event.RequestOpened) + w.disk.count(event.PollingDisabled); n != 0 || src.looks() != 0 {
			t.Errorf("%d events, %d looks at its branch", n, src.looks())
		}
	})
}

// countingSource counts how often it is asked.
type countingSource struct {
	mu sync.Mutex
	n  int
}

func (s *countingSource) looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *countingSource) Head(context.Context, work.Followed) (work.Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return work.Change{Commit: "c1"}, nil
}
