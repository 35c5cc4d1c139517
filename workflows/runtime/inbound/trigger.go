package inbound

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// match says which pipelines a delivery starts, and why others that follow the repository do not.
func (s *Starter) match(d delivery) (starts []request, ignored []string) {
	ignored = []string{}
	found := map[string]bool{}
	events, documents := make([]trigger.Event, len(d.Changes)), make([]any, len(d.Changes))
	for i, c := range d.Changes {
		events[i], documents[i] = eventOf(c), documentOf(c)
	}
	for _, p := range s.catalogue.Pipelines() {
		for i, c := range d.Changes {
			e := events[i]
			if c.Document != nil && !found[p.Name] {
				r, fits, why := startByEvent(p, c, documents[i], d.Receipt)
				if fits && why == "" {
					found[p.Name], starts = true, append(starts, r)
				} else if fits {
					ignored = append(ignored, p.Name+": "+why)
				}
			}
			if found[p.Name] || !trigger.Follows(p, e) {
				continue
			}
			action, ok, why := trigger.Match(p, e)
			if !ok {
				ignored = append(ignored, p.Name+": "+why)
				continue
			}
			variables, lacks := variablesOf(p, action, c)
			if lacks != "" {
				ignored = append(ignored, p.Name+": "+lacks)
				continue
			}
			found[p.Name] = true
			a, _ := p.Stages[0].Action(action)
			in := startBy(p.Name, a, c, workflows.TriggerWebhook, d.Receipt.Key+"/"+p.Name, why)
			in.Variables = variables
			starts = append(starts, request{pipeline: p.Name, at: d.Receipt.At, head: s.headOf(p, a, c), intent: in})
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
		Provider: c.Provider, Kind: c.Event, Of: c.Kind, Repository: c.Repository, Branch: c.Branch, Tag: c.Tag,
		PullEvent: c.PullEvent, Created: c.Created, Deleted: c.Deleted, Fork: c.Fork, Files: c.Files, Connections: c.Connections, Elsewhere: c.Elsewhere,
		Workflow: c.Workflow, Cause: c.Cause, Conclusion: c.Conclusion, Environment: c.Environment, Prerelease: c.Prerelease,
	}
}

// NeedsFiles says whether it depends on the changed files what a change starts.
func (s *Starter) NeedsFiles(c work.Change) bool {
	e := eventOf(c)
	return slices.ContainsFunc(s.catalogue.Pipelines(), func(p *workflows.Pipeline) bool { return trigger.NeedsFiles(p, e) })
}

// Changed lists the files in which a push differs from what the branch was before,
// however it got there; nil: that cannot be known here.
func (s *Starter) Changed(ctx context.Context, c work.Change) ([]string, error) {
	for _, p := range s.catalogue.Pipelines() {
		a := trigger.Reader(p, eventOf(c))
		if a == nil || c.Before == "" {
			continue
		}
		if differ, ok := s.o.Sources[a.ActionType.Provider].(Differ); ok {
			of := *a
			of.Configuration = maps.Clone(a.Configuration)
			of.Configuration["BranchName"] = c.Branch
			return differ.Changed(ctx, of, c.Before, c.Commit)
		}
	}
	return nil, nil
}

// startBy is the intent by which a change starts a pipeline, with its commit
// pinned. Where trigger.Match has a remark after a semicolon, it is kept. A
// change is signed, or was found by polling: the revision may be of another
// branch than the action's, because the pipeline's triggers want it.
func startBy(pipeline string, a *workflows.Action, c work.Change, kind, token, why string) workflows.Intent {
	ref := c.Branch
	if c.Tag != "" {
		ref = c.Tag
	}
	r := workflows.SourceRevision{
		ActionName: a.Name, RevisionID: c.Commit, RevisionSummary: c.Summary, RevisionURL: c.URL,
		Type:   map[string]string{work.ImageKind: "IMAGE_DIGEST", work.ObjectKind: "S3_OBJECT_VERSION_ID"}[c.Kind],
		Branch: cmp.Or(c.HeadBranch, c.Branch), Repository: c.Repository, Author: c.Author, Authors: c.Authors, Tag: c.Tag,
	}
	_, followed := trigger.Followed(a)
	r.AnyBranch = c.Event != "push" || c.Branch != followed
	if r.Branch == c.Commit { // a deployment of a commit
		r.Branch = ""
	}
	if trigger.IsGitHub(c.Event) {
		ref = why
	}
	detail := strings.TrimSpace(c.Repository + " " + ref)
	if _, remark, ok := strings.Cut(why, "; "); ok {
		detail += "; " + remark
	}
	return workflows.Intent{
		Verb: workflows.Start, Pipeline: pipeline, Token: token,
		Trigger: &workflows.StartedBy{Type: kind, Detail: detail, By: c.By},
		Change:  []workflows.SourceRevision{r},
	}
}
