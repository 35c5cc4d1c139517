package github

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

// T20: a team's members, as GitHub has them now; what is refused for good says
// what to do, and what passes says nothing of the kind.
func TestATeamsMembers(t *testing.T) {
	fake := githubfake.New(githubfake.Options{Token: "secret-token"})
	fake.SetTeam("acme/sre", "Ana-Dev", "ben-dev?")
	server := httptest.NewServer(fake)
	defer server.Close()
	person := func(name string) workflows.Principal {
		return workflows.Principal{ID: "slack:U" + name, Name: name, Email: name + "@acme.example", Via: "slack"}
	}
	stranger := person("ana")
	stranger.Stranger = "guest"
	shouting := person("ana")
	shouting.Email = "ANA@acme.example"
	for _, c := range []struct {
		about string
		who   workflows.Principal
		group string
		token string
		fault *fault.Fault
		want  string // yes, no, passes or lasts
	}{
		{"a member", person("ana"), "github-team:acme/sre", "", nil, "yes"},
		{"whatever the case", shouting, "github-team:Acme/SRE", "", nil, "yes"},
		{"known by the address alone", workflows.Principal{ID: "mail:ana@acme.example", Email: "ana@acme.example"}, "github-team:acme/sre", "", nil, "yes"},
		{"invited only", person("ben"), "github-team:acme/sre", "", nil, "no"},
		{"somebody else", person("cho"), "github-team:acme/sre", "", nil, "no"},
		{"whom `people` does not name", person("dan"), "github-team:acme/sre", "", nil, "no"},
		{"a stranger", stranger, "github-team:acme/sre", "", nil, "no"},
		{"a machine", workflows.Principal{ID: "token:ci", Name: "ci"}, "github-team:acme/sre", "", nil, "no"},
		{"the engine", workflows.EnginePrincipal(), "github-team:acme/sre", "", nil, "no"},
		{"a team that is not there", person("ana"), "github-team:acme/none", "", nil, "lasts"},
		{"another kind of group", person("ana"), "slack-group:S1", "", nil, "lasts"},
		{"a token that is not known", person("ana"), "github-team:acme/sre", "wrong", nil, "lasts"},
		{"GitHub in trouble", person("ana"), "github-team:acme/sre", "", &fault.Fault{Status: 502}, "passes"},
		{"GitHub forbids", person("ana"), "github-team:acme/sre", "", &fault.Fault{Status: 403}, "lasts"},
	} {
		t.Run(c.about, func(t *testing.T) {
			token := "secret-token"
			if c.token != "" {
				token = c.token
			}
			d, err := NewDirectory(DirectoryOptions{APIURL: server.URL, Token: token, People: map[string]string{"ana-dev": "Ana@acme.example", "ben-dev": "ben@acme.example", "cho-dev": "cho@acme.example"}})
			if err != nil {
				t.Fatal(err)
			}
			if c.fault != nil {
				fake.Faults.Set(*c.fault)
				defer fake.Faults.Set()
			}
			is, err := d.Member(t.Context(), c.who, c.group)
			var p *workflows.Problem
			got := map[bool]string{true: "yes", false: "no"}[is]
			switch {
			case errors.As(err, &p) && p.Hint != "" && p.Message != "":
				got = "lasts"
			case err != nil:
				got = "passes"
			}
			if got != c.want || err != nil && is {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

// away is a GitHub that nobody reaches, or that says nothing.
type away struct{ silent bool }

func (a away) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return nil, errors.New("unplugged")
}

// T20: a GitHub that is away says neither yes nor no, as soon as its answer would be too old.
func TestAGitHubThatIsAwayKnowsNoMembers(t *testing.T) {
	for _, transport := range []away{{silent: true}, {}} {
		synctest.Test(t, func(t *testing.T) {
			d, err := NewDirectory(DirectoryOptions{Token: "secret-token", People: map[string]string{"ana-dev": "ana@acme.example"}, Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			is, err := d.Member(t.Context(), workflows.Principal{ID: "slack:Uana", Name: "ana", Email: "ana@acme.example", Via: "slack"}, "github-team:acme/sre")
			if took := time.Since(began); is || err == nil || took > membershipAge {
				t.Errorf("silent %v: %v, %v after %s", transport.silent, is, err, took)
			}
		})
	}
}
