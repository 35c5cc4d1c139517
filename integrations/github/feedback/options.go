package feedback

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Reader reads what was committed.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	// Pipeline returns a version of a definition; 0: the one in force.
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
}

// noteTaker takes the notes that executions get.
type noteTaker interface {
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
}

// Options is what the followers need that report to GitHub.
type Options struct {
	APIURL    string // empty: https://api.github.com/
	Token     string // or App
	App       *api.App
	PublicURL string // where an execution can be looked at: PublicURL/executions/ID; empty: no link
	// Elsewhere are the ARNs of the connections of AWS that lead to another host: the same name there is another repository.
	Elsewhere []string
	Reader    Reader
	Submitter noteTaker // nil: executions get no notes
	Notes     api.Notes
	// Checks says whether stages are shown in check runs; nil: as statuses. See [ChecksGranted].
	Checks    func(ctx context.Context) (bool, error)
	Log       *slog.Logger      // nil: slog.Default()
	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// complete fills in what was left out and makes the client; its errors are *workflows.Problem.
func (o *Options) complete() (*github.Client, error) {
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return api.New(o.APIURL, o.Token, o.App, o.Transport)
}

// page is where people look at an execution; nil: nowhere.
func (o *Options) page(execution string) *string {
	if o.PublicURL == "" {
		return nil
	}
	return github.String(o.PublicURL + "/executions/" + execution)
}

// definition is that of the execution's version; nil: it is not known any more.
func (o *Options) definition(ctx context.Context, e *workflows.Execution) (*workflows.Pipeline, error) {
	if len(e.SourceRevisions) == 0 {
		return nil, nil
	}
	view, err := o.Reader.Pipeline(ctx, workflows.EnginePrincipal(), e.Pipeline, e.Version)
	if err != nil && !notFound(err) {
		return nil, fmt.Errorf("reading version %d of %s: %w", e.Version, e.Pipeline, err)
	}
	return view.Definition, nil
}

// commitRef is a commit on GitHub.
type commitRef struct{ owner, name, sha string }

func (c commitRef) repository() string { return c.owner + "/" + c.name }

// commitsOf returns what the execution's GitHub sources brought in under a definition, each once.
func (o *Options) commitsOf(e *workflows.Execution, p *workflows.Pipeline) []commitRef {
	if p == nil {
		return nil
	}
	var found []commitRef
	seen := map[commitRef]bool{}
	for _, r := range e.SourceRevisions {
		repository, ok := o.repositoryOf(p, r)
		if !ok || !api.IsSHA(r.RevisionID) {
			continue
		}
		owner, name, err := api.SplitRepository(repository)
		if err != nil {
			o.Log.With(words.LogAttrs(e.Ref(), p.Stages[0].Name, r.ActionName)...).Warn("a source's repository gets no feedback on GitHub", "error", err)
			continue
		}
		t := commitRef{owner, name, r.RevisionID}
		if !seen[t] {
			seen[t] = true
			found = append(found, t)
		}
	}
	return found
}

// repositoryOf returns the repository of a revision whose source action reads from GitHub.
func (o *Options) repositoryOf(p *workflows.Pipeline, r workflows.SourceRevision) (string, bool) {
	for i := range p.Stages {
		a, ok := p.Stages[i].Action(r.ActionName)
		if !ok || !a.IsSource() {
			continue
		}
		switch a.ActionType.Provider {
		case "GitHub":
			return a.Configuration["FullRepositoryId"], true
		case "CodeStarSourceConnection":
			return a.Configuration["FullRepositoryId"], !slices.Contains(o.Elsewhere, a.Configuration["ConnectionArn"])
		}
	}
	return "", false
}
