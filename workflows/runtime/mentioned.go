package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

const (
	mostNoted  = 20          // issues that a note names
	noteWithin = time.Minute // pull requests and issues are waited for: nobody looks meanwhile
	// notedFor is how long after it entered a stage an execution that has ended still gets
	// its note: after weeks without Jira nobody asks what old ones brought.
	notedFor = 24 * time.Hour
)

// mentioned is the follower that notes on an execution, once it has entered a
// stage with an environment, which issues it brings there: a note "issues/STAGE".
// What cannot be known at that time is left out; the API knows it later.
type mentioned struct{ e *Engine }

// Name is the owner of its position in the feed.
func (m mentioned) Name() string { return "issues" }

// Concerns says whether an execution enters a stage.
func (m mentioned) Concerns(f event.Frame) bool { return slices.ContainsFunc(f.Events, entersStage) }

func entersStage(ev event.Event) bool { return ev.Kind == event.StageEntered }

// Follow notes the issues of the executions of the batch.
func (m mentioned) Follow(ctx context.Context, batch event.Batch) error {
	for _, f := range batch.Frames {
		for _, ev := range f.Events {
			if !entersStage(ev) {
				continue
			}
			if err := m.note(ctx, batch.Pipeline, &ev); err != nil {
				return fmt.Errorf("which issues come into %s: %w", ev.Stage, err)
			}
		}
	}
	return nil
}

func (m mentioned) note(ctx context.Context, pipeline string, entered *event.Event) error {
	x, ok, err := m.e.current(ctx, pipeline, entered.Execution, false)
	if err != nil || !ok || x.Status.Final() && m.e.o.Now().Sub(entered.At) > notedFor {
		return err
	}
	stage := entered.Stage
	sides, err := m.e.sides(ctx, &x, stage)
	if p, refused := asProblem(err); refused && (p.NotFound() || p.Code == workflows.CodeStageNotFound) {
		return nil // what ran before has been removed
	}
	if err != nil || sides.Definition == nil {
		return err
	}
	if st, known := sides.Definition.Stage(stage); !known || st.Environment == "" {
		return nil
	}
	set, err := m.e.setOf(ctx, sides, noteWithin)
	if err != nil || len(set.Issues) == 0 {
		return err
	}
	var keys []string
	for _, i := range set.Issues[:min(len(set.Issues), mostNoted)] {
		keys = append(keys, i.Key)
	}
	if more := len(set.Issues) - len(keys); more > 0 {
		keys = append(keys, fmt.Sprintf("and %d more", more))
	}
	note := workflows.Note{Name: "issues/" + stage, State: "done", Text: strings.Join(keys, ", ")}
	_, refused, err := pipelines(m).Submit(ctx, workflows.Intent{Verb: workflows.Annotate, Pipeline: pipeline, Execution: x.ID, Note: &note}, record.Attachment{})
	if err == nil && refused != nil {
		err = refused
	}
	return err
}
