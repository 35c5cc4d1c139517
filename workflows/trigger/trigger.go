// Package trigger decides whether a change of a repository starts a pipeline.
//
// A pipeline follows the repositories and branches of its source actions. A
// source action without an entry in the pipeline's `triggers` starts it on
// every push to its branch (default change detection), unless DetectChanges is
// false, or PollForSourceChanges is and no event told of it. An entry replaces that by filters: the push
// and pullRequest entries are alternatives, the fields of one entry must all
// match, and in a field an exclude wins over every include. However many
// entries match, an event starts the pipeline once. BranchName then only says
// what a start by hand brings in.
//
// The changed files are those that differ between what the branch was and what
// it is, or that a pull request changes. Where they are not known the filter for
// them is not asked: a start too many is seen, one that is missing is not.
//
// Images and objects are followed like branches: a tag of a repository of images
// (ECR), a key of a bucket (S3).
//
// A pull request is judged by its base branch, and the run uses its head
// commit. One that comes from a fork starts nothing: its code would run with
// this service's rights.
//
// Events of GitHub (a release, a workflow run, a deployment, a merge group) start
// a pipeline by a trigger of their own, each judged by its filter. Such a trigger
// replaces the default, too: who waits for releases does not start on pushes.
// Branches of GitHub's merge queue start nothing unless a pattern names them.
package trigger

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Event is one change of a repository.
type Event struct {
	Provider   string // Git|GitHub|Bitbucket|GitLab|CodeCommit|ECR|S3
	Kind       string // push|pull_request|release|workflow_run|deployment|merge_group
	Of         string // what was pushed: a commit (empty, or commit), an image, an object
	Repository string // GitHub, Bitbucket, GitLab: owner/name; Git: URL or path; ECR, CodeCommit: name; S3: bucket
	// Branch of a push, empty for a tag; ECR: the image's tag; S3: the object's key; pull
	// request, merge group: the base branch; workflow run: where it ran; deployment: the ref.
	Branch    string
	Tag       string   // push of a tag; release
	PullEvent string   // OPEN|UPDATED|CLOSED; anything else starts nothing
	Created   bool     // the branch is new
	Deleted   bool     // the branch or tag is gone
	Fork      bool     // pull request: its head is in another repository
	Announced bool     // an event told of the change: PollForSourceChanges, which is about polling, is not asked
	Files     []string // changed files; nil: unknown. Filters look at the first 100

	Connections []string // of AWS that lead to the repository's host, by their ARNs
	Elsewhere   []string // of AWS that lead to another host

	Workflow    []string // workflow run, and deployment by one: its name and the path of its file
	Cause       string   // of that run: the event that started it
	Conclusion  string   // of that run
	Environment string   // deployment
	Prerelease  bool     // release
}

// maxFiles is how many changed files a filter looks at, as CodePipeline does.
const maxFiles = 100

// Match says whether the event starts the pipeline, and which source action it
// concerns: the first one that it starts. Why is half a sentence for either
// answer, to be read after "webshop: ".
func Match(p *workflows.Pipeline, e Event) (sourceAction string, ok bool, why string) {
	var reasons []string
	for a := range sources(p) {
		if !reads(a, e) {
			continue
		}
		ok, why := starts(p, a, e)
		if ok {
			return a.Name, true, why
		}
		if !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
	}
	if reasons == nil {
		return "", false, "no source action reads " + e.Repository
	}
	return "", false, strings.Join(reasons, "; ")
}

// Follows says whether any source action reads the event's repository, whether
// or not the event starts the pipeline.
func Follows(p *workflows.Pipeline, e Event) bool { return Reader(p, e) != nil }

// Reader is the first source action that reads the event's repository; nil: none does.
func Reader(p *workflows.Pipeline, e Event) *workflows.Action {
	for a := range sources(p) {
		if reads(a, e) {
			return a
		}
	}
	return nil
}

// NeedsFiles says whether the answer to an event depends on its changed files.
// They have to be asked for, so it is worth knowing.
func NeedsFiles(p *workflows.Pipeline, e Event) bool {
	e.Files = nil
	for a := range sources(p) {
		if !reads(a, e) {
			continue
		}
		if _, why := starts(p, a, e); strings.Contains(why, filesUnknown) {
			return true
		}
	}
	return false
}

func isFalse(value string) bool { return strings.EqualFold(value, "false") }

// sources are a pipeline's source actions. Every delivery asks for those of every
// pipeline: they are not collected.
func sources(p *workflows.Pipeline) iter.Seq[*workflows.Action] {
	return func(yield func(*workflows.Action) bool) {
		if len(p.Stages) == 0 {
			return
		}
		for i := range p.Stages[0].Actions {
			if a := &p.Stages[0].Actions[i]; a.IsSource() && !yield(a) {
				return
			}
		}
	}
}

