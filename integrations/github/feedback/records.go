package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// recordsAgain is after how long an organization that takes no records is asked again.
const recordsAgain = 24 * time.Hour

// Records keeps GitHub's deployment records of artifacts: which image runs in an
// environment, after a deployment and after a rollback, where a digest is known.
// GitHub replaces the record of the same place, so saying it twice is harmless.
type Records struct {
	perExecution
}

// NewRecords checks the options; its errors are *workflows.Problem.
func NewRecords(o Options) (*Records, error) {
	f, err := newFollower("github-records", o)
	if err != nil {
		return nil, err
	}
	return &Records{perExecution{f}}, nil
}

// Concerns says whether an execution has succeeded in a stage.
func (r *Records) Concerns(f event.Frame) bool {
	return f.Has(event.StageSucceeded)
}

// Follow records what the executions of the batch have deployed. What GitHub does
// not take now is tried again by the clock; an organization that takes no records
// is left alone for a day.
func (r *Records) Follow(ctx context.Context, b event.Batch) error {
	k := r.keeper("deployment records", r.update)
	k.ordered = true
	return k.follow(ctx, b)
}

func (r *Records) update(ctx context.Context, id string, _ bool, blocked blocks) (left, err error) {
	var done reported
	if err := r.read(ctx, executionKey(id), &done); err != nil {
		return nil, err
	}
	e, err := r.Reader.Execution(ctx, workflows.EnginePrincipal(), id)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading execution %s: %w", id, err)
	}
	p, err := r.definition(ctx, &e)
	if err != nil {
		return nil, err
	}
	commits := r.commitsOf(&e, p)
	if len(commits) == 0 {
		return nil, nil
	}
	images, err := r.images(ctx, &e, commits[0])
	if err != nil {
		return nil, err
	}
	for i := range e.Stages {
		s := &e.Stages[i]
		st, _ := stageOf(p, s.Name)
		if st.Environment == "" || s.Status != workflows.StatusSucceeded || slices.Contains(done.Stages, s.Name) || len(images) == 0 {
			continue
		}
		one, err := r.record(ctx, &e, s.Name, st.Environment, commits[0], images, blocked)
		if err != nil {
			return nil, err
		}
		if one != nil {
			left = cmp.Or(left, one)
			continue
		}
		done.Stages = append(done.Stages, s.Name)
		if err := r.note(ctx, executionKey(id), done); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// images are those that an execution deploys; a rollback deploys its target's.
func (o *Options) images(ctx context.Context, e *workflows.Execution, at commitRef) ([]image, error) {
	all := []*workflows.Execution{e}
	if e.Rollback != nil {
		target, err := o.Reader.Execution(ctx, workflows.EnginePrincipal(), e.Rollback.Target)
		if err != nil && !notFound(err) {
			return nil, fmt.Errorf("reading execution %s: %w", e.Rollback.Target, err)
		}
		all = append(all, &target)
	}
	return imagesOf(at.name, all...), nil
}

// artifactRecord is a deployment record, as GitHub wants it.
type artifactRecord struct {
	Name        string `json:"name"`
	Digest      string `json:"digest"`
	Version     string `json:"version,omitempty"`
	Status      string `json:"status"`
	Environment string `json:"logical_environment"`
	Deployment  string `json:"deployment_name"`
	Repository  string `json:"github_repository"`
}

// record tells GitHub what runs in a stage now, unless something newer does.
func (r *Records) record(ctx context.Context, e *workflows.Execution, stage, environment string, at commitRef, images []image, blocked blocks) (left, err error) {
	until := map[string]time.Time{}
	key := "refused/" + at.owner
	if err := r.read(ctx, key, &until); err != nil {
		return nil, err
	}
	newest, err := runsNow(ctx, r.Reader, e, stage)
	if err != nil || !newest || r.Now().Before(until["until"]) {
		return nil, err
	}
	if blocked[""] {
		return errors.New("GitHub is away"), nil
	}
	for i, one := range images {
		name := e.Pipeline + "-" + stage
		if i > 0 {
			name += "-" + one.name
		}
		in := artifactRecord{Name: one.name, Digest: one.digest, Version: fmt.Sprint(e.Number), Status: "deployed", Environment: words.Cut(environment, 128),
			Deployment: words.Cut(name, 256), Repository: at.name}
		if e.Rollback != nil {
			in.Version = fmt.Sprint(e.Rollback.TargetNumber)
		}
		req, err := r.client.NewRequest(http.MethodPost, "orgs/"+at.owner+"/artifacts/metadata/deployment-record", in)
		if err != nil {
			return nil, fmt.Errorf("making the request for a deployment record: %w", err)
		}
		_, err = r.client.Do(ctx, req, nil)
		if err == nil {
			continue
		}
		if api.Kind(err) == wire.Transient {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			blocked.note(at.repository(), err)
			return &refusal{"recording what runs of", at.repository(), err}, nil
		}
		r.Log.With(words.LogAttrs(e.Ref(), stage)...).Warn("GitHub takes no deployment records of this organization; it is asked again in a day", "organization", at.owner, "status", api.Status(err),
			"hint", api.Advice(err, `the organization permission "Artifact metadata: read and write", and records are of organizations only; or set github.deploymentRecords: false`), "error", wire.Scrub(err))
		return nil, r.note(ctx, key, map[string]time.Time{"until": r.Now().Add(recordsAgain)})
	}
	return nil, nil
}
