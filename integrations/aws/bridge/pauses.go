package bridge

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// The stage and the action of a pipeline of hooks: what is answered is whether the deployment goes on.
const (
	hookStage  = "Pause"
	hookAction = "Continue"
)

const mostDeployments = 20 // that DescribeServiceDeployments takes

// pauses look at the hooks of a row.
type pauses struct {
	w      *watched
	of     *Hooks
	before []*Hooks          // of earlier rows in the same place: what they name is theirs
	open   map[string]*pause // that were reported and have not ended, by their IDs
	loaded bool              // open holds what an earlier process reported
}

// newPauses returns the hooks of a row.
func newPauses(w *watched, earlier []*watched) *pauses {
	p := &pauses{w: w, of: w.row.Hooks, open: map[string]*pause{}}
	for _, other := range earlier {
		if other.pauses != nil && other.bridge.Region == w.bridge.Region && other.bridge.Role == w.bridge.Role {
			p.before = append(p.before, other.row.Hooks)
		}
	}
	return p
}

// has says whether a service is of this row.
func (p *pauses) has(cluster, service string) bool {
	taken := func(h *Hooks) bool { return h.matches(cluster, service) }
	return p.of.matches(cluster, service) && !slices.ContainsFunc(p.before, taken)
}

// see looks at the services once, and reports every hook that waits, and how those
// ended that did. A look that fails is made again in full.
func (p *pauses) see(ctx context.Context, at time.Time, _ bool) error {
	config, err := p.w.of.o.Accounts.Config(ctx, p.w.bridge.place(""))
	if err != nil {
		return err
	}
	if err := p.begin(ctx); err != nil {
		return err
	}
	api := ecs.NewFromConfig(config)
	arns, err := p.deployments(ctx, api)
	if err != nil {
		return err
	}
	for _, one := range p.open {
		arns = append(arns, one.deployment())
	}
	shown, err := describe(ctx, api, arns)
	if err != nil {
		return err
	}
	if err := p.found(ctx, api, shown, at); err != nil {
		return err
	}
	seen := work.Snapshot{Pipeline: p.w.row.Name, At: at, Stages: []work.SnapshotStage{{Name: hookStage, Transition: workflows.Transition{Enabled: true}}}}
	over, err := p.report(ctx, &seen, shown)
	if err != nil {
		return err
	}
	if err := p.w.of.o.Engine().Observe(ctx, seen); err != nil {
		return &engineError{err}
	}
	for _, id := range over {
		delete(p.open, id)
	}
	return nil
}

// begin puts the definition in force, and reads what an earlier process reported.
func (p *pauses) begin(ctx context.Context) error {
	if p.w.inForce == nil {
		d := p.definition()
		in := workflows.Intent{Verb: workflows.Edit, Pipeline: d.Name, NewDefinition: d, ManagedBy: Manager + p.w.bridge.Name, Version: 1}
		if _, err := p.w.of.o.Engine().Submit(ctx, in, workflows.EnginePrincipal()); err != nil {
			return &engineError{err}
		}
		p.w.inForce = d
		p.w.mu.Lock()
		p.w.shown = d
		p.w.mu.Unlock()
	}
	if p.loaded {
		return nil
	}
	rows, err := p.rows(ctx)
	if err != nil {
		return err
	}
	for id := range rows {
		p.open[id] = restored(rows[id])
	}
	p.loaded = true
	return nil
}

// definition is the pipeline of one gate.
func (p *pauses) definition() *workflows.Pipeline {
	row, of := p.w.row, p.w.bridge
	gate := workflows.Action{Name: hookAction, RunOrder: 1, ActionType: workflows.ActionType{Category: "Approval", Owner: "AWS", Provider: "Manual", Version: "1"}, Approval: p.of.Approval}
	if gate.Approval == nil {
		gate.Approval = &workflows.ApprovalPolicy{Required: 1, Comment: "optional"}
	}
	return &workflows.Pipeline{
		Name: row.Name, ExecutionMode: workflows.ModeParallel, Channel: row.Channel, Owners: row.Owners,
		Bridge: &workflows.Bridge{Name: of.Name, Account: accounts.AccountOf(of.Role), Region: of.Region, External: p.of.Cluster + "/" + p.of.Service, Mode: of.Mode, Type: "ECS", Outside: of.Outside},
		Stages: []workflows.Stage{{Name: hookStage, Announce: "never", Rollback: workflows.RollbackPolicy{Lock: "never", Eligible: "any", Approval: "require"}, Actions: []workflows.Action{gate}}},
	}
}

