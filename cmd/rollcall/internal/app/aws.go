package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/bridge"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/source"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	runtimeinbound "github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
)

var (
	_ runtime.Runner           = (*bridge.Runner)(nil)
	_ runtime.Finder           = (*bridge.Runner)(nil)
	_ runtime.OutsideLogs      = (*bridge.Logs)(nil)
	_ runtime.Runner           = (*runner.Runner)(nil)
	_ runtime.Finder           = (*runner.Runner)(nil)
	_ runtime.Source           = (*source.Watch)(nil)
	_ aws.Engine               = (*runtime.Engine)(nil)
	_ runtimeinbound.Announced = (*source.Watch)(nil)
	_ files.Artifacts          = (*artifacts.Store)(nil)
)

// bridgeRunner is what carries out requests of bridged pipelines.
const bridgeRunner = "Bridge/CodePipeline"

// openAWS opens what the configuration says of AWS; nil: it says nothing. It asks
// nobody, so that the service starts when AWS is away.
func (a *App) openAWS() *aws.AWS {
	if len(a.config.Bridges) == 0 && a.config.AWS == nil {
		return nil
	}
	o := aws.Options{CommandsOn: a.config.Runners.Commands.Project(), Log: a.log, Engine: func() aws.Engine { return a.engine }, Calls: a.metrics.Calls()}
	if c := a.config.AWS; c != nil {
		o.QueueURL = c.Events.QueueURL
		o.Accounts = accountsOf(c)
		if o.Artifacts = artifactsOf(c); o.Artifacts != nil {
			a.on = append(a.on, "artifacts in s3://"+o.Artifacts.Name)
		}
	}
	for i := range a.config.Bridges {
		b := &a.config.Bridges[i]
		o.Bridges = append(o.Bridges, bridgeOf(b))
		a.on = append(a.on, fmt.Sprintf("bridge %s to AWS CodePipeline (%s)", b.Name, b.Mode))
	}
	for _, g := range a.ecsGates() {
		o.Bridges = append(o.Bridges, hooksOf(&g))
		a.on = append(a.on, "pause hooks of ECS as gates ("+g.Name+")")
	}
	return aws.Open(o)
}

// ecsGates are the services of ECS whose pause hooks are gates.
func (a *App) ecsGates() []config.ECSGate {
	if a.config.AWS == nil {
		return nil
	}
	return a.config.AWS.ECSGates
}

// hooksOf is a gate of ECS as a bridge of one row.
func hooksOf(g *config.ECSGate) bridge.Bridge {
	row := bridge.Row{Name: g.Name, Channel: g.Channel, Owners: g.Owners, Hooks: &bridge.Hooks{Cluster: g.Cluster, Service: g.Service, Approval: g.Approval.Policy()}}
	return bridge.Bridge{Name: g.Name, Region: g.Region, Role: g.RoleARN, Mode: workflows.BridgeActs, Outside: workflows.OutsideTell, Poll: g.Poll, Rows: []bridge.Row{row}}
}

// accountsOf says who the service is in AWS.
func accountsOf(c *config.AWS) accounts.Options {
	o := accounts.Options{Region: c.Region, RoleARN: c.RoleARN, EndpointURL: c.EndpointURL, Roles: map[string]accounts.Role{}}
	for arn, role := range c.Roles {
		o.Roles[arn] = accounts.Role{ExternalID: role.ExternalID.Reveal(), SourceIdentity: role.SourceIdentity}
	}
	return o
}

// Artifacts is where a configuration keeps artifacts besides the data folder; nil: nowhere.
func Artifacts(c *config.Config) *artifacts.Store {
	if c.AWS == nil || c.AWS.Artifacts == nil {
		return nil
	}
	o := artifactsOf(c.AWS)
	o.Accounts = accounts.Open(accountsOf(c.AWS))
	return artifacts.Open(*o)
}

// artifactsOf says where artifacts are kept in S3; nil: nowhere.
func artifactsOf(c *config.AWS) *artifacts.Options {
	a := c.Artifacts
	if a == nil {
		return nil
	}
	o := &artifacts.Options{Bucket: artifacts.Bucket{Name: a.Bucket, KMSKey: a.KMSKey}, Prefix: a.Prefix, Region: c.Region, Account: a.Account, Regions: map[string]artifacts.Bucket{}}
	for region, b := range a.Regions {
		o.Regions[region] = artifacts.Bucket{Name: b.Bucket, KMSKey: b.KMSKey}
	}
	return o
}

// filesOptions say where artifacts are kept.
func (a *App) filesOptions() (o files.Options) {
	if a.aws != nil && a.aws.Artifacts() != nil { // a nil store would be an Artifacts that is not nil
		o.Artifacts = a.aws.Artifacts()
	}
	return o
}

func bridgeOf(b *config.Bridge) bridge.Bridge {
	of := bridge.Bridge{Name: b.Name, Region: b.Region, Role: b.RoleARN, Mode: b.Mode, Outside: b.OutsideApprovals, Poll: b.Poll}
	for i := range b.Pipelines {
		p := &b.Pipelines[i]
		row := bridge.Row{Name: p.As, External: p.Name, Channel: p.Channel, Owners: p.Owners, Environments: p.Environments, Lock: p.Rollback.Lock, Approvals: map[string]*workflows.ApprovalPolicy{}}
		for at, policy := range p.Approvals {
			row.Approvals[at] = policy.Policy()
		}
		if t := p.Ticket; t != nil {
			row.Ticket = &workflows.Ticket{Project: t.Project, IssueType: t.IssueType, Labels: t.Labels, Components: t.Components, Priority: t.Priority,
				Stages: t.Stages, CloseOnSuccess: t.CloseOnSuccess, ReopenWithin: t.ReopenWithin, LogTail: int(t.LogTail), MaxPerHour: int(t.MaxPerHour)}
			if t.LogTail == 0 {
				row.Ticket.LogTail = 10
			}
		}
		of.Rows = append(of.Rows, row)
	}
	return of
}

// runBridges archives the pipelines whose row has left the configuration, watches
// the others and hears AWS's events until ctx ends.
func (a *App) runBridges(ctx context.Context) error {
	all, err := a.engine.InForce(ctx)
	if err != nil {
		a.log.Error("the bridged pipelines could not be looked up", "err", err)
	}
	for name, now := range all {
		if !strings.HasPrefix(now.ManagedBy, aws.Manager) || a.rowOf(name) {
			continue
		}
		if _, err := a.engine.Submit(ctx, workflows.Intent{Verb: workflows.Archive, Pipeline: name, ManagedBy: now.ManagedBy}, workflows.EnginePrincipal()); err != nil {
			a.log.Error("a pipeline whose bridge is gone could not be archived", "pipeline", name, "err", err)
			continue
		}
		a.log.Info("pipeline archived, no bridge of the configuration names it", "pipeline", name)
	}
	if a.aws == nil {
		return nil
	}
	return a.aws.Run(ctx)
}

// rowOf says whether some bridge names the pipeline: one that has moved to another
// bridge is defined anew by that one.
func (a *App) rowOf(name string) bool {
	for _, b := range a.config.Bridges {
		for _, p := range b.Pipelines {
			if p.As == name {
				return true
			}
		}
	}
	return slices.ContainsFunc(a.ecsGates(), func(g config.ECSGate) bool { return g.Name == name })
}
