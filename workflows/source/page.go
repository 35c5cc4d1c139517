package source

import (
	"regexp"
	"strings"
)

// hosted finds host and path of an address that says how its host's pages are made:
// https, ssh, or git's short form user@host:path.
var (
	secure = regexp.MustCompile(`^https://([^/]+)/(.+)$`)
	shell  = regexp.MustCompile(`^(?:ssh://)?(?:[A-Za-z0-9_.-]+@)?(github\.com|gitlab\.com|bitbucket\.org)[:/]([^/].*)$`)
)

// Page is the web page of a repository: of one at an https address, or over ssh at
// github.com, gitlab.com or bitbucket.org. Empty where none can be derived.
func Page(address string) string {
	at := secure.FindStringSubmatch(address)
	if at == nil {
		at = shell.FindStringSubmatch(address)
	}
	if at == nil {
		return ""
	}
	host, path := at[1], strings.TrimSuffix(strings.Trim(at[2], "/"), ".git")
	if strings.Count(path, "/") < 1 { // owner and name
		return ""
	}
	if before, rest, scm := strings.Cut("/"+path, "/scm/"); scm && strings.Count(rest, "/") == 1 { // Bitbucket Data Center
		owner, name, _ := strings.Cut(rest, "/")
		if user, personal := strings.CutPrefix(owner, "~"); personal {
			return "https://" + host + before + "/users/" + user + "/repos/" + name
		}
		return "https://" + host + before + "/projects/" + owner + "/repos/" + name
	}
	return "https://" + host + "/" + path
}

// Compare is the web page that shows what lies between two commits, on the page of a
// repository; empty where that is.
func Compare(page, from, to string) string {
	switch kindOf(page) {
	case "":
		return ""
	case gitlab:
		return page + "/-/compare/" + from + "..." + to
	case bitbucket:
		return page + "/branches/compare/" + to + "%0D" + from
	case bitbucketServer:
		return page + "/compare/commits?sourceBranch=" + to + "&targetBranch=" + from
	}
	return page + "/compare/" + from + "..." + to
}

// Commit is the web page of a commit, on the page of a repository; empty where that is.
func Commit(page, sha string) string {
	switch kindOf(page) {
	case "":
		return ""
	case gitlab:
		return page + "/-/commit/" + sha
	case bitbucket, bitbucketServer:
		return page + "/commits/" + sha
	}
	return page + "/commit/" + sha
}

// Kinds of hosts whose pages are made in another way than GitHub's.
const (
	github          = "GitHub"
	gitlab          = "GitLab"
	bitbucket       = "Bitbucket"
	bitbucketServer = "Bitbucket Data Center"
)

// kindOf says what serves a page, by its address; what says nothing is made as GitHub's.
func kindOf(page string) string {
	_, rest, _ := strings.Cut(page, "://")
	host, path, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	path = "/" + path
	switch {
	case host == "":
		return ""
	case strings.HasPrefix(host, "gitlab."):
		return gitlab
	case host == "bitbucket.org":
		return bitbucket
	case strings.Contains(path, "/repos/") && (strings.Contains(path, "/projects/") || strings.Contains(path, "/users/")):
		return bitbucketServer
	}
	return github
}
