package app

import "github.com/rollcall-bot/rollcall/integrations/jira"

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
