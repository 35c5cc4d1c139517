package app

import (
	"github.com/rollcall-bot/rollcall/integrations/github"
)

// reportToGitHub adds the followers that keep GitHub in step.
func (a *App) reportToGitHub() error {
	g := a.config.GitHub
	statuses, err := github.NewStatuses(a.feedbackTo("github-status"))
	if err != nil {
		return err
	}
	a.engine.AddFollower(statuses)
	a.on = append(a.on, "GitHub commit statuses")
	if g.ShowsDeployments() {
		deployments, err := github.NewDeployments(a.feedbackTo("github-deployments"))
		if err != nil {
			return err
		}
		a.engine.AddFollower(deployments)
		a.on = append(a.on, "GitHub deployments")
	}
	return nil
}

// feedbackTo are the options of a follower that reports to GitHub, by its name.
func (a *App) feedbackTo(name string) github.FeedbackOptions {
	g := a.config.GitHub
	return github.FeedbackOptions{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(), PublicURL: a.config.PublicURL,
		Reader: a.engine, Submitter: a.engine, Notes: a.engine.MemosOf(name), Transport: a.githubTransport(), Log: a.log}
}
