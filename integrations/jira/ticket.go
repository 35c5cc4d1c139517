package jira

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// reportFailures sees to it that Jira knows of the group's failures, each exactly
// once, and that their executions say so. away is set when Jira was found away a
// moment ago.
func (t *Tickets) reportFailures(ctx context.Context, g *group, away error) error {
	k, err := t.loadKind(ctx, g)
	if err != nil {
		return err
	}
	if away == nil {
		away = t.bring(ctx, k, g)
	}
	for _, j := range g.jobs {
		how, known := k.resultOf(j.ID)
		if !known || away != nil && how.Refused == "" {
			if err := t.postpone(ctx, j, away); err != nil {
				return err
			}
			continue
		}
		if err := t.conclude(ctx, j, how); err != nil {
			return err
		}
	}
	return away
}

// conclude says on the execution what became of a failure.
func (t *Tickets) conclude(ctx context.Context, j *job, how result) error {
	if how.Refused != "" {
		return t.annotate(ctx, j, "refused", how.Refused, "")
	}
	return t.annotate(ctx, j, "done", how.Issue, t.jira.link(how.Issue))
}

// bring tells Jira of the failures that it does not know of, and shows what it may
// not show yet of the others.
func (t *Tickets) bring(ctx context.Context, k *kind, g *group) error {
	fresh := slices.DeleteFunc(slices.Clone(g.jobs), func(j *job) bool {
		_, known := k.resultOf(j.ID)
		return known
	})
	if len(fresh) > 0 {
		in := *g
		in.jobs = fresh
		if err := t.report(ctx, k.ticket, &in); err != nil {
			return err
		}
		// What is counted in the ticket for all the rest stands in its own memo.
		return t.reread(ctx, k, g.pipeline.Name)
	}
	for _, r := range append([]*ticket{k.ticket}, k.others...) {
		last := g.jobs[len(g.jobs)-1]
		if how, known := r.resultOf(last.ID); known && how.Issue != "" && how.Issue == r.Issue && r.State == opened {
			return t.show(ctx, r, g, last)
		}
	}
	return nil
}

// reread takes the ticket for all the rest as it is now.
func (t *Tickets) reread(ctx context.Context, k *kind, pipeline string) error {
	for i, r := range k.others {
		if r.isFlood(pipeline) {
			now, err := t.load(ctx, r.key)
			if err != nil {
				return err
			}
			k.others[i] = now
		}
	}
	return nil
}

// The note of an execution whose ticket is not made yet.
const (
	textAway    = "Jira is away, trying again"
	textLooking = "Jira has not said whether it made the ticket, looking for it"
)

// postpone says on the execution that its ticket is on its way.
func (t *Tickets) postpone(ctx context.Context, j *job, err error) error {
	var own *ownError
	if err == nil || errors.As(err, &own) || ctx.Err() != nil {
		return err
	}
	if answered(err) > 0 {
		j.LastError = err.Error()
	}
	text := textAway
	switch {
	case answered(err) == http.StatusUnauthorized:
		text = "Jira refuses our credentials (401); the ticket is made as soon as jira.token is good again"
	case kindOf(err) == wire.Fixable:
		text = err.Error() + "; it is made as soon as somebody has mended that"
	case serverFailed(err):
		text = err.Error() + "; trying again"
	case errors.Is(err, errUnknown) && j.waiting() != "":
		return nil // the note about this call is there already
	case errors.Is(err, errUnknown):
		text = textLooking
	}
	return t.annotate(ctx, j, "waiting", text, "")
}

// report opens a ticket for the failures, or adds to the open one.
func (t *Tickets) report(ctx context.Context, r *ticket, g *group) error {
	if r.State == opened {
		still, err := t.stillOpen(ctx, r)
		if err != nil {
			return err
		}
		if still {
			return t.add(ctx, r, g)
		}
	}
	if r.State == closed && !r.isFlood(g.pipeline.Name) {
		if again, err := t.reopen(ctx, r, g); err != nil || again {
			return err
		}
	}
	if r.State == creating {
		return t.resume(ctx, r, g)
	}
	label := labelOf(r.key, g.jobs[0].ID)
	if !r.isFlood(g.pipeline.Name) {
		if ok, err := t.reserve(ctx, g.pipeline, label); err != nil || !ok {
			if err == nil {
				err = t.reportFlood(ctx, g)
			}
			return err
		}
	}
	previous := r.Issue
	r.begin(label)
	if r.isFlood(g.pipeline.Name) {
		r.Previous = "" // it does not come back: it is about another hour
	}
	t.forget(ctx, previous)
	if err := t.prune(ctx, g); err != nil {
		return err
	}
	return t.create(ctx, r, g)
}

