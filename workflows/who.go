package workflows

import "strings"

// The kinds of who-expressions.
const (
	WhoEveryone   = "everyone"
	WhoMail       = "mail" // the expression is the e-mail address itself
	WhoGroup      = "group"
	WhoSlackGroup = "slack-group"
	WhoGitHubTeam = "github-team"
	WhoToken      = "token"
)

// SplitWho reads a who-expression: its kind and what follows the colon (of an
// e-mail address all of it, of "everyone" nothing). It answers false when the
// expression has no known form; whether what it names exists, it does not know.
func SplitWho(who string) (kind, name string, ok bool) {
	if who == WhoEveryone {
		return WhoEveryone, "", true
	}
	kind, name, prefixed := strings.Cut(who, ":")
	if !prefixed {
		local, domain, at := strings.Cut(who, "@")
		return WhoMail, who, at && local != "" && domain != "" && !strings.ContainsAny(domain, "@") && !strings.ContainsAny(who, " \t\r\n<>,/")
	}
	switch kind {
	case WhoGroup, WhoToken:
		return kind, name, name != "" && !strings.ContainsAny(name, " \t\r\n:")
	case WhoSlackGroup:
		return kind, name, len(name) > 1 && name[0] == 'S' && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
	case WhoGitHubTeam:
		org, team, slash := strings.Cut(name, "/")
		return kind, name, slash && org != "" && team != "" && !strings.ContainsAny(name, " \t\r\n:") && !strings.Contains(team, "/")
	}
	return "", "", false
}
