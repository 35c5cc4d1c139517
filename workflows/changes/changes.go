// Package changes says what an execution brings into a stage: the commits between
// what ran there when it entered and what it comes with, the pull requests by which
// they came, and the issues that they mention.
//
// [Sides] are the two ends. Their ranges are looked up outside, in repositories;
// [Sides.Set] makes of the answers what people and programs read. An answer is
// complete, or says why it is not: nothing is left out silently. The package is pure.
package changes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Direction is where a stage goes.
type Direction string

// Directions, by ancestry alone: commits may be dated before their parents.
const (
	Ahead    Direction = "ahead"    // to what follows from what ran, or to the same
	Back     Direction = "back"     // to what was before it: its commits are those that are undone
	Diverged Direction = "diverged" // to another line of history: after a forced push, say
)

// Set is what an execution brings into a stage.
type Set struct {
	From       *string   `json:"from"` // what ran; null: nothing did
	To         string    `json:"to"`
	CompareURL string    `json:"compareUrl,omitempty"` // the web page that shows both; empty: none is known
	Direction  Direction `json:"direction,omitempty"`  // empty: nothing of it is known
	// Total counts the commits, also where Commits is cut.
	Total int `json:"total"`
	// Commits are what comes; of [Back] what is undone. Newest first.
	Commits []work.Commit `json:"commits"`
	// Dropped are the commits of From that To lacks.
	Dropped []work.Commit `json:"dropped"`
	// Issues are those that commits, branches and pull requests mention, and that
	// the tracker knows.
	Issues []work.Issue `json:"issues"`
	// DroppedIssues are those that only dropped commits mention, of [Diverged].
	DroppedIssues []work.Issue `json:"droppedIssues,omitempty"`
	// Complete is false where something is not known, or left out; Why says what.
	Complete bool   `json:"complete"`
	Why      string `json:"why,omitempty"`
	// Sources are the ends by repository, where there are several.
	Sources []Ends `json:"sources,omitempty"`
}

// Ends are the two ends in one repository.
type Ends struct {
	Repository string  `json:"repository"`
	From       *string `json:"from"`
	To         string  `json:"to"`
	CompareURL string  `json:"compareUrl,omitempty"`
}

// Sides are what ran in a stage, and what comes.
type Sides struct {
	Definition *workflows.Pipeline // under which it comes
	From       []workflows.SourceRevision
	To         []workflows.SourceRevision
	Rollback   bool // it comes by a rollback
}

// Ranges are what has to be looked up. Where nothing of a repository ran they
// begin with its history.
func (s Sides) Ranges() []work.Range {
	if s.Definition == nil || len(s.Definition.Stages) == 0 {
		return nil
	}
	if len(s.From) == 0 {
		return work.Origins(s.Definition, s.To)
	}
	return work.Ranges(s.Definition, s.From, s.To)
}

// Set puts together what was found. A range that is not among it is not known.
func (s Sides) Set(found map[work.Range]work.Changes) Set {
	set := Set{Direction: Ahead, Commits: []work.Commit{}, Dropped: []work.Commit{}, Issues: []work.Issue{}, Complete: true}
	ranges := s.Ranges()
	for i, r := range ranges {
		c, known := found[r]
		if !known {
			c.Why = "the history of " + r.Repository + " could not be looked at"
		}
		ends := Ends{Repository: r.Repository, From: end(r.From), To: r.To, CompareURL: c.CompareURL}
		if len(ranges) > 1 {
			set.Sources = append(set.Sources, ends)
		}
		switch goes := s.direction(c); {
		case i == 0:
			set.From, set.To, set.CompareURL = ends.From, ends.To, ends.CompareURL
			set.Direction = goes
		case set.Direction == "" || goes == "":
			set.Direction = ""
		case set.Direction != goes:
			set.Direction = Diverged
		}
		set.add(c)
	}
	if len(ranges) == 0 {
		s.same(&set)
	}
	if set.Direction == Back {
		set.Commits, set.Total = slices.Clone(set.Dropped), undone(found, ranges)
	}
	return set
}

// direction is where one repository goes; empty: that is not known.
func (s Sides) direction(c work.Changes) Direction {
	switch {
	case c.Undone > 0 && c.Count > 0:
		return Diverged
	case c.Undone > 0, s.Rollback && c.Count == 0:
		return Back
	case !c.Complete && c.Count == 0:
		return ""
	}
	return Ahead
}

