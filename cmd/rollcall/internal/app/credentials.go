package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/credentials"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// watchCredentials has admins warned before credentials end.
func (a *App) watchCredentials(chat *slack.Client) {
	notes := a.engine.MemosOf("credentials")
	o := credentials.Options{Notes: notes, Log: a.log,
		Admins: func(ctx context.Context) ([]string, error) { return a.warned(ctx, chat) },
		Shown:  func(c credentials.Credential) { a.metrics.CredentialEnds(c.Name, c.Ends, c.Refused) }}
	if g := a.config.GitHub; g != nil && g.Token.Set() {
		o.Sources = append(o.Sources, a.githubTokenEnds)
	}
	if j := a.config.Jira; j != nil && j.Token.Set() {
		o.Sources = append(o.Sources, func(ctx context.Context) (credentials.Credential, error) { return a.jiraTokenEnds(ctx, notes) })
	}
	if a.aws != nil {
		o.Sources = append(o.Sources, a.awsLoginEnds)
	}
	if chat != nil {
		o.Sources = append(o.Sources, func(ctx context.Context) (credentials.Credential, error) { return slackTokenEnds(ctx, chat) })
		o.Tell = func(ctx context.Context, address, text string) error { return tellOne(ctx, chat, address, text) }
	}
	if len(o.Sources) == 0 {
		return
	}
	a.calendar = credentials.NewWatch(o)
	a.background = append(a.background, a.calendar.Run)
}

// tellOne sends a direct message to the member with that address.
func tellOne(ctx context.Context, chat *slack.Client, address, text string) error {
	p, err := chat.ByEmail(ctx, address)
	if err != nil {
		return err
	}
	user, ok := strings.CutPrefix(p.ID, "slack:")
	if !ok {
		return errors.New("nobody in Slack has the address of an admin")
	}
	return chat.PostEphemeral(ctx, bot.Reply{User: user}, bot.Message{Text: text})
}

// adminAddresses are the admins that the configuration names by their address, also in a group of its own.
func (a *App) adminAddresses() (all []string) {
	for _, who := range a.policy.Admins {
		members := []string{who}
		if name, ok := strings.CutPrefix(who, "group:"); ok {
			members = a.policy.Groups[name]
		}
		for _, m := range members {
			if strings.Contains(m, "@") && !strings.Contains(m, ":") && !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// warned are the admins that have an address: those that the configuration names by it,
// and the members of Slack's groups. With an error they are not all.
func (a *App) warned(ctx context.Context, chat *slack.Client) (all []string, err error) {
	all = a.adminAddresses()
	if chat == nil {
		return all, nil
	}
	for _, group := range a.policy.External(a.policy.Admins...) {
		if kind, _, _ := subject.Split(group); kind != subject.SlackGroup {
			continue
		}
		members, failed := chat.Members(ctx, group)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("the members of %s: %w", group, failed))
		}
		for _, m := range members {
			if m.Email != "" && !slices.ContainsFunc(all, func(a string) bool { return strings.EqualFold(a, m.Email) }) {
				all = append(all, m.Email)
			}
		}
	}
	return all, err
}

// expiring are the lines about credentials on the App Home of an admin.
func (a *App) expiring(by workflows.Principal) []string {
	if a.calendar == nil || by.Email == "" || by.Stranger != "" || !a.calendar.Warns(by.Email) {
		return nil
	}
	return a.calendar.Lines()
}

func (a *App) githubTokenEnds(ctx context.Context) (credentials.Credential, error) {
	g := a.config.GitHub
	c := credentials.Credential{Name: "github.token", Renew: "make a new token of the bot's account, put it where the configuration says, and restart rollcall"}
	var err error
	c.Ends, c.Refused, err = transport.Ends(ctx, a.githubTransport(), g.APIURL, g.Token.Reveal())
	return c, err
}

// awsLoginEnds asks about the credentials that AWS is called with before any role.
func (a *App) awsLoginEnds(ctx context.Context) (credentials.Credential, error) {
	c := credentials.Credential{Name: "aws credential", Renew: "renew the credentials that rollcall starts with (of a profile with SSO: aws sso login), and restart rollcall if they come from the environment"}
	login, err := a.aws.Login(ctx)
	if err != nil {
		_, why := accounts.Words(err)
		return c, errors.New(why)
	}
	c.Ends, c.Refused, c.Said = login.Ends, login.Refused != "", login.Refused
	return c, nil
}

// slackTokenEnds asks about the bot token, which has no end of its own.
func slackTokenEnds(ctx context.Context, chat *slack.Client) (credentials.Credential, error) {
	c := credentials.Credential{Name: "slack.botToken", Renew: "install the app in the workspace again, put its bot token where the configuration says, and restart rollcall"}
	var err error
	c.Said, err = chat.Refused(ctx)
	c.Refused = c.Said != ""
	return c, err
}

func (a *App) jiraTokenEnds(ctx context.Context, notes credentials.Notes) (credentials.Credential, error) {
	j := a.config.Jira
	c := credentials.Credential{Name: "jira.token", Renew: "make a new API token of the account, put it where the configuration says, and restart rollcall; jira.tokenExpires may say when that one ends"}
	var err error
	if c.Ends, err = j.TokenEnds(); err == nil && c.Ends.IsZero() {
		c.Estimated = true
		c.Ends, err = credentials.FirstSeen(ctx, notes, c.Name, j.Token.Reveal())
		c.Ends = c.Ends.Add(credentials.Year)
		if err := credentials.Show(ctx, notes, a.config.DataDir, c.Name); err != nil {
			a.log.Info("rollcall doctor cannot see when a credential ends", "credential", c.Name, "error", err)
		}
	}
	if err != nil {
		return c, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(j.URL, "/")+"/rest/api/2/myself", nil)
	if err != nil {
		return c, err
	}
	if req.Header.Set("Authorization", "Bearer "+j.Token.Reveal()); j.User != "" {
		req.SetBasicAuth(j.User, j.Token.Reveal())
	}
	resp, err := (&http.Client{Transport: wire.Transport(a.metrics.Outside(jira.System()), wire.Pacing{})}).Do(req)
	if err != nil {
		return c, wire.Scrub(err)
	}
	defer resp.Body.Close()
	c.Refused = resp.StatusCode == http.StatusUnauthorized
	return c, nil
}
