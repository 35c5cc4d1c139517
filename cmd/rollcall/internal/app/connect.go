package app

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/commands"
	"github.com/rollcall-bot/rollcall/integrations/git"
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/wait"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// That the implementations fit the interfaces is checked here, where both are known.
var (
	_ runtime.Runner    = (*commands.Runner)(nil)
	_ runtime.Finder    = (*commands.Runner)(nil)
	_ runtime.Runner    = (*git.Source)(nil)
	_ runtime.Finder    = (*git.Source)(nil)
	_ runtime.Source    = (*git.Source)(nil)
	_ runtime.Runner    = (*wait.Runner)(nil)
	_ runtime.Follower  = (*bot.Bot)(nil)
	_ runtime.Follower  = (*github.Statuses)(nil)
	_ runtime.Follower  = (*jira.Tickets)(nil)
	_ runtime.Directory = (*slack.Client)(nil)
	_ bot.Chat          = (*slack.Client)(nil)
	_ bot.Engine        = (*runtime.Engine)(nil)
	_ bot.Memos         = (*runtime.Notebook)(nil)
	_ slack.Bot         = (*bot.Bot)(nil)
	_ slack.Inbox       = (*runtime.Engine)(nil)
	_ github.Engine     = (*runtime.Engine)(nil)
	_ web.History       = (*runtime.Engine)(nil)
)

// runners returns what carries out actions and what looks at repositories, by provider.
func (a *App) runners() (map[string]runtime.Runner, map[string]runtime.Source, error) {
	o := git.Options{AllowFileURLs: a.config.Sources.AllowFileURLs, CacheDir: filepath.Join(a.config.DataDir, "sources"), Log: a.log}
	if g := a.config.GitHub; g != nil {
		o.CloneURL = g.CloneURL
		o.Token = a.cloneToken(g.Token.Reveal())
	}
	sources := git.New(o)
	if err := sources.Check(); err != nil {
		return nil, nil, err
	}
	runners := map[string]runtime.Runner{"Git": sources, "GitHub": sources, "CodeStarSourceConnection": sources, wait.Provider: wait.New(time.Now)}
	if c := a.config.Runners.Commands; c.Enabled {
		r := commands.New(commands.Options{User: c.User, Secrets: a.config.Secrets, Log: a.log})
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
	return runners, map[string]runtime.Source{"Git": sources, "GitHub": sources, "CodeStarSourceConnection": sources}, nil
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
		AppToken: s.AppToken.Reveal(), Channel: s.Channel, Command: s.Command, Unpaced: a.extras.Unpaced, Log: a.log})
}

func (a *App) connectSlack(c *slack.Client) {
	s := a.config.Slack
	// No PublicURL: a link on a card must lead to what it names, and there is no console yet.
	b := bot.New(bot.Options{Engine: a.engine, Chat: c, Memos: a.engine.Notebook("slack"), Channel: s.Channel, Command: s.Command,
		Open: a.policy.Open(), Groups: a.policy.Groups, Log: a.log})
	a.engine.AddFollower(b)
	r := c.Receive(a.engine, b)
	a.mux.Handle("/slack/", r.Handler())
	a.background = append(a.background, r.Run)
	a.chat = c
	way := "Slack over HTTP"
	if s.AppToken.Set() {
		way = "Slack by Socket Mode"
	}
	a.on = append(a.on, way)
}

func (a *App) connectGitHub() error {
	g := a.config.GitHub
	if g == nil {
		return nil
	}
	var installation *github.App
	if g.App != nil {
		installation = &github.App{ID: g.App.ID, InstallationID: g.App.InstallationID, PrivateKey: []byte(g.App.PrivateKey.Reveal())}
	}
	if g.WebhookSecret.Set() {
		people := map[string]string{}
		for _, p := range a.config.People {
			if p.GitHub != "" {
				people[p.GitHub] = p.Email
			}
		}
		hook, err := github.NewWebhook(github.WebhookOptions{Secret: g.WebhookSecret.Reveal(), Engine: a.engine, People: people,
			APIURL: g.APIURL, Token: g.Token.Reveal(), App: installation, Log: a.log})
		if err != nil {
			return err
		}
		a.mux.Handle("/github/", hook.Handler())
		a.background = append(a.background, hook.Run)
		a.on = append(a.on, "GitHub webhooks")
	}
	if !g.Token.Set() && g.App == nil {
		return nil
	}
	statuses, err := github.NewStatuses(github.StatusOptions{APIURL: g.APIURL, Token: g.Token.Reveal(), App: installation, PublicURL: a.config.PublicURL,
		Reader: a.engine, Notes: a.engine.Notebook("github-status"), Log: a.log})
	if err != nil {
		return err
	}
	a.engine.AddFollower(statuses)
	a.on = append(a.on, "GitHub commit statuses")
	return nil
}

func (a *App) connectJira() error {
	j := a.config.Jira
	if j == nil {
		return nil
	}
	notes := a.engine.Notebook(jira.FollowerName)
	tickets, err := jira.New(jira.Options{URL: j.URL, User: j.User, Token: j.Token.Reveal(), Project: j.Project, IssueType: j.IssueType,
		PublicURL: a.config.PublicURL, Reader: a.engine, Submitter: a.engine, Notes: notes, Log: a.log})
	if err != nil {
		return err
	}
	a.engine.AddFollower(tickets)
	a.on = append(a.on, "Jira tickets")
	if !j.WebhookSecret.Set() {
		return nil
	}
	hook, err := jira.NewWebhook(jira.WebhookOptions{Secret: j.WebhookSecret.Reveal(), Engine: a.engine, Notes: notes, Log: a.log})
	if err != nil {
		return err
	}
	a.mux.Handle("/jira/", hook.Handler())
	a.on = append(a.on, "Jira webhooks")
	return nil
}
