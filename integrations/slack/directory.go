package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// memberAge bounds the age of memberships that votes are judged by; a second
// is left for the way from here to the decision.
const memberAge = 4 * time.Second

// mentionAge is how long it is remembered whom an e-mail address mentions.
const mentionAge = time.Minute

// nameAge is how long it is remembered what a member is called. No right rests on it.
const nameAge = 10 * time.Minute

const groupPrefix = "slack-group:"

// person is a user as Slack describes them.
type person struct {
	workflows.Principal
	member bool // Slack says expressly that they are of the pinned workspace
	zone   *time.Location
}

// Person says who a Slack user is, at most 5 s old. Who is no full member of
// the pinned workspace comes back as a stranger, without e-mail. An error
// means that Slack could not be asked.
func (c *Client) Person(ctx context.Context, user string) (workflows.Principal, error) {
	p, err := c.person(ctx, user)
	return p.Principal, err
}

func (c *Client) person(ctx context.Context, user string) (person, error) {
	if p, ok := c.people.get(user); ok {
		return p, nil
	}
	v, err := c.shareLookup(ctx, "user "+user, func(ctx context.Context) (any, error) {
		id, err := c.Identity(ctx)
		if err != nil {
			return nil, err
		}
		asked, p := c.now(), person{}
		err = c.doWithin(ctx, memberAge, "users.info", "", func(ctx context.Context) error {
			u, err := c.api.GetUserInfoContext(ctx, user)
			if err == nil {
				p = classify(u, id.Team)
			}
			return err
		})
		switch code(err) {
		case "user_not_found", "user_not_visible", "users_not_found":
			p, err = person{Principal: workflows.Principal{ID: "slack:" + user, Name: user, Via: "slack", Stranger: "unknown"}}, nil
		}
		if err != nil {
			return nil, err
		}
		c.people.put(user, p, asked)
		return p, nil
	})
	if err != nil {
		return person{}, err
	}
	return v.(person), nil
}

// classify says who a user is to the workspace.
func classify(u *slack.User, team string) person {
	p := person{Principal: workflows.Principal{ID: "slack:" + u.ID, Via: "slack"}}
	for _, name := range []string{u.Profile.DisplayName, u.RealName, u.Profile.RealName, u.Name, u.ID} {
		if p.Name = name; name != "" {
			break
		}
	}
	p.zone = zoneOf(u)
	elsewhere := u.TeamID != "" && u.TeamID != team
	p.member = u.TeamID == team
	if slices.Contains(u.Enterprise.Teams, team) {
		p.member, elsewhere = true, false
	}
	switch {
	case u.Deleted:
		p.Stranger = "deactivated"
	case u.IsBot || u.IsWorkflowBot || u.IsConnectorBot || u.ID == "USLACKBOT":
		p.Stranger = "bot"
	case u.IsStranger || elsewhere:
		p.Stranger = "connect"
	case u.IsRestricted || u.IsUltraRestricted:
		p.Stranger = "guest"
	default:
		p.Email = u.Profile.Email
	}
	return p
}

// Now implements runtime.People for Slack's users, and for people of whom only
// the e-mail address is known: whoever answers in Jira is a member here too. Answers are younger than 5 s.
func (c *Client) Now(ctx context.Context, p workflows.Principal) (workflows.Principal, error) {
	user, ok := strings.CutPrefix(p.ID, "slack:")
	if !ok {
		if !strings.HasPrefix(p.ID, "mail:") && (!strings.HasPrefix(p.ID, "jira:") || p.Email == "") {
			return p, nil
		}
		var err error
		if user, err = c.byEmail(ctx, p.Email, memberAge); err != nil || user == "" {
			p.Stranger = "unknown"
			return p, asProblem(err)
		}
	}
	now, err := c.person(ctx, user)
	if err != nil {
		return p, asProblem(err)
	}
	now.ID, now.Via = p.ID, p.Via
	return now.Principal, nil
}

// asProblem makes what Slack has refused, and will refuse again, a
// *workflows.Problem with what to do about it; other errors pass by themselves.
func asProblem(err error) error {
	var refused *bot.Refusal
	if errors.As(err, &refused) {
		return &workflows.Problem{Code: workflows.CodeUnavailable, Message: "Slack refused (" + refused.Code + ")", Hint: refused.Hint}
	}
	return err
}

// Member implements runtime.Directory for "slack-group:S…" and
// "slack-group:@handle". Answers are younger than 5 s; a look-up that failed,
// or a group that does not exist, is an error.
func (c *Client) Member(ctx context.Context, p workflows.Principal, group string) (bool, error) {
	is, err := c.member(ctx, p, group)
	return is, asProblem(err)
}

func (c *Client) member(ctx context.Context, p workflows.Principal, group string) (bool, error) {
	name, ok := strings.CutPrefix(group, groupPrefix)
	if !ok {
		return false, fmt.Errorf("%q is no group of Slack's", group)
	}
	if _, isMachine := p.Machine(); isMachine || p.IsEngine() || p.Stranger != "" {
		return false, nil
	}
	user, ok := strings.CutPrefix(p.ID, "slack:")
	if !ok {
		if p.Email == "" {
			return false, nil
		}
		var err error
		if user, err = c.byEmail(ctx, p.Email, memberAge); err != nil || user == "" {
			return false, err
		}
	}
	id, err := c.groupID(ctx, name)
	if err != nil {
		return false, err
	}
	users, err := c.groupUsers(ctx, id)
	return slices.Contains(users, user), err
}

