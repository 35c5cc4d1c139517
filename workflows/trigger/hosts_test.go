package trigger

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// The same name at another host is another repository.
func TestHostsOfRepositories(t *testing.T) {
	const arn, other = "arn:aws:codeconnections:eu-west-1:111122223333:connection/b", "arn:aws:codeconnections:eu-west-1:111122223333:connection/c"
	pipeline := func(provider, repository, connection string) *workflows.Pipeline {
		return &workflows.Pipeline{Stages: []workflows.Stage{{Actions: []workflows.Action{{Name: "App", ActionType: workflows.ActionType{Category: "Source", Provider: provider},
			Configuration: map[string]string{"FullRepositoryId": repository, "BranchName": "main", "ConnectionArn": connection}}}}}}
	}
	event := func(provider, repository string, connections ...string) Event {
		return Event{Provider: provider, Kind: "push", Repository: repository, Branch: "main", Connections: connections}
	}
	for _, c := range []struct {
		p    *workflows.Pipeline
		e    Event
		want bool
	}{
		{pipeline("GitLab", "acme/team/shop", ""), event("GitLab", "Acme/team/shop"), true},
		{pipeline("GitLab", "acme/shop", ""), event("Bitbucket", "acme/shop"), false},
		{pipeline("GitLab", "acme/shop", ""), event("GitHub", "acme/shop"), false},
		{pipeline("Bitbucket", "SHOP/web.git", ""), event("Bitbucket", "shop/web"), true},
		{pipeline("GitHub", "acme/shop", ""), event("GitLab", "acme/shop", arn), false},
		{pipeline("Git", "acme/shop", ""), event("GitLab", "acme/shop"), false},
		{pipeline("CodeStarSourceConnection", "acme/shop", arn), event("Bitbucket", "acme/shop", arn, other), true},
		{pipeline("CodeStarSourceConnection", "acme/shop", arn), event("Bitbucket", "acme/shop", other), false},
		{pipeline("CodeStarSourceConnection", "acme/shop", ""), event("Bitbucket", "acme/shop"), false},
		{pipeline("CodeStarSourceConnection", "acme/shop", arn), event("GitHub", "acme/shop"), true},
		{pipeline("CodeStarSourceConnection", "acme/shop", arn), Event{Provider: "GitHub", Kind: "push", Repository: "acme/shop", Branch: "main", Elsewhere: []string{arn}}, false},
		{pipeline("CodeStarSourceConnection", "acme/shop", other), Event{Provider: "GitHub", Kind: "push", Repository: "acme/shop", Branch: "main", Elsewhere: []string{arn}}, true},
	} {
		if _, got, why := Match(c.p, c.e); got != c.want {
			a := c.p.Stages[0].Actions[0]
			t.Errorf("%s %s, %s %s: %t (%s)", a.ActionType.Provider, a.Configuration["FullRepositoryId"], c.e.Provider, c.e.Repository, got, why)
		}
	}
}
