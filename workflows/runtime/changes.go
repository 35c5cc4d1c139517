package runtime

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// kickoff is one pipeline to be started by a change.
type kickoff struct {
	pipeline string
	intent   workflows.Intent
	at       time.Time // when the change became known
	polled   *polled   // the branch, when it is also looked at; nil: it is not
}

// matches says which pipelines a delivery starts, and why others that follow the repository do not.
func (r *receipts) matches(d delivery) (starts []kickoff, ignored []string) {
	ignored = []string{}
	started := map[string]bool{}
	for _, p := range r.e.catalog.all() {
		for _, c := range d.Changes {
			e := eventOf(c)
			if started[p.Name] || !trigger.Follows(p, e) {
				continue
			}
			action, ok, why := trigger.Match(p, e)
			if !ok {
				ignored = append(ignored, p.Name+": "+why)
				continue
			}
			started[p.Name] = true
			a, _ := p.Stages[0].Action(action)
			starts = append(starts, kickoff{
				pipeline: p.Name, at: d.Receipt.At, polled: r.e.sources.polled(p, a, c),
				intent: startBy(p.Name, a, c, workflows.TriggerWebhook, d.Receipt.Key+"/"+p.Name),
			})
		}
	}
	if len(starts) == 0 && len(ignored) == 0 {
		for _, c := range d.Changes {
			ignored = append(ignored, c.Repository+": no pipeline follows it")
		}
	}
	return starts, ignored
}

func eventOf(c work.Change) trigger.Event {
	return trigger.Event{
		Provider: c.Provider, Kind: c.Event, Repository: c.Repository, Branch: c.Branch, Tag: c.Tag,
		PullEvent: c.PullEvent, Created: c.Created, Deleted: c.Deleted, Fork: c.Fork, Files: c.Files,
	}
}

// NeedsFiles says whether it depends on the changed files what a change
// starts: whoever knows the change may then ask for them before Receive.
func (e *Engine) NeedsFiles(ctx context.Context, c work.Change) (bool, error) {
	if err := e.wait(ctx); err != nil {
		return false, err
	}
	return slices.ContainsFunc(e.catalog.all(), func(p *workflows.Pipeline) bool { return trigger.NeedsFiles(p, eventOf(c)) }), nil
}

// startBy is the intent by which a change starts a pipeline, its commit pinned.
// A change is signed, or our own look: the revision may be of another branch
// than the action's, because the pipeline's triggers want it.
func startBy(pipeline string, a *workflows.Action, c work.Change, kind, token string) workflows.Intent {
	ref := c.Branch
	if c.Tag != "" {
		ref = c.Tag
	}
	r := workflows.SourceRevision{
		ActionName: a.Name, RevisionID: c.Commit, RevisionSummary: c.Summary, RevisionURL: c.URL,
		Branch: cmp.Or(c.HeadBranch, c.Branch), Repository: c.Repository, Author: c.Author, Authors: c.Authors,
	}
	r.AnyBranch = c.Event != "push" || c.Branch != a.Configuration["BranchName"]
	return workflows.Intent{
		Verb: workflows.Start, Pipeline: pipeline, Token: token,
		Trigger: &workflows.StartedBy{Type: kind, Detail: strings.TrimSpace(c.Repository + " " + ref), By: c.By},
		Change:  []workflows.SourceRevision{r},
	}
}
