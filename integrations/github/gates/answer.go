package gates

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// answerNote is the note on an execution that says whether GitHub has the answer.
const answerNote = "answer"

// Name is the follower's name.
func (g *Gates) Name() string { return gatesName }

// Concerns says whether a frame is of a pipeline of ours.
func (g *Gates) Concerns(f event.Frame) bool { return strings.HasPrefix(f.Pipeline, gatePrefix) }

// Follow tells GitHub how the deployments of the batch stand, and of those before
// what it has not taken yet. What it does not take now is tried again by the clock.
func (g *Gates) Follow(ctx context.Context, b event.Batch) error {
	if !strings.HasPrefix(b.Pipeline, gatePrefix) {
		return nil
	}
	q, err := g.load(ctx, b.Pipeline)
	if err != nil {
		return err
	}
	news := b.Executions()
	for _, id := range news {
		if q.Open[id] == nil {
			q.Open[id] = &sent{}
		}
	}
	var next time.Time
	var cause error
	for _, id := range words.Keys(q.Open) {
		t := q.Open[id]
		// A decision does not wait for the pause after a report that GitHub did not take.
		if due := !t.Again.IsZero() && !g.o.Now().Before(t.Again); due || slices.Contains(news, id) && (t.Again.IsZero() || !t.Perhaps) {
			over, err := g.update(ctx, q, id, t)
			if err != nil {
				return err
			}
			if over {
				delete(q.Open, id)
				continue
			}
		}
		if !t.Again.IsZero() && (next.IsZero() || t.Again.Before(next)) {
			next, cause = t.Again, errors.New(t.Why)
		}
	}
	if err := g.save(ctx, q); err != nil || next.IsZero() {
		return err
	}
	return &event.Unfinished{Err: cause, After: max(next.Sub(g.o.Now()), time.Second)}
}

// update tells GitHub how one deployment stands. over says that there is nothing more
// to tell, ever; the error is trouble of our own.
func (g *Gates) update(ctx context.Context, q *sentAll, id string, t *sent) (over bool, err error) {
	e, err := g.reader.Execution(ctx, workflows.EnginePrincipal(), id)
	if isGone(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading execution %s: %w", id, err)
	}
	if slices.ContainsFunc(e.Notes, func(n workflows.Note) bool { return n.Name == answerNote && n.State != "waiting" }) {
		return true, nil
	}
	view, err := g.reader.Pipeline(ctx, workflows.EnginePrincipal(), e.Pipeline, e.Version)
	if isGone(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading version %d of %s: %w", e.Version, e.Pipeline, err)
	}
	about, ok := askedBy(view.Definition, &e)
	if !ok {
		return true, nil
	}
	switch v := verdictOf(&e); {
	case v.outside:
		return true, nil
	case v.state == "":
		return false, g.sendReport(ctx, q, &about, g.report(&e, &view, t.Reports == mostReports-1), t)
	default:
		return g.sendAnswer(ctx, q, &about, &e, v, t)
	}
}

// post carries one report or answer to GitHub.
func (g *Gates) post(ctx context.Context, about *asked, state, comment string) error {
	client, err := g.o.Installations.Client(about.installation)
	if err != nil {
		return err
	}
	body := map[string]string{"environment_name": about.environment, "comment": comment}
	if state != "" {
		body["state"] = state
	}
	req, err := client.NewRequest(http.MethodPost, fmt.Sprintf("repos/%s/%s/actions/runs/%d/deployment_protection_rule", about.owner, about.name, about.run), body)
	if err != nil {
		return err
	}
	_, err = client.Do(ctx, req, nil)
	return err
}

// sendReport says how the gate stands, unless GitHub knows. It is counted before it is
// sent, so that GitHub never gets more than it takes.
func (g *Gates) sendReport(ctx context.Context, q *sentAll, about *asked, text string, t *sent) error {
	if text == "" || text == t.Said && !t.Doubt || t.Reports >= mostReports || text == t.Said && t.Reports >= doubtfulUntil {
		t.done()
		return nil
	}
	before := *t
	t.Reports, t.Said, t.Doubt = t.Reports+1, text, true
	if err := g.save(ctx, q); err != nil {
		return err
	}
	err := g.post(ctx, about, "", text)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		t.Doubt = false
		t.done()
	case api.Status(err) == http.StatusUnprocessableEntity: // it has as many as it takes, or wants none any more
		t.Reports, t.Doubt = mostReports, false
		t.done()
	default:
		if unsent(err) {
			t.Reports, t.Said, t.Doubt = before.Reports, before.Said, before.Doubt
		}
		t.later(g.o.Now(), g.trouble(about, err), asksFor(err))
	}
	return nil
}

