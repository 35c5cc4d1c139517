package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// CheckOptions say which GitHub, and what is expected of it.
type CheckOptions struct {
	APIURL       string // api.github.com when empty
	Token        string // or App
	App          *api.App
	Repositories []string // OWNER/NAME that pipelines take their source from
	HookURL      string   // where deliveries should go; empty: none are expected
	// Events are what pipelines wait for besides pushes, by the repository: release,
	// issue_comment and so on, as GitHub calls them.
	Events map[string][]string
	// Writes are the permissions, by GitHub's names, that what is configured needs to
	// write: statuses, checks, deployments, pull_requests.
	Writes    []string
	Transport http.RoundTripper
}

// Checks asks GitHub whether the token is good, sees the repositories, and
// whether they deliver their pushes. It changes nothing.
func Checks(ctx context.Context, o CheckOptions) []selftest.Result {
	client, err := api.New(o.APIURL, o.Token, o.App, o.Transport)
	if err != nil {
		var p *workflows.Problem
		if errors.As(err, &p) {
			return []selftest.Result{{About: "token", Status: selftest.Failed, Message: p.Message, Fix: []string{p.Hint}}}
		}
		return []selftest.Result{{About: "token", Status: selftest.Failed, Message: err.Error()}}
	}
	checks := []selftest.Result{tokenCheck(ctx, client, o.App != nil)}
	if checks[0].Status == selftest.Failed {
		return checks
	}
	if check, known := permissionCheck(ctx, client, o); known && len(o.Writes) > 0 {
		checks = append(checks, check)
	}
	for _, name := range o.Repositories {
		checks = append(checks, repositoryChecks(ctx, client, name, o.HookURL, o.Events[name])...)
	}
	return checks
}

// tokenCheck asks who the token belongs to. A classic one says its scopes in every answer.
func tokenCheck(ctx context.Context, client *github.Client, app bool) selftest.Result {
	check := selftest.Result{About: "token", Status: selftest.Failed}
	if app {
		list, _, err := client.Apps.ListRepos(ctx, &github.ListOptions{PerPage: 1})
		if err != nil {
			check.Message, check.Fix = "the GitHub App cannot sign in: "+api.Said(err), []string{api.Advice(err, "access to repositories")}
			return check
		}
		check.Status, check.Message = selftest.OK, fmt.Sprintf("the installation of the app sees %d repositories", list.GetTotalCount())
		return check
	}
	user, resp, err := client.Users.Get(ctx, "")
	if err != nil {
		check.Message, check.Fix = "GitHub does not take github.token: "+api.Said(err), []string{api.Advice(err, "access"), "a new token is made under Settings, Developer settings of the bot's account"}
		return check
	}
	check.Status, check.Message = selftest.OK, "belongs to "+user.GetLogin()
	if ends := resp.TokenExpiration.Time; !ends.IsZero() {
		check.Message += "; it ends on " + ends.UTC().Format(time.DateOnly)
		if time.Until(ends) < 30*24*time.Hour {
			check.Status, check.Fix = selftest.Warning, []string{"make a new token before that day, and restart rollcall with it"}
		}
	}
	if scopes := resp.Header.Values("X-OAuth-Scopes"); len(scopes) > 0 && !setsStatuses(scopes[0]) {
		check.Status, check.Message = selftest.Failed, "github.token lacks the scope repo:status, so no commit status can be set"
		check.Fix = []string{"give the token the scope repo:status (repo where repositories are private)"}
	}
	return check
}

func setsStatuses(scopes string) bool {
	return slices.ContainsFunc(strings.Split(scopes, ","), func(s string) bool {
		s = strings.TrimSpace(s)
		return s == "repo" || s == "repo:status"
	})
}

// repositoryChecks ask whether a repository is seen, and delivers.
func repositoryChecks(ctx context.Context, client *github.Client, name, hookURL string, events []string) []selftest.Result {
	owner, repo, _ := strings.Cut(name, "/")
	check := selftest.Result{About: name, Status: selftest.Failed}
	if _, _, err := client.Repositories.Get(ctx, owner, repo); err != nil {
		check.Message, check.Fix = "cannot be read: "+api.Said(err), []string{api.Advice(err, "access to it (Metadata: read)")}
		return []selftest.Result{check}
	}
	if hookURL == "" {
		check.Status, check.Message = selftest.OK, "can be read"
		return []selftest.Result{check}
	}
	hooks, _, err := client.Repositories.ListHooks(ctx, owner, repo, &github.ListOptions{PerPage: 100})
	if err != nil {
		check.Status, check.Message = selftest.Unknown, "can be read; whether it delivers to "+hookURL+" is not known: "+api.Said(err)
		check.Fix = []string{"look under Settings, Webhooks; to know it here, give the token the scope read:repo_hook (fine-grained: Webhooks, read). A webhook of the organization or app is not listed with the repository"}
		return []selftest.Result{check}
	}
	return []selftest.Result{hookCheck(check, hooks, hookURL, events)}
}

func hookCheck(check selftest.Result, hooks []*github.Hook, hookURL string, events []string) selftest.Result {
	at := slices.IndexFunc(hooks, func(h *github.Hook) bool { return h.Config.GetURL() == hookURL })
	const settings = "Settings, Webhooks of the repository"
	if at < 0 {
		check.Status, check.Message = selftest.Warning, "has no webhook to "+hookURL+", so pushes are found by polling only"
		check.Fix = []string{"add one under " + settings + " with content type application/json and the secret of github.webhookSecret, unless the organization or the app has one"}
		return check
	}
	hook := hooks[at]
	status, _ := hook.LastResponse["code"].(float64)
	lacks := slices.DeleteFunc(slices.Clone(events), func(event string) bool {
		return slices.Contains(hook.Events, event) || slices.Contains(hook.Events, "*")
	})
	switch {
	case !hook.GetActive():
		check.Message, check.Fix = "its webhook is switched off", []string{"switch it on under " + settings}
	case !slices.Contains(hook.Events, "push") && !slices.Contains(hook.Events, "*"):
		check.Message, check.Fix = "its webhook does not deliver pushes", []string{"choose the event push (and pull request) under " + settings}
	case hook.Config.GetContentType() != "" && hook.Config.GetContentType() != "json":
		check.Message, check.Fix = "its webhook sends forms, not JSON", []string{"choose content type application/json under " + settings}
	case status >= 300:
		check.Message, check.Fix = fmt.Sprintf("its last delivery was answered with %d", int(status)), []string{"401: the secret is another one than github.webhookSecret; 404 or 502: the address does not lead to rollcall"}
	case len(lacks) > 0:
		check.Status, check.Message = selftest.Warning, "its webhook does not deliver "+strings.Join(lacks, ", ")+", which are waited for here"
		check.Fix = []string{"choose these events under " + settings + ", unless a webhook of the organization or app delivers them"}
	default:
		check.Status, check.Message = selftest.OK, "can be read, and delivers pushes"
	}
	return check
}
