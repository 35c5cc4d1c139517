package app

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/slackblocks"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/vault"
	"github.com/rollcall-bot/rollcall/integrations/commands"
	"github.com/rollcall-bot/rollcall/integrations/git"
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/github/feedback"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/wait"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	runtimeinbound "github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// That the implementations fit the interfaces is checked here, where both are known.
var (
	_ runtime.Runner       = (*commands.Runner)(nil)
	_ runtime.Finder       = (*commands.Runner)(nil)
	_ runtime.Runner       = (*git.Source)(nil)
	_ runtime.Finder       = (*git.Source)(nil)
	_ runtime.Source       = (*git.Source)(nil)
	_ runtime.Differ       = (*git.Source)(nil)
	_ runtime.Comparer     = (*git.Source)(nil)
	_ runtimeinbound.Keyed = (*git.Source)(nil)
	_ runtime.Runner       = (*wait.Runner)(nil)
	_ runtime.Inline       = (*wait.Runner)(nil)
	_ runtime.Follower     = (*bot.Bot)(nil)
	_ runtime.Follower     = (*feedback.Statuses)(nil)
	_ runtime.Follower     = (*feedback.Deployments)(nil)
	_ runtime.Follower     = (*feedback.CheckRuns)(nil)
	_ runtime.Follower     = (*feedback.PullComments)(nil)
	_ runtime.Follower     = (*feedback.Records)(nil)
	_ runtime.Follower     = (*feedback.Facts)(nil)
	_ runtime.Follower     = (*jira.Tickets)(nil)
	_ runtime.Follower     = (*jira.Deployments)(nil)
	_ runtime.Follower     = (*jira.Approvals)(nil)
	_ runtime.Directory    = (*slack.Client)(nil)
	_ runtime.Directory    = (*github.Directory)(nil)
	_ runtime.People       = (*slack.Client)(nil)
	_ bot.Chat             = (*slack.Client)(nil)
	_ bot.Engine           = (*runtime.Engine)(nil)
	_ bot.Unfurler         = (*slack.Client)(nil)
	_ bot.Memos            = (*runtime.OwnerMemos)(nil)
	_ bot.Members          = (*slack.Client)(nil)
	_ slack.Bot            = (*bot.Bot)(nil)
	_ slack.Receipts       = (*runtime.Engine)(nil)
	_ github.Engine        = (*runtime.Engine)(nil)
	_ web.History          = (*runtime.Engine)(nil)
)

// runners returns what carries out actions and what looks at repositories, by provider.
func (a *App) runners(host string) (map[string]runtime.Runner, map[string]runtime.Source, error) {
	o := git.Options{AllowFileURLs: a.config.Sources.AllowFileURLs, CacheDir: filepath.Join(a.config.DataDir, "sources"), People: a.people(), Hosts: a.hosts(), Log: a.log}
	if g := a.config.GitHub; g != nil {
		o.CloneURL, o.WebURL = g.CloneURL, webPages(g.APIURL)
		o.Token = a.cloneToken(g.Token.Reveal())
	}
	if a.config.AWS != nil {
		o.Connections = map[string]git.Connection{}
		for arn, c := range a.config.AWS.Connections {
			o.Connections[arn] = git.Connection{CloneURL: c.CloneURL, Token: a.cloneToken(c.Token.Reveal())}
		}
	}
	sources := git.New(o)
	if err := sources.Check(); err != nil {
		return nil, nil, err
	}
	runners := map[string]runtime.Runner{"Git": sources, "GitHub": sources, "Bitbucket": sources, "GitLab": sources, "CodeStarSourceConnection": sources, wait.Provider: wait.New(time.Now)}
	switch r, err := a.workflowRunner(); {
	case err != nil:
		return nil, nil, err
	case r != nil:
		runners["GitHubWorkflow"] = r
	}
	if c := a.config.Runners.Commands; c.Project() != "" {
		a.on = append(a.on, "commands on the CodeBuild project "+c.Project())
	} else if c.Enabled {
		r := commands.New(commands.Options{Host: host, User: c.User, Secrets: a.config.Secrets, Fetch: vault.Fetch(a.config), Log: a.log})
		if err := r.Check(filepath.Join(a.config.DataDir, "runs")); err != nil {
			return nil, nil, fmt.Errorf("runners.commands: %w", err)
		}
		runners[commands.Provider] = r
		a.on = append(a.on, "commands on this machine")
	}
	maps.Copy(runners, a.extras.Runners)
	if a.extras.Sources != nil {
		return runners, a.extras.Sources, nil
	}
	return runners, map[string]runtime.Source{"Git": sources, "GitHub": a.fromGitHub(sources), "Bitbucket": sources, "GitLab": sources, "CodeStarSourceConnection": a.fromGitHub(sources)}, nil
}

