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
	Title      string  `json:"title"`
	Groups     []Group `json:"groups"`
	CompareURL string  `json:"compareUrl,omitempty"` // the web page that shows all changes; empty: none is known
	Repository string  `json:"repository,omitempty"` // that they are of; of several the first
	Revision   string  `json:"revision,omitempty"`   // its newest commit
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

	lines []string // the items in Markdown
}

// Heading is a title for what carries one of its labels: an issue, or the pull
// request by which it came. The first that fits wins, before the tracker's types.
type Heading struct {
	Title  string
	Labels []string
}

func (h *Heading) fits(labels []string) bool {
	return slices.ContainsFunc(labels, func(l string) bool {
		return slices.ContainsFunc(h.Labels, func(want string) bool { return strings.EqualFold(want, l) })
	})
}

// The headings that are not the tracker's.
const (
	untyped = "Issues"
	others  = "Other changes"
)

// Notes are the release notes of a set, under a title: each issue once, with who
// worked on it, under the first heading whose label it has, else by its type; then
// the commits without an issue, by heading too.
func (s *Set) Notes(title string, headings ...Heading) Notes {
	n := Notes{Title: title, Groups: []Group{}, CompareURL: s.CompareURL, Revision: s.To, Complete: s.Complete, Why: s.Why}
	authors, labels, rest := s.credits()
	last := len(headings)
	under := func(labels []string, otherwise string) (string, int) {
		for i, h := range headings {
			if h.fits(labels) {
				return h.Title, i
			}
		}
		return otherwise, last
	}
	places := map[string]int{}
	for _, i := range s.Issues {
		group, place := under(append(slices.Clone(i.Labels), labels[i.Key]...), cmp.Or(i.Type, untyped))
		places[group] = place
		n.add(group, strings.TrimSpace(i.Key+" "+i.Summary), i.URL, authors[i.Key])
	}
	for _, c := range rest {
		text := words.Revision(c.ID) + " " + c.Summary
		var labels []string
		if c.Pull != nil {
			labels = c.Pull.Labels
			if !strings.Contains(text, fmt.Sprintf("(#%d)", c.Pull.Number)) {
				text += fmt.Sprintf(" (#%d)", c.Pull.Number)
			}
		}
		group, place := under(labels, others)
		if group == others && place == last {
			place++
		}
		places[group] = place
		n.add(group, text, "", []string{called(c.Author)})
	}
	slices.SortStableFunc(n.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(places[a.Title], places[b.Title]), strings.Compare(a.Title, b.Title))
	})
	n.Text = n.text(s)
	return n
}

// credits are who worked on each issue, in the order of their commits, the labels
// of the pull requests by which it came, and the commits that mention none.
func (s *Set) credits() (authors, labels map[string][]string, rest []work.Commit) {
	authors, labels = map[string][]string{}, map[string][]string{}
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
			if c.Pull != nil {
				labels[key] = append(labels[key], c.Pull.Labels...)
			}
			if who := called(c.Author); !slices.Contains(authors[key], who) {
				authors[key] = append(authors[key], who)
			}
		}
		if !of && len(c.Parents) < 2 { // a merge says nothing that its commits do not
			rest = append(rest, c)
		}
	}
	return authors, labels, rest
}

func called(a workflows.Author) string { return cmp.Or(a.Name, a.Login, a.Email) }

// add puts an item under a heading: its text, the web page of it if one is known,
// and who worked on it.
func (n *Notes) add(title, text, page string, who []string) {
	by := ""
	if who = slices.DeleteFunc(slices.Clone(who), func(name string) bool { return name == "" }); len(who) > 0 {
		by = " (" + strings.Join(who, ", ") + ")"
	}
	at := slices.IndexFunc(n.Groups, func(g Group) bool { return g.Title == title })
	if at < 0 {
		at, n.Groups = len(n.Groups), append(n.Groups, Group{Title: title})
	}
	g := &n.Groups[at]
	g.Items, g.lines = append(g.Items, text+by), append(g.lines, linked(text, page)+markdown(by))
}

// linked is a text in Markdown that leads to a page; one that is no plain address is left out.
func linked(text, page string) string {
	if !strings.HasPrefix(page, "https://") && !strings.HasPrefix(page, "http://") || strings.ContainsAny(page, " ()<>\\\n") {
		return markdown(text)
	}
	return "[" + markdown(text) + "](" + page + ")"
}

// text is the notes in Markdown.
func (n *Notes) text(s *Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", markdown(n.Title))
	if s.Direction == Back {
		b.WriteString("\nA rollback: these are undone.\n")
	}
	for _, g := range n.Groups {
		fmt.Fprintf(&b, "\n## %s\n", markdown(g.Title))
		for _, line := range g.lines {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	if len(n.Groups) == 0 {
		b.WriteString("\nNo changes are known.\n")
	}
	if s.CompareURL != "" {
		fmt.Fprintf(&b, "\nAll changes: %s\n", s.CompareURL)
	}
	if !n.Complete {
		fmt.Fprintf(&b, "\nNot complete: %s.\n", markdown(s.Why))
	}
	return b.String()
}

// markdown writes text from outside so that it means nothing in Markdown: no markup,
// no HTML, no picture, and nobody is mentioned. Numbers of pull requests stay links.
func markdown(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch r {
		case '\\', '`', '*', '[', ']', '<', '>', '~', '|', '&':
			b.WriteByte('\\')
		case '_':
			if !wordAt(text, i-1) || !wordAt(text, i+1) {
				b.WriteByte('\\')
			}
		}
		b.WriteRune(r)
		if r == '@' && !wordAt(text, i-1) {
			b.WriteString("<!-- -->") // GitHub finds mentions after the markup is gone
		}
	}
	return b.String()
}

func wordAt(text string, i int) bool {
	return i >= 0 && i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z')
}
