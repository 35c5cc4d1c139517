package publish

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// The levels of CodePipeline's events.
const (
	levelPipeline = "Pipeline"
	levelStage    = "Stage"
	levelAction   = "Action"
)

// change is a change of state as CodePipeline tells it.
type change struct {
	level  string
	detail detail
}

// detail is what CodePipeline's events hold, and a key of our own.
type detail struct {
	Pipeline    string          `json:"pipeline"`
	ExecutionID string          `json:"execution-id"`
	StartTime   string          `json:"start-time,omitempty"`
	Trigger     *triggered      `json:"execution-trigger,omitempty"`
	Comments    string          `json:"stop-execution-comments,omitempty"`
	Stage       string          `json:"stage,omitempty"`
	Action      string          `json:"action,omitempty"`
	ActionID    string          `json:"action-execution-id,omitempty"`
	Inputs      []artifact      `json:"input-artifacts,omitempty"`
	Outputs     []artifact      `json:"output-artifacts,omitempty"`
	Result      *result         `json:"execution-result,omitempty"`
	State       string          `json:"state"`
	Region      string          `json:"region,omitempty"`
	Type        *actionType     `json:"type,omitempty"`
	Version     json.RawMessage `json:"version"`
	Attempt     json.RawMessage `json:"pipeline-execution-attempt"`
	Own         *own            `json:"rollcall"`
}

// own is what AWS's events do not have.
type own struct {
	ID        string `json:"id"` // the same when it is told again
	Execution string `json:"execution"`
	URL       string `json:"url,omitempty"`
}

type triggered struct {
	Type       string `json:"trigger-type"`
	Detail     string `json:"trigger-detail,omitempty"`
	Author     string `json:"author-display-name,omitempty"`
	AuthorMail string `json:"author-email,omitempty"`
	AuthorID   string `json:"author-id,omitempty"`
	Repository string `json:"full-repository-name,omitempty"`
	Message    string `json:"commit-message,omitempty"`
	Commit     string `json:"commit-id,omitempty"`
	Branch     string `json:"branch-name,omitempty"`
}

type artifact struct {
	Name string    `json:"name"`
	At   *location `json:"s3location,omitempty"`
}

type location struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

type result struct {
	ID      string `json:"external-execution-id,omitempty"`
	URL     string `json:"external-execution-url,omitempty"`
	Summary string `json:"external-execution-summary,omitempty"`
	Code    string `json:"error-code,omitempty"`
}

type actionType struct {
	Owner    string `json:"owner"`
	Category string `json:"category"`
	Provider string `json:"provider"`
	Version  string `json:"version"`
}

// state is what an event is at CodePipeline; empty: nothing. CodePipeline tells
// nothing of rules, skipped stages and conditions.
func state(e *event.Event) (level, state string) {
	switch e.Kind {
	case event.ExecutionStarted:
		return levelPipeline, "STARTED"
	case event.ExecutionSucceeded:
		return levelPipeline, "SUCCEEDED"
	case event.ExecutionFailed:
		return levelPipeline, "FAILED"
	case event.ExecutionCancelled:
		return levelPipeline, "CANCELED"
	case event.ExecutionResumed:
		return levelPipeline, "RESUMED"
	case event.ExecutionStopping:
		return levelPipeline, "STOPPING"
	case event.ExecutionStopped:
		return levelPipeline, "STOPPED"
	case event.ExecutionSuperseded:
		return levelPipeline, "SUPERSEDED"
	case event.StageEntered:
		return levelStage, "STARTED"
	case event.StageSucceeded:
		return levelStage, "SUCCEEDED"
	case event.StageFailed:
		return levelStage, "FAILED"
	case event.StageStopped:
		return levelStage, "STOPPED"
	case event.StageCancelled:
		return levelStage, "CANCELED"
	case event.StageResumed:
		return levelStage, "RESUMED"
	}
	return actionState(e)
}

func actionState(e *event.Event) (level, state string) {
	if strings.Contains(e.Action, ":") {
		return "", ""
	}
	switch e.Kind {
	case event.ActionStarted:
		return levelAction, "STARTED"
	case event.ActionSucceeded:
		return levelAction, "SUCCEEDED"
	case event.ActionFailed:
		return levelAction, "FAILED"
	case event.ActionAbandoned:
		return levelAction, "ABANDONED"
	}
	return "", ""
}

// changes are what CodePipeline would tell of an event.
func changes(f *facts, e *event.Event) (all []change) {
	x := f.execution(e.Execution)
	if x == nil {
		return nil
	}
	level, now := state(e)
	if e.Kind == event.ActionAbandoned && x.Stop != nil && x.Stop.Cancel {
		now = "CANCELED" // the pipeline was changed under it
	}
	c := change{level: level, detail: detail{Pipeline: x.Pipeline, ExecutionID: x.ID, State: now, Version: whole(x.Version), Attempt: whole(max(x.Attempt, 1)),
		Own: &own{Execution: x.Ref(), URL: f.o.page(x)}}}
	switch level {
	case levelPipeline:
		c.detail.StartTime, c.detail.Trigger = moment(x.StartedAt), trigger(x)
		if e.Stop != nil {
			c.detail.Comments = text(e.Stop.Reason)
		}
	case levelStage:
		c.detail.Stage, c.detail.StartTime = e.Stage, moment(stageStart(x, e))
	case levelAction:
		c.action(f, x, e)
	}
	all = append(all, c)
	if e.Kind == event.ExecutionStopping { // its stage stops as well
		for _, stage := range stopping(x) {
			again := c
			again.level, again.detail.Trigger, again.detail.Comments, again.detail.Stage, again.detail.StartTime = levelStage, nil, "", stage, moment(stageStart(x, &event.Event{Stage: stage, At: e.At}))
			all = append(all, again)
		}
	}
	if e.Kind == event.ExecutionResumed && e.Stage != "" { // a retry takes up the stage as well
		again := c
		again.level, again.detail.Trigger, again.detail.Stage, again.detail.StartTime = levelStage, nil, e.Stage, moment(e.At)
		all = append(all, again)
	}
	return all
}

