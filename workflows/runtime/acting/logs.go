package acting

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/rule"
)

// tailBytes is how much of a log's end is read for its last lines.
const tailBytes = 64 << 10

// LastLines returns the last lines of a log, at most so many, cleaned of what
// would steer a terminal.
func LastLines(log io.ReadSeeker, lines int) ([]string, error) {
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
		last = append(last, clean.Text(scan.Text()))
		if len(last) > lines {
			last = last[1:]
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read the log's end: %w", err)
	}
	return last, nil
}

// Attempt names one attempt of an action.
type Attempt struct {
	Stage, Action string
	Attempt       int
}

// FindLog says which attempt's log is meant; attempt 0 is the latest. Without a
// stage the action is searched in all of them; without an action it is the one
// that failed, runs, or ran last. The error is a *workflows.Problem.
func FindLog(x *workflows.Execution, stage, action string, attempt int) (at Attempt, err error) {
	best := 0
	for _, st := range x.Stages {
		if stage != "" && st.Name != stage {
			continue
		}
		for _, a := range st.AllActions() {
			if action != "" && a.Name != action {
				continue
			}
			if rank := logRank(a, action); rank >= best {
				best, at = rank, Attempt{Stage: st.Name, Action: a.Name, Attempt: max(a.Attempt, 1)}
			}
		}
	}
	if at.Action == "" {
		what := strings.Trim(stage+"/"+action, "/")
		return at, &workflows.Problem{Code: workflows.CodeActionNotFound, Message: fmt.Sprintf("%s has no action %q", x.Ref(), clean.Cut(what)), Hint: "look at the execution for the names of its actions"}
	}
	if attempt > at.Attempt || attempt < 0 {
		return at, &workflows.Problem{Code: workflows.CodeValidation, Field: "attempt", Message: fmt.Sprintf("%s has no attempt %d; the latest is %d", at.Action, attempt, at.Attempt), Hint: "leave the attempt out for the latest"}
	}
	if attempt > 0 {
		at.Attempt = attempt
	}
	return at, nil
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
