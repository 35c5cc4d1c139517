package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/transport"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// permissionsOf is a question for the permissions of an app's installation, by
// GitHub's names ("pull_requests": "write"). Each time a new token is made,
// because only that knows what was granted since.
func permissionsOf(api string, app App, base http.RoundTripper) (func(ctx context.Context) (map[string]string, error), error) {
	u, err := apiAddress(api)
	if err != nil {
		return nil, err
	}
	tr := wire.Transport(transport.Over(base), wire.Pacing{Timeout: 20 * time.Second})
	signIn := func() (*ghinstallation.Transport, error) {
		own, err := ghinstallation.New(tr, app.ID, app.InstallationID, app.PrivateKey)
		if err != nil {
			return nil, badKey()
		}
		own.BaseURL = strings.TrimSuffix(u.String(), "/")
		return own, nil
	}
	if _, err := signIn(); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (map[string]string, error) {
		own, err := signIn()
		if err != nil {
			return nil, err
		}
		if _, err := own.Token(ctx); err != nil {
			return nil, wire.Scrub(err)
		}
		p, err := own.Permissions()
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		granted := map[string]string{}
		return granted, json.Unmarshal(raw, &granted)
	}, nil
}

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
func permissionCheck(ctx context.Context, api *github.Client, o CheckOptions) (check selftest.Result, known bool) {
	var has func(i int) bool
	if o.App != nil {
		ask, err := permissionsOf(o.APIURL, *o.App, o.Transport)
		if err != nil {
			return check, false
		}
		granted, err := ask(ctx)
		if err != nil || len(granted) == 0 {
			return check, false
		}
		has = func(i int) bool { return granted[written[i].name] == "write" }
	} else {
		_, resp, err := api.Users.Get(ctx, "")
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
