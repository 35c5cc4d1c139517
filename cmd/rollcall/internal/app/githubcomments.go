package app

import (
	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/github"
)

var _ github.Typist = (*bot.Typed)(nil)

// commentCommand begins a line of a comment that is a command, whatever the slash command is called in Slack.
const commentCommand = "/rollcall"

// readComments carries out commands in comments on pull requests; nil: they are not read.
func (a *App) readComments() (*github.Comments, error) {
	g := a.config.GitHub
	if len(g.Comments) == 0 {
		return nil, nil
	}
	c, err := github.NewComments(github.CommentOptions{Repositories: g.Comments, Command: commentCommand, People: a.people(),
		Typist: bot.NewTyped(a.engine, a.present, commentCommand), Inbox: a.engine, Notes: a.engine.MemosOf("github-comments"),
		APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(), Transport: a.githubTransport(), Log: a.log})
	if err != nil {
		return nil, err
	}
	a.background = append(a.background, c.Run)
	a.on = append(a.on, "commands in GitHub comments")
	return c, nil
}
