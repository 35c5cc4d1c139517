package feedback

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	deploymentPause = 20 * time.Second // at most, between tries
	mostDeploying   = 1000             // executions of a pipeline that may wait
	mostDeployPages = 10               // of GitHub's list, in which one is looked up
	// refusedFor is how long a deployment that GitHub refuses to make is tried
	// after its execution has ended. Whoever grants the permission later gets the next.
	refusedFor = 10 * time.Minute
)

// Deployments keeps deployments on GitHub in step with executions: one per
// execution, stage with an environment, and repository. A rollback has its own.
//
// A marker is noted before each create, so that after a crash or a lost answer
// the deployment is looked up by its payload and not made twice. Saying a state
// twice is harmless.
type Deployments struct {
	perExecution
}

// NewDeployments checks the options; its errors are *workflows.Problem.
func NewDeployments(o Options) (*Deployments, error) {
	f, err := newFollower("github-deployments", o)
	if err != nil {
		return nil, err
	}
	return &Deployments{perExecution{f}}, nil
}

// Follow brings the deployments of the executions in the batch up to date. What
// GitHub does not take now is tried again by the clock. An execution whose
// deployment is under way on GitHub is never given up.
func (d *Deployments) Follow(ctx context.Context, b event.Batch) error {
	k := d.keeper("deployments", d.update)
	k.pause, k.most, k.ordered, k.keep = deploymentPause, mostDeploying, true, d.mustKeep
	return k.follow(ctx, b)
}

func (d *Deployments) mustKeep(ctx context.Context, id string) (bool, error) {
	x, err := d.load(ctx, id)
	if err != nil {
		return false, err
	}
	for _, one := range x.Deployments {
		if one.open() {
			return true, nil
		}
	}
	return false, nil
}

// update brings the deployments of one execution up to date.
func (d *Deployments) update(ctx context.Context, id string, waits bool, blocked blocks) (left, err error) {
	x, err := d.load(ctx, id)
	if err != nil {
		return nil, err
	}
	e, err := d.Reader.Execution(ctx, workflows.EnginePrincipal(), id)
	switch {
	case notFound(err):
		e = workflows.Execution{ID: id, Status: workflows.StatusCancelled} // what is left of it ends
	case err != nil:
		return nil, fmt.Errorf("reading execution %s: %w", id, err)
	}
	p, err := d.definition(ctx, &e)
	if err != nil {
		return nil, err
	}
	for _, one := range d.wanted(&e, p, x) {
		if waits && blocked[one.Repository] {
			left = cmp.Or(left, errors.New(one.Repository+" must be mended first"))
			continue
		}
		var refused *refusal
		switch err := d.bring(ctx, &e, x, one); {
		case err == nil:
		case errors.Is(err, errUnknownYet):
			left = cmp.Or(left, err)
		case !errors.As(err, &refused) || ctx.Err() != nil:
			return nil, err
		default:
			left = cmp.Or(left, error(refused))
			blocked.note(one.Repository, refused.err)
		}
	}
	return left, nil
}

// wanted are the deployments that must exist, or do already: those of the
// stages that were entered, one per repository, and all that are known.
func (d *Deployments) wanted(e *workflows.Execution, p *workflows.Pipeline, x *deployed) (all []*deployment) {
	all = append(all, x.Deployments...)
	commits := d.commitsOf(e, p)
	for i := range e.Stages {
		s := &e.Stages[i]
		st, ok := stageOf(p, s.Name)
		if !ok || st.Environment == "" || !entered(s) {
			continue
		}
		seen := map[string]bool{}
		for _, c := range commits {
			if state, _ := deploymentState(e, s); x.of(s.Name, c.repository()) == nil && !seen[c.repository()] && state != stateInactive {
				seen[c.repository()] = true
				all = append(all, &deployment{Stage: s.Name, Repository: c.repository(), SHA: c.sha, Environment: st.Environment})
			}
		}
	}
	return all
}

func stageOf(p *workflows.Pipeline, name string) (workflows.Stage, bool) {
	if p == nil {
		return workflows.Stage{}, false
	}
	for _, s := range p.Stages {
		if s.Name == name {
			return s, true
		}
	}
	return workflows.Stage{}, false
}

// errUnknownYet says that a create of unknown outcome may still show up.
var errUnknownYet = errors.New("whether GitHub has made the deployment is not known yet")

// bring makes a deployment unless there is one, and posts its state.
func (d *Deployments) bring(ctx context.Context, e *workflows.Execution, x *deployed, one *deployment) error {
	s, ok := e.Stage(one.Stage)
	if one.Refused != 0 && one.ID == 0 || !ok && isFinal(one.State) {
		return nil
	}
	state, text := stateInactive, "removed"
	if ok {
		state, text = deploymentState(e, s)
	}
	if one.Creating {
		if err := d.lookUp(ctx, e, x, one, state); err != nil {
			return err
		}
	}
	if one.ID == 0 && state == stateInactive {
		x.drop(one)
		return d.save(ctx, x)
	}
	if one.ID == 0 {
		if made, err := d.create(ctx, e, x, one, text); err != nil || !made {
			return err
		}
	}
	if one.State == state && one.Description == text {
		return nil
	}
	return d.post(ctx, e, x, one, state, text)
}

