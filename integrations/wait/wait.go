// Package wait runs actions of the provider Wait: they start no process
// and touch nothing outside. A pipeline is tried out, tested and measured with
// them.
//
// An action waits for `seconds` (a decimal number, 0 when absent), then ends as
// `outcome` says: succeed (the default) or fail. `outputVariables` gives what
// it leaves behind, as NAME=VALUE pairs separated by commas, or as a JSON
// object of strings. Output artifacts have the content of the first input
// artifact, or none.
package wait

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Provider is the provider's name in a pipeline file.
const Provider = "Wait"

// longest is the longest wait, a year: longer ones are a slip of the pen.
const longest = 365 * 24 * time.Hour

// Runner runs Wait actions. It keeps nothing: when the wait ends is in
// the handle, so a restart changes nothing.
type Runner struct {
	now func() time.Time
}

// New returns a runner that reads the time from now; nil: the machine's clock.
func New(now func() time.Time) *Runner {
	if now == nil {
		now = time.Now
	}
	return &Runner{now: now}
}

// Start begins the wait, or ends the action when there is nothing to wait for
// or the configuration is wrong.
func (r *Runner) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	plan, err := read(t)
	if err != nil {
		return failed(t, "ConfigurationInvalid", err.Error()), nil
	}
	if plan.wait == 0 {
		return plan.end(t, w)
	}
	until := r.now().Add(plan.wait)
	return work.Outcome{Task: t.ID, State: work.Running, Handle: until.UTC().Format(time.RFC3339Nano), PollAfter: plan.wait}, nil
}

// Poll ends the action once its time has come. The handle says when.
func (r *Runner) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	plan, err := read(t)
	if err != nil {
		return failed(t, "ConfigurationInvalid", err.Error()), nil
	}
	until, err := time.Parse(time.RFC3339Nano, t.Handle)
	if err != nil {
		return failed(t, "ActionFailed", fmt.Sprintf("the handle %q says no time to wait for", t.Handle)), nil
	}
	if left := until.Sub(r.now()); left > 0 {
		return work.Outcome{Task: t.ID, State: work.Running, Handle: t.Handle, PollAfter: left}, nil
	}
	return plan.end(t, w)
}

// Cancel ends the wait; there is nothing outside that could go on.
func (r *Runner) Cancel(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Cancelled}, nil
}

// Find answers that a start whose answer was lost did not happen: a wait
// leaves no trace, so it can always begin again.
func (r *Runner) Find(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, bool, error) {
	return work.Outcome{}, false, nil
}

// Inline says that a call for the task reads and writes nothing: unless an empty
// artifact has to be packed, all of it stands in the task.
func (r *Runner) Inline(t work.Task) bool {
	return len(t.Action.OutputArtifacts) == 0 || len(t.Inputs) > 0
}

// plan is a Wait action's configuration, read.
type plan struct {
	wait    time.Duration
	fail    bool
	outputs map[string]string
}

func read(t work.Task) (plan, error) {
	var p plan
	if text := strings.TrimSpace(t.Configuration["seconds"]); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds >= 0 && seconds <= longest.Seconds()) {
			return p, fmt.Errorf("seconds is %q; give a number from 0 to %.0f", text, longest.Seconds())
		}
		p.wait = time.Duration(seconds * float64(time.Second))
	}
	switch t.Configuration["outcome"] {
	case "", "succeed":
	case "fail":
		p.fail = true
	default:
		return p, fmt.Errorf("outcome is %q; give succeed or fail", t.Configuration["outcome"])
	}
	var err error
	p.outputs, err = pairs(t.Configuration["outputVariables"])
	return p, err
}

// pairs reads NAME=VALUE pairs, or a JSON object of strings.
func pairs(text string) (map[string]string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	out := map[string]string{}
	if strings.HasPrefix(text, "{") {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			return nil, fmt.Errorf("outputVariables is no JSON object of strings: %w", err)
		}
		return out, nil
	}
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("outputVariables holds %q; give NAME=VALUE pairs separated by commas", pair)
		}
		out[name] = value
	}
	return out, nil
}

func (p plan) end(t work.Task, w work.Workspace) (work.Outcome, error) {
	if p.fail {
		return failed(t, "ActionFailed", "the wait is over, and its outcome is set to fail"), nil
	}
	artifacts, err := writeOutputs(t, w)
	if wire.TransientIO(err) {
		return work.Outcome{}, err
	}
	if err != nil {
		return failed(t, "ActionFailed", err.Error()), nil
	}
	return work.Outcome{Task: t.ID, State: work.Succeeded, Outputs: p.outputs, Artifacts: artifacts}, nil
}

// writeOutputs hands the first input artifact on under the names of the outputs.
func writeOutputs(t work.Task, w work.Workspace) ([]workflows.Artifact, error) {
	var out []workflows.Artifact
	for _, o := range t.Action.OutputArtifacts {
		if len(t.Inputs) > 0 {
			a := t.Inputs[0]
			a.Name = o.Name
			out = append(out, a)
			continue
		}
		empty := filepath.Join(w.Dir(), "empty")
		if err := os.MkdirAll(empty, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder for output artifact %q: %w", o.Name, err)
		}
		a, err := w.Pack(o.Name, empty, nil)
		if err != nil {
			return nil, fmt.Errorf("store output artifact %q: %w", o.Name, err)
		}
		out = append(out, a)
	}
	return out, nil
}

func failed(t work.Task, code, message string) work.Outcome {
	return work.Outcome{Task: t.ID, State: work.Failed, Error: &workflows.Reason{Code: code, Message: message}}
}
