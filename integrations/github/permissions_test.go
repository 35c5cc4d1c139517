package github

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

func TestTheDoctorNamesMissingPermissions(t *testing.T) {
	all := []string{"statuses", "deployments", "pull_requests"}
	for name, c := range map[string]struct {
		scopes  string
		granted map[string]string // of an app
		writes  []string
		status  selftest.Status // of the result; empty: there is none
		says    string
	}{
		"a classic token that may all":      {scopes: "repo, read:org", writes: all, status: selftest.OK},
		"a classic token for statuses only": {scopes: "repo:status", writes: all, status: selftest.Warning, says: "no deployments, no comments on pull requests"},
		"nothing more is wanted":            {scopes: "repo:status", writes: all[:1], status: selftest.OK},
		"a fine-grained token":              {scopes: "-", writes: all},
		"an app that may all":               {granted: map[string]string{"statuses": "write", "deployments": "write", "pull_requests": "write"}, writes: all, status: selftest.OK},
		"an app that may read":              {granted: map[string]string{"statuses": "write", "deployments": "read"}, writes: append(all, "checks"), status: selftest.Warning, says: "no check runs, no deployments, no comments"},
		"nothing is wanted":                 {scopes: "repo"},
	} {
		hub := githubfake.New(githubfake.Options{Token: token})
		hub.SetAccount(githubfake.Account{Scopes: c.scopes})
		hub.Grant(c.granted)
		o := CheckOptions{APIURL: "http://github.test/", Token: token, Writes: c.writes, Transport: wirefake.Direct(hub)}
		if c.granted != nil {
			o.Token, o.App = "", &api.App{ID: 1, InstallationID: 2, PrivateKey: githubfake.PrivateKey()}
		}
		var got selftest.Result
		for _, r := range Checks(t.Context(), o) {
			if r.About == "permissions" {
				got = r
			}
		}
		if got.Status != c.status || !strings.Contains(got.Message, c.says) || c.status == selftest.Warning && len(got.Fix) < 2 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
