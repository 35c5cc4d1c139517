package app

import (
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/integrations/github/transport"
)

// githubTransport is what all clients of GitHub share: what one hears of limits
// holds for the others too, and their calls are counted.
func (a *App) githubTransport() *transport.Transport {
	if a.hub == nil {
		a.hub = transport.New(a.metrics.Outside(github.System()))
	}
	return a.hub
}
