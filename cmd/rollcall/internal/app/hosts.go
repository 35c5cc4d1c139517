package app

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/bitbucket"
	"github.com/rollcall-bot/rollcall/integrations/git"
	"github.com/rollcall-bot/rollcall/integrations/gitlab"
	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

var _ pushes.Engine = (*runtime.Engine)(nil)

// hosts are where the repositories of Bitbucket and GitLab actions are, by provider.
func (a *App) hosts() map[string]git.Connection {
	all := map[string]git.Connection{}
	if b := a.config.Bitbucket; b != nil {
		all[bitbucket.Vendor] = git.Connection{CloneURL: b.CloneURL, Token: a.cloneToken(b.Token.Reveal()), User: b.User}
	}
	if g := a.config.GitLab; g != nil {
		all[gitlab.Vendor] = git.Connection{CloneURL: g.URL, Token: a.cloneToken(g.Token.Reveal()), User: g.User}
	}
	return all
}

// connectHosts takes the webhooks of Bitbucket and GitLab.
func (a *App) connectHosts() error {
	if b := a.config.Bitbucket; b != nil && b.WebhookSecret.Set() {
		r, err := bitbucket.NewWebhook(b.WebhookSecret.Reveal(), a.hostOptions(b.CloneURL, func(p config.Person) string { return p.Bitbucket }))
		if err != nil {
			return err
		}
		a.takePushes(bitbucket.Vendor, r)
	}
	if g := a.config.GitLab; g != nil && g.WebhookSecret.Set() {
		r, err := gitlab.NewWebhook(g.WebhookSecret.Reveal(), a.hostOptions(g.URL, func(p config.Person) string { return p.GitLab }))
		if err != nil {
			return err
		}
		a.takePushes(gitlab.Vendor, r)
	}
	return nil
}

func (a *App) takePushes(vendor string, r *pushes.Receiver) {
	a.mux.Handle("/"+strings.ToLower(vendor)+"/", r.Handler())
	a.background = append(a.background, r.Run)
	a.on = append(a.on, vendor+" webhooks")
}

// hostOptions are those of a host at an address, at which login says how somebody is called.
func (a *App) hostOptions(address string, login func(config.Person) string) pushes.Options {
	o := pushes.Options{Engine: a.engine, People: map[string]string{}, Log: a.log}
	for _, p := range a.config.People {
		if name := login(p); name != "" {
			o.People[name] = p.Email
		}
	}
	if a.config.AWS != nil {
		for arn, c := range a.config.AWS.Connections {
			if strings.EqualFold(strings.TrimSuffix(c.CloneURL, "/"), strings.TrimSuffix(address, "/")) {
				o.Connections = append(o.Connections, arn)
			}
		}
	}
	slices.Sort(o.Connections)
	return o
}