// action adds what the events of actions hold.
func (c *change) action(f *facts, x *workflows.Execution, e *event.Event) {
	d := &c.detail
	d.Stage, d.Action, d.ActionID, d.StartTime = e.Stage, e.Action, identity(fmt.Sprintf("%s/%s/%s/%d", x.ID, e.Stage, e.Action, e.Attempt)), moment(e.At)
	if a := attemptOf(x, e); a != nil {
		if a.StartedAt != nil {
			d.StartTime = moment(*a.StartedAt)
		}
		if e.Kind != event.ActionStarted {
			d.Result = resultOf(a, e)
		}
	}
	p := f.definition(x)
	if p == nil {
		return
	}
	st, ok := p.Stage(e.Stage)
	if !ok {
		return
	}
	a, ok := st.Action(e.Action)
	if !ok {
		return
	}
	d.Region, d.Type = a.Region, &actionType{a.ActionType.Owner, a.ActionType.Category, a.ActionType.Provider, a.ActionType.Version}
	for _, name := range a.InputArtifacts {
		d.Inputs = append(d.Inputs, stored(x, name))
	}
	for _, out := range a.OutputArtifacts {
		if e.Kind == event.ActionSucceeded {
			d.Outputs = append(d.Outputs, stored(x, out.Name))
		}
	}
}

// stopping are the stages that a stop found running, as far as they are still known:
// the execution may be further by now.
func stopping(x *workflows.Execution) (stages []string) {
	for i := range x.Stages {
		switch x.Stages[i].Status {
		case workflows.StatusInProgress, workflows.StatusStopped, workflows.StatusCancelled:
			stages = append(stages, x.Stages[i].Name)
		}
	}
	return stages
}

// attemptOf is the attempt that an event is about; nil: there is a newer one.
func attemptOf(x *workflows.Execution, e *event.Event) *workflows.ActionExecution {
	if st, ok := x.Stage(e.Stage); ok {
		if a, ok := st.Action(e.Action); ok && a.Attempt == e.Attempt {
			return a
		}
	}
	return nil
}

func resultOf(a *workflows.ActionExecution, e *event.Event) *result {
	r := result{ID: text(a.ExternalID), URL: a.ExternalURL, Summary: text(a.Summary)}
	if o := e.Outcome; o != nil {
		r = result{ID: text(cmp.Or(o.ExternalID, r.ID)), URL: cmp.Or(o.ExternalURL, r.URL), Summary: text(cmp.Or(o.Summary, r.Summary))}
	}
	if e.Reason != nil && e.Kind == event.ActionFailed {
		r.Code, r.Summary = e.Reason.Code, text(e.Reason.Message)
	}
	if r == (result{}) {
		return nil
	}
	return &r
}

// stageStart is when the first action of a stage began, as far as it is known.
func stageStart(x *workflows.Execution, e *event.Event) time.Time {
	first := e.At
	if st, ok := x.Stage(e.Stage); ok && e.Kind != event.StageEntered && e.Kind != event.StageResumed {
		for i := range st.Actions {
			if at := st.Actions[i].StartedAt; at != nil && at.Before(first) {
				first = *at
			}
		}
	}
	return first
}

// trigger is what began an execution: of a push also what was pushed.
func trigger(x *workflows.Execution) *triggered {
	t := &triggered{Type: x.Trigger.Type, Detail: text(cmp.Or(x.Trigger.Detail, x.Trigger.By.Called()))}
	if x.Trigger.Type != workflows.TriggerWebhook || len(x.SourceRevisions) == 0 {
		return t
	}
	r := x.SourceRevisions[0]
	t.Repository, t.Message, t.Commit, t.Branch = r.Repository, text(r.RevisionSummary), r.RevisionID, r.Branch
	if a := r.Author; a != nil {
		t.Author, t.AuthorMail, t.AuthorID = text(a.Name), text(a.Email), text(a.Login)
	}
	return t
}

// stored is an artifact, with its place where that is in S3.
func stored(x *workflows.Execution, name string) artifact {
	a := artifact{Name: name}
	if u, err := url.Parse(x.Artifacts[name].At); err == nil && u.Scheme == "s3" {
		a.At = &location{Bucket: u.Host, Key: strings.TrimPrefix(u.Path, "/")}
	}
	return a
}

// whole is a number as CodePipeline writes it: a rule compares 1.0, not 1.
func whole(n int) json.RawMessage { return json.RawMessage(fmt.Sprintf("%d.0", n)) }

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// identity has the form of a UUID, and is the same for the same text.
func identity(of string) string {
	sum := sha256.Sum256([]byte(of))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// text bounds what comes from outside.
func text(s string) string { return words.Cut(clean.Line(s), 500) }
