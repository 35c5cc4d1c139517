package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/contents"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Changes returns what an execution brings into a stage, against what ran there
// when it entered, or runs there now while it has not. Without a stage it is the
// one where the execution is, or was last. What is not known is said in the answer.
func (e *Engine) Changes(ctx context.Context, viewer workflows.Principal, ref, stage string) (changes.Set, error) {
	x, err := e.find(ctx, e.judge(viewer), ref)
	if err != nil {
		return changes.Set{}, err
	}
	if stage == "" {
		stage = present(&x)
	}
	sides, err := e.sides(ctx, &x, stage)
	if err != nil {
		return changes.Set{}, err
	}
	return e.setOf(ctx, sides, waitFor)
}

// Notes are the release notes of what a stage runs: what it brought there, or,
// with since, what is new against that execution. Where nothing runs there is a
// refusal.
func (e *Engine) Notes(ctx context.Context, viewer workflows.Principal, pipeline, stage, since string) (changes.Notes, error) {
	j, err := e.checkViewer(ctx, viewer, pipeline)
	if err != nil {
		return changes.Notes{}, err
	}
	var now *workflows.Running
	err = e.read(ctx, pipeline, func(st *machine.State) error {
		view := st.View()
		if in, ok := view.Stage(stage); ok {
			now = in.Running
		}
		return hasStage(st, stage)
	})
	if err == nil && now == nil {
		err = &workflows.Problem{Code: workflows.CodeExecutionNotFound, Field: "stage", Message: "nothing has run in " + stage + " of " + pipeline + " yet", Hint: "release notes are of what a stage runs"}
	}
	if err != nil {
		return changes.Notes{}, err
	}
	x, err := e.find(ctx, j, cmp.Or(now.By, now.Execution))
	if err != nil {
		return changes.Notes{}, err
	}
	sides, err := e.sides(ctx, &x, stage)
	if p, refused := asProblem(err); since != "" && refused && p.Code == workflows.CodeExecutionNotFound {
		err = nil // what ran before has been removed, and is not asked about
	}
	title := fmt.Sprintf("%s in %s", (&workflows.Execution{Pipeline: pipeline, Number: now.Number}).Ref(), stage)
	if since != "" && err == nil {
		var old workflows.Execution
		old, err = e.sinceOf(ctx, j, pipeline, since)
		sides.From, sides.Rollback = old.SourceRevisions, false
		title += fmt.Sprintf(", since #%d", old.Number)
	}
	if err != nil {
		return changes.Notes{}, err
	}
	set, err := e.setOf(ctx, sides, waitFor)
	notes := set.Notes(title, e.o.NoteHeadings...)
	for _, r := range sides.To {
		notes.Repository = cmp.Or(notes.Repository, r.Repository)
	}
	return notes, err
}

// sinceOf finds the execution since which something is told.
func (e *Engine) sinceOf(ctx context.Context, j *judge, pipeline, ref string) (x workflows.Execution, err error) {
	_, id, err := e.resolve(ctx, pipeline, ref)
	if err != nil {
		return x, e.explainMissing(ctx, j, pipeline, ref, err)
	}
	return e.find(ctx, j, id)
}

// setOf looks up what lies between two sides. For pull requests and issues it waits
// so long; what is not known by then is said in the answer.
func (e *Engine) setOf(ctx context.Context, sides changes.Sides, within time.Duration) (changes.Set, error) {
	found := map[work.Range]work.Changes{}
	looking, end := context.WithTimeout(ctx, lookWithin)
	defer end()
	for _, r := range sides.Ranges() {
		c, err := e.ranges.Between(looking, r)
		if ctx.Err() != nil {
			return changes.Set{}, ctx.Err()
		}
		if err != nil {
			e.log.Warn("a history could not be looked up", "repository", r.Repository, "from", r.From, "to", r.To, "err", err)
			continue
		}
		found[r] = c
	}
	set := sides.Set(found)
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, r := range sides.Ranges() {
		answer := e.contents.Of(ctx, questionOf(sides.To, r, found[r]))
		set.With(answer.Pulls, answer.Issues, answer.Dropped, answer.Why)
	}
	return set, nil
}

const (
	lookWithin = 20 * time.Second // for all repositories, while somebody looks
	waitFor    = 15 * time.Second // for pull requests and issues, while somebody looks
)

// questionOf asks what more is known of the commits of a range that people are shown.
func questionOf(to []workflows.SourceRevision, r work.Range, c work.Changes) contents.Question {
	q := contents.Question{Repository: r.Repository, Commits: c.New, Dropped: c.Lost,
		Pulls: !slices.Contains([]string{"Git", "Bitbucket", "GitLab"}, r.Provider) && strings.Count(r.Repository, "/") == 1 && !strings.Contains(r.Repository, ":")}
	if c.Count == 0 { // it goes back: the branch is that of what was there before
		q.Commits, q.Dropped = c.Lost, nil
		return q
	}
	for _, s := range to {
		if s.Repository == r.Repository && s.RevisionID == r.To {
			q.Branch = s.Branch
		}
	}
	return q
}

// present is the stage where an execution is: the one it waits for, else the
// last that it has entered, else its first.
func present(x *workflows.Execution) (stage string) {
	if x.WaitsFor != nil {
		return x.WaitsFor.Stage
	}
	for i, s := range x.Stages {
		if i == 0 || entered(&s) {
			stage = s.Name
		}
	}
	return stage
}

func entered(s *workflows.StageExecution) bool {
	return s.Status != workflows.StatusNotStarted && s.Status != ""
}

// sides are what ran in a stage and what an execution brings there.
func (e *Engine) sides(ctx context.Context, x *workflows.Execution, stage string) (s changes.Sides, err error) {
	s = changes.Sides{To: x.SourceRevisions, Rollback: x.Rollback != nil}
	if s.Definition, err = e.definition(ctx, x.Pipeline, x.Version); err != nil {
		return s, e.unreadable(err, fmt.Sprintf("version %d of %s", x.Version, x.Pipeline))
	}
	in, ok := x.Stage(stage)
	if !ok {
		return s, &workflows.Problem{Code: workflows.CodeStageNotFound, Field: "stage", Message: fmt.Sprintf("%s has no stage %q", x.Ref(), clean.Cut(stage)), Hint: "name one of the execution's own stages"}
	}
	from := in.From
	if !entered(in) {
		err := e.read(ctx, x.Pipeline, func(st *machine.State) error {
			view := st.View()
			if now, ok := view.Stage(stage); ok && now.Running != nil {
				from = now.Running.Execution
			}
			return nil
		})
		if err != nil {
			return s, err
		}
	}
	if from == "" {
		return s, nil
	}
	was, ok, err := e.current(ctx, x.Pipeline, from, false)
	if err == nil && !ok {
		err = &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: fmt.Sprintf("what ran in %s before %s has been removed: it was older than executions are kept", stage, x.Ref()), Hint: "see retention.executions in the configuration"}
	}
	s.From = was.SourceRevisions
	return s, err
}
