// Package trigger decides whether a change of a repository starts a pipeline.
package trigger

import "github.com/rollcall-bot/rollcall/workflows"

// Event is one change of a repository.
type Event struct {
	Provider   string // Git|GitHub
	Kind       string // push|pull_request
	Repository string // owner/name for GitHub, URL or path for Git
	Branch     string // push: the branch; pull request: the base branch
	Tag        string
	PullEvent  string // OPEN|UPDATED|CLOSED
	Created    bool   // the branch is new
	Deleted    bool
	Files      []string // changed files; nil: unknown
}

// Match says whether the event starts the pipeline, and through which source
// action. Why is a sentence, for "pipeline: reason".
func Match(p *workflows.Pipeline, e Event) (sourceAction string, ok bool, why string) {
	return "", false, ""
}

// Follows says whether a source action of the pipeline reads the event's repository.
func Follows(p *workflows.Pipeline, e Event) bool { return false }