// labelOf is the label of the ticket that a failure opens.
func labelOf(key, job string) string {
	sum := sha256.Sum256([]byte(key + " " + job))
	return "rollcall-" + hex.EncodeToString(sum[:8])
}

// resume goes on where a create was under way.
func (t *Tickets) resume(ctx context.Context, r *ticket, g *group) error {
	issue, err := t.lookUp(ctx, r)
	if err != nil {
		return err
	}
	if issue == "" {
		return t.create(ctx, r, g)
	}
	return t.adopt(ctx, r, g, issue)
}

// errUnknown says that a create may have happened.
var errUnknown = errors.New("it is not known yet whether Jira made the ticket")

// lookUp finds the ticket of a create whose outcome was not learnt. It answers
// "none" only when that proves something.
func (t *Tickets) lookUp(ctx context.Context, r *ticket) (string, error) {
	jql := fmt.Sprintf("labels = %q", r.Label)
	if r.Plain {
		jql = fmt.Sprintf("description ~ %q", r.Label)
	}
	issue, err := t.jira.find(ctx, jql)
	if err != nil && !final(err) && !unknownCall(err) {
		return "", err
	}
	if err != nil {
		t.Log.Warn("Jira cannot be searched, so a ticket may come twice after a crash", "label", r.Label, "error", err)
	}
	if issue == "" && t.Now().Before(r.Until) {
		return "", fmt.Errorf("%w: %s", errUnknown, r.Label)
	}
	return issue, nil
}

// create opens the ticket; the marker is durable before the call. What Jira
// refuses, or fails at again and again without being away, it gets once more
// without what it may not take; its second refusal is final.
func (t *Tickets) create(ctx context.Context, r *ticket, g *group) error {
	form := g.jobs[0] // remembers what was tried
	for {
		if form.Reduced && form.ServerFailures >= maxServerFailures {
			return t.giveUp(ctx, r, g, form.LastError)
		}
		d, err := t.compose(ctx, r, g)
		if err != nil {
			return err
		}
		r.Doing, r.Until, r.Plain = form.ID, t.Now().Add(lagAfterLost), !d.hasLabels()
		if err := t.save(ctx, r); err != nil {
			return err
		}
		issue, err := t.jira.create(ctx, d.fields, d.description, form.Reduced)
		if err == nil {
			return t.adopt(ctx, r, g, issue)
		}
		if again, err := t.createFailed(ctx, r, g, d, err); err != nil || !again {
			return err
		}
	}
}

// createFailed decides what follows a create that Jira did not carry out, or of
// which it is not known. True: it is tried again at once in another form.
func (t *Tickets) createFailed(ctx context.Context, r *ticket, g *group, d *newIssue, err error) (again bool, _ error) {
	form := g.jobs[0]
	log := t.Log.With(form.about()...)
	switch kind := kindOf(err); {
	case kind == wire.Transient:
		if serverFailed(err) && t.jira.works(ctx) {
			form.countServerFailure(d.needsBasic(), d.optional()...)
		}
		r.Until = t.Now().Add(searchLag(err))
		if saved := t.save(ctx, r); saved != nil {
			return false, saved
		}
		return false, err
	case (answered(err) == http.StatusBadRequest || kind == wire.Permanent) && !form.Reduced:
		log.Warn("Jira refused a ticket, trying without optional fields", "error", err)
		form.reduce(d, err)
		return true, nil
	case kind == wire.Permanent:
		log.Warn("Jira refused a ticket", "error", err)
		return false, t.giveUp(ctx, r, g, err.Error())
	}
	if form.Reduced && len(form.Without) > 0 && answered(err) == http.StatusBadRequest {
		err = &refusal{status: http.StatusBadRequest, says: form.LastError + "; without it: " + err.Error(), fields: []string{"project"}}
	}
	form.Denied++
	form.Reduced, form.Minimal, form.Basic, form.Without = false, false, false, nil // it is tried whole once that is mended
	if saved := t.clearCreate(ctx, r, g); saved != nil {
		return false, saved
	}
	return false, err
}

