package changes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Notes are release notes.
type Notes struct {
	Title  string  `json:"title"`
	Groups []Group `json:"groups"`
	// Text is all of it for people to read and to paste, in Markdown.
	Text string `json:"text"`
	// Complete and Why are those of the [Set].
	Complete bool   `json:"complete"`
	Why      string `json:"why,omitempty"`
}

// Group is a heading and what stands under it: a type of issues, or the commits
// that mention none.
type Group struct {
	Title string   `json:"title"`
	Items []string `json:"items"`
}

// The headings that are not the tracker's.
const (
	untyped = "Issues"
	others  = "Other changes"
)

// Notes are the release notes of a set, under a title: each issue once, with who
// worked on it, by type; then the commits without an issue.
func (s *Set) Notes(title string) Notes {
	n := Notes{Title: title, Groups: []Group{}, Complete: s.Complete, Why: s.Why}
	authors, rest := s.credits()
	for _, i := range s.Issues {
		n.add(cmp.Or(i.Type, untyped), item(strings.TrimSpace(i.Key+" "+i.Summary), authors[i.Key]))
	}
	slices.SortStableFunc(n.Groups, func(a, b Group) int { return strings.Compare(a.Title, b.Title) })
	for _, c := range rest {
		text := words.Revision(c.ID) + " " + c.Summary
		if c.Pull != nil && !strings.Contains(text, fmt.Sprintf("(#%d)", c.Pull.Number)) {
			text += fmt.Sprintf(" (#%d)", c.Pull.Number)
		}
		n.add(others, item(text, []string{called(c.Author)}))
	}
	n.Text = n.text(s)
	return n
}

// credits are who worked on each issue, in the order of their commits, and the
// commits that mention none.
func (s *Set) credits() (authors map[string][]string, rest []work.Commit) {
	authors = map[string][]string{}
	known := map[string]bool{}
	for _, i := range s.Issues {
		known[i.Key] = true
	}
	for _, c := range s.Commits {
		mentions, of := slices.Clone(c.Mentions), false
		if c.Pull != nil {
			mentions = append(append(mentions, work.Mentions(c.Pull.Title)...), work.Mentions(strings.ToUpper(c.Pull.Branch))...)
		}
		for _, key := range mentions {
			if !known[key] {
				continue
			}
			of = true
			if who := called(c.Author); !slices.Contains(authors[key], who) {
				authors[key] = append(authors[key], who)
			}
		}
		if !of && len(c.Parents) < 2 { // a merge says nothing that its commits do not
			rest = append(rest, c)
		}
	}
	return authors, rest
}

func called(a workflows.Author) string { return cmp.Or(a.Name, a.Login, a.Email) }

func item(text string, who []string) string {
	who = slices.DeleteFunc(slices.Clone(who), func(name string) bool { return name == "" })
	if len(who) == 0 {
		return text
	}
	return text + " (" + strings.Join(who, ", ") + ")"
}

func (n *Notes) add(title, item string) {
	for i := range n.Groups {
		if n.Groups[i].Title == title {
			n.Groups[i].Items = append(n.Groups[i].Items, item)
			return
		}
	}
	n.Groups = append(n.Groups, Group{title, []string{item}})
}

// text is the notes in Markdown.
func (n *Notes) text(s *Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", n.Title)
	if s.Direction == Back {
		b.WriteString("\nA rollback: these are undone.\n")
	}
	for _, g := range n.Groups {
		fmt.Fprintf(&b, "\n## %s\n", g.Title)
		for _, text := range g.Items {
			fmt.Fprintf(&b, "- %s\n", text)
		}
	}
	if len(n.Groups) == 0 {
		b.WriteString("\nNo changes are known.\n")
	}
	if s.CompareURL != "" {
		fmt.Fprintf(&b, "\nAll changes: %s\n", s.CompareURL)
	}
	if !n.Complete {
		fmt.Fprintf(&b, "\nNot complete: %s.\n", s.Why)
	}
	return b.String()
}
