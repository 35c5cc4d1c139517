package app

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// directories are what answers who is in which outside group, by kind. chat is nil without Slack.
func (a *App) directories(chat *slack.Client) (map[string]runtime.Directory, error) {
	all := map[string]runtime.Directory{}
	if chat != nil {
		all[subject.SlackGroup] = chat
	}
	if a.asksGitHub() {
		g := a.config.GitHub
		teams, err := github.NewDirectory(github.DirectoryOptions{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(), People: a.people(), Transport: a.githubTransport()})
		if err != nil {
			return nil, err
		}
		all[subject.GitHubTeam] = teams
	}
	return all, nil
}

// asksGitHub says whether GitHub's API can be asked.
func (a *App) asksGitHub() bool {
	g := a.config.GitHub
	return g != nil && (g.Token.Set() || g.App != nil)
}

// installation is the GitHub App of the configuration; nil: there is none.
func (a *App) installation() *api.App {
	if g := a.config.GitHub; g != nil && g.App != nil {
		return &api.App{ID: g.App.ID, InstallationID: g.App.InstallationID, PrivateKey: []byte(g.App.PrivateKey.Reveal())}
	}
	return nil
}

// named is every who-expression of the configuration.
func (a *App) named() []string {
	who := a.policy.Named()
	for _, f := range a.config.Freezes() {
		who = append(who, f.MayPass...)
	}
	return who
}

// unanswered says why nobody can know who is in an outside group; empty: it can be asked.
func (a *App) unanswered(group string) string {
	kind, _, _ := subject.Split(group)
	switch {
	case kind == subject.SlackGroup && a.config.Slack == nil:
		return fmt.Sprintf("nobody has a right by %s: no slack is configured that could say who is in it", group)
	case kind == subject.GitHubTeam && !a.asksGitHub():
		return fmt.Sprintf("nobody has a right by %s: no github with a token or app is configured that could say who is in it", group)
	}
	return ""
}
