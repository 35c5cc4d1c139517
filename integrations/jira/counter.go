package jira

import (
	"context"
	"fmt"
	"net/http"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// show brings the ticket up to date in Jira: the link with the issue that it
// follows, and the comment that counts. j is the newest failure. What Jira refuses
// is logged; the ticket stands without it.
func (t *Tickets) show(ctx context.Context, r *ticket, g *group, j *job) error {
	if r.Previous != "" && !r.Linked {
		ok, err := t.jira.linkIssues(ctx, r.Issue, r.Previous)
		if err != nil && !goWithout(j, err) {
			return err
		}
		if err != nil || !ok {
			t.Log.With(j.about()...).Warn("a ticket could not be linked with the one that it follows", "ticket", r.Issue, "previous", r.Previous, "error", err)
		}
		r.Linked = true
		if err := t.save(ctx, r); err != nil {
			return err
		}
	}
	if r.Times <= 1 || r.Shown == r.Times {
		return nil
	}
	if err := t.showCount(ctx, r, g, j); err != nil {
		return err
	}
	r.Shown, r.Commenting, r.Doing = r.Times, r.Comment == "", "" // one without an ID is looked for
	return t.save(ctx, r)
}

// showCount writes the comment that counts: in place of what it said, or, where there
// is none yet, as a new one, which is looked for first when an earlier try may have
// made it.
func (t *Tickets) showCount(ctx context.Context, r *ticket, g *group, j *job) error {
	text := t.countText(r, g, j)
	if j.Basic {
		text = text.Map(basic)
	}
	err := t.putCount(ctx, r, text)
	if serverFailed(err) && !unknownCall(err) {
		suspect := basic(text.Plain()) != text.Plain()
		if j.countServerFailure(suspect); !j.Reduced || j.ServerFailures < maxServerFailures {
			return err
		}
	}
	if err == nil || !lacks(err) {
		return err
	}
	short := t.countLine(r, g, j) // it may be the text of the failure
	short.Add(countFoot(r))
	if answered(err) == http.StatusBadRequest {
		err = t.putCount(ctx, r, short)
	}
	if lacks(err) && r.Comment != "" { // or that it is to be edited
		r.Comment, r.Commenting = "", false
		err = t.putCount(ctx, r, short)
	}
	if err != nil && !lacks(err) {
		return err
	}
	if err != nil {
		t.Log.With(j.about()...).Warn("Jira refused the comment that counts", "ticket", r.Issue, "error", err)
	}
	return nil
}

// putCount edits the comment, or makes it.
func (t *Tickets) putCount(ctx context.Context, r *ticket, text *markup.Doc) error {
	if r.Comment == "" && r.Commenting {
		id, err := t.jira.findComment(ctx, r.Issue, countFoot(r))
		if err != nil && (!lacks(err) || serverFailed(err) && !unknownCall(err)) {
			return err
		}
		r.Comment = id
	}
	if r.Comment != "" {
		err := t.jira.editComment(ctx, r.Issue, r.Comment, text)
		if !unknownCall(err) && answered(err) != http.StatusForbidden {
			return err
		}
		r.Comment = "" // somebody deleted it, or it is not ours to edit
	}
	r.Commenting = true
	if err := t.save(ctx, r); err != nil {
		return err
	}
	id, err := t.jira.addComment(ctx, r.Issue, text)
	r.Comment = id
	return err
}

// countFoot is the end of the comment that counts, by which it is found again.
func countFoot(r *ticket) *markup.Doc {
	var d markup.Doc
	d.Line(markup.Text("Kept up to date by rollcall. " + r.Label))
	return &d
}

// countLine says how often, and when last: "Deploy failed in Production 12 times,
// last seen 2026-03-01 12:00 UTC in webshop#47 (attempt 1)."
func (t *Tickets) countLine(r *ticket, g *group, j *job) *markup.Doc {
	var d markup.Doc
	what := format().FailedIn(j.Action, j.Stage)
	if r.isFlood(g.pipeline.Name) {
		what = "Counted here:"
	}
	d.Line(markup.Bold(fmt.Sprintf("%s %d times", what, r.Times)), markup.Text(", last seen "+moment(r.Last)+" in "), t.ref(j.execution), markup.Text(fmt.Sprintf(" (attempt %d).", max(j.Attempt, 1))))
	return &d
}

// countText is the comment that counts, with what is known of the newest failure.
func (t *Tickets) countText(r *ticket, g *group, j *job) *markup.Doc {
	d := t.countLine(r, g, j)
	d.Fact("First seen", markup.Text(moment(r.First)))
	d.Fact("Error", cause(j.Reason))
	addFinding(d, j.Reason.Finding, true)
	addCircumstances(d, j)
	for _, s := range j.execution.SourceRevisions {
		d.Fact("Revision", revision(s)...)
	}
	if n := t.next(j); n != nil {
		d.Fact("What happened next", n...)
	}
	if len(r.Recent) > 1 {
		d.Fact("Executions", t.recent(r, g)...)
	}
	if r.Reopening == j.ID {
		d.Line(markup.Text("The ticket was closed, and is open again because of this."))
	}
	if r.Between {
		d.Line(markup.Text("It had succeeded in between."))
	}
	d.Add(countFoot(r))
	return d
}

// recent names the newest executions, newest first.
func (t *Tickets) recent(r *ticket, g *group) (line markup.Line) {
	for i := len(r.Recent) - 1; i >= 0; i-- {
		s := r.Recent[i]
		if len(line) > 0 {
			line = append(line, markup.Text(", "))
		}
		line = append(line, t.ref(&workflows.Execution{ID: s.Execution, Number: s.Number, Pipeline: g.pipeline.Name}))
	}
	if more := r.Times - len(r.Recent); more > 0 && len(r.Recent) == mostRecent {
		line = append(line, markup.Text(fmt.Sprintf(" and %s before", words.Count(more, "failure"))))
	}
	return line
}
