package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	lookFor     = time.Minute        // until a run that is not listed was never made
	aloneFor    = 20 * time.Second   // until the only run is that of a dispatch that was taken, whoever made it
	clockSkew   = 2 * time.Minute    // by which GitHub's clock and ours may differ
	aloneSkew   = 5 * time.Second    // the same where it must not be another's run
	rememberFor = 7 * 24 * time.Hour // dispatches, after which none is looked for
	runPages    = 5                  // of 100 runs, when one is looked for
)

// book is the memo of the dispatches of one workflow: it is written before and after
// each, so that a run which answers to nobody is told from those that do.
type book struct {
	Entries map[string]*dispatched `json:"entries"` // by task

	key string
}

// dispatched is one of them. Without a Run nobody knows yet whether it happened.
type dispatched struct {
	At    time.Time `json:"at"`
	Ref   string    `json:"ref"`
	Taken bool      `json:"taken,omitempty"` // GitHub has said that it happened
	Run   int64     `json:"run,omitempty"`
	URL   string    `json:"url,omitempty"` // of the run's page
}

func (r *Runner) load(ctx context.Context, d dispatch) (*book, error) {
	b := &book{key: "dispatches/" + d.workflowKey()}
	raw, ok, err := r.Notes().Memo(ctx, b.key)
	if err == nil && ok {
		err = json.Unmarshal(raw, b)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was dispatched: %w", err)
	}
	if b.Entries == nil {
		b.Entries = map[string]*dispatched{}
	}
	for task, e := range b.Entries {
		if r.Now().Sub(e.At) > rememberFor {
			delete(b.Entries, task)
		}
	}
	return b, nil
}

func (r *Runner) save(ctx context.Context, b *book) error {
	raw, err := json.Marshal(b)
	if err == nil {
		err = r.Notes().Note(ctx, b.key, raw)
	}
	if err != nil {
		return fmt.Errorf("noting what is dispatched: %w", err)
	}
	return nil
}

// saveLater is save where what happened outside stands whether or not it is noted:
// then the next look-up finds it out.
func (r *Runner) saveLater(ctx context.Context, b *book) {
	if err := r.save(ctx, b); err != nil {
		r.Log.Warn("a dispatch of a GitHub workflow could not be noted", "workflow", b.key, "error", err)
	}
}

// claim notes that a run is a task's.
func (r *Runner) claim(ctx context.Context, b *book, task string, run *github.WorkflowRun) error {
	e := b.Entries[task]
	e.Taken, e.Run, e.URL = true, run.GetID(), run.GetHTMLURL()
	return r.save(ctx, b)
}

// isAnothers says whether a run belongs to another task.
func (b *book) isAnothers(task string, run int64) bool {
	for other, e := range b.Entries {
		if other != task && e.Run == run {
			return true
		}
	}
	return false
}

// rivals counts the dispatches of other tasks to which a run may belong just as well.
func (b *book) rivals(task string) (n int) {
	own := b.Entries[task]
	for other, e := range b.Entries {
		if other != task && e.Run == 0 && e.Ref == own.Ref && e.At.After(own.At.Add(-clockSkew-lookFor)) {
			n++
		}
	}
	return n
}

// found is what a look among the runs has brought: the run, why nobody can say which
// it is, or neither: there is none.
type found struct {
	run   *github.WorkflowRun
	doubt string
}

// search looks for the run of a dispatch whose answer was lost. A run that shows the
// token is it. Else it is the one that the same account started by dispatch on the same
// ref since then, which belongs to no other task; of several, or where another dispatch
// is unaccounted for, nobody can say. Where GitHub does not say which account that is,
// the only run since a dispatch that GitHub has taken is it after a while: its own must
// be listed by then. An error asks for another look a little later.
func (r *Runner) search(ctx context.Context, d dispatch, b *book, t *work.Task) (found, error) {
	entry := b.Entries[t.ID]
	age := r.Now().Sub(entry.At)
	runs, err := r.runsSince(ctx, d, entry.At.Add(-clockSkew))
	if err != nil {
		return found{}, err
	}
	account, err := r.login(ctx)
	if err != nil {
		return found{}, err
	}
	var may []*github.WorkflowRun
	for _, run := range runs {
		title := run.GetDisplayTitle()
		switch {
		case b.isAnothers(t.ID, run.GetID()):
		case strings.Contains(title, d.token):
			return found{run: run}, nil
		case strings.Contains(title, tokenPrefix), account != "" && !strings.EqualFold(run.GetActor().GetLogin(), account):
		default:
			may = append(may, run)
		}
	}
	rivals := b.rivals(t.ID)
	switch {
	case len(may) == 1 && rivals == 0 && (account != "" || entry.Taken && age >= aloneFor && !may[0].GetCreatedAt().Before(entry.At.Add(-aloneSkew))):
		return found{run: may[0]}, nil
	case entry.Taken && age < lookFor:
		return found{}, nil
	case age < lookFor:
		return found{}, errors.New("GitHub's answer to the dispatch was lost; its run is being looked for")
	case len(may) > 0:
		return found{doubt: ambiguous(d, may, rivals)}, nil
	case entry.Taken && age > unseenFor:
		return found{doubt: fmt.Sprintf("GitHub took the dispatch of %s, and has shown no run of it for %s; look under Actions of %s", d.workflow, unseenFor, d.repository())}, nil
	}
	return found{}, nil
}

