package doctor

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/bitbucket"
	"github.com/rollcall-bot/rollcall/integrations/git"
	"github.com/rollcall-bot/rollcall/integrations/gitlab"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// readWithin is how long one repository may take to be looked at.
const readWithin = 30 * time.Second

// host is what the configuration says of a host of repositories.
type host struct {
	vendor string
	at     git.Connection
	token  config.Secret
	hook   config.Secret
}

func (d *doctor) bitbucket(ctx context.Context) []selftest.Result {
	b := d.c.Bitbucket
	return d.host(ctx, host{bitbucket.Vendor, git.Connection{CloneURL: b.CloneURL, User: b.User}, b.Token, b.WebhookSecret})
}

func (d *doctor) gitlab(ctx context.Context) []selftest.Result {
	g := d.c.GitLab
	return d.host(ctx, host{gitlab.Vendor, git.Connection{CloneURL: g.URL, User: g.User}, g.Token, g.WebhookSecret})
}

// host looks whether the branches can be read that pipelines take their source from, as
// the service reads them.
func (d *doctor) host(ctx context.Context, h host) (checks []selftest.Result) {
	section := strings.ToLower(h.vendor)
	if h.hook.Set() {
		checks = append(checks, selftest.Result{About: "webhook", Status: selftest.OK, Message: "deliveries are taken at " + strings.TrimSuffix(d.c.PublicURL, "/") + "/" + section + "/webhook"})
	} else {
		checks = append(checks, selftest.Result{About: "webhook", Status: selftest.Warning, Message: "there is no " + section + ".webhookSecret, so no delivery starts anything",
			Fix: []string{"add a webhook to the repository in " + h.vendor + ", and put its secret there; or set PollForSourceChanges: \"true\" on the sources"}})
	}
	folder, err := os.MkdirTemp("", "rollcall-doctor")
	if err != nil {
		return append(checks, selftest.Result{About: "repositories", Status: selftest.Unknown, Message: "were not looked at: " + err.Error()})
	}
	defer os.RemoveAll(folder)
	if token := h.token.Reveal(); token != "" {
		h.at.Token = func(context.Context) (string, error) { return token, nil }
	}
	source := git.New(git.Options{CacheDir: folder, AllowFileURLs: d.c.Sources.AllowFileURLs, Hosts: map[string]git.Connection{h.vendor: h.at}})
	seen := map[string]bool{}
	for _, p := range d.pipelines {
		for i := range p.Stages {
			for _, a := range p.Stages[i].Actions {
				name := a.Configuration["FullRepositoryId"] + " " + a.Configuration["BranchName"]
				if a.ActionType.Provider == h.vendor && a.IsSource() && !strings.Contains(name, "#{") && !seen[name] {
					seen[name] = true
					checks = append(checks, branchCheck(ctx, source, section, name, a))
				}
			}
		}
	}
	return checks
}

// branchCheck asks for the head of a branch.
func branchCheck(ctx context.Context, source *git.Source, section, name string, a workflows.Action) selftest.Result {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	check := selftest.Result{About: name, Status: selftest.OK, Message: "can be read"}
	_, err := source.Head(ctx, work.Followed{Action: a})
	if err == nil {
		return check
	}
	check.Status, check.Message = selftest.Failed, "cannot be read: "+err.Error()
	check.Fix = []string{"check the name in the pipeline file, and " + section + ".token: it must be able to read the repository"}
	var p *workflows.Problem
	if errors.As(err, &p) {
		check.Message = "cannot be read: " + p.Message
		if p.Hint != "" {
			check.Fix = []string{p.Hint}
		}
	}
	return check
}