// webPages is the address before "owner/name" of GitHub's web pages, by that of its
// API; empty: it cannot be told.
func webPages(api string) string {
	base, isServer := strings.CutSuffix(strings.TrimSuffix(api, "/"), "/api/v3")
	u, err := url.Parse(base)
	switch {
	case api == "", err == nil && u.Host == "api.github.com":
		return "https://github.com/"
	case err != nil || u.Host == "" || u.Path != "":
		return ""
	case !isServer: // GitHub with data residency: api.NAME.ghe.com
		u.Host = strings.TrimPrefix(u.Host, "api.")
	}
	return u.Scheme + "://" + u.Host + "/"
}

// people are the e-mail addresses of those who are known by a login at GitHub.
func (a *App) people() map[string]string {
	people := map[string]string{}
	for _, p := range a.config.People {
		if p.GitHub != "" {
			people[p.GitHub] = p.Email
		}
	}
	return people
}

// addresses are the e-mail addresses of those who have another name at GitHub or Jira, by ID.
func (a *App) addresses() map[string]string {
	all := map[string]string{}
	for _, p := range a.config.People {
		for kind, known := range map[string]string{"github": p.GitHub, "jira": p.Jira, "gitlab": p.GitLab, "bitbucket": p.Bitbucket} {
			if known != "" {
				all[kind+":"+known] = p.Email
			}
		}
	}
	return all
}

func (a *App) cloneToken(token string) func(context.Context) (string, error) {
	if token == "" {
		return nil
	}
	return func(context.Context) (string, error) { return token, nil }
}

func (a *App) newSlack() *slack.Client {
	s := a.config.Slack
	if s == nil {
		return nil
	}
	return slack.New(slack.Options{APIURL: s.APIURL, BotToken: s.BotToken.Reveal(), SigningSecret: s.SigningSecret.Reveal(),
		AppToken: s.AppToken.Reveal(), Channel: s.Channel, Channels: a.channels, Command: s.Command, Unpaced: a.extras.Unpaced, Version: thisProgram(), Transport: a.metrics.Outside(slack.System()), Log: a.log})
}

// channels are where the pipelines in force post.
func (a *App) channels(ctx context.Context) (names []string) {
	all, err := a.engine.InForce(ctx)
	if err != nil {
		a.log.Debug("the pipelines' channels could not be looked up", "err", err)
	}
	for _, p := range all {
		names = append(names, p.Channel)
	}
	return names
}

func (a *App) connectSlack(c *slack.Client, restored time.Time) {
	s := a.config.Slack
	// No PublicURL: a link on a card must lead to what it names, and there is no console yet.
	// Address only recognises the links that people post.
	b := bot.New(bot.Options{Routes: routes(a.config), Quiet: a.config.QuietHours(), Digest: digest(a.config),
		Engine: a.engine, Chat: c, Memos: a.engine.MemosOf("slack"), Channel: s.Channel, Command: s.Command,
		Open: a.config.Open(), Expiring: a.expiring, Link: c.Permalink, Groups: a.policy.Groups, Deputies: a.policy.Deputies, Members: c, Addresses: a.addresses(), Restored: restored, SignIn: signIn{a.sessions},
		Unfurler: c, Address: a.config.PublicURL, Log: a.log})
	a.engine.AddFollower(b)
	c.Remember(slackblocks.Notes(a.engine.MemosOf("slack"), a.config.DataDir))
	r := c.Receive(a.engine, b)
	a.mux.Handle("/slack/", r.Handler())
	a.background = append(a.background, r.Run, b.Run)
	a.slackInbound, a.bot = r, b
	way := "Slack over HTTP"
	if s.AppToken.Set() {
		way = "Slack by Socket Mode"
	}
	a.on = append(a.on, way)
}

