package app

import "github.com/rollcall-bot/rollcall/integrations/github"

// githubTransport is what all clients of GitHub share: what one hears of limits
// holds for the others too, and their calls are counted.
func (a *App) githubTransport() *github.Transport {
	if a.hub == nil {
		a.hub = github.NewTransport(a.metrics.Outside(github.System()))
	}
	return a.hub
}
