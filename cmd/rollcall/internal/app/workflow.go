package app

import (
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

var (
	_ runtime.Runner = (*github.WorkflowRunner)(nil)
	_ runtime.Finder = (*github.WorkflowRunner)(nil)
)

// workflowRunner carries out GitHubWorkflow actions; nil: GitHub cannot be asked.
func (a *App) workflowRunner() (runtime.Runner, error) {
	g := a.config.GitHub
	if g == nil || !g.Token.Set() && g.App == nil {
		return nil, nil
	}
	return github.NewWorkflowRunner(github.WorkflowOptions{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(),
		Notes: func() github.Notes { return a.engine.MemosOf("github-workflow") }, Transport: a.githubTransport(), Log: a.log})
}
