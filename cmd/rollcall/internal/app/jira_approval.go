package app

import (
	"context"

	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/workflows"
)

// connectApprovals has gates answered in Jira.
func (a *App) connectApprovals(account *jira.Account) (*jira.Approvals, error) {
	j := a.config.Jira
	people := map[string]string{}
	for _, p := range a.config.People {
		if p.Jira != "" {
			people[p.Jira] = p.Email
		}
	}
	approvals, err := jira.NewApprovals(jira.ApprovalsOptions{URL: j.URL, APIURL: j.APIURL, Account: account, User: j.User, Token: j.Token.Reveal(),
		Project: j.Project, IssueType: j.IssueType, PublicURL: a.config.PublicURL, People: people, Engine: a.engine, Commits: a.commits,
		Notes: a.engine.MemosOf(jira.ApprovalsName), Transport: a.metrics.Outside(jira.System()), Log: a.log})
	if err != nil {
		return nil, err
	}
	a.engine.AddFollower(approvals)
	a.background = append(a.background, approvals.Run)
	return approvals, nil
}

// commits is what an execution brings into a stage, for change requests.
func (a *App) commits(ctx context.Context, execution, stage string) (jira.Commits, error) {
	set, err := a.engine.Changes(ctx, workflows.EnginePrincipal(), execution, stage)
	return jira.Commits{Total: set.Total, List: set.Commits, Compare: set.CompareURL, Why: set.Why}, err
}
