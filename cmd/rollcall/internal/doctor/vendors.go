package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/needs"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/slackblocks"
	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/checkup"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/github/actions"
	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/gates"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

func (d *doctor) slack(ctx context.Context) []selftest.Result {
	s := d.c.Slack
	c := slack.New(slack.Options{APIURL: s.APIURL, BotToken: s.BotToken.Reveal(), SigningSecret: s.SigningSecret.Reveal(), AppToken: s.AppToken.Reveal(),
		Channel: s.Channel, Command: s.Command, Transport: d.o.Transport, Unpaced: true, Channels: func(context.Context) (names []string) {
			for _, p := range d.pipelines {
				names = append(names, p.Channel)
			}
			for _, b := range d.c.Bridges {
				for _, p := range b.Pipelines {
					names = append(names, p.Channel)
				}
			}
			for _, g := range d.ecsGates() {
				names = append(names, g.Channel)
			}
			for _, g := range d.githubGates() {
				names = append(names, g.Channel)
			}
			return names
		}})
	return append(c.Checks(ctx), d.refusedBlocks()...)
}

// refusedBlocks says what the service draws plainly in this workspace.
func (d *doctor) refusedBlocks() (lines []selftest.Result) {
	for _, b := range slackblocks.Read(d.c.DataDir) {
		lines = append(lines, selftest.Result{About: "blocks", Status: selftest.OK, Message: fmt.Sprintf("the workspace refused %s on %s; what it would show is drawn plainly. It is tried again after %s, or by the next version",
			b.Kind, b.At.Format(time.DateOnly), b.At.Add(slack.RefusedFor).Format(time.DateOnly))})
	}
	return lines
}

func (d *doctor) githubGates() []config.GitHubGate {
	if d.c.GitHub == nil {
		return nil
	}
	return d.c.GitHub.Gates
}

func (d *doctor) github(ctx context.Context) []selftest.Result {
	g := d.c.GitHub
	o := github.CheckOptions{APIURL: g.APIURL, Writes: g.Writes(), Token: g.Token.Reveal(), Repositories: d.repositories(), Events: d.githubEvents(), Transport: d.o.Transport}
	if g.WebhookSecret.Set() {
		o.HookURL = strings.TrimSuffix(d.c.PublicURL, "/") + "/github/webhook"
	}
	if g.App != nil {
		o.App = &api.App{ID: g.App.ID, InstallationID: g.App.InstallationID, PrivateKey: []byte(g.App.PrivateKey.Reveal())}
	}
	if o.Token == "" && o.App == nil {
		return []selftest.Result{{Status: selftest.Skipped, Message: "there is neither a token nor an app: no commit statuses, and repositories are read without one"}}
	}
	checks := github.Checks(ctx, o)
	if checks[0].Status != selftest.Failed { // the token or app is good for more
		ask := gates.CheckOptions{APIURL: o.APIURL, App: o.App, Transport: o.Transport}
		for _, gate := range g.Gates {
			ask.Rows = append(ask.Rows, gates.Row{Repository: gate.Repository, Environment: gate.Environment})
		}
		checks = append(checks, gates.Checks(ctx, ask)...)
	}
	return append(checks, actions.Checks(ctx, actions.Options{APIURL: o.APIURL, Token: o.Token, App: o.App, Transport: o.Transport}, d.githubWorkflows(), readWorkflow)...)
}

func (d *doctor) jira(ctx context.Context) []selftest.Result {
	j := d.c.Jira
	o := jira.CheckOptions{URL: j.URL, APIURL: j.APIURL, User: j.User, Token: j.Token.Reveal(), Project: j.Project, IssueType: j.IssueType,
		Projects: j.Projects, Links: slices.Contains(j.OnIssues, config.JiraLinks), Comments: slices.Contains(j.OnIssues, config.JiraComments), Transport: d.o.Transport}
	if j.ServiceAccount() {
		var err error
		if o.Account, err = jira.NewAccount(jira.AccountOptions{TokenURL: j.TokenURL, ClientID: j.ClientID, ClientSecret: j.ClientSecret.Reveal(), Scope: j.TokenScope(), Transport: d.o.Transport}); err != nil {
			return []selftest.Result{{About: "login", Status: selftest.Failed, Message: err.Error()}}
		}
	}
	return append(jira.Checks(ctx, o), d.jiraTokenEnds()...)
}

func (d *doctor) aws(ctx context.Context) []selftest.Result {
	o := checkup.Options{Principals: d.o.Principals, Now: d.o.Now}
	if a := d.c.AWS; a != nil {
		o.Accounts = accounts.Options{Region: a.Region, RoleARN: a.RoleARN, EndpointURL: a.EndpointURL, Roles: map[string]accounts.Role{}}
		o.QueueURL = a.Events.QueueURL
		for arn, r := range a.Roles {
			o.Accounts.Roles[arn] = accounts.Role{ExternalID: r.ExternalID.Reveal(), SourceIdentity: r.SourceIdentity}
		}
	}
	for _, b := range d.c.Bridges {
		to := checkup.Bridge{Name: b.Name, Region: b.Region, Role: b.RoleARN, Act: b.Mode == "act"}
		for _, p := range b.Pipelines {
			to.Pipelines = append(to.Pipelines, checkup.Pipeline{Name: p.Name, Stages: slices.Sorted(maps.Keys(p.Environments)), Approvals: slices.Sorted(maps.Keys(p.Approvals))})
		}
		o.Bridges = append(o.Bridges, to)
	}
	for _, g := range d.ecsGates() {
		o.Hooks = append(o.Hooks, checkup.Hooks{Name: g.Name, Region: g.Region, Role: g.RoleARN, Cluster: g.Cluster, Service: g.Service})
	}
	o.Stores, o.Retention, o.Publish = d.c.PipelinePolicy().Stores, time.Duration(d.c.Retention.Artifacts), d.c.PublishNeeds()
	o.Actions = d.actions()
	return append(checkup.Run(ctx, o), d.awsLoginEnds(ctx, o.Accounts)...)
}

// ecsGates are the services of ECS whose pause hooks are gates.
func (d *doctor) ecsGates() []config.ECSGate {
	if d.c.AWS == nil {
		return nil
	}
	return d.c.AWS.ECSGates
}

// actions are those of the folder's pipelines that work in AWS.
func (d *doctor) actions() (all []checkup.Action) {
	on := d.c.Runners.Commands.Project()
	kinds := map[string]*runner.Kind{}
	for _, k := range aws.Kinds(on) {
		kinds[k.Name()] = &k
	}
	region := d.c.PipelinePolicy().Region
	for _, p := range d.pipelines {
		for _, s := range needs.Steps(p, on) {
			all = append(all, checkup.Action{Name: p.Name + ": " + s.Where, Roles: s.Roles(p), Region: cmp.Or(s.Action.Region, region), Action: s.Action,
				Kind: kinds[s.Action.ActionType.Category+"/"+s.Action.ActionType.Provider]})
		}
	}
	return all
}
