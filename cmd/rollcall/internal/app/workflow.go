package app

import (
	"github.com/rollcall-bot/rollcall/integrations/github/actions"
	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

var (
	_ runtime.Runner = (*actions.Runner)(nil)
	_ runtime.Finder = (*actions.Runner)(nil)
)

// workflowRunner carries out GitHubWorkflow actions; nil: GitHub cannot be asked.
func (a *App) workflowRunner() (runtime.Runner, error) {
	g := a.config.GitHub
	if g == nil || !g.Token.Set() && g.App == nil {
		return nil, nil
	}
	return actions.NewRunner(actions.Options{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(),
		Notes: func() api.Notes { return a.engine.MemosOf("github-workflow") }, Transport: a.githubTransport(), Log: a.log})
}
