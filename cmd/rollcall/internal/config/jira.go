package config

import (
	"net/url"
	"strings"
	"time"
)

// Atlassian's addresses for service accounts on Cloud.
const (
	cloudAPI   = "https://api.atlassian.com"
	cloudToken = "https://auth.atlassian.com/oauth/token"
)

// ServiceAccount says whether Jira is called with the tokens of a service account.
func (j *Jira) ServiceAccount() bool { return j.ClientID != "" || j.ClientSecret.Set() }

// TokenScope is what a service account's tokens are asked for: Data Center wants a scope, on Cloud the credential has its own.
func (j *Jira) TokenScope() string {
	if j.CloudID != "" {
		return ""
	}
	return "WRITE"
}

// accountDefaults fills in where calls go. On Cloud a service account's go to a
// gateway, below the site's ID; an apiURL with a path of its own is taken as it is.
func (j *Jira) accountDefaults() {
	if !j.ServiceAccount() {
		or(&j.APIURL, j.URL)
		return
	}
	if j.CloudID == "" {
		or(&j.APIURL, j.URL)
		or(&j.TokenURL, strings.TrimSuffix(j.URL, "/")+"/rest/oauth2/latest/token")
		return
	}
	or(&j.APIURL, cloudAPI)
	or(&j.TokenURL, cloudToken)
	if u, err := url.Parse(j.APIURL); err == nil && strings.Trim(u.Path, "/") == "" {
		j.APIURL = strings.TrimSuffix(j.APIURL, "/") + "/ex/jira/" + url.PathEscape(j.CloudID)
	}
}

// checkJiraLogin wants one way to sign in.
func (d *decoder) checkJiraLogin(j *Jira) {
	given := func(key string) bool { _, ok := d.nodes["jira."+key]; return ok }
	for key, value := range map[string]string{"apiURL": j.APIURL, "tokenURL": j.TokenURL} {
		if given(key) {
			d.url("jira."+key, value)
		}
	}
	account := given("clientID") || given("clientSecret")
	switch {
	case !account && (given("tokenURL") || given("cloudID")):
		key := "tokenURL"
		if !given(key) {
			key = "cloudID"
		}
		d.problem(d.at("jira."+key), "jira."+key+" belongs to a service account, and there is none", "give clientID and clientSecret in place of user and token, or remove it")
		d.missing("jira.token", "an API token of the user")
	case !account:
		d.missing("jira.token", "an API token of the user, or clientID and clientSecret of a service account")
	case given("user") || given("token"):
		d.problem(d.at("jira.clientID"), "jira has two ways to sign in", "keep user and token, or clientID and clientSecret")
	default:
		d.missing("jira.clientID", "the client ID of the service account's credential")
		d.missing("jira.clientSecret", "the client secret of the service account's credential")
		if host, err := url.Parse(j.URL); err == nil && strings.HasSuffix(host.Hostname(), ".atlassian.net") {
			d.missing("jira.cloudID", "the site's ID: open "+strings.TrimSuffix(j.URL, "/")+"/_edge/tenant_info")
		}
	}
}

// TokenEnds is when the token ends, as the configuration says; the zero time: it does not say.
func (j *Jira) TokenEnds() (time.Time, error) {
	if j.TokenExpires == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, j.TokenExpires)
}