// sendAnswer says what was decided, until GitHub has it.
func (g *Gates) sendAnswer(ctx context.Context, q *sentAll, about *asked, e *workflows.Execution, v verdict, t *sent) (over bool, err error) {
	before := t.Perhaps
	t.Perhaps = true
	if err := g.save(ctx, q); err != nil {
		return false, err
	}
	err = g.post(ctx, about, v.state, g.comment(e, v))
	n := workflows.Note{Name: answerNote, State: "done", Text: "GitHub knows: " + v.state, URL: about.page}
	switch refused := api.Status(err) == http.StatusUnprocessableEntity || api.Status(err) == http.StatusConflict; {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil:
	case refused && before && !t.Refused: // it has it: the answer to an earlier try was lost
	case refused && before:
		n.State, n.Text = "refused", "GitHub does not take the answer ("+v.state+"): the deployment was decided there, or has ended"
	case refused:
		t.Refused = true // once more, to be sure
		t.later(g.o.Now(), g.trouble(about, err), 0)
		return false, nil
	case g.o.Now().Sub(about.since) > gaveUp:
		n.State, n.Text = "refused", "the answer did not reach GitHub in time: "+g.trouble(about, err)
	default:
		t.Perhaps = before || !unsent(err)
		t.later(g.o.Now(), g.trouble(about, err), asksFor(err))
		return false, g.note(ctx, e, workflows.Note{Name: answerNote, State: "waiting", Text: t.Why + "; it is sent again until GitHub takes it"}, t.Rounds > 2 || api.Kind(err) == wire.Fixable)
	}
	return true, g.note(ctx, e, n, true)
}

// gaveUp is when GitHub has long ended what waited there: it does so after 30 days.
const gaveUp = 31 * 24 * time.Hour

// note notes on the execution how it stands with the answer; not so while it may
// still pass unseen.
func (g *Gates) note(ctx context.Context, e *workflows.Execution, n workflows.Note, seen bool) error {
	if !seen || slices.Contains(e.Notes, n) {
		return nil
	}
	err := g.submit(ctx, workflows.Intent{Verb: workflows.Annotate, Pipeline: e.Pipeline, Execution: e.ID, Note: &n})
	if err != nil && !isGone(err) {
		return fmt.Errorf("noting on %s what was sent to GitHub: %w", e.Ref(), err)
	}
	return nil
}

// unsent says that GitHub did not get a call, or did nothing for it.
func unsent(err error) bool {
	var app *ghinstallation.HTTPError
	var later *wire.Later
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	var dial *net.OpError
	status := api.Status(err)
	return errors.As(err, &app) || errors.As(err, &later) || errors.As(err, &limit) || errors.As(err, &abuse) || errors.As(err, &dial) && dial.Op == "dial" || status >= 400 && status < 500
}

// asksFor is how long GitHub wants to be left alone; at most two minutes, because its
// limits are looked at again then.
func asksFor(err error) time.Duration {
	var later *wire.Later
	var abuse *github.AbuseRateLimitError
	switch {
	case errors.As(err, &later):
		return min(later.After, 2*time.Minute)
	case errors.As(err, &abuse) && abuse.RetryAfter != nil:
		return min(*abuse.RetryAfter, 2*time.Minute)
	}
	return 0
}

// trouble is why GitHub has not taken something, and what to do about it.
func (g *Gates) trouble(about *asked, err error) string {
	status, where := api.Status(err), fmt.Sprintf("run %d of %s", about.run, about.repository())
	text := fmt.Sprintf("GitHub could not be reached about %s: %s", where, wire.Scrub(err))
	if status != 0 {
		text = fmt.Sprintf("GitHub answers %d about %s", status, where)
	}
	switch status {
	case http.StatusUnauthorized:
		text += "; check github.app in the configuration: id, and that the private key is one of this app"
	case http.StatusForbidden:
		text += "; give the app the permission \"Deployments: write\", and accept it for the installation"
	case http.StatusNotFound:
		text += "; check that the run is still there, and that the app is installed for the repository"
	}
	g.o.Log.Warn("GitHub did not take a report about a deployment", "repository", about.repository(), "run", about.run, "status", status, "error", wire.Scrub(err))
	return text
}

// isGone says whether a reader's error means that there is no such thing any more.
func isGone(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p) && p.NotFound()
}
