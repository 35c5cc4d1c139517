package app

import (
	"context"
	"slices"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// jiraAccount is the service account that all calls to Jira share; nil: they have a token.
func (a *App) jiraAccount() (*jira.Account, error) {
	j := a.config.Jira
	if j == nil || !j.ServiceAccount() || a.account != nil {
		return a.account, nil
	}
	var err error
	a.account, err = jira.NewAccount(jira.AccountOptions{TokenURL: j.TokenURL, ClientID: j.ClientID, ClientSecret: j.ClientSecret.Reveal(),
		Scope: j.TokenScope(), Transport: a.metrics.Outside(jira.System())})
	return a.account, err
}

// connectDeployments has issues say where they are deployed.
func (a *App) connectDeployments(account *jira.Account) error {
	j := a.config.Jira
	links, comments := slices.Contains(j.OnIssues, config.JiraLinks), slices.Contains(j.OnIssues, config.JiraComments)
	panel, err := a.jiraPanel(account)
	if err != nil {
		return err
	}
	deployments, err := jira.NewDeployments(jira.DeploymentsOptions{URL: j.URL, APIURL: j.APIURL, Account: account, User: j.User, Token: j.Token.Reveal(),
		PublicURL: a.config.PublicURL, NoLinks: !links, NoComments: !comments, Panel: panel, Contents: brings{a.engine}, Reader: a.engine, Submitter: a.engine,
		Notes: a.engine.MemosOf(jira.DeploymentsName), Transport: a.metrics.Outside(jira.System()), Log: a.log})
	if err != nil {
		return err
	}
	a.engine.AddFollower(deployments)
	return nil
}

// jiraPanel is Jira's Deployments API; nil: it is not used.
func (a *App) jiraPanel(account *jira.Account) (*jira.Panel, error) {
	j := a.config.Jira
	if !j.Deployments {
		return nil, nil
	}
	o := jira.PanelOptions{URL: j.URL, APIURL: j.APIURL, Gateway: j.Gateway(), CloudID: j.CloudID, Account: account, User: j.User, Token: j.Token.Reveal(),
		PublicURL: a.config.PublicURL, Transport: a.metrics.Outside(jira.System())}
	if d := j.DeploymentsAPI; d != nil {
		var err error
		o.CloudID = d.CloudID
		o.Account, err = jira.NewAccount(jira.AccountOptions{TokenURL: d.TokenURL, ClientID: d.ClientID, ClientSecret: d.ClientSecret.Reveal(), Audience: "api.atlassian.com",
			Transport: a.metrics.Outside(jira.System())})
		if err != nil {
			return nil, err
		}
	}
	return jira.NewPanel(o)
}

// brings says what executions bring, for Jira.
type brings struct{ engine *runtime.Engine }

// Brings says which issues come into a stage with an execution, and which leave it.
func (b brings) Brings(ctx context.Context, execution, stage string) (jira.Brought, error) {
	set, err := b.engine.Changes(ctx, workflows.EnginePrincipal(), execution, stage)
	if err != nil {
		return jira.Brought{}, err
	}
	if set.Direction == changes.Back {
		return jira.Brought{Gone: set.Issues, Why: set.Why}, nil
	}
	return jira.Brought{Come: set.Issues, Gone: set.DroppedIssues, Why: set.Why}, nil
}
