package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/compare"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Why says why an execution failed, and what it waits for.
type Why struct {
	Execution  string           `json:"execution"`
	Ref        string           `json:"ref"`
	Status     workflows.Status `json:"status"`
	StatusText string           `json:"statusText"`
	Failures   []Failure        `json:"failures"`
	Waits      []Waiting        `json:"waits"`
	// Offers are what the caller may do about it.
	Offers []workflows.Offer `json:"offers"`
}

// Failure is an action or rule that failed.
type Failure struct {
	Stage       string            `json:"stage"`
	Action      string            `json:"action"`
	Attempt     int               `json:"attempt"`
	Seconds     float64           `json:"seconds"` // how long it took
	Error       *workflows.Reason `json:"error,omitempty"`
	ExternalURL string            `json:"externalUrl,omitempty"`
	Log         []string          `json:"log"`                  // its last lines
	LogMissing  string            `json:"logMissing,omitempty"` // why there are none
	// LastSuccess is the newest earlier success of the stage; nil: there is none.
	LastSuccess *Success `json:"lastSuccess,omitempty"`
}

// Success is what succeeded where something fails now.
type Success struct {
	Execution string     `json:"execution"`
	Ref       string     `json:"ref"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
	Seconds   float64    `json:"seconds"` // how long the same action took; 0: it had none
	// Differences are what differs between it (a) and what failed (b), durations and outcomes only of the stage.
	Differences *compare.Comparison `json:"differences,omitempty"`
}

// Waiting is something that an execution waits for.
type Waiting struct {
	Stage  string            `json:"stage"`
	Action string            `json:"action,omitempty"`
	Reason string            `json:"reason"`
	Since  *time.Time        `json:"since,omitempty"`
	Error  *workflows.Reason `json:"error,omitempty"` // of an action that is tried again, or whose result is unknown
}

// Why looks an execution up, the ends of the logs of what failed, and the last
// successes beside it.
func (c *Client) Why(ctx context.Context, ref string, lines int) (Why, error) {
	e, err := c.Execution(ctx, ref)
	if err != nil {
		return Why{}, err
	}
	w := Why{Execution: e.ID, Ref: e.Ref(), Status: e.Status, StatusText: e.StatusText, Failures: failures(&e), Waits: []Waiting{}, Offers: e.Offers}
	if !e.Status.Final() {
		view, err := c.Pipeline(ctx, e.Pipeline)
		if err != nil {
			return w, err
		}
		w.Waits = waits(&e, &view)
	}
	before := map[string]*workflows.Execution{} // by stage
	for i := range w.Failures {
		f := &w.Failures[i]
		if f.Log, err = c.tail(ctx, e.ID, f, lines); err != nil {
			f.LogMissing = err.Error()
		}
		if _, known := before[f.Stage]; !known {
			if before[f.Stage], err = c.lastSuccess(ctx, &e, f.Stage); err != nil {
				return w, err
			}
		}
		if f.LastSuccess, err = c.beside(ctx, before[f.Stage], &e, f); err != nil {
			return w, err
		}
	}
	return w, nil
}

// lastSuccess is the newest earlier execution that succeeded in a stage; one that
// went through the whole pipeline rather than a rollback. nil: there is none.
func (c *Client) lastSuccess(ctx context.Context, e *workflows.Execution, stage string) (*workflows.Execution, error) {
	all, err := c.Executions(ctx, record.Query{Pipeline: e.Pipeline, SucceededInStage: stage, Before: e.Number, Limit: 20})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	i := slices.IndexFunc(all, func(x workflows.Execution) bool { return x.Type == workflows.TypeStandard })
	return &all[max(i, 0)], nil
}

// beside compares what failed with the last success of its stage.
func (c *Client) beside(ctx context.Context, good, bad *workflows.Execution, f *Failure) (*Success, error) {
	if good == nil {
		return nil, nil
	}
	s := &Success{Execution: good.ID, Ref: good.Ref(), EndedAt: good.EndedAt}
	if st, ok := good.Stage(f.Stage); ok {
		if a, ok := st.Action(f.Action); ok {
			s.Seconds = seconds(a)
		}
	}
	diff, err := c.Compare(ctx, good.ID, bad.ID)
	if err != nil {
		return nil, err
	}
	elsewhere := func(d compare.Difference) bool { return !strings.HasPrefix(d.Name, f.Stage+"/") }
	diff.Outcomes, diff.Durations = slices.DeleteFunc(diff.Outcomes, elsewhere), slices.DeleteFunc(diff.Durations, elsewhere)
	s.Differences = &diff
	return s, nil
}

func seconds(a *workflows.ActionExecution) float64 {
	if a.StartedAt == nil || a.EndedAt == nil {
		return 0
	}
	return a.EndedAt.Sub(*a.StartedAt).Seconds()
}

// failures are the actions and rules that failed. What people did not approve
// has not failed, and a rule of onFailure only says that nothing follows.
func failures(e *workflows.Execution) []Failure {
	found := []Failure{}
	for i := range e.Stages {
		s := &e.Stages[i]
		if s.Status == workflows.StatusSucceeded || s.Status == workflows.StatusSkipped || s.Status == workflows.StatusNotStarted {
			continue
		}
		for _, a := range s.AllActions() {
			failed := a.Status == workflows.StatusFailed || a.Status == workflows.StatusAbandoned
			if failed && a.Approval == nil && !strings.HasPrefix(a.Name, workflows.AfterFailed+":") {
				found = append(found, Failure{Stage: s.Name, Action: a.Name, Attempt: a.Attempt, Seconds: seconds(&a), Error: a.Error, ExternalURL: a.ExternalURL, Log: []string{}})
			}
		}
	}
	return found
}

// waits are what an execution that has not ended waits for: before a stage, for
// people, for what is tried again, else for what runs.
func waits(e *workflows.Execution, view *workflows.PipelineView) []Waiting {
	f, found := &say.Format{}, []Waiting{}
	if lost := f.Lost(view.Bridge); lost != "" {
		found = append(found, Waiting{Reason: lost, Since: view.Bridge.SeenAt, Error: view.Bridge.Error})
	}
	if w := e.WaitsFor; w != nil {
		found = append(found, Waiting{Stage: w.Stage, Reason: before(f, e, view), Since: &w.Since})
	}
	var running []Waiting
	for i := range e.Stages {
		s := &e.Stages[i]
		for _, a := range s.AllActions() {
			at := Waiting{Stage: s.Name, Action: a.Name, Since: a.StartedAt}
			switch {
			case a.Needs == workflows.NeedsApproval && a.Approval != nil:
				at.Reason, at.Since = "waiting for approval: "+f.GateNow(a.Approval)+". "+f.Approvers(a.Approval), &a.Approval.OpenedAt
				found = append(found, at)
			case a.Needs == workflows.NeedsResolve:
				at.Reason, at.Error = f.ResultUnknownOf(s.Name, &a), a.Error
				found = append(found, at)
			case a.Retrying():
				at.Reason, at.Error = f.Clean(say.ActionName(a.Name)+" in "+s.Name+": "+a.Error.Message), a.Error
				found = append(found, at)
			case a.Status == workflows.StatusInProgress:
				at.Reason = string(say.Action(&a))
				running = append(running, at)
			}
		}
	}
	if len(found) == 0 {
		found = append(found, running...)
	}
	return found
}

// before is why an execution waits before a stage: what for, and for how long that lasts.
func before(f *say.Format, e *workflows.Execution, view *workflows.PipelineView) string {
	text, why := f.Wait(e.WaitsFor), f.WaitReason(e, view)
	if e.WaitsFor.For == workflows.WaitsForStage {
		text += ": " + why
	} else {
		text = "blocked: " + f.Clean(e.WaitsFor.Stage) + " is " + why
	}
	if warning := say.Warning(f.Clean(e.WaitsFor.Warning)); warning != "" {
		text += "; " + warning
	}
	return text
}

// tailBytes is how much of the end of a log is asked for.
const tailBytes = "65536"

// tail is the end of the log of what failed.
func (c *Client) tail(ctx context.Context, id string, f *Failure, lines int) ([]string, error) {
	v := url.Values{"stage": {f.Stage}, "action": {f.Action}}
	res, err := c.sendWith(ctx, http.MethodGet, "executions/"+seg(id)+"/log?"+v.Encode(), nil, "Range", "bytes=-"+tailBytes)
	if err != nil {
		var p *workflows.Problem
		if errors.As(err, &p) && p.Code == workflows.CodeLogNotFound {
			return []string{}, nil
		}
		return []string{}, err
	}
	defer res.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(res.Body); err != nil {
		return []string{}, err
	}
	all := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	if res.StatusCode == http.StatusPartialContent && !strings.HasPrefix(res.Header.Get("Content-Range"), "bytes 0-") {
		all = all[1:] // begins somewhere within
	}
	if len(all) == 1 && all[0] == "" {
		all = nil
	}
	return append([]string{}, all[max(0, len(all)-lines):]...), nil
}
