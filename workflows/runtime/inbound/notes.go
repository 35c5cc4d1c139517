package inbound

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Notes is the follower that notes on an execution, once it has entered a stage
// in which people ask what changes, what it brings there against what ran, and the
// first lines of it: a note "changes/STAGE". It is a note, because nobody should wait for a repository
// before they enter a stage.
type Notes struct {
	decider     Decider
	executions  Executions
	definitions Definitions
	ranges      *Ranges
	reviewed    *reviewedStages
}

// NewNotes returns the follower.
func NewNotes(d Decider, x Executions, p Definitions, c *Catalogue, r *Ranges) Notes {
	return Notes{d, x, p, r, &reviewedStages{catalogue: c, stages: map[string][]string{}}}
}

// Name is the owner of its position in the feed.
func (n Notes) Name() string { return "changes" }

// Concerns says whether an execution enters a stage in which people may review what comes.
func (n Notes) Concerns(f event.Frame) bool {
	n.reviewed.learn(f)
	return slices.ContainsFunc(f.Events, func(ev event.Event) bool { return n.mayNote(f.Pipeline, ev) })
}

func (n Notes) mayNote(pipeline string, ev event.Event) bool {
	return ev.Kind == event.StageEntered && n.reviewed.may(pipeline, ev.Stage)
}

// Follow notes what the executions of the batch bring into stages that they enter.
func (n Notes) Follow(ctx context.Context, batch event.Batch) (err error) {
	for _, f := range batch.Frames {
		for _, ev := range f.Events {
			if !n.mayNote(batch.Pipeline, ev) {
				continue
			}
			one := n.reviewed.load(ctx, n.definitions, batch.Pipeline)
			if one == nil && n.mayNote(batch.Pipeline, ev) {
				one = n.note(ctx, batch.Pipeline, ev.Execution, ev.Stage)
			}
			err = errors.Join(err, one)
		}
	}
	return err
}

func (n Notes) note(ctx context.Context, pipeline, execution, stage string) error {
	x, ok, err := n.executions.Current(ctx, pipeline, execution)
	if err != nil || !ok {
		return err
	}
	p, err := n.definitions.Definition(ctx, pipeline, x.Version)
	if err != nil || p == nil {
		return err
	}
	st, ok := x.Stage(stage)
	if def, known := p.Stage(stage); !ok || st.From == "" || !known || !isReviewed(def) {
		return nil
	}
	from, ok, err := n.executions.Execution(ctx, st.From)
	if err != nil || !ok {
		return err
	}
	note := workflows.Note{Name: "changes/" + stage, State: "done"}
	var texts []string
	var found []work.Changes
	ranges := work.Ranges(p, from.SourceRevisions, x.SourceRevisions)
	for _, r := range ranges {
		c, err := n.ranges.between(ctx, r)
		if err != nil {
			return fmt.Errorf("what %s brings into %s: %w", x.Ref(), stage, err)
		}
		if !c.Complete {
			note.State = "refused"
		}
		text := c.Sum(from.Number)
		if len(ranges) > 1 {
			text = r.Repository + ": " + text
		}
		texts, note.URL = append(texts, text), c.CompareURL
		found = append(found, c)
	}
	note.Detail = strings.Join(changes.Lines(found...), "\n")
	if note.Text = strings.Join(texts, "; "); note.Text == "" {
		if !sameRevisions(from.SourceRevisions, x.SourceRevisions) {
			return nil // of a source without a repository that could be compared
		}
		note.Text = fmt.Sprintf("the same revisions as #%d", from.Number)
	}
	in := workflows.Intent{Verb: workflows.Annotate, Pipeline: pipeline, Execution: x.ID, Note: &note}
	_, refused, err := n.decider.Submit(ctx, in, record.Attachment{})
	if err == nil && refused != nil {
		err = refused
	}
	return err
}

// sameRevisions says whether every source action found what it found before.
func sameRevisions(before, now []workflows.SourceRevision) bool {
	return !slices.ContainsFunc(now, func(r workflows.SourceRevision) bool {
		return !slices.ContainsFunc(before, func(b workflows.SourceRevision) bool {
			return b.ActionName == r.ActionName && b.RevisionID == r.RevisionID
		})
	})
}

// isReviewed says whether people review what comes into a stage: it is an
// environment, or they approve there.
func isReviewed(st *workflows.Stage) bool {
	return st.Environment != "" || slices.ContainsFunc(st.Actions, func(a workflows.Action) bool { return a.IsApproval() })
}
