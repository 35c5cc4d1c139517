package runtime

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/rule"
)

// tailBytes is how much of a log's end is looked at for its last lines.
const tailBytes = 64 << 10

// Log opens the log of an action; attempt 0 is the latest. Without a stage the
// action is looked for in all of them; without an action it is the one that
// failed, runs, or ran last. The viewer needs the right logs. An action without
// a log has an empty one. The caller closes it.
func (e *Engine) Log(ctx context.Context, viewer workflows.Principal, ref, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	j := e.judge(viewer)
	x, err := e.find(ctx, j, ref)
	if err != nil {
		return nil, err
	}
	at, err := logOf(&x, stage, action, attempt)
	if err != nil {
		return nil, err
	}
	verdict, err := j.may(ctx, workflows.Logs, access.Resource{Pipeline: x.Pipeline, Stage: at.stage})
	if err != nil {
		return nil, err
	}
	if !verdict.Allowed {
		return nil, denied(verdict)
	}
	return e.o.Blobs.OpenLog(x.ID, at.stage, at.action, at.attempt)
}

// Tail returns the last lines of an action's log, at most so many, for those
// who tell of a failure. It checks no rights.
func (e *Engine) Tail(ctx context.Context, ref, stage, action string, attempt, lines int) ([]string, error) {
	log, err := e.Log(ctx, workflows.EnginePrincipal(), ref, stage, action, attempt)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read the log's end: %w", err)
	}
	from := max(size-tailBytes, 0)
	if _, err := log.Seek(from, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the log's end: %w", err)
	}
	return lastLines(io.LimitReader(log, tailBytes), from > 0, lines)
}

// lastLines reads to the end. A first line that is cut off is left out.
func lastLines(r io.Reader, cutOff bool, lines int) ([]string, error) {
	var last []string
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, tailBytes+1)
	for scan.Scan() {
		if cutOff {
			cutOff = false
			continue
		}
		last = append(last, strings.ToValidUTF8(strings.TrimRight(scan.Text(), "\r"), "�"))
		if len(last) > lines {
			last = last[1:]
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read the log's end: %w", err)
	}
	return last, nil
}

type logPlace struct {
	stage, action string
	attempt       int
}

// logOf finds the attempt that is meant.
func logOf(x *workflows.Execution, stage, action string, attempt int) (at logPlace, err error) {
	best := 0
	for _, st := range x.Stages {
		if stage != "" && st.Name != stage {
			continue
		}
		for _, a := range everyAction(st) {
			if action != "" && a.Name != action {
				continue
			}
			if rank := logRank(a, action); rank >= best {
				best, at = rank, logPlace{stage: st.Name, action: a.Name, attempt: max(a.Attempt, 1)}
			}
		}
	}
	if at.action == "" {
		what := strings.Trim(stage+"/"+action, "/")
		return at, &workflows.Problem{Code: workflows.CodeActionNotFound, Message: fmt.Sprintf("%s has no action %q", x.Ref(), cut(what)), Hint: "look at the execution for the names of its actions"}
	}
	if attempt > at.attempt || attempt < 0 {
		return at, &workflows.Problem{Code: workflows.CodeValidation, Field: "attempt", Message: fmt.Sprintf("%s has no attempt %d; the latest is %d", at.action, attempt, at.attempt), Hint: "leave the attempt out for the latest"}
	}
	if attempt > 0 {
		at.attempt = attempt
	}
	return at, nil
}

// everyAction are the actions of a stage and the rules of its conditions, which
// are named "beforeEntry:NAME" and so on, as they come one after the other.
func everyAction(st workflows.StageExecution) []workflows.ActionExecution {
	var before, after []workflows.ActionExecution
	for _, c := range st.Conditions {
		if c.Kind == workflows.BeforeEntry {
			before = append(before, c.Rules...)
		} else {
			after = append(after, c.Rules...)
		}
	}
	return slices.Concat(before, st.Actions, after)
}

// logRank orders actions by how likely their log is wanted; of equals the later one is.
func logRank(a workflows.ActionExecution, named string) int {
	switch {
	case a.Attempt == 0 && named == "":
		return 0
	case slices.Contains([]string{"Manual", rule.VariableCheck, rule.DeploymentWindow}, a.Provider): // they write no log
		return 1
	case a.Status == workflows.StatusFailed:
		return 4
	case a.Status == workflows.StatusInProgress:
		return 3
	}
	return 2
}