// rows are the unfinished executions, as the engine has them, by the IDs of their hooks.
func (p *pauses) rows(ctx context.Context) (map[string]*workflows.Execution, error) {
	all, err := p.w.of.o.Engine().Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: p.w.row.Name, Status: workflows.StatusInProgress, Limit: pageSize})
	if err != nil {
		return nil, &engineError{err}
	}
	rows := map[string]*workflows.Execution{}
	for i := range all {
		if isHook(all[i].ExternalID) {
			rows[all[i].ExternalID] = &all[i]
		}
	}
	return rows, nil
}

// deployments are the ARNs of those that are on their way.
func (p *pauses) deployments(ctx context.Context, api *ecs.Client) (arns []string, err error) {
	services, err := p.of.Find(ctx, api)
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		if !p.has(s.Cluster, s.Name) {
			continue
		}
		some, err := deploymentsOf(ctx, api, s.Cluster, s.Name)
		if err != nil && p.of.isPattern() && accounts.Classify(err) == accounts.Refused {
			continue // it is gone since it was listed, or something else than ECS deploys it
		}
		if err != nil {
			return nil, err
		}
		arns = append(arns, some...)
	}
	return arns, nil
}

func deploymentsOf(ctx context.Context, api *ecs.Client, cluster, service string) (arns []string, err error) {
	pages := accounts.Pages(func(token *string) (*ecs.ListServiceDeploymentsOutput, error) {
		return api.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: &cluster, Service: &service, NextToken: token,
			Status: []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusInProgress}})
	}, func(out *ecs.ListServiceDeploymentsOutput) *string { return out.NextToken })
	for out, err := range pages {
		if err != nil {
			return nil, err
		}
		for _, d := range out.ServiceDeployments {
			if d.Status == types.ServiceDeploymentStatusInProgress {
				arns = append(arns, aws.ToString(d.ServiceDeploymentArn))
			}
		}
	}
	return arns, nil
}

