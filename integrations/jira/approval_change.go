package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// What became of a change (asked.Outcome).
const (
	deployedChange = "deployed"
	failedChange   = "failed"
	overAndDone    = "over"
)

// Decisions of Jira Service Management.
const (
	decidedYes = "approved"
	decidedNo  = "declined"
)

// decision is what was decided about a change request.
type decision struct {
	id    string // like no other of the request
	final string // approved|declined; empty: not yet
	by    []jiraUser
}

// decision asks what was decided about a request. With several approvals all
// must be given; one that is declined is enough. It is only read: rollcall answers
// none. A server wants to be told that its API is experimental.
func (c *client) decision(ctx context.Context, key string) (d decision, err error) {
	req, err := c.jira.NewRequestWithContext(ctx, http.MethodGet, "rest/servicedeskapi/request/"+key+"/approval?limit=50", nil)
	if err != nil {
		return d, &ownError{fmt.Errorf("prepare a call to Jira: %w", err)}
	}
	req.Header.Set("X-ExperimentalApi", "opt-in")
	resp, err := c.jira.Do(req, nil)
	if err != nil {
		return d, toRefusal(resp, err)
	}
	defer resp.Body.Close()
	var list struct {
		Values []struct {
			ID        json.RawMessage `json:"id"` // a string, or a number
			Final     string          `json:"finalDecision"`
			Approvers []struct {
				Who      jiraUser `json:"approver"`
				Decision string   `json:"approverDecision"`
			} `json:"approvers"`
		} `json:"values"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return d, fmt.Errorf("read what was decided about %s: %w", key, err)
	}
	d.final = decidedYes
	for _, v := range list.Values {
		switch final := strings.ToLower(v.Final); {
		case final == decidedNo:
			d.final = decidedNo
		case final != decidedYes && d.final != decidedNo:
			d.final = ""
		}
	}
	if len(list.Values) == 0 {
		d.final = ""
	}
	ids := []string{d.final}
	for _, v := range list.Values {
		if !strings.EqualFold(v.Final, d.final) {
			continue
		}
		ids = append(ids, strings.Trim(string(v.ID), `"`))
		for _, by := range v.Approvers {
			if strings.EqualFold(by.Decision, d.final) {
				d.by = append(d.by, by.Who)
			}
		}
	}
	d.id = strings.Join(ids, "-")
	return d, nil
}

// followChange takes what was decided about a gate's change request as one answer.
func (a *Approvals) followChange(ctx context.Context, g *asked) error {
	d, err := a.jira.decision(ctx, g.Issue)
	if answered(err) == http.StatusNotFound {
		return a.annotate(ctx, g, "waiting", g.Issue+": Jira knows no approval of it (yet)", a.jira.link(g.Issue))
	}
	if err != nil {
		return err
	}
	if d.final == "" || slices.Contains(g.Done, d.id) {
		return nil
	}
	verb := workflows.Approve
	if d.final == decidedNo {
		verb = workflows.Reject
	}
	by, problem, err := a.answerFor(ctx, g, &d, verb)
	if err != nil {
		return err
	}
	return a.done(ctx, g, d.id, a.answerText(ctx, g, by, verb, nil, problem))
}

// answerFor submits a decision for the first of those who made it that the gate
// takes: whoever answers here as well counts once. A decision of people whom the
// gate does not know is that of the change request itself.
func (a *Approvals) answerFor(ctx context.Context, g *asked, d *decision, verb workflows.Verb) (by workflows.Principal, problem *workflows.Problem, err error) {
	names := make([]string, 0, len(d.by))
	for i := range d.by {
		names = append(names, a.principal(&d.by[i], false).Name)
	}
	why := g.Issue + " was " + d.final + " in Jira"
	if len(names) > 0 {
		why += " by " + words.Cut(clean.Line(words.List(names, "and")), 300)
	}
	for i := range d.by {
		p := a.principal(&d.by[i], false)
		if p.Email == "" {
			continue
		}
		refused, err := a.submit(ctx, g, d.id, verb, p, why)
		if err != nil || refused == nil || isOver(refused) {
			return p, refused, err
		}
		if refused.Code != workflows.CodeNotAnApprover && refused.Code != workflows.CodeAccessDenied && problem == nil {
			by, problem = p, refused
		}
	}
	if problem != nil { // one of them may answer, and not this time
		return by, problem, nil
	}
	by = g.Jira.Principal(g.Issue)
	problem, err = a.submit(ctx, g, d.id, verb, by, why)
	return by, problem, err
}

// outcome says in the change request what became of the change, closes it, and
// says so if it is rolled back afterwards.
func (a *Approvals) outcome(ctx context.Context, g *asked) error {
	x, err := a.Engine.Execution(ctx, workflows.EnginePrincipal(), g.Execution)
	if notFound(err) {
		g.Outcome = overAndDone
		return a.save(ctx, g)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", g.Ref, err)
	}
	if g.Outcome == "" {
		if err := a.sayOutcome(ctx, g, &x); err != nil || g.Outcome == "" {
			return err
		}
	}
	if g.Outcome == overAndDone {
		return nil
	}
	if err := a.closeRequest(ctx, g); err != nil {
		return err
	}
	return a.sayRollback(ctx, g)
}

