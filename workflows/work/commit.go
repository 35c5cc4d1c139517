package work

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Commit is one commit of a range, as people read it.
type Commit struct {
	ID      string           `json:"id"`
	Summary string           `json:"summary"` // first line of its text
	Author  workflows.Author `json:"author"`
	URL     string           `json:"url,omitempty"` // the web page that shows it
	// Pull is the pull request by which it came; nil: none, or it is not known.
	Pull *Pull `json:"pullRequest"`
	// Parents are the commits it was made of: more than one where it merges.
	Parents []string `json:"-"`
	// Mentions are the issue keys in its text.
	Mentions []string `json:"-"`
	// Unsafe: its text says that nobody should roll back past it.
	Unsafe bool `json:"unsafe,omitempty"`
}

// UnsafeMark is the line of a commit's text, and the label of a pull request, by
// which people say that nobody should roll back past it: what it changed outside
// (a database, say) does not go back with it.
const UnsafeMark = "rollback: unsafe"

// SaysUnsafe says whether a commit's text has that line, in any case and with any spaces.
func SaysUnsafe(text string) bool {
	for line := range strings.Lines(text) {
		if isUnsafe(line) {
			return true
		}
	}
	return false
}

// Unsafe says whether the pull request is marked so by a label.
func (p *Pull) Unsafe() bool { return p != nil && slices.ContainsFunc(p.Labels, isUnsafe) }

func isUnsafe(text string) bool {
	key, value, ok := strings.Cut(text, ":")
	return ok && strings.EqualFold(strings.TrimSpace(key), "rollback") && strings.EqualFold(strings.TrimSpace(value), "unsafe")
}

// Pull is a pull request.
type Pull struct {
	Number int      `json:"number"`
	Title  string   `json:"title"`
	URL    string   `json:"url"`
	Branch string   `json:"-"` // that it came from
	Labels []string `json:"labels,omitempty"`
}

// Issue is an issue of a tracker that knows it.
type Issue struct {
	Key     string   `json:"key"`
	Summary string   `json:"summary"`
	URL     string   `json:"url"`
	Type    string   `json:"type,omitempty"` // as the tracker calls it: "Bug"
	Labels  []string `json:"labels,omitempty"`
}

// mostMentions is how many issue keys of one text count.
const mostMentions = 20

var issueKey = regexp.MustCompile(`(?:^|[^A-Za-z0-9_-])([A-Z][A-Z0-9_]{1,30}-[1-9][0-9]{0,9})(?:$|[^A-Za-z0-9_])`)

// Mentions are what looks like an issue key in a text, each once, in its order:
// SHOP-12 in "SHOP-12: fix it" and in "feature/SHOP-12-fix". Whether there is such
// an issue only the tracker knows.
func Mentions(text string) []string {
	var keys []string
	for len(keys) < mostMentions {
		at := issueKey.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		if key := text[at[2]:at[3]]; !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		text = text[at[3]:] // what ends one may begin the next
	}
	return keys
}

// Pulled is what is known of how commits came.
type Pulled struct {
	By    map[string]*Pull // by commit: nil where it came by none; one that is missing is not known
	Calls int              // calls that were answered
}

// Tracked is what a tracker said about keys.
type Tracked struct {
	Issues []Issue  // those that there are, in the order of the keys
	Asked  []string // keys of which it is known whether there is such an issue
	Calls  int      // calls that were answered
}
