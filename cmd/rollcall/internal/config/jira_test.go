package config

import (
	"errors"
	"strings"
	"testing"
)

func TestJiraSignsInOneWay(t *testing.T) {
	for _, c := range []struct{ name, jira, fault string }{
		{"a token", "token: t", ""},
		{"nothing", "user: bot", "jira.token is missing"},
		{"a service account of Data Center", "clientID: id, clientSecret: s", ""},
		{"both", "token: t, clientID: id, clientSecret: s", "jira has two ways to sign in"},
		{"half", "clientID: id", "jira.clientSecret is missing"},
		{"the other half", "clientSecret: s", "jira.clientID is missing"},
		{"a site without an account", "token: t, cloudID: c", "jira.cloudID belongs to a service account"},
		{"an address that is none", "clientID: id, clientSecret: s, tokenURL: here", "jira.tokenURL must be an http or https address"},
		{"an address of the API that is none", "token: t, apiURL: here", "jira.apiURL must be an http or https address"},
	} {
		_, err := Load(write(t, 0o600, "jira: {url: https://j.example, project: OPS, "+c.jira+"}\n"))
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v, want %q", c.name, err, c.fault)
		}
	}
	_, err := Load(write(t, 0o600, "jira: {url: https://acme.atlassian.net, project: OPS, clientID: id, clientSecret: s}\n"))
	if err == nil || !strings.Contains(err.Error(), "jira.cloudID is missing") {
		t.Errorf("a service account of Cloud without its site: %v", err)
	}
}

func TestWhereAServiceAccountCalls(t *testing.T) {
	for _, c := range []struct{ name, jira, api, token, scope string }{
		{"Cloud", "url: https://acme.atlassian.net, cloudID: c1", "https://api.atlassian.com/ex/jira/c1", "https://auth.atlassian.com/oauth/token", ""},
		{"Cloud through another gateway", "url: https://acme.atlassian.net, cloudID: c1, apiURL: \"http://gw.example/\"", "http://gw.example/ex/jira/c1", "https://auth.atlassian.com/oauth/token", ""},
		{"Cloud at a whole address", "url: https://acme.atlassian.net, cloudID: c1, apiURL: http://gw.example/ex/jira/c1, tokenURL: http://gw.example/t", "http://gw.example/ex/jira/c1", "http://gw.example/t", ""},
		{"Data Center", "url: https://j.example/jira/", "https://j.example/jira/", "https://j.example/jira/rest/oauth2/latest/token", "WRITE"},
	} {
		got, err := Load(write(t, 0o600, "jira: {project: OPS, clientID: id, clientSecret: s, "+c.jira+"}\n"))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if j := got.Jira; j.APIURL != c.api || j.TokenURL != c.token || j.TokenScope() != c.scope || !j.ServiceAccount() {
			t.Errorf("%s: calls go to %s, tokens come from %s for %q", c.name, j.APIURL, j.TokenURL, j.TokenScope())
		}
	}
}

// A date that is none is shown where it stands.
func TestWhenJirasTokenEnds(t *testing.T) {
	jira := func(date string) string {
		return "jira:\n  url: https://j.example\n  project: OPS\n  token: t\n  tokenExpires: " + date + "\n"
	}
	for _, date := range []string{"soon", "2027-02-30", "31.03.2027", `"2027-03-31T10:00:00Z"`} {
		_, err := Load(write(t, 0o600, jira(date)))
		var all Problems
		if !errors.As(err, &all) || len(all) != 1 || all[0].Line != 5 || all[0].Col != 17 || !strings.Contains(all[0].Message, "jira.tokenExpires must be a date") || !strings.Contains(all[0].Hint, "YYYY-MM-DD") {
			t.Errorf("%s: %+v", date, err)
		}
	}
	got, err := Load(write(t, 0o600, jira("2027-03-31")))
	if err != nil {
		t.Fatal(err)
	}
	if ends, err := got.Jira.TokenEnds(); err != nil || ends.Format("2006-01-02") != "2027-03-31" {
		t.Errorf("%s, %v", ends, err)
	}
}