// giveUp notes that the failures have no ticket, and why.
func (t *Tickets) giveUp(ctx context.Context, r *ticket, g *group, why string) error {
	var all []result
	for _, j := range g.jobs {
		all = append(all, result{Job: j.ID, Refused: why})
	}
	r.finish(all...)
	return t.clearCreate(ctx, r, g)
}

// clearCreate notes that no create is under way.
func (t *Tickets) clearCreate(ctx context.Context, r *ticket, g *group) error {
	if err := t.release(ctx, g.pipeline.Name, r.Label); err != nil {
		return err
	}
	*r = ticket{key: r.key, Print: r.Print, Issue: r.Previous, State: closed, Last: t.Now(), Done: r.Done}
	return t.save(ctx, r)
}

// searchLag is how long not finding the ticket proves nothing, after this error of a create.
func searchLag(err error) time.Duration {
	status := answered(err)
	switch {
	case wire.NotSent(err), status > 0 && status < 500:
		return 0
	case status == http.StatusServiceUnavailable:
		return lagAfterUnavailable
	}
	return lagAfterLost
}

// adopt notes the ticket that was made, and counts the failures in it.
func (t *Tickets) adopt(ctx context.Context, r *ticket, g *group, issue string) error {
	r.State, r.Issue, r.Until = opened, issue, time.Time{}
	if made := r.Doing; !slices.ContainsFunc(g.jobs, func(j *job) bool { return j.ID == made }) && strings.HasPrefix(made, failed+"/") {
		r.Times, r.First, r.Last = 1, g.first(), g.first() // an earlier failure's, which waits no more
		r.finish(result{Job: made, Issue: issue})
	}
	r.count(g.jobs)
	// First the memo that leads from the issue to the ticket: without it a webhook's
	// delivery that the issue was closed would be ignored.
	if err := t.Notes.Note(ctx, issueKey(issue), []byte(r.key)); err != nil {
		return &ownError{fmt.Errorf("noting the ticket %s: %w", issue, err)}
	}
	if err := t.save(ctx, r); err != nil {
		return err
	}
	return t.show(ctx, r, g, g.last())
}

// add counts more failures in the open ticket.
func (t *Tickets) add(ctx context.Context, r *ticket, g *group) error {
	r.count(g.jobs)
	if err := t.save(ctx, r); err != nil {
		return err
	}
	return t.show(ctx, r, g, g.last())
}

// stillOpen asks whether the ticket can take more, and notes when it cannot.
func (t *Tickets) stillOpen(ctx context.Context, r *ticket) (bool, error) {
	var last lastStatus
	if err := t.loadMemo(ctx, closedKey(r.Issue), &last); err != nil {
		return false, err
	}
	open := !last.Done || last.At < r.Reopened
	if open {
		var err error
		if open, err = t.jira.open(ctx, r.Issue); err != nil && !lacks(err) {
			return false, err
		}
		// Where Jira refuses to answer, the comment will show whether the issue is there.
		open = open || err != nil
	}
	if !open {
		r.State = closed
	}
	return open, nil
}

// commentOnce comments the ticket once: when an earlier try may have arrived, the
// comments are looked at first; they show what there is, unlike the search. A
// refusal is logged; the ticket stands without it.
func (t *Tickets) commentOnce(ctx context.Context, r *ticket, j *job, text *markup.Doc) error {
	if r.Doing == j.ID {
		there, err := t.jira.findComment(ctx, r.Issue, text.FirstLine())
		if err != nil && !lacks(err) {
			return err
		}
		if there != "" {
			return nil
		}
	}
	r.Doing = j.ID
	if err := t.save(ctx, r); err != nil {
		return err
	}
	if j.Basic {
		text = text.Map(basic)
	}
	_, err := t.jira.addComment(ctx, r.Issue, text)
	if err != nil && goWithout(j, err) {
		t.Log.With(j.about()...).Warn("Jira refused a comment", "ticket", r.Issue, "error", err)
		return nil
	}
	return err
}

// forget drops the way back from an issue that has a successor.
func (t *Tickets) forget(ctx context.Context, issue string) {
	if issue == "" {
		return
	}
	for _, key := range []string{issueKey(issue), closedKey(issue)} {
		if err := t.Notes.Note(ctx, key, nil); err != nil {
			t.Log.Warn("a memo could not be deleted", "key", key, "error", err)
		}
	}
}
