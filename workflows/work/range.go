package work

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Range is a stretch of a repository's history: what To has and From lacks.
type Range struct {
	Provider   string // Git|GitHub|Bitbucket|GitLab|CodeStarSourceConnection|GitHubDeployment
	Repository string // as in Change
	From, To   string // commits; From is empty where nothing of the repository runs
}

// Changes is what a range holds, from what runs to what is to run.
type Changes struct {
	Complete   bool     // false: it cannot be known, and Why says why
	Why        string   // half a sentence, to be read after "because"
	Count      int      // commits that To has and From lacks
	Undone     int      // commits that From has and To lacks
	CompareURL string   // the web page that shows them; empty: none is known
	Commits    []string // IDs of those counted by Count, newest first
	// New and Lost are the commits that Count and Undone count, as people read
	// them, newest first; of very many only the newest.
	New, Lost []Commit
	// Authors wrote, committed or pushed them, each once: they exclude
	// (self-approval), never allow.
	Authors []workflows.Author
}

// Ranges are what lies between the revisions that run and those that are to run,
// under a definition: one for each source action that brings another commit than
// before. Where nothing of its repository runs, From is empty: what is new then
// is not known. Where nothing runs at all there are none.
func Ranges(p *workflows.Pipeline, runs, next []workflows.SourceRevision) (all []Range) {
	if p == nil || len(p.Stages) == 0 || len(runs) == 0 {
		return nil
	}
	for _, r := range next {
		provider, ok := p.SourceOf(&r)
		if was := before(runs, r); ok && r.Repository != "" && r.RevisionID != was.RevisionID {
			all = append(all, Range{Provider: provider, Repository: r.Repository, From: was.RevisionID, To: r.RevisionID})
		}
	}
	return all
}

// before is what runs of a revision's repository: by the same action, else by
// one that had another name then. Zero: nothing.
func before(runs []workflows.SourceRevision, r workflows.SourceRevision) (was workflows.SourceRevision) {
	for _, run := range runs {
		if run.Repository == r.Repository && (was.RevisionID == "" || run.ActionName == r.ActionName) {
			was = run
		}
	}
	return was
}

// Origins are ranges without an end: all that the revisions under a definition
// hold, for a stage in which nothing runs.
func Origins(p *workflows.Pipeline, next []workflows.SourceRevision) (all []Range) {
	for _, r := range next {
		if provider, ok := p.SourceOf(&r); ok && r.Repository != "" {
			all = append(all, Range{Provider: provider, Repository: r.Repository, To: r.RevisionID})
		}
	}
	return all
}

// Say tells for the record what was known of the range: "acme/webshop
// 1111111..2222222: 3 commits".
func (r Range) Say(c Changes) string {
	text := fmt.Sprintf("%s %.7s..%.7s: ", r.Repository, r.From, r.To)
	if r.From == "" {
		text = fmt.Sprintf("%s %.7s: ", r.Repository, r.To)
	}
	if !c.Complete {
		return text + "not known, because " + c.Why
	}
	return text + words.Count(c.Count, "commit")
}

// Sum says in half a sentence what is new against the execution that runs: "3
// commits since #41", "undoes 3 commits of #43".
func (c Changes) Sum(runs int) string {
	switch {
	case !c.Complete:
		return fmt.Sprintf("what is new since #%d is not known, because %s", runs, c.Why)
	case c.Undone > 0 && c.Count > 0:
		return fmt.Sprintf("%s since #%d, and undoes %s", words.Count(c.Count, "commit"), runs, words.Count(c.Undone, "commit"))
	case c.Undone > 0:
		return fmt.Sprintf("undoes %s of #%d", words.Count(c.Undone, "commit"), runs)
	}
	return fmt.Sprintf("%s since #%d", words.Count(c.Count, "commit"), runs)
}
