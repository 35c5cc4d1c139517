package github

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// mainline is a branch as it grew, and the pull requests that made it grow.
type mainline struct {
	fake    *githubfake.Server
	commits []work.Commit  // oldest first
	came    map[string]int // by commit, as GitHub knows it
	pulls   int
}

func newMainline() *mainline {
	return &mainline{fake: githubfake.New(githubfake.Options{Token: "secret-token"}), came: map[string]int{}}
}

// commit adds a commit, by default on top of the newest.
func (m *mainline) commit(summary string, parents ...string) string {
	if n := len(m.commits); n > 0 && len(parents) == 0 {
		parents = []string{m.commits[n-1].ID}
	}
	id := fmt.Sprintf("%040x", len(m.commits)+1)
	m.commits = append(m.commits, work.Commit{ID: id, Summary: summary, Parents: parents})
	return id
}

func (m *mainline) direct(n int) {
	for range n {
		m.commit("Straight to main")
	}
}

// pull merges a pull request of n commits, one of "merge", "squash", "rebase".
func (m *mainline) pull(how string, n int) {
	m.pulls++
	p := githubfake.Pull{Repository: "acme/shop", Number: m.pulls, Action: "closed", Merged: true, Title: fmt.Sprint("Pull ", m.pulls), Head: fmt.Sprint("topic-", m.pulls)}
	base := m.commits[len(m.commits)-1].ID
	switch how {
	case "squash":
		p.Commits = []string{m.commit(fmt.Sprintf("Pull %d (#%d)", m.pulls, m.pulls))}
	default:
		at := base
		for i := range n {
			at = m.commit(fmt.Sprint("Part ", i), at)
			p.Commits = append(p.Commits, at)
		}
		p.Commit = at
		if how == "merge" {
			p.Commits = append(p.Commits, m.commit(fmt.Sprintf("Merge pull request #%d from acme/topic-%d", m.pulls, m.pulls), base, at))
		} else {
			p.Commit = strings.Repeat("f", 40) // its own commits have other IDs
		}
	}
	p.MergeCommit = p.Commits[len(p.Commits)-1]
	m.fake.Keep(p)
	for _, id := range p.Commits {
		m.came[id] = m.pulls
	}
}

// unpaced asks as fast as it can.
func unpaced(t *testing.T, url, token string) *Pulls {
	t.Helper()
	c, err := api.NewPaced(url, token, nil, nil, wire.Pacing{})
	if err != nil {
		t.Fatal(err)
	}
	return &Pulls{client: c}
}

// By which pull requests commits came, for releases of all sizes and every way of
// merging, in at most 95 calls; what these do not suffice for is left open.
func TestPullsOfCommits(t *testing.T) {
	times := func(n int, do func()) {
		for range n {
			do()
		}
	}
	for _, c := range []struct {
		name  string
		grow  func(m *mainline)
		from  int // commits that the release does not have
		open  int
		calls int // at most
	}{
		{"one commit", func(m *mainline) { m.pull("squash", 1) }, 1, 0, 1},
		{"one that nobody asked for", func(m *mainline) { m.direct(1) }, 1, 0, 1},
		{"12, of three pull requests", func(m *mainline) { m.pull("merge", 3); m.direct(2); m.pull("rebase", 3); m.pull("merge", 2) }, 1, 0, 12},
		{"400 merged", func(m *mainline) { times(100, func() { m.pull("merge", 3) }) }, 1, 0, 1},
		{"400 squashed", func(m *mainline) { times(400, func() { m.pull("squash", 9) }) }, 1, 0, 4},
		{"400 straight to main", func(m *mainline) { m.direct(400) }, 1, 0, 1},
		{"400, some rebased", func(m *mainline) {
			times(20, func() { m.direct(12); m.pull("merge", 3); m.pull("rebase", 2); m.pull("squash", 2) })
		}, 1, 0, 41},
		{"400, all rebased", func(m *mainline) { times(100, func() { m.pull("rebase", 4) }) }, 1, 207, 95},
		{"the newest 30 of a pull request", func(m *mainline) { m.pull("merge", 60) }, 31, 0, 1},
		{"2,500 squashed", func(m *mainline) { times(2500, func() { m.pull("squash", 1) }) }, 1, 0, 25},
		{"100 after very many others", func(m *mainline) { times(3200, func() { m.pull("squash", 1) }); m.direct(100) }, 3201, 35, 95},
	} {
		m := newMainline()
		m.commit("First")
		c.grow(m)
		server := httptest.NewServer(m.fake)
		p := unpaced(t, server.URL, "secret-token")
		release := slices.Clone(m.commits[c.from:])
		slices.Reverse(release)
		got, err := p.Pulls(t.Context(), "acme/shop", release, 95)
		open := 0
		for _, one := range release {
			pull, known := got.By[one.ID]
			switch {
			case !known:
				open++
			case pull == nil && m.came[one.ID] != 0, pull != nil && pull.Number != m.came[one.ID]:
				t.Errorf("%s: %s came by #%d, not by %+v", c.name, one.Summary, m.came[one.ID], pull)
			case pull != nil && (pull.Title != fmt.Sprint("Pull ", pull.Number) || pull.Branch != fmt.Sprint("topic-", pull.Number) || !strings.HasSuffix(pull.URL, fmt.Sprint("/pull/", pull.Number))):
				t.Errorf("%s: %+v", c.name, pull)
			}
		}
		if err != nil || open != c.open || got.Calls > c.calls || got.Calls != m.fake.Calls() {
			t.Errorf("%s: %d of %d open (want %d) after %d calls (at most %d, the fake counts %d), %v", c.name, open, len(release), c.open, got.Calls, c.calls, m.fake.Calls(), err)
		}
		server.Close()
	}
}

// What was found before GitHub went away is not lost; what it refuses says what it wants.
func TestPullsOfAGitHubThatIsAway(t *testing.T) {
	m := newMainline()
	m.commit("First")
	m.pull("squash", 1)
	m.pull("squash", 1)
	server := httptest.NewServer(m.fake)
	defer server.Close()
	ask := func(token string) (work.Pulled, error) {
		return unpaced(t, server.URL, token).Pulls(t.Context(), "acme/shop", m.commits[1:], 95)
	}
	m.fake.Faults.Set(fault.Fault{Match: "GET /repos/acme/shop/commits/" + m.commits[2].ID, Status: 403})
	if got, err := ask("secret-token"); err == nil || !strings.Contains(err.Error(), "needs the right") || len(got.By) != 1 || got.Calls != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	m.fake.Faults.Set()
	if got, err := ask("wrong"); err == nil || len(got.By) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ask("secret-token"); err != nil || len(got.By) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A list that holds nothing where a pull request should be names none.
func TestAPullRequestThatIsNull(t *testing.T) {
	m := newMainline()
	m.commit("First")
	m.direct(30)
	server := httptest.NewServer(m.fake)
	defer server.Close()
	m.fake.Faults.Set(fault.Fault{Match: "GET /repos/acme/shop/", Status: 200, Body: "[null]"})
	for _, n := range []int{1, 30} {
		got, err := unpaced(t, server.URL, "secret-token").Pulls(t.Context(), "acme/shop", m.commits[1:1+n], 95)
		for id, pull := range got.By {
			if pull != nil {
				t.Errorf("%s came by %+v", id, pull)
			}
		}
		if err != nil || len(got.By) != n {
			t.Errorf("%d of %d are known, %v", len(got.By), n, err)
		}
	}
}
