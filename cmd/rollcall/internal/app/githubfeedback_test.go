package app

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestPullRequestsOfWhatIsReleased(t *testing.T) {
	commit := func(id string, number int) work.Commit {
		c := work.Commit{ID: id}
		if number > 0 {
			c.Pull = &work.Pull{Number: number}
		}
		return c
	}
	ran := "old"
	for name, c := range map[string]struct {
		set  changes.Set
		want string
	}{
		"a release":                 {changes.Set{From: &ran, To: "c", Direction: changes.Ahead, Commits: []work.Commit{commit("c", 3), commit("b", 2), commit("a", 0)}, Complete: true}, "brought 3 2, undone"},
		"a rollback":                {changes.Set{From: &ran, To: "a", Direction: changes.Back, Commits: []work.Commit{commit("c", 3)}, Dropped: []work.Commit{commit("c", 3)}, Complete: true}, "brought, undone 3"},
		"another line of history":   {changes.Set{From: &ran, To: "c", Direction: changes.Diverged, Commits: []work.Commit{commit("c", 3)}, Dropped: []work.Commit{commit("b", 2)}, Complete: true}, "brought 3, undone 2"},
		"a first release":           {changes.Set{To: "c", Direction: changes.Ahead, Commits: []work.Commit{commit("c", 3), commit("b", 2)}, Complete: true}, "brought 3, undone"},
		"GitHub is away":            {changes.Set{From: &ran, To: "c", Direction: changes.Ahead, Commits: []work.Commit{commit("c", 3), commit("b", 0)}, Why: "GitHub is away"}, "brought 3, undone; GitHub is away"},
		"only the newest are known": {changes.Set{From: &ran, To: "c", Direction: changes.Ahead, Commits: []work.Commit{commit("c", 3)}, Why: "only the newest"}, "brought 3, undone"},
	} {
		brought, undone, missing := pullsOf(&c.set)
		got := "brought"
		for _, p := range brought {
			got += fmt.Sprint(" ", p.Number)
		}
		got += ", undone"
		for _, p := range undone {
			got += fmt.Sprint(" ", p.Number)
		}
		if missing != "" {
			got += "; " + missing
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// The same name at another host is another repository: nothing of it is reported to GitHub.
func TestConnectionsThatLeadElsewhere(t *testing.T) {
	c := &config.Config{GitHub: &config.GitHub{CloneURL: "ssh://git@GitHub.com/"}, AWS: &config.AWS{Connections: map[string]config.Connection{
		"arn:hub": {CloneURL: "https://github.com/"}, "arn:lab": {CloneURL: "https://gitlab.com/"}, "arn:bucket": {CloneURL: "https://bitbucket.org/"}, "arn:file": {CloneURL: "file:///srv/git/"},
	}}}
	if got := elsewhere(c); !slices.Equal(got, []string{"arn:bucket", "arn:lab"}) {
		t.Error(got)
	}
	if got := elsewhere(&config.Config{GitHub: c.GitHub}); got != nil {
		t.Error(got)
	}
}
