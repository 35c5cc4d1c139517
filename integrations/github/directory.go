package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// membershipAge is how old an answer about a membership may be: a slow one is no answer.
const membershipAge = 4 * time.Second

// DirectoryOptions say which GitHub, and who is who there.
type DirectoryOptions struct {
	APIURL    string // api.github.com when empty
	Token     string // or App; it needs the right to read the members of the organisation
	App       *api.App
	People    map[string]string // GitHub login to e-mail address
	Transport http.RoundTripper // http.DefaultTransport when nil
}

// Directory answers who is in "github-team:ORG/TEAM": it implements
// runtime.Directory. Somebody is known at GitHub only as the configuration's
// `people` say; whom they do not name is in no team.
type Directory struct {
	client *github.Client
	logins map[string]string // by workflows.Principal.Key
}

// NewDirectory returns a directory; nothing is asked before the first question.
// The error is a *workflows.Problem about the configuration.
func NewDirectory(o DirectoryOptions) (*Directory, error) {
	c, err := api.New(o.APIURL, o.Token, o.App, o.Transport)
	if err != nil {
		return nil, err
	}
	d := &Directory{client: c, logins: map[string]string{}}
	for login, mail := range o.People {
		d.logins[workflows.Principal{Email: mail}.Key()] = login
	}
	return d, nil
}

// Member asks GitHub now. Members of a team below count, as GitHub counts them;
// who has not accepted the invitation does not. An error that does not pass by
// itself, such as a team that does not exist, is a *workflows.Problem.
func (d *Directory) Member(ctx context.Context, p workflows.Principal, group string) (bool, error) {
	kind, name, ok := subject.Split(group)
	org, team, _ := strings.Cut(name, "/")
	if !ok || kind != subject.GitHubTeam {
		return false, &workflows.Problem{Code: workflows.CodeUnavailable, Message: fmt.Sprintf("%q is no team of GitHub's", group), Hint: "write github-team:ORG/TEAM"}
	}
	login := d.logins[p.Key()]
	if _, isMachine := p.Machine(); isMachine || p.IsEngine() || p.Stranger != "" || p.Email == "" || login == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, membershipAge)
	defer cancel()
	m, _, err := d.client.Teams.GetTeamMembershipBySlug(ctx, org, team, login)
	if err == nil {
		return m.GetState() == "active", nil
	}
	if api.Status(err) != http.StatusNotFound {
		return false, unanswered(err, group)
	}
	// GitHub says the same of who is not in the team and of a team that is not
	// there, or not for this token.
	if _, _, err := d.client.Teams.GetTeamBySlug(ctx, org, team); err != nil {
		return false, unanswered(err, group)
	}
	return false, nil
}

// unanswered sorts an error: what passes by itself, and what somebody has to mend.
func unanswered(err error, group string) error {
	code := api.Status(err)
	if api.Kind(err) == wire.Transient {
		return fmt.Errorf("could not ask GitHub about %s: %w", group, wire.Scrub(err))
	}
	p := &workflows.Problem{Code: workflows.CodeUnavailable, Message: fmt.Sprintf("GitHub refused (%d)", code),
		Hint: api.Advice(err, "the right to read the organisation's members (read:org, or Members: read)")}
	if code == http.StatusNotFound {
		p.Message, p.Hint = "GitHub shows no team "+strings.TrimPrefix(group, subject.GitHubTeam+":"), "check the team's short name (its slug), and that the token or app may read the organisation's members (read:org)"
	}
	return p
}
