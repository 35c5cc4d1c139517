// Package subject reads who-expressions, by which rules, gates and configurations
// name people: an e-mail address, group:NAME, slack-group:S1, github-team:ORG/TEAM,
// token:NAME, everyone. Pure.
package subject

import (
	"strings"
)

// The kinds of who-expressions.
const (
	Everyone   = "everyone"
	Mail       = "mail" // the expression is the e-mail address itself
	Group      = "group"
	SlackGroup = "slack-group"
	GitHubTeam = "github-team"
	Token      = "token"
)

// Split reads a who-expression: its kind and what follows the colon (of an
// e-mail address all of it, of "everyone" nothing). It answers false when the
// expression has no known form; whether what it names exists, it does not know.
func Split(who string) (kind, name string, ok bool) {
	if who == Everyone {
		return Everyone, "", true
	}
	kind, name, prefixed := strings.Cut(who, ":")
	if !prefixed {
		local, domain, at := strings.Cut(who, "@")
		return Mail, who, at && local != "" && domain != "" && !strings.ContainsAny(domain, "@") && !strings.ContainsAny(who, " \t\r\n<>,/")
	}
	switch kind {
	case Group, Token:
		return kind, name, name != "" && !strings.ContainsAny(name, " \t\r\n:")
	case SlackGroup:
		return kind, name, len(name) > 1 && name[0] == 'S' && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
	case GitHubTeam:
		org, team, slash := strings.Cut(name, "/")
		return kind, name, slash && org != "" && team != "" && !strings.ContainsAny(name, " \t\r\n:") && !strings.Contains(team, "/")
	}
	return "", "", false
}