// describe is what ECS says of deployments, by ARN. What it no longer knows is not in the answer.
func describe(ctx context.Context, api *ecs.Client, arns []string) (map[string]*types.ServiceDeployment, error) {
	slices.Sort(arns)
	all := map[string]*types.ServiceDeployment{}
	for some := range slices.Chunk(slices.Compact(arns), mostDeployments) {
		if err := describeInto(ctx, api, all, some); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// describeInto asks for deployments at once. Where the service or cluster of one is gone
// ECS refuses all: then each is asked for by itself, so that the others are seen.
func describeInto(ctx context.Context, api *ecs.Client, all map[string]*types.ServiceDeployment, arns []string) error {
	out, err := api.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns})
	name, _ := code(err)
	switch gone := name == "ServiceNotFound" || name == "ClusterNotFound"; {
	case gone && len(arns) == 1:
		return nil
	case gone:
		for i := range arns {
			if err := describeInto(ctx, api, all, arns[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	case err != nil:
		return err
	}
	for i := range out.ServiceDeployments {
		d := &out.ServiceDeployments[i]
		all[aws.ToString(d.ServiceDeploymentArn)] = d
	}
	return nil
}

// found adds the hooks that wait and were not reported yet.
func (p *pauses) found(ctx context.Context, api *ecs.Client, shown map[string]*types.ServiceDeployment, at time.Time) error {
	for arn, d := range shown {
		var names map[string]string
		for i := range d.LifecycleHookDetails {
			h := &d.LifecycleHookDetails[i]
			id := arn + "/" + aws.ToString(h.HookId)
			if p.open[id] != nil || !waits(d, h) {
				continue
			}
			if names == nil {
				var err error
				if names, err = taskDefinitions(ctx, api, d); err != nil {
					return err
				}
			}
			one := newPause(id, d, h, names, at)
			if err := p.deployer(ctx, one); err != nil {
				return err
			}
			p.open[id] = one
		}
	}
	return nil
}

// deployer notes who deployed, and what, where an ECS action here did: the execution
// is open as long as its deployment waits. ECS itself does not say it.
func (p *pauses) deployer(ctx context.Context, one *pause) error {
	for _, t := range p.w.of.o.Engine().OpenTasks("Deploy/ECS") {
		if !p.deploys(&t, one) {
			continue
		}
		all, err := p.w.of.o.Engine().Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: t.Pipeline, Status: workflows.StatusInProgress, Before: t.Number + 1, Limit: 1})
		if err != nil {
			return &engineError{err}
		}
		for i := range all {
			if x := &all[i]; x.ID == t.Execution {
				one.trigger = workflows.StartedBy{Type: workflows.TriggerStart, Detail: x.Ref(), By: x.Trigger.By, Execution: x.ID}
				one.revisions = x.SourceRevisions
				return nil
			}
		}
	}
	return nil
}

// deploys says whether an action here deploys the service of a hook. Services of one
// name in two accounts are told apart where both roles name their account.
func (p *pauses) deploys(t *work.Task, one *pause) bool {
	of, here := accounts.AccountOf(cmp.Or(t.Action.RoleArn, t.PipelineRole)), accounts.AccountOf(p.w.bridge.Role)
	return lastPart(t.Configuration["ClusterName"]) == one.variables["cluster"] && lastPart(t.Configuration["ServiceName"]) == one.variables["service"] &&
		(t.Action.Region == "" || t.Action.Region == p.w.bridge.Region) && (of == "" || here == "" || of == here)
}

// waits says whether a deployment waits at a hook.
func waits(d *types.ServiceDeployment, h *types.DeploymentLifecycleHookDetail) bool {
	return h.TargetType == types.DeploymentLifecycleHookTargetTypePause && h.Status == types.DeploymentLifecycleHookStatusAwaitingAction && d.Status == types.ServiceDeploymentStatusInProgress
}

// taskDefinitions are what the revisions of a deployment run ("web:43"), by ARN. A role
// that may not ask for them sees the revisions by their own names.
func taskDefinitions(ctx context.Context, api *ecs.Client, d *types.ServiceDeployment) (map[string]string, error) {
	names := map[string]string{}
	var arns []string
	for _, r := range revisionsOf(d) {
		arns = append(arns, aws.ToString(r.Arn))
		names[aws.ToString(r.Arn)] = "the revision " + lastPart(aws.ToString(r.Arn))
	}
	if len(arns) == 0 {
		return names, nil
	}
	out, err := api.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: arns[:min(len(arns), mostDeployments)]})
	if err != nil {
		if class := accounts.Classify(err); class == accounts.Denied || class == accounts.Refused {
			return names, nil
		}
		return nil, err
	}
	for _, r := range out.ServiceRevisions {
		if r.TaskDefinition != nil {
			names[aws.ToString(r.ServiceRevisionArn)] = lastPart(*r.TaskDefinition)
		}
	}
	return names, nil
}

// report fills in the executions, oldest first, and returns which of them are over. One
// of whose deployment ECS knows nothing any more is left out.
func (p *pauses) report(ctx context.Context, seen *work.Snapshot, shown map[string]*types.ServiceDeployment) (over []string, err error) {
	var rows map[string]*workflows.Execution
	for id, one := range p.open {
		d := shown[one.deployment()]
		if d == nil {
			over = append(over, id)
			continue
		}
		end := ended(one, d, nil, seen.At)
		if end != nil && end.guessed { // what was asked for here tells what ECS no longer says
			if rows == nil {
				if rows, err = p.rows(ctx); err != nil {
					return nil, err
				}
			}
			end = ended(one, d, rows[id], seen.At)
		}
		if end != nil {
			over = append(over, id)
		}
		seen.Executions = append(seen.Executions, one.execution(p.w.row.Name, end))
	}
	slices.SortFunc(seen.Executions, func(a, b workflows.Execution) int {
		if c := a.StartedAt.Compare(b.StartedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ExternalID, b.ExternalID)
	})
	return over, nil
}
