package app

import (
	"context"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/github"
)

// reportToGitHub adds the followers that keep GitHub in step.
func (a *App) reportToGitHub() error {
	g := a.config.GitHub
	if g.Feedback != config.FeedbackNone {
		if err := a.reportStages(); err != nil {
			return err
		}
	}
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

// reportStages adds what shows the pipelines and their stages on commits.
func (a *App) reportStages() error {
	o := a.feedbackTo("github-status")
	switch g := a.config.GitHub; {
	case g.Feedback == config.FeedbackChecks:
		o.Checks = func(context.Context) (bool, error) { return true, nil }
	case g.Feedback == "" && g.App != nil:
		var err error
		if o.Checks, err = github.ChecksGranted(o); err != nil {
			return err
		}
	}
	statuses, err := github.NewStatuses(o)
	if err != nil {
		return err
	}
	a.engine.AddFollower(statuses)
	a.on = append(a.on, "GitHub commit statuses")
	if o.Checks == nil {
		return nil
	}
	o.Notes = a.engine.MemosOf("github-checks")
	runs, err := github.NewCheckRuns(o)
	if err != nil {
		return err
	}
	a.engine.AddFollower(runs)
	a.on = append(a.on, "GitHub check runs")
	return nil
}

// feedbackTo are the options of a follower that reports to GitHub, by its name.
func (a *App) feedbackTo(name string) github.FeedbackOptions {
	g := a.config.GitHub
	return github.FeedbackOptions{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(), PublicURL: a.config.PublicURL,
		Reader: a.engine, Submitter: a.engine, Notes: a.engine.MemosOf(name), Transport: a.githubTransport(), Log: a.log}
}
