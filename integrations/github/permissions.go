package github

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// written are the permissions that feedback needs: GitHub's name for an app, the
// words of its settings page, the scopes of a classic token of which one is
// enough, and what is missing without it.
var written = []struct {
	name, words string
	scopes      []string
	without     string
}{
	{"statuses", "Commit statuses: read and write", []string{"repo", "repo:status"}, "commit statuses"},
	{"checks", "Checks: read and write", nil, "check runs"},
	{"deployments", "Deployments: read and write", []string{"repo", "repo_deployment"}, "deployments"},
	{"pull_requests", "Pull requests: read and write", []string{"repo", "public_repo"}, "comments on pull requests"},
}

// permissionCheck says which permissions are missing for what is to be written. A
// fine-grained token does not say what it may: then there is no result.
func permissionCheck(ctx context.Context, client *github.Client, o CheckOptions) (check selftest.Result, known bool) {
	var has func(i int) bool
	if o.App != nil {
		ask, err := api.Permissions(o.APIURL, *o.App, o.Transport)
		if err != nil {
			return check, false
		}
		granted, err := ask(ctx)
		if err != nil || len(granted) == 0 {
			return check, false
		}
		has = func(i int) bool { return granted[written[i].name] == "write" }
	} else {
		_, resp, err := client.Users.Get(ctx, "")
		if err != nil || len(resp.Header.Values("X-OAuth-Scopes")) == 0 {
			return check, false
		}
		scopes := strings.Split(strings.ReplaceAll(resp.Header.Get("X-OAuth-Scopes"), " ", ""), ",")
		has = func(i int) bool {
			return slices.ContainsFunc(written[i].scopes, func(s string) bool { return slices.Contains(scopes, s) })
		}
	}
	check = selftest.Result{About: "permissions", Status: selftest.OK, Message: "what is configured can be written"}
	var lacks []string
	for i, p := range written {
		if !slices.Contains(o.Writes, p.name) || has(i) {
			continue
		}
		lacks = append(lacks, p.without)
		if o.App != nil {
			check.Fix = append(check.Fix, fmt.Sprintf("give the app the permission %q and accept it for the installation", p.words))
		} else {
			check.Fix = append(check.Fix, fmt.Sprintf("give the token the scope %s, for %s", strings.Join(p.scopes, " or "), p.without))
		}
	}
	if len(lacks) > 0 {
		check.Status, check.Message = selftest.Warning, "there will be no "+strings.Join(lacks, ", no ")+": the permission is missing"
		check.Fix = append(check.Fix, "or turn it off in the section github of the configuration")
	}
	return check, true
}
