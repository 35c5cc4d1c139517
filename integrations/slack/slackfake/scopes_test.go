package slackfake_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// Every method asks for its scope, and without it Slack says which. A method
// that works here without one fails only at the customer's.
func TestEveryMethodNeedsItsScope(t *testing.T) {
	o := open(t)
	secret := o.AddChannel(slackfake.Channel{Name: "secret", Private: true, Members: []string{o.ana.ID, "U0BOT"}})
	hi := slack.MsgOptionText("hi", false)
	channel, ts, err := o.api.PostMessage("#deploys", hi)
	if err != nil {
		t.Fatal(err)
	}
	history := func(channel string) error {
		return last(o.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel}))
	}
	all := []string{
		"chat:write", "channels:read", "groups:read", "channels:history", "groups:history", "channels:join", "im:write",
		"users:read", "users:read.email", "usergroups:read", "reactions:write", "team:read",
	}
	for _, c := range []struct {
		method, scope string
		call          func() error
	}{
		{"chat.postMessage", "chat:write", func() error { _, _, err := o.api.PostMessage(channel, hi); return err }},
		{"chat.update", "chat:write", func() error { return second(o.api.UpdateMessage(channel, ts, hi)) }},
		{"chat.postEphemeral", "chat:write", func() error { return last(o.api.PostEphemeral(channel, o.ana.ID, hi)) }},
		{"users.info", "users:read", func() error { return last(o.api.GetUserInfo(o.ana.ID)) }},
		{"users.lookupByEmail", "users:read.email", func() error { return last(o.api.GetUserByEmail("ana@acme.example")) }},
		{"usergroups.list", "usergroups:read", func() error { return last(o.api.GetUserGroups()) }},
		{"team.info", "team:read", func() error { return last(o.api.GetTeamInfo()) }},
		{"conversations.info", "channels:read", func() error {
			return last(o.api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: channel}))
		}},
		{"conversations.info of a private one", "groups:read", func() error {
			return last(o.api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: secret.ID}))
		}},
		{"conversations.history", "channels:history", func() error { return history(channel) }},
		{"conversations.history of a private one", "groups:history", func() error { return history(secret.ID) }},
		{"conversations.join", "channels:join", func() error { _, _, _, err := o.api.JoinConversation(channel); return err }},
		{"conversations.open", "im:write", func() error {
			_, _, _, err := o.api.OpenConversation(&slack.OpenConversationParameters{Users: []string{o.ana.ID}})
			return err
		}},
		{"reactions.add", "reactions:write", func() error { return o.api.AddReaction("eyes", slack.NewRefToMessage(channel, ts)) }},
	} {
		o.Grant(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == c.scope })...)
		before := len(o.Messages("deploys"))
		if err := c.call(); err == nil || err.Error() != "missing_scope" {
			t.Errorf("%s without %s: %v", c.method, c.scope, err)
		}
		if now := len(o.Messages("deploys")); now != before {
			t.Errorf("%s was refused, and done", c.method)
		}
		o.Grant(all...)
		if err := c.call(); err != nil {
			t.Errorf("%s with %s: %v", c.method, c.scope, err)
		}
	}
}

// Without the scope for addresses people are known, and their addresses are not.
func TestAddressesNeedTheirOwnScope(t *testing.T) {
	o := open(t)
	for _, c := range []struct {
		scopes []string
		shown  bool
	}{{[]string{"users:read"}, false}, {[]string{"users:read", "users:read.email"}, true}} {
		o.Grant(c.scopes...)
		u, err := o.api.GetUserInfo(o.ana.ID)
		if err != nil || (u.Profile.Email != "") != c.shown {
			t.Errorf("%v: %+v %v", c.scopes, u, err)
		}
		everybody, err := o.api.GetUsers()
		if err != nil || slices.ContainsFunc(everybody, func(u slack.User) bool { return u.Profile.Email != "" }) != c.shown {
			t.Errorf("%v: %+v %v", c.scopes, everybody, err)
		}
	}
}

func TestReactionsAndLinks(t *testing.T) {
	o := open(t)
	channel, ts, err := o.api.PostMessage("#deploys", slack.MsgOptionText("hi", false))
	if err != nil {
		t.Fatal(err)
	}
	here, nowhere := slack.NewRefToMessage(channel, ts), slack.NewRefToMessage(channel, "1.1")
	for _, c := range []struct {
		what string
		err  error
		want string
	}{
		{"taking away what is not there", o.api.RemoveReaction("eyes", here), "no_reaction"},
		{"reacting", o.api.AddReaction("eyes", here), ""},
		{"reacting twice", o.api.AddReaction("eyes", here), "already_reacted"},
		{"reacting to nothing", o.api.AddReaction("eyes", nowhere), "message_not_found"},
		{"taking it away", o.api.RemoveReaction("eyes", here), ""},
		{"reacting again", o.api.AddReaction("eyes", here), ""},
		{"a link to nothing", last(o.api.GetPermalink(&slack.PermalinkParameters{Channel: channel, Ts: "1.1"})), "message_not_found"},
		{"replies to nothing", replies(o.api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: "1.1"})), "thread_not_found"},
	} {
		if c.err == nil && c.want != "" || c.err != nil && c.err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.what, c.err, c.want)
		}
	}
	if got := o.Messages("deploys")[0].Reactions; len(got) != 1 || len(got["eyes"]) != 1 {
		t.Errorf("reactions: %v", got)
	}
	link, err := o.api.GetPermalink(&slack.PermalinkParameters{Channel: channel, Ts: ts})
	if err != nil || !strings.HasSuffix(link, "/archives/"+channel+"/p"+strings.ReplaceAll(ts, ".", "")) {
		t.Errorf("%s %v", link, err)
	}
	var e slack.SlackErrorResponse
	if err := o.api.AddReaction("eyes", nowhere); !errors.As(err, &e) {
		t.Errorf("%T", err)
	}
}

func replies(_ []slack.Message, _ bool, _ string, err error) error { return err }
