package slack

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot"
)

// Scope is something that the Slack app may do.
type Scope struct {
	Name string // Slack's name: "chat:write"
	Why  string // what rollcall does with it, for people to read
	// Optional: whoever installs the app may leave it out, and nothing is missed but that.
	Optional bool
}

// Scopes are the permissions of the bot token that rollcall works with. The
// manifest asks for them, the documentation explains them, and the self-test
// misses them, all from this list.
func Scopes() []Scope {
	return []Scope{
		{Name: "commands", Why: "`/rollcall` itself"},
		{Name: "chat:write", Why: "cards, gates and announcements"},
		{Name: "chat:write.public", Why: "the same in public channels that it was not invited to"},
		{Name: "channels:read", Why: "to find `#deploys` by its name"},
		{Name: "groups:read", Why: "the same for private channels that it was invited to"},
		{Name: "channels:history", Why: "to find a card that was posted just before a crash, instead of posting it twice", Optional: true},
		{Name: "groups:history", Why: "the same in private channels", Optional: true},
		{Name: "channels:join", Why: "to join a public channel in which it looks for such a card", Optional: true},
		{Name: "im:write", Why: "to send a direct message when an ephemeral answer cannot reach the person, and approvals to whoever asks for that"},
		{Name: "im:history", Why: "to find such an approval that was posted just before a crash, instead of posting it twice", Optional: true},
		{Name: "users:read", Why: "to distinguish full members from guests and bots"},
		{Name: "users:read.email", Why: "to match people with the e-mail addresses in rules"},
		{Name: "usergroups:read", Why: "to resolve Slack user groups in rules and approvals"},
		{Name: "links:read", Why: "to be shown links to executions that people post", Optional: true},
		{Name: "links:write", Why: "to show under them how the executions stand", Optional: true},
	}
}

// Shortcut is a shortcut of the app, in the menu of messages or anywhere.
type Shortcut struct {
	Name, Callback, Why string
	OnMessage           bool
}

// Shortcuts are those that the manifest asks for.
func Shortcuts() []Shortcut {
	return []Shortcut{
		{Name: "Start a pipeline", Callback: bot.ShortcutStart, Why: "Choose a pipeline and its variables, and start it"},
		{Name: "Roll back this deploy", Callback: bot.ShortcutRollback, Why: "Open the rollback form for the deploy that a message is about", OnMessage: true},
	}
}

// unfurlDomains is the manifest's line with the host whose links Slack shows us;
// where it is not known, what to write.
func unfurlDomains(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil || u.Hostname() == "" {
		return "  # unfurl_domains: [rollcall.example.com] # the host of publicURL: posted links to executions show how they stand\n"
	}
	return "  unfurl_domains: [" + strings.ToLower(u.Hostname()) + "]\n"
}

// optional says whether rollcall does without a scope.
func optional(scope string) bool {
	return slices.ContainsFunc(Scopes(), func(s Scope) bool { return s.Name == scope && s.Optional })
}

// Manifest is the app manifest, YAML with comments, to paste at
// api.slack.com/apps under "From a manifest". Command is the slash command.
// With an empty publicURL the app speaks by Socket Mode, else Slack calls
// there, at the paths that [Receiver.Handler] serves.
func Manifest(command, publicURL string) string {
	base := strings.TrimSuffix(publicURL, "/")
	var b strings.Builder
	if base == "" {
		b.WriteString("# The Slack app that rollcall needs, by Socket Mode: nothing inbound, no public address.\n")
	} else {
		b.WriteString("# The Slack app that rollcall needs. Slack calls " + base + ", which must be reachable from outside.\n")
	}
	b.WriteString("# At https://api.slack.com/apps?new_app=1 choose \"From a manifest\", your workspace, YAML, and paste this file.\n")
	b.WriteString(`_metadata: {major_version: 2, minor_version: 1}
display_information:
  name: rollcall
  description: Release pipelines that a team steers from Slack
  background_color: "#1f2937"
features:
  app_home: {home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: true}
  bot_user: {display_name: rollcall, always_online: true}
  shortcuts:
`)
	for _, c := range Shortcuts() {
		kind := "global"
		if c.OnMessage {
			kind = "message"
		}
		fmt.Fprintf(&b, "    - {name: %s, type: %s, callback_id: %s, description: %q}\n", c.Name, kind, c.Callback, c.Why)
	}
	b.WriteString("  slash_commands:\n")
	fmt.Fprintf(&b, "    - command: %s\n", command)
	if base != "" {
		fmt.Fprintf(&b, "      url: %s/slack/commands\n", base)
	}
	b.WriteString(`      description: Pipelines, approvals, rollbacks
      usage_hint: "status | start | approve | rollback | help"
      should_escape: true
`)
	b.WriteString(unfurlDomains(base))
	b.WriteString("oauth_config:\n  scopes:\n    bot:\n")
	for _, s := range Scopes() {
		fmt.Fprintf(&b, "      - %-17s # %s\n", s.Name, strings.ReplaceAll(s.Why, "`", ""))
	}
	b.WriteString("    bot_optional: # whoever installs the app may leave these out\n")
	for _, s := range Scopes() {
		if s.Optional {
			fmt.Fprintf(&b, "      - %s\n", s.Name)
		}
	}
	b.WriteString("settings:\n  event_subscriptions:\n")
	if base != "" {
		fmt.Fprintf(&b, "    request_url: %s/slack/events\n", base)
	}
	b.WriteString("    bot_events: [app_home_opened, link_shared]\n  interactivity:\n    is_enabled: true\n")
	if base != "" {
		fmt.Fprintf(&b, "    request_url: %s/slack/interactions\n    message_menu_options_url: %s/slack/options\n", base, base)
	}
	fmt.Fprintf(&b, "  org_deploy_enabled: false\n  socket_mode_enabled: %t\n  token_rotation_enabled: false\n", base == "")
	return b.String()
}
