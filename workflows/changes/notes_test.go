package changes_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Release notes name each issue once, by type and with who worked on it, however
// it is mentioned; commits without one stand below, merges nowhere.
func TestNotes(t *testing.T) {
	commit := func(id, text, who string) work.Commit {
		return work.Commit{ID: strings.Repeat(id, 40), Summary: text, Mentions: work.Mentions(text), Author: workflows.Author{Name: who}, Parents: []string{"p"}}
	}
	byPull := commit("c", "Fit the boots", "Cho")
	byPull.Pull = &work.Pull{Number: 7, Title: "Boots", Branch: "feature/shop-2-boots"}
	typo := commit("d", "Fix a typo", "Dan")
	typo.Pull = &work.Pull{Number: 8}
	squashed := commit("e", "Speed up (#9)", "")
	squashed.Pull = &work.Pull{Number: 9}
	merge := commit("f", "Merge pull request #7", "GitHub")
	merge.Parents = append(merge.Parents, "q")
	set := changes.Set{Direction: changes.Ahead, Complete: true, CompareURL: "https://x/compare", Commits: []work.Commit{merge, commit("a", "SHOP-1: sell shoes", "Ana"), commit("b", "SHOP-1 and UTF-8", "Ben"), byPull, typo, squashed},
		Issues: []work.Issue{{Key: "SHOP-1", Summary: "Shoes [new]", Type: "Story", URL: "https://jira/browse/SHOP-1"}, {Key: "SHOP-2", Summary: "Boots", Type: "Bug", URL: "javascript:x"}, {Key: "SHOP-3", URL: "https://jira/a)b"}}}
	got := set.Notes("webshop#42 in Production")
	want := `# webshop#42 in Production

## Bug
- SHOP-2 Boots (Cho)

## Issues
- SHOP-3

## Story
- [SHOP-1 Shoes \[new\]](https://jira/browse/SHOP-1) (Ana, Ben)

## Other changes
- ddddddd Fix a typo (#8) (Dan)
- eeeeeee Speed up (#9)

All changes: https://x/compare
`
	if got.Text != want || len(got.Groups) != 4 || !got.Complete || got.Groups[2].Items[0] != "SHOP-1 Shoes [new] (Ana, Ben)" {
		t.Errorf("got\n%s\nwant\n%s", got.Text, want)
	}
	nothing := changes.Set{Direction: changes.Back, Why: "GitHub is away"}
	if text := nothing.Notes("x").Text; !strings.Contains(text, "No changes are known.") || !strings.Contains(text, "these are undone") || !strings.Contains(text, "Not complete: GitHub is away.") {
		t.Error(text)
	}
}

// Headings gather what carries one of their labels, in Jira or at a pull request, in
// their order and before the types of the tracker.
func TestNotesByLabel(t *testing.T) {
	commit := func(id, text string, labels ...string) work.Commit {
		return work.Commit{ID: strings.Repeat(id, 40), Summary: text, Mentions: work.Mentions(text), Pull: &work.Pull{Number: 7, Labels: labels}}
	}
	set := changes.Set{Complete: true, Commits: []work.Commit{commit("a", "SHOP-1 shoes", "feature"), commit("b", "Speed up", "Performance"), commit("c", "Typo")},
		Issues: []work.Issue{{Key: "SHOP-1", Type: "Bug"}, {Key: "SHOP-2", Type: "Bug", Labels: []string{"security"}}, {Key: "SHOP-3", Type: "Bug"}}}
	var got []string
	for _, g := range set.Notes("x", changes.Heading{Title: "Security", Labels: []string{"security"}}, changes.Heading{Title: "New", Labels: []string{"feature", "performance"}}).Groups {
		got = append(got, g.Title+": "+strings.Join(g.Items, ", "))
	}
	if want := "Security: SHOP-2; New: SHOP-1, bbbbbbb Speed up (#7); Bug: SHOP-3; Other changes: ccccccc Typo (#7)"; strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
}

// Texts from outside are text in Markdown too.
func TestNotesAreNoMarkup(t *testing.T) {
	set := changes.Set{Complete: true, Commits: []work.Commit{{ID: strings.Repeat("a", 40), Summary: "![x](http://evil/x.png) <img src=x> @acme/admins ana@acme.example **now** `rm` snake_case _it_ &lt; C:\\new (#12)"}}}
	want := "- aaaaaaa !\\[x\\](http://evil/x.png) \\<img src=x\\> @<!-- -->acme/admins ana@acme.example \\*\\*now\\*\\* \\`rm\\` snake_case \\_it\\_ \\&lt; C:\\\\new (#12)\n"
	n := set.Notes("x")
	if !strings.Contains(n.Text, want) || strings.Contains(n.Groups[0].Items[0], "\\[") {
		t.Errorf("got\n%q\nwant\n%q", n.Text, want)
	}
}
