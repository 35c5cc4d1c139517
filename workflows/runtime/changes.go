package runtime

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// kickoff is one pipeline to be started by a change.
type kickoff struct {
	pipeline string
	intent   workflows.Intent
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
			starts = append(starts, kickoff{pipeline: p.Name, intent: startBy(p.Name, action, c, workflows.TriggerWebhook, d.Receipt.Key+"/"+p.Name)})
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
		PullEvent: c.PullEvent, Created: c.Created, Deleted: c.Deleted, Files: c.Files,
	}
}

// startBy is the intent by which a change starts a pipeline, its commit pinned.
func startBy(pipeline, action string, c work.Change, kind, token string) workflows.Intent {
	ref := c.Branch
	if c.Tag != "" {
		ref = c.Tag
	}
	return workflows.Intent{
		Verb: workflows.Start, Pipeline: pipeline, Token: token,
		Trigger: &workflows.StartedBy{Type: kind, Detail: strings.TrimSpace(c.Repository + " " + ref), By: c.By},
		Change: []workflows.SourceRevision{{
			ActionName: action, RevisionID: c.Commit, RevisionSummary: c.Summary, RevisionURL: c.URL,
			Branch: c.Branch, Repository: c.Repository, Author: c.Author, Authors: c.Authors,
		}},
	}
}