// starts judges an event of the repository that the source action reads.
func starts(p *workflows.Pipeline, a *workflows.Action, e Event) (bool, string) {
	if e.Deleted {
		return false, what(e) + " was deleted"
	}
	if e.Fork {
		return false, "it comes from a fork, whose code is not run here"
	}
	if e.Kind == "pull_request" && !slices.Contains([]string{"OPEN", "UPDATED", "CLOSED"}, e.PullEvent) {
		return false, "only opening, updating and closing a pull request count"
	}
	if IsGitHub(e.Kind) {
		_, ok, why := byGitHub(p, a, e)
		return ok, why
	}
	for _, t := range p.Triggers {
		if t.Git == nil || t.Git.SourceActionName != a.Name {
			continue
		}
		if len(t.Git.Push)+len(t.Git.PullRequest) > 0 {
			return filtered(t.Git, e)
		}
		return follows(a, e) // an entry without filters: the branch itself
	}
	if others := waitsFor(p, a); others != "" {
		return false, fmt.Sprintf("%s starts on %s only, this is %s", a.Name, others, what(e))
	}
	for _, key := range []string{"DetectChanges", "PollForSourceChanges"} {
		if isFalse(a.Configuration[key]) && !(e.Announced && key == "PollForSourceChanges") {
			return false, fmt.Sprintf("%s does not detect changes (%s is false)", a.Name, key)
		}
	}
	return follows(a, e)
}

// follows is the default change detection.
func follows(a *workflows.Action, e Event) (bool, string) {
	_, branch := Followed(a)
	if e.Kind != "push" || e.Tag != "" {
		return false, fmt.Sprintf("%s starts on pushes to %s only, this is %s", a.Name, branch, what(e))
	}
	if e.Branch != branch {
		return false, fmt.Sprintf("%s follows %s, this is %s", a.Name, branch, what(e))
	}
	return true, what(e)
}

// filtered judges by the entries of a trigger; one that matches is enough.
func filtered(g *workflows.GitConfiguration, e Event) (bool, string) {
	filters, match := g.Push, pushed
	if e.Kind == "pull_request" {
		filters, match = g.PullRequest, pulled
	}
	if len(filters) == 0 {
		return false, fmt.Sprintf("the trigger of %s has no filter for %s", g.SourceActionName, what(e))
	}
	var faults []string
	for _, f := range filters {
		fault := match(f, e)
		if fault == "" {
			return true, what(e)
		}
		if !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	if slices.Contains(faults, filesUnknown) {
		return true, what(e) + filesUnknown
	}
	return false, strings.Join(faults, ", ")
}

// pushed returns why the filter does not match a push, or nothing. A push is
// of a branch or of a tag, so a filter for the one never matches the other.
func pushed(f workflows.GitFilter, e Event) (fault string) {
	switch {
	case e.Tag != "" && (f.Branches != nil || f.FilePaths != nil):
		return "the filter is for branches, this is tag " + e.Tag
	case e.Tag != "" && !f.Tags.Match(e.Tag):
		return "tag " + e.Tag + " does not match"
	case e.Tag != "":
		return ""
	case f.Tags != nil:
		return "the filter is for tags, this is branch " + e.Branch
	case isQueued(e.Branch) && !names(f.Branches, e.Branch):
		return queuedOnly
	}
	return branched(f, e)
}

// pulled returns why the filter does not match a pull request, or nothing. The
// branch is the one that it is to be merged into.
func pulled(f workflows.GitFilter, e Event) (fault string) {
	if len(f.Events) > 0 && !slices.Contains(f.Events, e.PullEvent) {
		return "the filter is for " + strings.Join(f.Events, ", ") + ", this is " + e.PullEvent
	}
	if f.Tags != nil {
		return "the filter is for tags, this is a pull request"
	}
	return branched(f, e)
}

const filesUnknown = "; which files changed is not known, so no filter was asked about them"

// branched judges branch and files. The first push of a branch has nothing to
// compare with: a filter for files never matches it.
func branched(f workflows.GitFilter, e Event) (fault string) {
	switch {
	case !f.Branches.Match(e.Branch):
		return "branch " + e.Branch + " does not match"
	case f.FilePaths == nil:
		return ""
	case e.Kind == "push" && e.Created:
		return "the first push of a branch has no changed files to compare"
	case e.Files == nil:
		return filesUnknown
	case f.FilePaths.Match(e.Files[:min(len(e.Files), maxFiles)]...):
		return ""
	case len(e.Files) > maxFiles:
		return fmt.Sprintf("none of the first %d of %d changed files matches", maxFiles, len(e.Files))
	}
	return fmt.Sprintf("none of %s matches", count(len(e.Files), "changed file"))
}

// what names the event: "push to main", "tag v1", "pull request to main", "image latest", "object app.zip".
func what(e Event) string {
	switch {
	case IsGitHub(e.Kind):
		return whatOnGitHub(e)
	case e.Of == image, e.Of == object:
		return e.Of + " " + e.Branch
	case e.Kind == "pull_request":
		return "pull request to " + e.Branch
	case e.Tag != "":
		return "tag " + e.Tag
	case e.Deleted:
		return "branch " + e.Branch
	}
	return "push to " + e.Branch
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
