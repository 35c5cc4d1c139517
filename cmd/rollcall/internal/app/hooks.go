package app

import (
	"github.com/rollcall-bot/rollcall/integrations/hooks"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

var _ hooks.Engine = (*runtime.Engine)(nil)

// connectHooks opens the addresses at which signed requests start pipelines.
func (a *App) connectHooks() error {
	if len(a.config.Hooks) == 0 {
		return nil
	}
	o := hooks.Options{Engine: a.engine, Log: a.log}
	for _, h := range a.config.Hooks {
		o.Hooks = append(o.Hooks, hooks.Hook{Name: h.Name, Secret: h.Secret.Reveal(), Header: h.Header, Start: h.Start, Variables: h.Variables, Only: h.Only})
	}
	receiver, err := hooks.New(o)
	if err != nil {
		return err
	}
	a.mux.Handle("/hooks/", receiver.Handler())
	a.background = append(a.background, receiver.Run)
	a.on = append(a.on, words.Count(len(o.Hooks), "hook"))
	return nil
}