func (c *Client) groupUsers(ctx context.Context, id string) ([]string, error) {
	if users, ok := c.members.get(id); ok {
		return users, nil
	}
	v, err := c.shareLookup(ctx, "group "+id, func(ctx context.Context) (any, error) {
		var users []string
		asked := c.now()
		// No longer than an answer may be old: a slow one is no answer.
		err := c.doWithin(ctx, memberAge, "usergroups.users.list", "", func(ctx context.Context) error {
			var err error
			users, err = c.api.GetUserGroupMembersContext(ctx, id)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("could not check who is in %s%s: %w", groupPrefix, id, err)
		}
		c.members.put(id, users, asked)
		return users, nil
	})
	if err != nil {
		return nil, err
	}
	return v.([]string), nil
}

// groupID resolves "@handle"; IDs stay what they are.
func (c *Client) groupID(ctx context.Context, name string) (string, error) {
	handle, ok := strings.CutPrefix(name, "@")
	if !ok {
		return name, nil
	}
	if id, ok := c.handles.get(handle); ok {
		return id, nil
	}
	_, err := c.shareLookup(ctx, "groups", func(ctx context.Context) (any, error) {
		asked := c.now()
		return nil, c.do(ctx, "usergroups.list", "", func(ctx context.Context) error {
			groups, err := c.api.GetUserGroupsContext(ctx)
			for _, g := range groups {
				c.handles.put(g.Handle, g.ID, asked)
			}
			return err
		})
	})
	if err != nil {
		return "", fmt.Errorf("could not look the user group @%s up: %w", handle, err)
	}
	id, ok := c.handles.get(handle)
	if !ok {
		return "", &bot.Refusal{Code: "no_such_subteam", Hint: "there is no user group @" + handle + ": check its handle"}
	}
	return id, nil
}

// ByEmail implements bot.Members: for names, not for rights.
func (c *Client) ByEmail(ctx context.Context, address string) (workflows.Principal, error) {
	wire.Release(ctx) // names are for answers and cards
	return c.memberBy(ctx, address, nameAge)
}

// byEmail returns the ID of the full member of the pinned workspace with that
// address, "" when there is none; no older than age.
func (c *Client) byEmail(ctx context.Context, email string, age time.Duration) (string, error) {
	p, err := c.memberBy(ctx, email, age)
	return strings.TrimPrefix(p.ID, "slack:"), err
}

func (c *Client) memberBy(ctx context.Context, email string, age time.Duration) (workflows.Principal, error) {
	email = workflows.Principal{Email: email}.Key()
	if p, ok := c.emails.within(email, age); ok {
		return p, nil
	}
	v, err := c.shareLookup(ctx, "email "+email, func(ctx context.Context) (any, error) {
		id, err := c.Identity(ctx)
		if err != nil {
			return nil, err
		}
		asked, member := c.now(), workflows.Principal{}
		err = c.doWithin(ctx, min(age, c.o.Timeout), "users.lookupByEmail", "", func(ctx context.Context) error {
			u, err := c.api.GetUserByEmailContext(ctx, email)
			if err != nil {
				return err
			}
			if p := classify(u, id.Team); p.Stranger == "" {
				member = p.Principal
			}
			return nil
		})
		if err != nil && code(err) != "users_not_found" {
			return nil, err
		}
		c.emails.put(email, member, asked)
		return member, nil
	})
	if err != nil {
		return workflows.Principal{}, err
	}
	return v.(workflows.Principal), nil
}

// People implements bot.Chat. What cannot be mentioned comes back as escaped
// text; so does what Slack refuses to look up.
func (c *Client) People(ctx context.Context, who []string) ([]string, error) {
	wire.Release(ctx) // mentions are for answers and cards
	names := make([]string, len(who))
	for i, w := range who {
		name, err := c.mention(ctx, w)
		if err != nil && code(err) == "" {
			return nil, err
		}
		names[i] = name
	}
	return names, nil
}

// mention is how one who-expression is addressed. With an error it is text.
func (c *Client) mention(ctx context.Context, who string) (string, error) {
	kind, name, ok := strings.Cut(who, ":")
	text := slackutilsx.EscapeMessage(who)
	switch {
	case ok && kind == "slack-group":
		id, err := c.groupID(ctx, name)
		if err != nil {
			return slackutilsx.EscapeMessage(name), err
		}
		return "<!subteam^" + id + ">", nil
	case kind == "slack":
		return "<@" + name + ">", nil
	case kind == "github-team":
		return slackutilsx.EscapeMessage("the GitHub team " + name), nil
	case kind == "token":
		return slackutilsx.EscapeMessage("the token " + name), nil
	case ok:
		return slackutilsx.EscapeMessage(name), nil
	case strings.Contains(who, "@"):
		user, err := c.byEmail(ctx, who, mentionAge)
		if err != nil || user == "" {
			return text, err
		}
		return "<@" + user + ">", nil
	}
	return text, nil
}