// lookUp finds a deployment whose create may have happened. Where it has not, the marker goes.
func (d *Deployments) lookUp(ctx context.Context, e *workflows.Execution, x *deployed, one *deployment, state string) error {
	owner, name, _ := strings.Cut(one.Repository, "/")
	list := &github.DeploymentsListOptions{SHA: one.SHA, Environment: one.Environment, ListOptions: github.ListOptions{PerPage: 100, Page: 1}}
	for ; list.Page <= mostDeployPages; list.Page++ {
		all, _, err := d.client.Repositories.ListDeployments(ctx, owner, name, list)
		if err != nil {
			return &refusal{"looking for a deployment in", one.Repository, err}
		}
		for _, found := range all {
			if isOurs(found.Payload, e.ID, one.Stage) {
				one.ID, one.Creating, one.Until = found.GetID(), false, time.Time{}
				return d.save(ctx, x)
			}
		}
		if len(all) < list.PerPage {
			break
		}
	}
	if d.Now().Before(one.Until) {
		return errUnknownYet
	}
	if one.Creating, one.Until = false, (time.Time{}); state == stateInactive {
		x.drop(one)
	}
	return d.save(ctx, x)
}

// payload is what a deployment holds of ours.
type payload struct {
	Execution string `json:"execution"`
	Number    int    `json:"number"`
	Pipeline  string `json:"pipeline"`
	Stage     string `json:"stage"`
}

// isOurs says whether a deployment is that of an execution in a stage. GitHub
// shows a payload as it was given: an object, or a string with one.
func isOurs(raw json.RawMessage, execution, stage string) bool {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var p payload
	return json.Unmarshal(raw, &p) == nil && p.Execution == execution && p.Stage == stage
}

// create makes the deployment; made is false when GitHub refused it for good.
func (d *Deployments) create(ctx context.Context, e *workflows.Execution, x *deployed, one *deployment, text string) (made bool, err error) {
	if x.of(one.Stage, one.Repository) == nil {
		x.Deployments = append(x.Deployments, one)
	}
	one.Creating, one.Until = true, d.Now().Add(lagAfterCrash)
	if err := d.save(ctx, x); err != nil {
		return false, err
	}
	owner, name, _ := strings.Cut(one.Repository, "/")
	task := "deploy"
	if e.Type == workflows.TypeRollback {
		task = "deploy:rollback"
	}
	got, _, err := d.client.Repositories.CreateDeployment(ctx, owner, name, &github.DeploymentRequest{
		Ref: &one.SHA, Task: &task, Environment: &one.Environment, Description: &text, AutoMerge: github.Bool(false), RequiredContexts: &[]string{},
		Payload:               payload{Execution: e.ID, Number: e.Number, Pipeline: e.Pipeline, Stage: one.Stage},
		ProductionEnvironment: github.Bool(strings.EqualFold(one.Environment, "production")), TransientEnvironment: github.Bool(false)})
	if err == nil {
		one.ID, one.Creating, one.Until = got.GetID(), false, time.Time{}
		return true, d.save(ctx, x)
	}
	again := d.refused(e, one, "making", err)
	switch status := api.Status(err); {
	case again == nil:
		one.Creating, one.Until, one.Refused = false, time.Time{}, cmp.Or(status, -1)
	case status != 0 && status < 500 || wire.NotSent(err):
		x.drop(one) // nothing was made
	default:
		one.Until = d.Now().Add(lagAfterLost)
	}
	if noted := d.save(ctx, x); noted != nil {
		return false, noted
	}
	return false, again
}

// refused says what follows from GitHub's refusal: nil, nothing; else that it is tried again.
func (d *Deployments) refused(e *workflows.Execution, one *deployment, doing string, err error) error {
	kind := api.Kind(err)
	ended := e.EndedAt != nil && d.Now().Sub(*e.EndedAt) > refusedFor
	if kind == wire.Transient || kind == wire.Fixable && (one.ID != 0 || !ended) {
		return &refusal{fmt.Sprintf("%s the deployment of %s to %s in", doing, e.Ref(), one.Environment), one.Repository, err}
	}
	d.Log.With(words.LogAttrs(e.Ref(), one.Stage)...).Warn("GitHub refused a deployment", "repository", one.Repository, "commit", one.SHA,
		"status", api.Status(err), "hint", deploymentHint(err), "error", wire.Scrub(err))
	return nil
}

// deploymentHint is what an operator can do about a refusal.
func deploymentHint(err error) string {
	if api.Status(err) == 422 {
		return "the commit is not in this repository any more"
	}
	return api.Advice(err, `the permission "Deployments: read and write" on this repository, or set github.deployments: false`)
}

// post posts a state of a deployment that exists.
func (d *Deployments) post(ctx context.Context, e *workflows.Execution, x *deployed, one *deployment, state, text string) error {
	owner, name, _ := strings.Cut(one.Repository, "/")
	status := &github.DeploymentStatusRequest{State: &state, Description: &text, Environment: &one.Environment, LogURL: d.page(e.ID)}
	if state == stateSuccess {
		newest, err := runsNow(ctx, d.Reader, e, one.Stage)
		if err != nil {
			return err
		}
		status.AutoInactive = &newest // what was deployed later stays
	}
	_, _, err := d.client.Repositories.CreateDeploymentStatus(ctx, owner, name, one.ID, status)
	if err != nil {
		if again := d.refused(e, one, "posting the state of", err); again != nil {
			return again
		}
		one.Refused = cmp.Or(api.Status(err), -1)
	} else {
		one.Refused = 0
	}
	one.State, one.Description = state, text
	return d.save(ctx, x)
}

// runsNow says whether what an execution deployed is what the stage runs.
func runsNow(ctx context.Context, from Reader, e *workflows.Execution, stage string) (bool, error) {
	view, err := from.Pipeline(ctx, workflows.EnginePrincipal(), e.Pipeline, 0)
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading what runs in %s of %s: %w", stage, e.Pipeline, err)
	}
	s, ok := view.Stage(stage)
	if !ok || s.Running == nil {
		return true, nil
	}
	return cmp.Or(s.Running.By, s.Running.Execution) == e.ID, nil
}
