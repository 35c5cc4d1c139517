// Package source holds what is known of source actions without asking anybody:
// the outputs they leave, the web page of a repository, and which addresses
// hold something that nobody may read. The checker of pipeline files, the
// runner and the manual ask here, so that they say the same.
package source

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Outputs are the output variables that an action leaves, in the order of their
// names; known is false where that cannot be said beforehand.
func Outputs(a *workflows.Action) (names []string, known bool) {
	names = []string{"AuthorDate", "BranchName", "CommitId", "CommitMessage", "CommitterDate", "FullRepositoryName", "RepositoryName"}
	switch provider := a.ActionType.Provider; {
	case provider == "Git" && Page(a.Configuration["Repository"]) == "":
	case provider == "Git", provider == "GitHub", provider == "Bitbucket", provider == "GitLab":
		names = append(names, "CommitUrl")
	case provider == "CodeStarSourceConnection":
		names = append(names, "CommitUrl", "ConnectionArn")
	case provider == "Commands":
		names = slices.Clone(a.OutputVariables)
	case provider == "GitHubWorkflow":
		names = []string{"BranchName", "CommitId", "Conclusion", "RunId", "RunNumber", "RunUrl"}
	default:
		return nil, provider == "Manual"
	}
	slices.Sort(names)
	return names, true
}

// Fault says why the address of a repository cannot be in a pipeline file, and
// what to do: definitions are shown to people, and it holds, or may hold, a
// secret. The words quote nothing of it. Empty: it holds none.
func Fault(address string) (message, hint string) {
	hint = "addresses are shown to people: take it out, and configure a token or an ssh key for the service instead"
	scheme, rest, isURL := strings.Cut(strings.ReplaceAll(address, "#{", ""), "://")
	if !isURL {
		scheme, rest = "ssh", scheme // user@host:path, or a path
	}
	host := rest
	if end := strings.IndexAny(rest, "/?#"); isURL && end >= 0 {
		host = rest[:end]
	}
	at := strings.LastIndexByte(host, '@')
	user, port := host[:max(at, 0)], ""
	if isURL && !strings.HasPrefix(host[at+1:], "[") {
		_, port, _ = strings.Cut(host[at+1:], ":")
	}
	switch {
	case at >= 0 && !strings.EqualFold(scheme, "ssh"), strings.Contains(user, ":"), strings.Trim(port, "0123456789") != "":
		return "the repository's address holds a user name or password", hint
	case isURL && strings.ContainsAny(rest, "?#"):
		return "the repository's address has a query or a fragment", hint
	}
	return "", ""
}

// Shown is an address fit for a log: of one with a Fault only what is no secret.
func Shown(address string) string {
	if message, _ := Fault(address); message == "" {
		return address
	}
	shown := address
	if end := strings.IndexAny(shown, "?#"); end >= 0 {
		shown = shown[:end]
	}
	scheme, rest, isURL := strings.Cut(shown, "://")
	if !isURL {
		scheme, rest = "", scheme
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 && strings.Contains(rest, ":") {
		return scheme + "://***" // a password whose end cannot be told
	}
	if isURL {
		scheme += "://"
	}
	if at >= 0 {
		scheme += "***@"
	}
	return scheme + rest[at+1:]
}
