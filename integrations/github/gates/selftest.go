package gates

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// mostEnvironments are looked at, so that a check of many repositories ends.
const mostEnvironments = 20

// CheckOptions say which GitHub, and which environments ask here.
type CheckOptions struct {
	APIURL    string   // empty: https://api.github.com/
	App       *api.App // nil: nothing is asked
	Rows      []Row
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// Checks ask whether the app may be a deployment protection rule, and whether the
// environments of the rows use it and let nobody past.
func Checks(ctx context.Context, o CheckOptions) []selftest.Result {
	if len(o.Rows) == 0 || o.App == nil {
		return nil
	}
	client, err := api.New(o.APIURL, "", o.App, o.Transport)
	if err != nil {
		return nil // the other checks say so
	}
	checks := []selftest.Result{rightsCheck(ctx, client, &o)}
	repositories, err := repositoriesOf(ctx, client, o.Rows)
	if err != nil {
		return append(checks, selftest.Result{About: "gates", Status: selftest.Unknown, Message: "which repositories the app sees is not known: " + api.Said(err)})
	}
	left := mostEnvironments
	for _, repository := range repositories {
		names, err := environmentsOf(ctx, client, repository, o.Rows)
		if err != nil {
			checks = append(checks, selftest.Result{About: repository, Status: selftest.Unknown, Message: "its environments cannot be listed: " + api.Said(err),
				Fix: []string{"give the app the permission Actions: read"}})
			continue
		}
		for _, name := range names {
			if left--; left < 0 {
				return append(checks, selftest.Result{About: "gates", Status: selftest.Skipped, Message: fmt.Sprintf("only %d environments are looked at", mostEnvironments)})
			}
			checks = append(checks, environmentCheck(ctx, client, o.App.ID, repository, name))
		}
	}
	return checks
}

// rightsCheck looks at what the installation was given. The app signs for itself here.
func rightsCheck(ctx context.Context, client *github.Client, o *CheckOptions) selftest.Result {
	check := selftest.Result{About: "gates", Status: selftest.Failed}
	base := o.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	signed, err := ghinstallation.NewAppsTransport(base, o.App.ID, o.App.PrivateKey)
	if err != nil {
		check.Message = "github.app.privateKey is not a private key in PEM form"
		return check
	}
	signed.BaseURL = strings.TrimSuffix(client.BaseURL.String(), "/")
	own := github.NewClient(&http.Client{Transport: signed})
	own.BaseURL = client.BaseURL
	in, _, err := own.Apps.GetInstallation(ctx, o.App.InstallationID)
	if err != nil {
		check.Status, check.Message = selftest.Unknown, "what the installation of the app may do is not known: "+api.Said(err)
		return check
	}
	var missing []string
	may := in.GetPermissions()
	for _, right := range []struct{ name, wanted, has string }{
		{"Deployments", "write", may.GetDeployments()}, {"Actions", "read", may.GetActions()}, {"Contents", "read", may.GetContents()},
	} {
		if right.has != "write" && right.has != right.wanted {
			missing = append(missing, "the permission "+right.name+": "+map[string]string{"write": "read and write", "read": "read"}[right.wanted])
		}
	}
	for event, name := range map[string]string{delivery.ProtectionEvent: "Deployment protection rule", "deployment_status": "Deployment status", "workflow_run": "Workflow run"} {
		if !slices.Contains(in.Events, event) {
			missing = append(missing, "the event "+name)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		check.Message = "the app lacks for github.gates " + words.List(missing, "and")
		check.Fix = []string{"add it under Permissions & events in the settings of the app, and accept it in each organization that has installed it"}
		return check
	}
	check.Status, check.Message = selftest.OK, "the app may be a deployment protection rule, and hears of deployments and runs"
	return check
}

// repositoriesOf are those that rows name, and those of patterns that the app sees.
func repositoriesOf(ctx context.Context, client *github.Client, rows []Row) (names []string, err error) {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	patterns := false
	for _, r := range rows {
		if strings.Contains(r.Repository, "*") {
			patterns = true
		} else {
			add(r.Repository)
		}
	}
	if !patterns {
		return names, nil
	}
	list, _, err := client.Apps.ListRepos(ctx, &github.ListOptions{PerPage: 100})
	if err != nil {
		return names, err
	}
	for _, one := range list.Repositories {
		if slices.ContainsFunc(rows, func(r Row) bool { return like(r.Repository, one.GetFullName()) }) {
			add(one.GetFullName())
		}
	}
	return names, nil
}

// environmentsOf are the environments of a repository that rows are for: those that are
// named whole need not be there.
func environmentsOf(ctx context.Context, client *github.Client, repository string, rows []Row) (names []string, err error) {
	owner, name, _ := strings.Cut(repository, "/")
	all, _, err := client.Repositories.ListEnvironments(ctx, owner, name, &github.EnvironmentListOptions{ListOptions: github.ListOptions{PerPage: 100}})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if !like(r.Repository, repository) {
			continue
		}
		for _, e := range all.Environments {
			if like(r.Environment, e.GetName()) && !slices.Contains(names, e.GetName()) {
				names = append(names, e.GetName())
			}
		}
		if whole := r.Repository == repository && !strings.Contains(r.Environment, "*"); whole && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, r.Environment) }) {
			names = append(names, r.Environment)
		}
	}
	return names, nil
}

// environmentCheck asks whether an environment has the app's rule, and who may pass it.
func environmentCheck(ctx context.Context, client *github.Client, app int64, repository, environment string) selftest.Result {
	check := selftest.Result{About: repository + " " + environment, Status: selftest.Failed}
	owner, name, _ := strings.Cut(repository, "/")
	env, _, err := client.Repositories.GetEnvironment(ctx, owner, name, url.PathEscape(environment))
	if err != nil {
		check.Message, check.Fix = "the environment cannot be read: "+api.Said(err), []string{"check its name in github.gates, and create it under Settings, Environments of the repository"}
		return check
	}
	rules, _, err := client.Repositories.GetAllDeploymentProtectionRules(ctx, owner, name, url.PathEscape(environment))
	if err != nil {
		check.Status, check.Message = selftest.Unknown, "its protection rules cannot be read: "+api.Said(err)
		return check
	}
	ours := slices.ContainsFunc(rules.ProtectionRules, func(r *github.CustomDeploymentProtectionRule) bool {
		return r.GetApp().GetID() == app && r.GetEnabled()
	})
	switch {
	case !ours:
		check.Message, check.Fix = "no protection rule of this app: deployments there ask nobody here", []string{"switch the app on under Settings, Environments, " + environment + ", Deployment protection rules"}
	case env.CanAdminsBypass == nil || *env.CanAdminsBypass:
		check.Status, check.Message = selftest.Warning, "administrators of the repository can let a deployment past the approval; that is noticed and recorded"
		check.Fix = []string{"if nobody should, take away \"Allow administrators to bypass configured protection rules\" in the environment's settings"}
	default:
		check.Status, check.Message = selftest.OK, "asks here, and nobody can pass"
	}
	return check
}
