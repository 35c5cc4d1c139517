package app

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/github/feedback"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/work"
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
		deployments, err := feedback.NewDeployments(a.feedbackTo("github-deployments"))
		if err != nil {
			return err
		}
		a.engine.AddFollower(deployments)
		a.on = append(a.on, "GitHub deployments")
	}
	if g.CommentsOnPulls() {
		comments, err := feedback.NewPullComments(a.feedbackTo("github-pulls"), a.pullsOf)
		if err != nil {
			return err
		}
		a.engine.AddFollower(comments)
		a.on = append(a.on, "comments on GitHub pull requests")
	}
	if g.RecordsDeployments() {
		records, err := feedback.NewRecords(a.feedbackTo("github-records"))
		if err != nil {
			return err
		}
		a.engine.AddFollower(records)
	}
	if g.LooksUpFacts() {
		facts, err := feedback.NewFacts(a.feedbackTo("github-facts"))
		if err != nil {
			return err
		}
		a.engine.AddFollower(facts)
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
		if o.Checks, err = feedback.ChecksGranted(o); err != nil {
			return err
		}
	}
	statuses, err := feedback.NewStatuses(o)
	if err != nil {
		return err
	}
	a.engine.AddFollower(statuses)
	a.on = append(a.on, "GitHub commit statuses")
	if o.Checks == nil {
		return nil
	}
	o.Notes = a.engine.MemosOf("github-checks")
	runs, err := feedback.NewCheckRuns(o)
	if err != nil {
		return err
	}
	a.engine.AddFollower(runs)
	a.on = append(a.on, "GitHub check runs")
	return nil
}

// feedbackTo are the options of a follower that reports to GitHub, by its name.
func (a *App) feedbackTo(name string) feedback.Options {
	g := a.config.GitHub
	return feedback.Options{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(), PublicURL: a.config.PublicURL, Elsewhere: elsewhere(a.config),
		Reader: a.engine, Submitter: a.engine, Notes: a.engine.MemosOf(name), Transport: a.githubTransport(), Log: a.log}
}

// elsewhere are the connections of AWS that lead to another host than github.cloneURL.
func elsewhere(c *config.Config) (arns []string) {
	if c.AWS == nil || c.GitHub == nil {
		return nil
	}
	for arn, to := range c.AWS.Connections {
		at, err := url.Parse(to.CloneURL)
		hub, err2 := url.Parse(c.GitHub.CloneURL)
		if err == nil && err2 == nil && at.Hostname() != "" && !strings.EqualFold(at.Hostname(), hub.Hostname()) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return arns
}

// pullsOf are the pull requests that an execution brought into a stage, and those it took out.
func (a *App) pullsOf(ctx context.Context, execution, stage string) (brought, undone []work.Pull, missing string, err error) {
	set, err := a.engine.Changes(ctx, workflows.EnginePrincipal(), execution, stage)
	if err != nil {
		return nil, nil, "", err
	}
	brought, undone, missing = pullsOf(&set)
	return brought, undone, missing, nil
}

// pullsOf are the pull requests of what an execution brings, and of what it
// undoes. Of a first release, whose history is all there is, only that of the
// commit itself counts.
func pullsOf(set *changes.Set) (brought, undone []work.Pull, missing string) {
	comes, goes := set.Commits, set.Dropped
	if set.Direction == changes.Back {
		comes, goes = nil, set.Commits
	}
	if set.From == nil {
		comes = slices.DeleteFunc(slices.Clone(comes), func(c work.Commit) bool { return c.ID != set.To })
	}
	for _, c := range slices.Concat(comes, goes) {
		if c.Pull == nil && !set.Complete {
			missing = set.Why
		}
	}
	return pulls(comes), pulls(goes), missing
}

func pulls(commits []work.Commit) (all []work.Pull) {
	for _, c := range commits {
		if c.Pull != nil {
			all = append(all, *c.Pull)
		}
	}
	return all
}
