package jira

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// CheckOptions say which Jira, and where tickets go.
type CheckOptions struct {
	URL, User, Token   string
	APIURL             string   // where calls go; empty: URL
	Account            *Account // in place of User and Token
	Project, IssueType string
	Projects           []string // whose issues are deployed; empty: Project
	Links, Comments    bool     // that such issues get
	Transport          http.RoundTripper
}

// Checks asks Jira whether the login is good, and whether tickets of the type can
// be made in the project. It makes none.
func Checks(ctx context.Context, o CheckOptions) []selftest.Result {
	login := selftest.Result{About: "login", Status: selftest.Failed}
	c, err := newClient(site{o.URL, o.APIURL, o.User, o.Token, o.Account}, o.Transport)
	if err != nil {
		login.Message = err.Error()
		var p *workflows.Problem
		if errors.As(err, &p) {
			login.Message, login.Fix = p.Message, []string{p.Hint}
		}
		return []selftest.Result{login}
	}
	var me struct {
		Name string `json:"displayName"`
	}
	if err := c.call(ctx, http.MethodGet, "rest/api/2/myself", nil, &me); err != nil {
		login.Message, login.Fix = "Jira does not take the login: "+err.Error(), []string{"check jira.url, jira.user and jira.token; Cloud wants an e-mail address and an API token, a server a personal token and no user"}
		if o.Account != nil {
			login.Fix = []string{"check jira.clientID, jira.clientSecret and jira.cloudID, and that the credential has the scopes read:jira-work, write:jira-work and read:jira-user"}
		}
		if answered(err) == 0 {
			login.Message, login.Fix = "Jira cannot be asked: "+err.Error(), []string{"check jira.url, the network and the proxy"}
		}
		return []selftest.Result{login}
	}
	login.Status, login.Message = selftest.OK, me.Name
	checks := []selftest.Result{login, c.projectCheck(ctx, o)}
	if checks[1].Status == selftest.OK {
		checks = append(checks, c.permissionCheck(ctx, o.Project))
	}
	checks = append(checks, c.deploymentChecks(ctx, o)...)
	return checks
}

// projectCheck looks for the issue type among those that can be created there.
func (c *client) projectCheck(ctx context.Context, o CheckOptions) selftest.Result {
	check := selftest.Result{About: "project " + o.Project, Status: selftest.Failed}
	type issueType struct {
		Name string `json:"name"`
	}
	var list struct {
		Cloud  []issueType `json:"issueTypes"`
		Server []issueType `json:"values"`
	}
	if err := c.call(ctx, http.MethodGet, "rest/api/2/issue/createmeta/"+url.PathEscape(o.Project)+"/issuetypes", nil, &list); err != nil {
		check.Message, check.Fix = "is not there, or not for this user: "+err.Error(), []string{"check jira.project (the key, not the name), and that the user may browse it"}
		return check
	}
	var names []string
	for _, t := range append(list.Cloud, list.Server...) {
		if t.Name == o.IssueType {
			check.Status, check.Message = selftest.OK, "has the issue type "+o.IssueType
			return check
		}
		names = append(names, t.Name)
	}
	check.Message, check.Fix = "the user can create no "+o.IssueType+" there", []string{"there are: " + strings.Join(names, ", ") + "; set jira.issueType to one of them"}
	if len(names) == 0 {
		check.Message, check.Fix = "the user can create no issues there", []string{"give the user the permission Create Issues in the project"}
	}
	return check
}

// deploymentChecks ask for the permissions that issues need which are deployed.
func (c *client) deploymentChecks(ctx context.Context, o CheckOptions) (all []selftest.Result) {
	var needs []string
	if o.Links {
		needs = append(needs, "LINK_ISSUES")
	}
	if o.Comments {
		needs = append(needs, "ADD_COMMENTS", "EDIT_OWN_COMMENTS")
	}
	projects := o.Projects
	if len(projects) == 0 {
		projects = []string{o.Project}
	}
	for i := 0; i < len(projects) && len(needs) > 0; i++ {
		check := c.missing(ctx, projects[i], "issues that are deployed can say so", needs)
		if check.Status == selftest.Failed {
			check.Fix = append(check.Fix, "or leave links or comments out of jira.onIssues")
		}
		all = append(all, check)
	}
	return all
}

// permissionCheck asks for the permissions that tickets need.
func (c *client) permissionCheck(ctx context.Context, project string) selftest.Result {
	return c.missing(ctx, project, "tickets can be created, commented on, linked and closed", []string{"CREATE_ISSUES", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "LINK_ISSUES", "TRANSITION_ISSUES"})
}

// missing says which of the permissions in a project the user lacks; else what is well.
func (c *client) missing(ctx context.Context, project, well string, needs []string) selftest.Result {
	var got struct {
		Permissions map[string]struct {
			Have bool   `json:"havePermission"`
			Name string `json:"name"`
		} `json:"permissions"`
	}
	query := url.Values{"projectKey": {project}, "permissions": {strings.Join(needs, ",")}}.Encode()
	check := selftest.Result{About: "project " + project, Status: selftest.OK, Message: well}
	if err := c.call(ctx, http.MethodGet, "rest/api/2/mypermissions?"+query, nil, &got); err != nil {
		check.Status, check.Message = selftest.Unknown, "which permissions the user has is not known: "+err.Error()
		return check
	}
	var missing []string
	for _, need := range needs {
		if p, told := got.Permissions[need]; told && !p.Have {
			missing = append(missing, need)
		}
	}
	if len(missing) > 0 {
		check.Status, check.Message = selftest.Failed, "the user lacks "+strings.Join(missing, ", ")
		check.Fix = []string{"give them to the user's role in the permission scheme of the project"}
	}
	return check
}
