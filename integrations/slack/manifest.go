package slack

import (
	"fmt"
	"strings"
)

// Scope is something that the Slack app may do.
type Scope struct {
	Name string // Slack's name: "chat:write"
	Why  string // what rollcall does with it, for people to read
}

// Scopes are the permissions of the bot token that rollcall works with. The
// manifest asks for them, the documentation explains them, and the self-test
// misses them, all from this list.
func Scopes() []Scope {
	return []Scope{
		{"commands", "`/rollcall` itself"},
		{"chat:write", "cards, gates and announcements"},
		{"chat:write.public", "the same in public channels that it was not invited to"},
		{"channels:read", "to find `#deploys` by its name"},
		{"groups:read", "the same for private channels that it was invited to"},
		{"channels:history", "to find a card that was posted just before a crash, instead of posting it twice"},
		{"groups:history", "the same in private channels"},
		{"channels:join", "to join a public channel in which it looks for such a card"},
		{"im:write", "to send a direct message when an ephemeral answer cannot reach the person"},
		{"users:read", "to tell full members from guests and bots"},
		{"users:read.email", "to match people with the e-mail addresses in rules"},
		{"usergroups:read", "to resolve Slack user groups in rules and approvals"},
	}
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
  app_home: {home_tab_enabled: true, messages_tab_enabled: false, messages_tab_read_only_enabled: true}
  bot_user: {display_name: rollcall, always_online: true}
  slash_commands:
`)
	fmt.Fprintf(&b, "    - command: %s\n", command)
	if base != "" {
		fmt.Fprintf(&b, "      url: %s/slack/commands\n", base)
	}
	b.WriteString(`      description: Pipelines, approvals, rollbacks
      usage_hint: "status | start | approve | rollback | help"
      should_escape: true
oauth_config:
  scopes:
    bot:
`)
	for _, s := range Scopes() {
		fmt.Fprintf(&b, "      - %-17s # %s\n", s.Name, strings.ReplaceAll(s.Why, "`", ""))
	}
	b.WriteString("settings:\n  event_subscriptions:\n")
	if base != "" {
		fmt.Fprintf(&b, "    request_url: %s/slack/events\n", base)
	}
	b.WriteString("    bot_events: [app_home_opened]\n  interactivity:\n    is_enabled: true\n")
	if base != "" {
		fmt.Fprintf(&b, "    request_url: %s/slack/interactions\n    message_menu_options_url: %s/slack/options\n", base, base)
	}
	fmt.Fprintf(&b, "  org_deploy_enabled: false\n  socket_mode_enabled: %t\n  token_rotation_enabled: false\n", base == "")
	return b.String()
}
