package config

import (
	"fmt"
	"slices"
	"strings"
)

// What issues that are deployed get.
const (
	JiraLinks    = "links"
	JiraComments = "comments"
)

// cloudDeploymentsToken is where Cloud gives tokens for the OAuth credentials of a site.
const cloudDeploymentsToken = "https://api.atlassian.com/oauth/token"

// DeploymentsAPI are OAuth credentials of a Cloud site for Jira's Deployments API, where
// Jira itself is called as a user.
type DeploymentsAPI struct {
	CloudID      string `yaml:"cloudID"`
	ClientID     string `yaml:"clientID"`
	ClientSecret Secret `yaml:"clientSecret"`
	APIURL       string `yaml:"apiURL"`
	TokenURL     string `yaml:"tokenURL"`
}

// deploymentDefaults fills in what issues get, and where the Deployments API is.
func (j *Jira) deploymentDefaults() {
	if j.OnIssues == nil {
		j.OnIssues = []string{JiraLinks, JiraComments}
	}
	if a := j.DeploymentsAPI; a != nil {
		or(&a.APIURL, cloudAPI)
		or(&a.TokenURL, cloudDeploymentsToken)
	}
}

// Gateway is the address below which Cloud has the Deployments API; empty: Jira has it itself.
func (j *Jira) Gateway() string {
	switch {
	case j.DeploymentsAPI != nil:
		return j.DeploymentsAPI.APIURL
	case j.CloudID != "":
		gateway, _, _ := strings.Cut(j.APIURL, "/ex/jira/")
		return gateway
	}
	return ""
}

func (d *decoder) checkJiraDeployments(j *Jira) {
	for i, key := range j.Projects {
		if key == "" || strings.ToUpper(key) != key || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			d.problem(d.at(fmt.Sprintf("jira.projects[%d]", i)), fmt.Sprintf("the project cannot be %q", key), "write its key, such as OPS")
		}
	}
	for i, what := range j.OnIssues {
		if !slices.Contains([]string{JiraLinks, JiraComments}, what) {
			d.problem(d.at(fmt.Sprintf("jira.onIssues[%d]", i)), fmt.Sprintf("issues cannot get %q", what), "links, comments, both, or none: []")
		}
	}
	a := j.DeploymentsAPI
	if a == nil {
		return
	}
	if j.ServiceAccount() {
		d.problem(d.at("jira.deploymentsAPI"), "the service account is used for the Deployments API, so deploymentsAPI says nothing", "remove it")
	}
	d.missing("jira.deploymentsAPI.cloudID", "the site's ID: open "+strings.TrimSuffix(j.URL, "/")+"/_edge/tenant_info")
	d.missing("jira.deploymentsAPI.clientID", "the client ID of the site's OAuth credentials: Settings, Apps, OAuth credentials")
	d.missing("jira.deploymentsAPI.clientSecret", "the client secret of the site's OAuth credentials")
	for key, value := range map[string]string{"apiURL": a.APIURL, "tokenURL": a.TokenURL} {
		if d.nodes["jira.deploymentsAPI."+key] != nil {
			d.url("jira.deploymentsAPI."+key, value)
		}
	}
	if !j.Deployments {
		d.problem(d.at("jira.deploymentsAPI"), "jira.deploymentsAPI is not used without deployments: true", "add deployments: true, or remove it")
	}
}