// shown is the engine as the API shows it: beside what was committed, what chat
// could not show to people.
type shown struct {
	*runtime.Engine
	bot *bot.Bot
}

// Execution adds what of it Slack refuses.
func (s shown) Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error) {
	e, err := s.Engine.Execution(ctx, viewer, ref)
	if err == nil && s.bot != nil {
		e.Undelivered = s.bot.Undelivered(ctx, e.ID)
	}
	return e, err
}

// Approvals adds which questions Slack refuses.
func (s shown) Approvals(ctx context.Context, viewer workflows.Principal) ([]say.OpenApproval, error) {
	all, err := s.Engine.Approvals(ctx, viewer)
	for i := range all {
		if s.bot != nil {
			all[i].Undelivered = s.bot.Undelivered(ctx, all[i].Execution)
		}
	}
	return all, err
}

// pulls know by which pull requests commits came; nil: GitHub cannot be asked.
func (a *App) pulls() (runtime.Pulls, error) {
	g := a.config.GitHub
	if g == nil || !g.Token.Set() && g.App == nil {
		return nil, nil
	}
	return github.NewPulls(github.PullsOptions{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(), Transport: a.githubTransport()})
}

func (a *App) connectGitHub() error {
	g := a.config.GitHub
	if g == nil {
		return nil
	}
	installation := a.installation()
	a.connectGates()
	if g.WebhookSecret.Set() {
		comments, err := a.readComments()
		if err != nil {
			return err
		}
		o := github.WebhookOptions{Secret: g.WebhookSecret.Reveal(), Engine: a.engine, People: a.people(), Comments: comments,
			APIURL: g.APIURL, Token: g.Token.Reveal(), App: installation, Elsewhere: elsewhere(a.config), Transport: a.githubTransport(), Log: a.log}
		if a.gates != nil {
			o.Gates = a.gates
		}
		hook, err := github.NewWebhook(o)
		if err != nil {
			return err
		}
		a.mux.Handle("/github/", hook.Handler())
		a.background = append(a.background, hook.Run)
		a.on = append(a.on, "GitHub webhooks")
		if err := a.findMissed(hook); err != nil {
			return err
		}
	}
	if !g.Token.Set() && g.App == nil {
		return nil
	}
	return a.reportToGitHub()
}

// issues know which issues there are; nil: there is no Jira.
func (a *App) issues() (runtime.Issues, error) {
	j := a.config.Jira
	if j == nil {
		return nil, nil
	}
	account, err := a.jiraAccount()
	if err != nil {
		return nil, err
	}
	return jira.NewIssues(jira.IssuesOptions{URL: j.URL, APIURL: j.APIURL, Account: account, User: j.User, Token: j.Token.Reveal(), Projects: j.Projects, Transport: a.metrics.Outside(jira.System())})
}

func (a *App) connectJira() error {
	j := a.config.Jira
	if j == nil {
		return nil
	}
	account, err := a.jiraAccount()
	if err != nil {
		return err
	}
	notes := a.engine.MemosOf(jira.FollowerName)
	tickets, err := jira.New(jira.Options{URL: j.URL, APIURL: j.APIURL, Account: account, User: j.User, Token: j.Token.Reveal(), Project: j.Project, IssueType: j.IssueType,
		PublicURL: a.config.PublicURL, Reader: a.engine, Submitter: a.engine, Notes: notes, Transport: a.metrics.Outside(jira.System()), Log: a.log})
	if err != nil {
		return err
	}
	a.engine.AddFollower(tickets)
	a.on = append(a.on, "Jira tickets")
	if err := a.connectDeployments(account); err != nil {
		return err
	}
	approvals, err := a.connectApprovals(account)
	if err != nil {
		return err
	}
	if !j.WebhookSecret.Set() {
		return nil
	}
	hook, err := jira.NewWebhook(jira.WebhookOptions{Secret: j.WebhookSecret.Reveal(), Engine: a.engine, Notes: notes, Gates: approvals, Log: a.log})
	if err != nil {
		return err
	}
	a.mux.Handle("/jira/", hook.Handler())
	a.background = append(a.background, hook.Run)
	a.on = append(a.on, "Jira webhooks")
	return nil
}
