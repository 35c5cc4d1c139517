package app

import (
	"context"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/gates"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

var (
	_ runtime.Follower = (*gates.Gates)(nil)
	_ runtime.Source   = (*gates.Gates)(nil)
	_ runtime.Comparer = (*gates.Gates)(nil)
)

// openGates makes what lets environments of GitHub Actions ask here, if the service is a
// GitHub App; it is the source that knows what lies between deployments. It asks nobody.
func (a *App) openGates(sources map[string]runtime.Source) error {
	app := a.installation()
	if app == nil {
		return nil
	}
	g := a.config.GitHub
	clients, err := api.NewInstallations(g.APIURL, *app, a.githubTransport())
	if err != nil {
		return err
	}
	o := gates.Options{APIURL: g.APIURL, Installations: clients, Usual: app.InstallationID, WebURL: webPages(g.APIURL), PublicURL: a.config.PublicURL, People: a.people(), InForce: a.keepers, Log: a.log}
	for i := range g.Gates {
		row := &g.Gates[i]
		o.Rows = append(o.Rows, gates.Row{Repository: row.Repository, Environment: row.Environment, Channel: row.Channel, Owners: row.Owners,
			Approval: row.Policy(), Minutes: row.Minutes(), PastFreezes: row.PastFreezes()})
	}
	if a.gates, err = gates.New(o); err != nil {
		return err
	}
	if a.extras.Sources == nil {
		sources[a.gates.Provider()] = a.gates
	}
	return nil
}

// connectGates lets them ask. Without a row what was asked when there was one is still
// answered, and the pipelines are archived.
func (a *App) connectGates() {
	if a.gates == nil {
		return
	}
	a.gates.Connect(a.engine, a.engine, a.engine.MemosOf(a.gates.Name()))
	a.engine.AddFollower(a.gates)
	a.background = append(a.background, a.gates.Run)
	if n := len(a.config.GitHub.Gates); n > 0 {
		a.on = append(a.on, words.Count(n, "row")+" of gates for GitHub Actions")
	}
}

// keepers are who keeps each pipeline in force.
func (a *App) keepers(ctx context.Context) (map[string]string, error) {
	all, err := a.engine.InForce(ctx)
	by := make(map[string]string, len(all))
	for name := range all {
		by[name] = all[name].ManagedBy
	}
	return by, err
}
