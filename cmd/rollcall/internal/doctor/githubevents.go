package doctor

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// githubEvents are the events that a webhook must deliver besides pushes, by the
// repository, as GitHub calls them.
func (d *doctor) githubEvents() map[string][]string {
	events := map[string][]string{}
	want := func(repository, event string) {
		if repository != "" && !slices.Contains(events[repository], event) {
			events[repository] = append(events[repository], event)
		}
	}
	for _, p := range d.pipelines {
		for i := range p.Triggers {
			t := &p.Triggers[i]
			if t.Git != nil && len(t.Git.PullRequest) > 0 {
				want(repositoryOf(p, t.Git.SourceActionName), "pull_request")
			}
			if event, filter := t.OnGitHub(); filter != nil {
				want(repositoryOf(p, t.SourceActionName), event)
			}
		}
	}
	for _, repository := range d.repositories() {
		for _, glob := range d.c.GitHub.Comments {
			if (&workflows.Patterns{Includes: []string{strings.ToLower(glob)}}).Match(strings.ToLower(repository)) {
				want(repository, "issue_comment")
			}
		}
		slices.Sort(events[repository])
	}
	return events
}

// repositoryOf is what a source action reads.
func repositoryOf(p *workflows.Pipeline, action string) string {
	if len(p.Stages) > 0 {
		if a, known := p.Stages[0].Action(action); known {
			return a.Configuration["FullRepositoryId"]
		}
	}
	return ""
}