// same fills in the ends where no commits lie between them: the revisions are the
// same, or are none of a repository.
func (s Sides) same(set *Set) {
	if s.Rollback {
		set.Direction = Back
	}
	for _, r := range s.To {
		set.To = cmp.Or(set.To, r.RevisionID)
		for _, was := range s.From {
			if was.ActionName == r.ActionName && set.From == nil {
				set.From = end(was.RevisionID)
			}
			if was.ActionName == r.ActionName && was.RevisionID != r.RevisionID {
				if !s.Rollback {
					set.Direction = ""
				}
				set.lacks(fmt.Sprintf("what lies between two revisions of %s cannot be known: they are no commits", r.ActionName))
			}
		}
	}
	if len(s.To) > 0 && s.Definition == nil {
		set.lacks("the pipeline's definition of then is no longer known")
	}
}

// add takes one repository's answer in.
func (s *Set) add(c work.Changes) {
	s.Total += c.Count
	s.Commits, s.Dropped = append(s.Commits, c.New...), append(s.Dropped, c.Lost...)
	switch {
	case !c.Complete:
		s.lacks(c.Why)
	case len(c.New) < c.Count:
		s.lacks(fmt.Sprintf("only the newest %d of %s are listed", len(c.New), words.Count(c.Count, "commit")))
	case len(c.Lost) < c.Undone:
		s.lacks(fmt.Sprintf("only the newest %d of %s that it lacks are listed", len(c.Lost), words.Count(c.Undone, "commit")))
	}
}

// lacks notes that something is missing, and what.
func (s *Set) lacks(why string) {
	s.Complete = false
	if why != "" && !strings.Contains(s.Why, why) {
		s.Why = strings.TrimPrefix(s.Why+"; "+why, "; ")
	}
}

// With adds the pull requests of commits, by their IDs, the issues that are
// mentioned, each once whichever repositories mention it, and those that only
// dropped commits mention. why says what of it is not known; empty: all is.
func (s *Set) With(pulls map[string]*work.Pull, issues, dropped []work.Issue, why string) {
	for _, list := range [][]work.Commit{s.Commits, s.Dropped} {
		for i := range list {
			list[i].Pull = cmp.Or(list[i].Pull, pulls[list[i].ID])
		}
	}
	s.Issues = joined(s.Issues, issues)
	s.DroppedIssues = slices.DeleteFunc(joined(s.DroppedIssues, dropped), func(i work.Issue) bool { return hasIssue(s.Issues, i) })
	if why != "" {
		s.lacks(why)
	}
}

func joined(all, more []work.Issue) []work.Issue {
	for _, i := range more {
		if !hasIssue(all, i) {
			all = append(all, i)
		}
	}
	return all
}

func hasIssue(all []work.Issue, i work.Issue) bool {
	return slices.ContainsFunc(all, func(known work.Issue) bool { return known.Key == i.Key })
}

const (
	mostLines   = 10 // commits that people are shown in a message
	mostSummary = 80 // characters of each commit's text there
)

// Lines are what people are shown of ranges: the newest commits that come, or
// those that are undone where none come, as one line each ("1a2b3c4 Sell shoes
// (Ana)"), at most ten, and how many more there are.
func Lines(all ...work.Changes) []string {
	var come, gone []work.Commit
	count, undone := 0, 0
	for _, c := range all {
		come, gone = append(come, c.New...), append(gone, c.Lost...)
		count, undone = count+c.Count, undone+c.Undone
	}
	if count == 0 {
		come, count = gone, undone
	}
	come = come[:min(len(come), mostLines)]
	lines := linesOf(come)
	if more := count - len(come); more > 0 && len(come) > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

func linesOf(all []work.Commit) []string {
	var lines []string
	for _, c := range all {
		lines = append(lines, lineOf(c))
	}
	return lines
}

func lineOf(c work.Commit) string {
	line := words.Revision(c.ID) + " " + words.Cut(c.Summary, mostSummary)
	if who := author(c); who != "" {
		line += " (" + who + ")"
	}
	return line
}

func author(c work.Commit) string { return cmp.Or(c.Author.Name, c.Author.Login, c.Author.Email) }

// Whose are the people whose commits would be undone, each once, those with most
// of them first.
func Whose(all ...work.Changes) []string {
	counts := map[string]int{}
	for _, c := range all {
		for _, lost := range c.Lost {
			if who := author(lost); who != "" {
				counts[who]++
			}
		}
	}
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
}

// Unsafe are the commits of ranges that would be undone although they, or the pull
// requests by which they came, are marked with [work.UnsafeMark]: one line each,
// newest first, at most ten.
func Unsafe(pulls map[string]*work.Pull, all ...work.Changes) []string {
	var lines []string
	for _, c := range all {
		for _, lost := range c.Lost {
			pull := cmp.Or(lost.Pull, pulls[lost.ID])
			if (lost.Unsafe || pull.Unsafe()) && len(lines) < mostLines {
				lines = append(lines, lineOf(lost))
			}
		}
	}
	return lines
}

func end(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

func undone(found map[work.Range]work.Changes, ranges []work.Range) (n int) {
	for _, r := range ranges {
		n += found[r].Undone
	}
	return n
}
