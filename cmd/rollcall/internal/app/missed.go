package app

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/git"
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	runtimeinbound "github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
)

// told is a source of git whose changes GitHub's webhook tells of. What each pipeline
// has seen of a branch is then kept, so that a look finds what was missed.
type told struct{ *git.Source }

var (
	_ runtime.Source           = told{}
	_ runtime.Comparer         = told{}
	_ runtime.Differ           = told{}
	_ runtimeinbound.Keyed     = told{}
	_ runtimeinbound.Announced = told{}
)

// Announced is true.
func (told) Announced() bool { return true }

// fromGitHub is the source of actions that read from GitHub.
func (a *App) fromGitHub(s *git.Source) runtime.Source {
	if g := a.config.GitHub; g != nil && g.WebhookSecret.Set() {
		return told{s}
	}
	return s
}

// findMissed has the deliveries of GitHub looked for that did not arrive.
func (a *App) findMissed(hook *github.Webhook) error {
	g := a.config.GitHub
	run, err := hook.FindMissed(github.MissedOptions{APIURL: g.APIURL, Token: g.Token.Reveal(), App: a.installation(), PublicURL: a.config.PublicURL,
		Transport: a.githubTransport(), Repositories: a.followedOnGitHub, Notes: a.engine.MemosOf("github-missed"), Counted: a.metrics.MadeGood, Log: a.log,
		Seen: func(ctx context.Context, key string) (bool, error) {
			_, ok, err := a.db.Receipt(ctx, key)
			return ok, err
		},
		Branches: func(repository string) {
			a.engine.Recheck(func(action workflows.Action) bool { return strings.EqualFold(onGitHub(&action), repository) })
		}})
	if err != nil {
		return err
	}
	a.background = append(a.background, run)
	return nil
}

// followedOnGitHub are the repositories that pipelines take their source from, each once.
func (a *App) followedOnGitHub(ctx context.Context) (names []string, err error) {
	views, err := a.engine.Pipelines(ctx, workflows.EnginePrincipal())
	if err != nil {
		return nil, err
	}
	for _, v := range views {
		if v.Definition == nil {
			continue
		}
		for i := range v.Definition.Stages {
			for k := range v.Definition.Stages[i].Actions {
				if name := onGitHub(&v.Definition.Stages[i].Actions[k]); name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// onGitHub is the repository that a source action reads from GitHub; empty: it does not.
func onGitHub(a *workflows.Action) string {
	if !a.IsSource() || a.ActionType.Provider != "GitHub" && a.ActionType.Provider != "CodeStarSourceConnection" {
		return ""
	}
	return a.Configuration["FullRepositoryId"]
}
