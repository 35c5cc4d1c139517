package jira

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// mostCommits is how many commits a description lists.
const mostCommits = 10

// page is an execution, and where it can be looked at.
type page struct{ ref, url string }

// page is empty where there are no links.
func (a *Approvals) page(ref, id string) page {
	if a.PublicURL == "" {
		return page{}
	}
	return page{ref, a.PublicURL + "/executions/" + id}
}

// remark has the issue commented; id says what it is about, and makes it like no other. An empty text is none.
func (g *asked) remark(id, text string, about page) {
	if text == "" {
		return
	}
	sum := sha256.Sum256([]byte(g.Token + " " + id))
	first, rest, _ := strings.Cut(text, "\n")
	g.Remarks = append(g.Remarks, remark{Text: strings.TrimSuffix(fmt.Sprintf("%s (%s)\n%s", first, hex.EncodeToString(sum[:4]), rest), "\n"), Ref: about.ref, Link: about.url})
}

// doc is the comment.
func (r *remark) doc() *markup.Doc {
	d := &markup.Doc{}
	for line := range strings.SplitSeq(r.Text, "\n") {
		d.Line(markup.Text(line))
	}
	if r.Link != "" {
		d.Line(markup.Link(r.Ref, r.Link))
	}
	return d
}

func plain(s string, most int) string { return words.Cut(clean.Line(s), most) }

// sentences is how texts in an issue are written.
func (a *Approvals) sentences() *say.Format {
	return &say.Format{Text: func(s string) string { return plain(s, 500) }}
}

func (a *Approvals) summary(g *asked) string {
	verb := "Approve "
	if g.Jira.Change {
		verb = "Change: "
	}
	return plain(verb+g.Ref+" into "+g.Stage, 250)
}

// description is what a new issue says.
func (a *Approvals) description(ctx context.Context, g *asked) *markup.Doc {
	d := &markup.Doc{}
	fact := func(name, text string) {
		if text != "" {
			d.Fact(name, markup.Text(text))
		}
	}
	o := g.open
	d.Fact("Execution", markup.Link(g.Ref, a.page(g.Ref, g.Execution).url))
	fact("Stage", plain(g.Stage, 200)+" ("+plain(g.Action, 200)+")")
	fact("Started by", plain(o.StartedBy.By.Called(), 200))
	fact("Asked for", plain(o.Approval.Text, 2000))
	for i, r := range o.SourceRevisions {
		if i == mostCommits {
			break
		}
		d.Fact("Revision", revision(r)...)
	}
	fact("Approvers", strings.TrimPrefix(a.sentences().Approvers(&o.Approval), "Approvers: "))
	fact("Approvals needed", a.sentences().Quorum(&o.Approval))
	if !o.Approval.ExpiresAt.IsZero() {
		fact("Until", words.Moment(o.Approval.ExpiresAt))
	}
	if g.Jira.Change {
		a.change(ctx, d, g, fact)
	} else {
		d.Paragraph()
		d.Line(markup.Text("To approve, move this issue to "), markup.Bold(plain(g.Jira.Status, 100)), markup.Text("; to reject, to "), markup.Bold(plain(g.Jira.RejectedStatus, 100)),
			markup.Text(". Whoever moves it answers, if they are among the approvers; a comment of theirs goes with the answer."))
	}
	d.Paragraph()
	d.Line(markup.Text("Opened by rollcall. " + g.Label))
	return d
}

// change writes what those who decide about a change want to know.
func (a *Approvals) change(ctx context.Context, d *markup.Doc, g *asked, fact func(name, text string)) {
	backOut := "nothing has run there before, so there is nothing to go back to"
	var risk []string
	if view, err := a.Engine.Pipeline(ctx, workflows.EnginePrincipal(), g.Pipeline, 0); err == nil {
		if s, ok := view.Stage(g.Stage); ok {
			if s.Environment != "" {
				risk = append(risk, "changes the environment "+plain(s.Environment, 100))
			}
			if r := s.Running; r != nil {
				backOut = fmt.Sprintf("roll %s back to %s#%d, which has run there since %s", plain(g.Stage, 200), plain(g.Pipeline, 100), r.Number, words.Moment(r.Since))
				if c := r.Caveat(); c != "" {
					backOut += " (" + plain(c, 200) + ")"
				}
			}
		}
	}
	if w := g.open.Approval.Warning; w != "" {
		risk = append(risk, plain(w, 300))
	}
	if a.Commits != nil {
		risk = append(risk, a.commits(ctx, d, g))
	}
	fact("Risk", strings.Join(risk, "; "))
	fact("Back-out", backOut)
	d.Paragraph()
	d.Line(markup.Text("What is decided about this request in Jira Service Management is the answer."))
}

// commits lists what comes, and returns how much it is.
func (a *Approvals) commits(ctx context.Context, d *markup.Doc, g *asked) string {
	all, err := a.Commits(ctx, g.Execution, g.Stage)
	if err != nil {
		return "what is in it is not known"
	}
	count := words.Count(all.Total, "commit")
	if all.Why != "" {
		count += " (" + plain(all.Why, 200) + ")"
	}
	d.Fact("Commits", markup.Text(count))
	for i, c := range all.List {
		if i == mostCommits {
			d.Line(markup.Text(fmt.Sprintf("and %d more", all.Total-i)))
			break
		}
		d.Line(markup.Link(words.Revision(c.ID), c.URL), markup.Text(" "+plain(c.Summary, 200)+", "+plain(c.Author.Name, 100)))
	}
	if all.Compare != "" {
		d.Line(markup.Link("all of it", all.Compare))
	}
	return count
}

