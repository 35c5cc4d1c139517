package jira

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// newIssue is a ticket to be.
type newIssue struct {
	fields      map[string]any // but the description
	description *markup.Doc
}

// hasLabels says whether the ticket can be found by its label.
func (d *newIssue) hasLabels() bool { return d.fields["labels"] != nil }

// needsBasic says whether there is something in it that an old database cannot store.
func (d *newIssue) needsBasic() bool {
	text := fmt.Sprint(d.fields["summary"]) + d.description.Plain()
	return basic(text) != text
}

// optional are the names of the fields that a ticket can go without.
func (d *newIssue) optional() []string {
	names := slices.Sorted(maps.Keys(d.fields))
	return slices.DeleteFunc(names, func(f string) bool { return f == "project" || f == "issuetype" || f == "summary" })
}

// compose writes the group's ticket. What Jira refused of an earlier form of it is
// left out. The error is that Jira is away.
func (t *Tickets) compose(ctx context.Context, r *ticket, g *group) (*newIssue, error) {
	form, k := g.jobs[0], g.pipeline.Ticket
	if k == nil {
		k = &workflows.Ticket{}
	}
	// Before anything says that a ticket may have been made.
	if _, err := t.jira.isCloud(ctx); err != nil {
		return nil, err
	}
	project, issueType := or(k.Project, t.Project), or(k.IssueType, t.IssueType)
	d := &newIssue{fields: map[string]any{"labels": labels(r, k)}}
	more, err := t.moreFields(ctx, project, issueType, k.Fields)
	if err != nil {
		return nil, err
	}
	maps.Copy(d.fields, more)
	if len(k.Components) > 0 {
		d.fields["components"] = named(k.Components)
	}
	if k.Priority != "" {
		d.fields["priority"] = map[string]string{"name": k.Priority}
	}
	maps.DeleteFunc(d.fields, func(name string, _ any) bool {
		return form.Reduced && slices.Contains(form.Without, name)
	})
	summary := headline(g.lead())
	if r.isFlood(g.pipeline.Name) {
		summary = fmt.Sprintf("%s: failures of more than %s an hour", g.pipeline.Name, words.Count(maxPerHour(g.pipeline), "kind"))
	}
	d.fields["project"], d.fields["issuetype"] = map[string]string{"key": project}, map[string]string{"name": issueType}
	d.fields["summary"] = words.Cut(clean.Line(summary), maxSummary)
	if d.description = t.describe(ctx, r, g); size(d.description) > maxDescription {
		form.Minimal = true
		d.description = t.describe(ctx, r, g)
	}
	if r.isFlood(g.pipeline.Name) {
		d.description = t.describeFlood(r, g)
	}
	if form.Basic {
		d.fields["summary"], d.description = basic(fmt.Sprint(d.fields["summary"])), d.description.Map(basic)
	}
	return d, nil
}

// labels are those of a new ticket; Jira's hold no spaces.
func labels(r *ticket, k *workflows.Ticket) []string {
	all := []string{"rollcall", r.Label}
	for _, l := range k.Labels {
		all = append(all, strings.Join(strings.Fields(l), "-"))
	}
	return all
}

func named(names []string) []map[string]string {
	var all []map[string]string
	for _, n := range names {
		all = append(all, map[string]string{"name": n})
	}
	return all
}

// describeFlood writes the ticket that says that there are no more of their own.
func (t *Tickets) describeFlood(r *ticket, g *group) *markup.Doc {
	var d markup.Doc
	d.Line(markup.Text(fmt.Sprintf("%s had %s within an hour, the most that ticket.maxPerHour allows. Failures of further kinds get no ticket of their own for now and are counted here; the first is below.",
		g.pipeline.Name, words.Count(maxPerHour(g.pipeline), "new ticket"))))
	d.Paragraph()
	for _, j := range g.jobs[:min(len(g.jobs), mostRecent)] {
		d.Fact("Failure", t.ref(j.execution), markup.Text(": "+format().FailedIn(j.Action, j.Stage)+": "), cause(j.Reason))
	}
	d.Paragraph()
	d.Line(markup.Text("Opened by rollcall. " + r.Label))
	return &d
}

// lookFor is how long a ticket waits for what is in the change.
const lookFor = 5 * time.Second

// mostPulls is how many pull requests a ticket names.
const mostPulls = 10

// addChanges writes between which commits the fault must lie: from what worked in
// the stage last to the first that failed, with their page and pull requests.
func (t *Tickets) addChanges(ctx context.Context, d *markup.Doc, j *job) {
	st, ok := j.execution.Stage(j.Stage)
	if !ok || st.From == "" || j.execution.Rollback != nil {
		return
	}
	looking, end := context.WithTimeout(ctx, lookFor)
	defer end()
	good, err := t.Reader.Execution(looking, workflows.EnginePrincipal(), st.From)
	if err != nil {
		return // it has been removed
	}
	d.Fact("Worked last", t.ref(&good))
	set, err := t.Reader.Changes(looking, workflows.EnginePrincipal(), j.execution.ID, j.Stage)
	if err != nil || set.From == nil {
		return
	}
	count := words.Count(set.Total, "commit")
	if !set.Complete {
		count = "at least " + count
	}
	d.Fact("First bad range", markup.Link(words.Revision(*set.From)+".."+words.Revision(set.To), set.CompareURL), markup.Text(", "+count))
	addPulls(d, &set)
}

func addPulls(d *markup.Doc, set *changes.Set) {
	seen := map[string]bool{}
	for _, c := range set.Commits {
		if p := c.Pull; p != nil && !seen[p.URL] && len(seen) < mostPulls {
			seen[p.URL] = true
			d.Fact("Pull request", markup.Link(fmt.Sprintf("#%d", p.Number), p.URL), markup.Text(" "+words.Cut(clean.Line(p.Title), 300)))
		}
	}
}