// ambiguous says why nobody can know which run is the task's.
func ambiguous(d dispatch, may []*github.WorkflowRun, rivals int) string {
	links := make([]string, 0, len(may))
	for _, run := range may[:min(len(may), 3)] {
		links = append(links, run.GetHTMLURL())
	}
	text := fmt.Sprintf("GitHub's answer to the dispatch of %s was lost, and it may be any of %d runs (%s)", d.workflow, len(may), strings.Join(links, ", "))
	if rivals > 0 {
		text += fmt.Sprintf(", of which others may belong to %d more dispatches", rivals)
	}
	return text + "; with CorrelationInput, and a run-name that shows it, each is known"
}

// runsSince lists the runs that were dispatched on the ref since then, the newest first.
func (r *Runner) runsSince(ctx context.Context, d dispatch, since time.Time) (all []*github.WorkflowRun, err error) {
	o := &github.ListWorkflowRunsOptions{Event: "workflow_dispatch", Branch: d.ref, Created: ">=" + since.UTC().Format(time.RFC3339), ListOptions: github.ListOptions{PerPage: 100}}
	for range runPages {
		var page *github.WorkflowRuns
		var resp *github.Response
		if id, notNumber := strconv.ParseInt(d.workflow, 10, 64); notNumber == nil {
			page, resp, err = r.client.Actions.ListWorkflowRunsByID(ctx, d.owner, d.name, id, o)
		} else {
			page, resp, err = r.client.Actions.ListWorkflowRunsByFileName(ctx, d.owner, d.name, d.workflow, o)
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the run of %s: %s", d.workflow, api.Said(err)) //nolint:errorlint // in words for people
		}
		all = append(all, page.WorkflowRuns...)
		if resp.NextPage == 0 {
			break
		}
		o.Page = resp.NextPage
	}
	// Filters of GitHub's that a server does not know are passed over there.
	return slices.DeleteFunc(all, func(run *github.WorkflowRun) bool {
		return run.GetEvent() != "workflow_dispatch" || run.GetHeadBranch() != d.ref || run.GetCreatedAt().Before(since)
	}), nil
}

// login is the account that dispatches; empty: GitHub does not say it of such a token.
func (r *Runner) login(ctx context.Context) (string, error) {
	r.mu.Lock()
	account := r.account
	r.mu.Unlock()
	if account != "" {
		return account, nil
	}
	account, err := r.askLogin(ctx)
	if kind := api.Status(err); err != nil && (kind < 400 || kind >= 500) {
		return "", fmt.Errorf("asking who dispatches: %s", api.Said(err)) //nolint:errorlint // in words for people
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.account = account
	}
	return r.account, nil
}

func (r *Runner) askLogin(ctx context.Context) (string, error) {
	if r.App == nil {
		user, _, err := r.client.Users.Get(ctx, "")
		return user.GetLogin(), err //nolint:wrapcheck // what GitHub answered, which the caller looks into
	}
	tr, err := ghinstallation.NewAppsTransport(r.logs.Transport, r.App.ID, r.App.PrivateKey)
	if err != nil {
		return "", errors.New("github.app.privateKey is not a private key in PEM form") // the library's error may quote it
	}
	asApp := github.NewClient(nil)
	asApp.BaseURL = r.client.BaseURL
	asApp.Client().Transport = tr
	app, _, err := asApp.Apps.Get(ctx, "")
	if err != nil {
		return "", err //nolint:wrapcheck // as above
	}
	return app.GetSlug() + "[bot]", nil
}