// answerText is what the issue hears of an answer that was submitted, by a move or,
// without one, by a change request; empty: nothing.
func (a *Approvals) answerText(ctx context.Context, g *asked, by workflows.Principal, verb workflows.Verb, m *move, refused *workflows.Problem) string {
	switch {
	case refused == nil:
		return a.countedText(ctx, g, by, verb)
	case !isOver(refused):
		return notCounted(g, by, m, refused)
	}
	return ""
}

// countedText says that an answer counts, where more are needed.
func (a *Approvals) countedText(ctx context.Context, g *asked, by workflows.Principal, verb workflows.Verb) string {
	if verb == workflows.Reject {
		return ""
	}
	x, err := a.Engine.Execution(ctx, workflows.EnginePrincipal(), g.Execution)
	if err != nil {
		return ""
	}
	now := approvalOf(&x, g)
	if now == nil || now.Closed != "" {
		return ""
	}
	return fmt.Sprintf("The approval of %s counts: %s.\nMove the issue back, so that somebody else can move it to “%s”.", plain(by.Called(), 100), a.sentences().Quorum(now), plain(g.Jira.Status, 100))
}

// approvalOf is the record of the gate; nil: the execution asks anew, or is gone.
func approvalOf(x *workflows.Execution, g *asked) *workflows.Approval {
	st, ok := x.Stage(g.Stage)
	if !ok {
		return nil
	}
	for i := range st.Actions {
		if r := st.Actions[i].Approval; r != nil && r.Token == g.Token {
			return r
		}
	}
	return nil
}

// notCounted says who moved the issue, and why that is no answer. Without a move
// it is about a change request.
func notCounted(g *asked, by workflows.Principal, m *move, p *workflows.Problem) string {
	what := "The decision about " + g.Issue
	if m != nil {
		what = fmt.Sprintf("The move to “%s” by %s at %s", plain(m.To, 100), plain(by.Called(), 100), words.Moment(m.At))
	}
	return what + " does not count: " + whyNot(by, p) + "."
}

// whyNot says to others why somebody's answer was refused.
func whyNot(by workflows.Principal, p *workflows.Problem) string {
	name := plain(by.Called(), 100)
	if _, machine := by.Machine(); by.Stranger == "bot" {
		return "automations and apps do not answer for people"
	} else if !machine && by.Email == "" {
		return name + " is not known to rollcall; an admin can add the account (" + plain(strings.TrimPrefix(by.ID, "jira:"), 100) + ") to `people` in its configuration"
	}
	switch p.Code {
	case workflows.CodeNotAnApprover, workflows.CodeAccessDenied:
		return name + " is not among the approvers"
	case workflows.CodeSelfApproval:
		return "people do not approve what they started or changed themselves"
	case workflows.CodeConflict:
		return name + " has answered already, and an answer cannot be changed"
	case workflows.CodeValidation:
		return "a comment is required; comment the issue, then move it again"
	}
	return plain(strings.TrimSuffix(p.Message, "."), 500)
}

// closedText says what became of the gate.
func (a *Approvals) closedText(g *asked, x *workflows.Execution) string {
	ref, stage := plain(g.Ref, 200), plain(g.Stage, 200)
	now := approvalOf(x, g)
	if now == nil || now.Closed == "" {
		return fmt.Sprintf("%s does not wait for approval in %s any more.\nMoving this issue has no effect now; if it comes to the stage again, approval is requested again.", ref, stage)
	}
	text := strings.TrimSuffix(a.sentences().Decision(now, true), ".")
	switch now.Closed {
	case "approved", "overridden", "rejected":
		return fmt.Sprintf("%s in %s: %s.\nMoving this issue has no effect now.", ref, stage, text)
	case "expired":
		return fmt.Sprintf("%s in %s: nobody decided before %s, so it is not approved.\nMoving this issue has no effect now.", ref, stage, words.Moment(now.ExpiresAt))
	}
	why := "it has left the stage; if it comes there again, approval is requested again"
	switch {
	case x.Status == workflows.StatusSuperseded:
		why = "a newer execution has taken its place"
	case x.Stop != nil:
		why = words.Because("it was stopped by "+plain(x.Stop.By.Called(), 100), plain(x.Stop.Reason, 300))
	}
	return fmt.Sprintf("%s does not wait for approval in %s any more: %s.\nMoving this issue has no effect now.", ref, stage, why)
}

// outcomeText says how a change has ended.
func (a *Approvals) outcomeText(g *asked, x *workflows.Execution) string {
	ref, stage := plain(g.Ref, 200), plain(g.Lands, 200)
	switch g.Outcome {
	case deployedChange:
		return fmt.Sprintf("Deployed: %s has succeeded in %s.", ref, stage)
	case failedChange:
		text := fmt.Sprintf("Failed: %s has failed in %s", ref, stage)
		if r := x.StatusReason; r != nil && r.Message != "" {
			text += ": " + plain(r.Message, 500)
		}
		return strings.TrimSuffix(text, ".") + "."
	}
	return fmt.Sprintf("Not deployed: %s was not carried out in %s.", ref, stage)
}

// rollbackText says that a change was undone.
func (a *Approvals) rollbackText(g *asked, back *workflows.Execution) string {
	how := "by " + plain(back.Trigger.By.Called(), 100)
	if back.Trigger.Type == workflows.TriggerAutomated {
		how = "automatically"
	}
	return fmt.Sprintf("Rolled back: %s was rolled back %s to %s#%d by %s.", plain(g.Lands, 200), how, plain(g.Pipeline, 100), back.Rollback.TargetNumber, plain(back.Ref(), 200))
}
