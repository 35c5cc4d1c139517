package runtime

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	leavesWithin = 700 * time.Millisecond // for pull requests and issues of all targets, while somebody chooses
	mostAsked    = 100                    // commits of a target about which pull requests and issues are asked for
	mostLeaving  = 10                     // pull requests, and issues, that are listed of a target
)

// Targets returns the executions that a stage could be rolled back to, and why
// not where it could not, newest first.
func (e *Engine) Targets(ctx context.Context, viewer workflows.Principal, pipeline, stage string) ([]ledger.Target, error) {
	if _, err := e.checkViewer(ctx, viewer, pipeline); err != nil {
		return nil, err
	}
	rows, err := e.o.History.Executions(ctx, record.Query{Pipeline: pipeline, SucceededInStage: stage, Limit: 20})
	if err != nil {
		return nil, e.unreadable(err, "what succeeded in "+stage)
	}
	var targets []ledger.Target
	var inForce *workflows.Pipeline
	var inUse map[int]*workflows.Pipeline
	err = e.read(ctx, pipeline, func(s *machine.State) error {
		if err := hasStage(s, stage); err != nil {
			return err
		}
		inForce, inUse = s.Definitions[s.Version], maps.Clone(s.Definitions)
		for i := range rows {
			if x, ok := s.Execution(rows[i].ID); ok {
				rows[i] = x
			}
		}
		targets = s.Targets(stage, rows)
		return nil
	})
	if err == nil {
		err = e.withoutArtifacts(ctx, targets, rows, stage, inUse)
	}
	if targets == nil {
		targets = []ledger.Target{}
	}
	if err == nil {
		e.leaving(ctx, targets, e.ranges.Compare(ctx, inForce, targets))
	}
	return targets, err
}

// leaving adds to targets which pull requests and issues a rollback to them takes
// out of the stage, and what is marked as unsafe to go back past. What is not
// known in time is being looked up, and there when somebody looks next.
func (e *Engine) leaving(ctx context.Context, targets []ledger.Target, between map[string][]inbound.Stretch) {
	ctx, cancel := context.WithTimeout(ctx, leavesWithin)
	defer cancel()
	for i := range targets {
		t := &targets[i]
		for _, s := range between[t.Execution] {
			pulls := map[string]*work.Pull{}
			if len(s.Lost) > 0 && len(s.Lost) <= mostAsked {
				answer := e.contents.Of(ctx, questionOf(t.SourceRevisions, s.Range, work.Changes{Lost: s.Lost}))
				pulls = answer.Pulls
				leaves(t, s.Lost, pulls, answer.Issues)
			}
			t.Unsafe = append(t.Unsafe, changes.Unsafe(pulls, s.Changes)...)
		}
	}
}

// leaves notes of a target the pull requests and the issues of commits that would
// be undone, each once, in the order of the commits.
func leaves(t *ledger.Target, lost []work.Commit, pulls map[string]*work.Pull, issues []work.Issue) {
	seen := map[int]bool{}
	for _, c := range lost {
		if p := pulls[c.ID]; p != nil && !seen[p.Number] && len(t.Pulls) < mostLeaving {
			seen[p.Number] = true
			t.Pulls = append(t.Pulls, ledger.Leaving{Text: strings.TrimSpace("#" + strconv.Itoa(p.Number) + " " + p.Title), URL: p.URL})
		}
	}
	for _, issue := range issues[:min(len(issues), mostLeaving)] {
		t.Issues = append(t.Issues, ledger.Leaving{Text: strings.TrimSpace(issue.Key + " " + issue.Summary), URL: issue.URL})
	}
}
