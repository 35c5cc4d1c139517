package gates

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	mostNews  = 256 // deliveries that wait to be looked into; the look by the clock finds what is left out
	lookEvery = 5 * time.Minute
	lookPage  = 100
	// expireAfter ends what nobody could be asked about before GitHub does, after 30 days.
	expireAfter = 30*24*time.Hour - 6*time.Hour
)

// Codes of the reasons for which a request ends without an answer.
const (
	codeBypassed = "Bypassed"
	codeEnded    = "EndedOnGitHub"
	codeExpired  = "ApprovalExpired"
)

// news is what a delivery says about a deployment or a run.
type news struct {
	repository, environment string // environment is empty where it is about a whole run
	ofRun                   bool   // it is about a run, not about one deployment
	deployment, run         int64  // 0: not named
	state                   string // of the deployment; of a run its conclusion once it has ended, else "in_progress"
	login                   string // of whoever did it, as far as the delivery tells
}

// means says whether it is about a deployment.
func (n *news) means(q *asked) bool {
	switch {
	case n == nil:
		return true
	case !n.ofRun && n.deployment != 0 && q.deployment != 0:
		return n.deployment == q.deployment
	}
	return n.run == q.run && (n.ofRun || strings.EqualFold(n.environment, q.environment))
}

// Hear looks whether a verified delivery tells that a deployment went on, or ended. It
// does not wait, and needs no receipt: what is missed is seen by the next look. Without
// gates it does nothing.
func (g *Gates) Hear(event string, payload []byte) {
	var p struct {
		Action     string `json:"action"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
		Sender     delivery.User `json:"sender"`
		Deployment struct {
			ID          int64  `json:"id"`
			Environment string `json:"environment"`
		} `json:"deployment"`
		Status struct {
			State   string        `json:"state"`
			Creator delivery.User `json:"creator"`
		} `json:"deployment_status"`
		Run struct {
			ID         int64         `json:"id"`
			Status     string        `json:"status"`
			Conclusion string        `json:"conclusion"`
			Actor      delivery.User `json:"triggering_actor"`
		} `json:"workflow_run"`
	}
	if event != "deployment_status" && event != "workflow_run" || json.Unmarshal(payload, &p) != nil {
		return
	}
	n := news{repository: p.Repository.FullName}
	switch {
	case event == "deployment_status":
		n.deployment, n.run, n.environment = p.Deployment.ID, p.Run.ID, p.Deployment.Environment
		n.state, n.login = p.Status.State, person(p.Sender.Login, p.Status.Creator.Login)
	case p.Action == "completed":
		n.ofRun, n.run, n.state, n.login = true, p.Run.ID, cmp.Or(p.Run.Conclusion, "completed"), person(p.Sender.Login)
	case p.Action == "in_progress" && p.Run.Status != "waiting" && p.Run.Status != "queued" && p.Run.Status != "pending":
		n.ofRun, n.run, n.state, n.login = true, p.Run.ID, "in_progress", person(p.Sender.Login, p.Run.Actor.Login)
	}
	if _, _, err := api.SplitRepository(n.repository); err != nil || n.deployment == 0 && n.run == 0 || waits(n.state) {
		return
	}
	select {
	case g.hints <- n:
	default:
	}
}

// waits says whether a deployment of that state waits for an answer.
func waits(state string) bool {
	return state == "" || state == "waiting" || state == "queued" || state == "pending"
}

// person is the first login that is one of a person.
func person(logins ...delivery.Text) string {
	for _, login := range logins {
		if l := words.Cut(clean.Line(string(login)), 100); l != "" && !strings.HasSuffix(l, "[bot]") {
			return l
		}
	}
	return ""
}

// watch looks at everything that waits, at once and then by the clock, and beside that
// at what deliveries tell of, until ctx ends: neither waits for the other.
func (g *Gates) watch(ctx context.Context) {
	var byClock sync.WaitGroup
	byClock.Go(func() { g.lookByClock(ctx) })
	defer byClock.Wait()
	for {
		select {
		case n := <-g.hints:
			tries := 0
			wire.Backoff(ctx, time.Second, 8*time.Second, func() bool {
				tries++
				return g.tried("a deployment that a delivery names could not be read", g.lookAt(ctx, &n)) || tries > 4
			})
		case <-ctx.Done():
			return
		}
	}
}

// lookByClock looks at everything that waits, and sooner again at what it could not see.
func (g *Gates) lookByClock(ctx context.Context) {
	for {
		wire.Backoff(ctx, time.Second, time.Minute, func() bool { return g.tried("deployments that wait could not be looked at", g.lookAt(ctx, nil)) })
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
	}
}

// lookAt looks at the deployments that a delivery is about; nil: at all that wait.
func (g *Gates) lookAt(ctx context.Context, about *news) error {
	names, err := g.pipelines(ctx)
	if err != nil {
		return err
	}
	var trouble error
	for _, name := range names {
		p, err := g.reader.Pipeline(ctx, workflows.EnginePrincipal(), name, 0)
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		if p.Definition == nil || !p.Definition.IsProtection() || about != nil && !strings.EqualFold(p.Definition.Protects.Repository, about.repository) {
			continue
		}
		open, err := g.open(ctx, name)
		if err != nil {
			return err
		}
		for i := range open {
			q, ok := askedBy(p.Definition, &open[i])
			if ok {
				g.history.learn(q.repository(), q.installation)
			}
			if !ok || !about.means(&q) {
				continue
			}
			if err := g.look(ctx, &q, &open[i], about); err != nil {
				trouble = err // the others are looked at all the same
			}
		}
	}
	return trouble
}

// open are the executions of a pipeline that wait for an answer.
func (g *Gates) open(ctx context.Context, pipeline string) (open []workflows.Execution, err error) {
	for before := 0; ; {
		all, err := g.reader.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: pipeline, Status: workflows.StatusInProgress, Limit: lookPage, Before: before})
		if err != nil {
			return nil, fmt.Errorf("listing executions of %s: %w", pipeline, err)
		}
		open = append(open, all...)
		if len(all) < lookPage {
			return open, nil
		}
		before = all[len(all)-1].Number
	}
}

// look sees to one deployment: what went on or ended on GitHub ends here too.
func (g *Gates) look(ctx context.Context, q *asked, e *workflows.Execution, about *news) error {
	if v := verdictOf(e); v.state != "" || v.outside {
		return nil
	}
	if g.o.Now().Sub(e.StartedAt) > expireAfter {
		return g.end(ctx, e, codeExpired, "expired: GitHub lets nothing wait for more than 30 days", "")
	}
	client, err := g.o.Installations.Client(q.installation)
	if err != nil {
		return err
	}
	s := &sight{client: client, q: q}
	state, err := s.state(ctx, about)
	if err != nil {
		return err
	}
	login := ""
	if about != nil {
		login = about.login
	}
	switch state {
	case stillWaits:
		return nil
	case wentOn:
		who, why := s.reviewer(ctx, login)
		return g.end(ctx, e, codeBypassed, words.Because("bypassed on GitHub by "+cmp.Or(who, "somebody"), why), who)
	}
	how := map[string]string{"cancelled": "was cancelled", "failure": "failed", "timed_out": "timed out", "inactive": "was made inactive", "error": "failed"}[state]
	text := "the run " + cmp.Or(how, "ended") + " on GitHub"
	if login != "" && state == "cancelled" {
		text += ", by " + login
	}
	return g.end(ctx, e, codeEnded, text, login)
}

// end ends an execution, as somebody at GitHub did. One that was decided meanwhile stays as it is.
func (g *Gates) end(ctx context.Context, e *workflows.Execution, code, text, login string) error {
	by := workflows.Principal{ID: "github", Name: "somebody on GitHub", Via: "github"}
	if login != "" {
		by = delivery.Principal(login, "")
	}
	err := g.submit(ctx, workflows.Intent{Verb: workflows.StopExecution, Pipeline: e.Pipeline, Execution: e.ID, Abandon: true, Reason: clean.Line(text),
		Trigger: &workflows.StartedBy{Type: code, By: by}})
	if err != nil && refusedForGood(err) {
		return nil
	}
	return err
}

// How a deployment stands that was not answered here; other texts say how it ended.
const (
	stillWaits = "waits"
	wentOn     = "went on"
)

// sight looks at one deployment on GitHub.
type sight struct {
	client *github.Client
	q      *asked
}

// state says how the deployment stands: by what the delivery tells, where that is
// enough, else by its newest status and its run.
func (s *sight) state(ctx context.Context, about *news) (string, error) {
	if about != nil && !about.ofRun && passed(about.state) {
		return wentOn, nil
	}
	states, err := s.statuses(ctx)
	if err != nil {
		return "", err
	}
	for _, one := range states {
		if passed(one) {
			return wentOn, nil
		}
	}
	switch {
	case about != nil && !about.ofRun:
		return about.state, nil
	case about != nil && about.state == "success", about != nil && about.state == "in_progress" && len(states) == 0:
		return wentOn, nil // nothing says that it waits
	case about != nil && about.state != "in_progress":
		return about.state, nil
	case len(states) > 0 && !waits(states[0]):
		return states[0], nil
	case about != nil:
		return stillWaits, nil
	}
	return s.run(ctx)
}

// passed says whether a deployment with this status has got past its protection rules.
func passed(state string) bool { return state == "in_progress" || state == "success" }

// statuses are those of the deployment, newest first; none: GitHub does not show them.
func (s *sight) statuses(ctx context.Context) (states []string, err error) {
	if s.q.deployment == 0 {
		return nil, nil
	}
	all, _, err := s.client.Repositories.ListDeploymentStatuses(ctx, s.q.owner, s.q.name, s.q.deployment, &github.ListOptions{PerPage: 100})
	if err != nil && api.Kind(err) == wire.Transient {
		return nil, fmt.Errorf("asking about deployment %d of %s: %w", s.q.deployment, s.q.repository(), wire.Scrub(err))
	}
	for _, one := range all {
		states = append(states, one.GetState())
	}
	return states, nil
}

// run says whether the run has ended, and how.
func (s *sight) run(ctx context.Context) (string, error) {
	run, _, err := s.client.Actions.GetWorkflowRunByID(ctx, s.q.owner, s.q.name, s.q.run)
	switch {
	case err != nil && api.Kind(err) == wire.Transient:
		return "", fmt.Errorf("asking about run %d of %s: %w", s.q.run, s.q.repository(), wire.Scrub(err))
	case err != nil || run.GetStatus() != "completed":
		return stillWaits, nil
	case run.GetConclusion() == "success":
		return wentOn, nil
	}
	return cmp.Or(run.GetConclusion(), "completed"), nil
}

// reviewer is who let the deployment go on, and what they wrote: GitHub's record of
// reviews says it best, then the delivery.
func (s *sight) reviewer(ctx context.Context, login string) (who, why string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var all []struct {
		State        string        `json:"state"`
		Comment      string        `json:"comment"`
		User         delivery.User `json:"user"`
		Environments []struct {
			Name string `json:"name"`
		} `json:"environments"`
	}
	req, err := s.client.NewRequest("GET", fmt.Sprintf("repos/%s/%s/actions/runs/%d/approvals", s.q.owner, s.q.name, s.q.run), nil)
	if err == nil {
		_, err = s.client.Do(ctx, req, &all)
	}
	if err != nil {
		return login, ""
	}
	for _, review := range all {
		for _, env := range review.Environments {
			if by := person(review.User.Login); by != "" && review.State != "rejected" && strings.EqualFold(env.Name, s.q.environment) {
				who, why = by, words.Cut(clean.Line(review.Comment), 200)
			}
		}
	}
	if who == "" {
		return login, ""
	}
	return who, why
}
