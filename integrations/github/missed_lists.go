package github

import (
	"context"
	"errors"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
)

// deliveries is what can be listed and repeated: those of one webhook.
type deliveries struct {
	name         string   // for people: "acme/webshop", "acme", "the app"
	repositories []string // whose events it delivers, as far as pipelines follow them
	list         func(ctx context.Context, o *github.ListCursorOptions) ([]*github.HookDelivery, *github.Response, error)
	get          func(ctx context.Context, id int64) (*github.HookDelivery, *github.Response, error)
	again        func(ctx context.Context, id int64) error
}

// lists finds the webhooks that deliver here. blind are the repositories of which it
// cannot be known whether there is one; complete is false when GitHub could not be asked.
func (m *missed) lists(ctx context.Context, repositories []string) (all []deliveries, blind []string, complete bool) {
	if m.api == nil {
		return nil, repositories, true
	}
	complete = true
	byApp := false
	if m.own != nil {
		config, _, err := m.own.Apps.GetHookConfig(ctx)
		switch {
		case err == nil && m.ours(config.GetURL()):
			all, byApp = append(all, m.ofApp(repositories)), true
		case err != nil && !unlisted(err):
			m.Log.Warn("the webhook of the app could not be looked up; it is tried again", "error", api.Said(err))
			complete = false
		}
	}
	organizations := map[string][]string{} // with the repositories that have no webhook of their own
	hidden := map[string]bool{}            // repositories whose webhooks are not shown
	for _, full := range repositories {
		owner, name, err := api.SplitRepository(full)
		if err != nil {
			continue
		}
		hooks, err := m.hooks(func(o *github.ListOptions) ([]*github.Hook, *github.Response, error) {
			return m.api.Repositories.ListHooks(ctx, owner, name, o)
		})
		switch {
		case unlisted(err):
			hidden[full] = true
		case err != nil:
			m.Log.Warn("the webhooks of a repository could not be listed; it is tried again", "repository", full, "error", api.Said(err))
			complete = false
			continue
		}
		for _, h := range hooks {
			all = append(all, m.ofRepository(owner, name, h.GetID()))
		}
		if len(hooks) == 0 && !byApp {
			organizations[owner] = append(organizations[owner], full)
		}
	}
	for owner, without := range organizations {
		hooks, err := m.hooks(func(o *github.ListOptions) ([]*github.Hook, *github.Response, error) {
			return m.api.Organizations.ListHooks(ctx, owner, o)
		})
		if err != nil && !unlisted(err) {
			m.Log.Warn("the webhooks of an organization could not be listed; it is tried again", "organization", owner, "error", api.Said(err))
			complete = false
			continue
		}
		for _, h := range hooks {
			all = append(all, m.ofOrganization(owner, without, h.GetID()))
		}
		if len(hooks) == 0 {
			for _, full := range without {
				if hidden[full] || err != nil {
					m.once(full, "the webhooks of a repository and its owner cannot be listed, so only the newest commit of each branch is looked at", err)
					blind = append(blind, full)
				}
			}
		}
	}
	return all, blind, complete
}

// ours says whether a webhook delivers here.
func (m *missed) ours(address string) bool {
	rest, ok := strings.CutPrefix(address, m.PublicURL)
	return ok && m.PublicURL != "" && (rest == "" || rest[0] == '/')
}

// hooks are those of a list that deliver here and are switched on.
func (m *missed) hooks(list func(*github.ListOptions) ([]*github.Hook, *github.Response, error)) (all []*github.Hook, err error) {
	for o := (&github.ListOptions{PerPage: 100}); ; {
		page, resp, err := list(o)
		if err != nil {
			return nil, err
		}
		for _, h := range page {
			if m.ours(h.Config.GetURL()) {
				all = append(all, h)
			}
		}
		if o.Page = resp.NextPage; o.Page == 0 {
			return all, nil
		}
	}
}

// taken is nil when GitHub has accepted a call: the library makes an error of 202.
func taken(err error) error {
	var accepted *github.AcceptedError
	if errors.As(err, &accepted) {
		return nil
	}
	return err
}

func (m *missed) ofApp(repositories []string) deliveries {
	apps := m.own.Apps
	return deliveries{name: "the app", repositories: repositories, list: apps.ListHookDeliveries, get: apps.GetHookDelivery, again: func(ctx context.Context, id int64) error {
		_, _, err := apps.RedeliverHookDelivery(ctx, id)
		return taken(err)
	}}
}

func (m *missed) ofRepository(owner, name string, hook int64) deliveries {
	calls := m.api.Repositories
	return deliveries{
		name: owner + "/" + name, repositories: []string{owner + "/" + name},
		list: func(ctx context.Context, o *github.ListCursorOptions) ([]*github.HookDelivery, *github.Response, error) {
			return calls.ListHookDeliveries(ctx, owner, name, hook, o)
		},
		get: func(ctx context.Context, id int64) (*github.HookDelivery, *github.Response, error) {
			return calls.GetHookDelivery(ctx, owner, name, hook, id)
		},
		again: func(ctx context.Context, id int64) error {
			_, _, err := calls.RedeliverHookDelivery(ctx, owner, name, hook, id)
			return taken(err)
		},
	}
}

func (m *missed) ofOrganization(owner string, repositories []string, hook int64) deliveries {
	calls := m.api.Organizations
	return deliveries{
		name: owner, repositories: repositories,
		list: func(ctx context.Context, o *github.ListCursorOptions) ([]*github.HookDelivery, *github.Response, error) {
			return calls.ListHookDeliveries(ctx, owner, hook, o)
		},
		get: func(ctx context.Context, id int64) (*github.HookDelivery, *github.Response, error) {
			return calls.GetHookDelivery(ctx, owner, hook, id)
		},
		again: func(ctx context.Context, id int64) error {
			_, _, err := calls.RedeliverHookDelivery(ctx, owner, hook, id)
			return taken(err)
		},
	}
}