// sayOutcome notes how the stage has ended; until then it does nothing.
func (a *Approvals) sayOutcome(ctx context.Context, g *asked, x *workflows.Execution) error {
	g.Lands = a.lands(ctx, g, x)
	st, ok := x.Stage(g.Lands)
	status := workflows.StatusCancelled
	if now := approvalOf(x, g); ok && now != nil && (now.Closed == "approved" || now.Closed == "overridden") {
		status = st.Status
	}
	switch status {
	case workflows.StatusSucceeded:
		g.Outcome = deployedChange
	case workflows.StatusFailed:
		g.Outcome = failedChange
	case workflows.StatusInProgress, workflows.StatusStopping:
		return nil
	default:
		if x.Status == workflows.StatusInProgress && g.Lands != g.Stage && status == workflows.StatusNotStarted {
			return nil // approved, and on its way
		}
		g.Outcome = overAndDone
	}
	g.Ran = a.runs(ctx, g)
	g.remark("outcome", a.outcomeText(g, x), a.page(g.Ref, g.Execution))
	return a.save(ctx, g)
}

// lands is the stage in which what a gate lets through is carried out: its own, or,
// where that does nothing but ask, the next one.
func (a *Approvals) lands(ctx context.Context, g *asked, x *workflows.Execution) string {
	view, err := a.Engine.Pipeline(ctx, workflows.EnginePrincipal(), g.Pipeline, x.Version)
	if err != nil || view.Definition == nil {
		return g.Stage
	}
	at := slices.IndexFunc(view.Definition.Stages, func(st workflows.Stage) bool { return st.Name == g.Stage })
	for _, st := range view.Definition.Stages[max(at, 0):] {
		if at >= 0 && slices.ContainsFunc(st.Actions, func(a workflows.Action) bool { return !a.IsApproval() }) {
			return st.Name
		}
	}
	return g.Stage
}

// runs is the execution whose content runs where the change landed; empty: none, or it is not known.
func (a *Approvals) runs(ctx context.Context, g *asked) string {
	view, err := a.Engine.Pipeline(ctx, workflows.EnginePrincipal(), g.Pipeline, 0)
	if err != nil {
		return ""
	}
	if s, ok := view.Stage(or(g.Lands, g.Stage)); ok && s.Running != nil {
		return or(s.Running.By, s.Running.Execution)
	}
	return ""
}

// sayRollback says that what was deployed, or what had failed, was rolled back.
// It is over when something else runs in the stage.
func (a *Approvals) sayRollback(ctx context.Context, g *asked) error {
	now := a.runs(ctx, g)
	if now == "" || now == g.Ran || now == g.Execution {
		return nil
	}
	x, err := a.Engine.Execution(ctx, workflows.EnginePrincipal(), now)
	if err != nil && !notFound(err) {
		return fmt.Errorf("read what runs in %s: %w", g.Lands, err)
	}
	g.Outcome = overAndDone
	if r := x.Rollback; r != nil && (r.FailedExecution == g.Execution || r.LeftExecution == g.Execution) {
		g.remark("rollback", a.rollbackText(g, &x), a.page(x.Ref(), x.ID))
	}
	return a.save(ctx, g)
}

// closeRequest moves the request to a status of the category "done", where Jira offers a way.
func (a *Approvals) closeRequest(ctx context.Context, g *asked) error {
	if g.Moved {
		return nil
	}
	now, err := a.jira.state(ctx, g.Issue)
	if err == nil && now.there && !now.done {
		err = a.jira.finish(ctx, g.Issue, g.Outcome == deployedChange)
	}
	if err != nil && !final(err) {
		return err
	}
	if err != nil {
		a.Log.With(g.about()...).Warn("a change request could not be closed", "issue", g.Issue, "error", err)
	}
	g.Moved = true
	return a.save(ctx, g)
}

// finish moves an issue to a status of the category "done" that it can reach, and
// to none that says the opposite of what happened.
func (c *client) finish(ctx context.Context, key string, well bool) error {
	var list struct {
		Transitions []struct {
			ID jiraID `json:"id"`
			To status `json:"to"`
		} `json:"transitions"`
	}
	path := "rest/api/2/issue/" + key + "/transitions"
	if err := c.call(ctx, http.MethodGet, path, nil, &list); err != nil {
		return err
	}
	best, worth := jiraID(""), 0
	for _, t := range list.Transitions {
		if w := finishWorth(strings.ToLower(t.To.Name), well); t.To.done() && w > worth {
			best, worth = t.ID, w
		}
	}
	if best == "" {
		return nil
	}
	return c.call(ctx, http.MethodPost, path, map[string]any{"transition": map[string]jiraID{"id": best}}, nil)
}

// finishWorth says how well a status's name fits what became of a change; 0: it does not.
func finishWorth(name string, well bool) int {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(name, part) })
	}
	switch {
	case has("declin", "reject"), well && has("cancel", "fail"):
		return 0
	case !well && has("fail"):
		return 3
	case has("cancel"):
		return 1
	}
	return 2
}
