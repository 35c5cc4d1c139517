package feedback

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const mostCommentPages = 10 // of a pull request's comments, in which ours is looked up

// commented is the memo of a pull request: where what it brought runs, and our comment.
type commented struct {
	Places map[string]presence `json:"places"` // by PIPELINE/ENVIRONMENT
	// Creating is the marker: a create may be under way, or have happened. Before
	// Until, not finding the comment proves nothing.
	Creating bool      `json:"creating,omitempty"`
	Until    time.Time `json:"until,omitzero"`
	ID       int64     `json:"id,omitempty"` // of the comment; 0: there is none yet
	Shown    string    `json:"shown,omitempty"`
	Refused  int       `json:"refused,omitempty"` // HTTP status with which GitHub refused Shown for good
}

// presence is what last happened to a pull request's change in an environment.
type presence struct {
	Pipeline    string    `json:"pipeline"`
	Environment string    `json:"environment"`
	Execution   string    `json:"execution"`
	Number      int       `json:"number"`
	At          time.Time `json:"at"`
	By          string    `json:"by,omitempty"`         // Markdown: "approved by Ana and Cho", "by Ana"
	RolledBack  bool      `json:"rolledBack,omitempty"` // it ran there, and does no more
}

// pullRef is a pull request on GitHub.
type pullRef struct {
	owner, name string
	number      int
}

func (p pullRef) repository() string { return p.owner + "/" + p.name }
func (p pullRef) key() string        { return fmt.Sprintf("pull/%s#%d", p.repository(), p.number) }

// marker begins our comment, unseen: each rollcall has its own.
func (c *PullComments) marker() string { return "<!-- rollcall " + c.PublicURL + " -->" }

// text is the comment.
func (c *PullComments) text(m *commented) string {
	lines := []string{c.marker()}
	for _, key := range slices.Sorted(maps.Keys(m.Places)) {
		p := m.Places[key]
		name := fmt.Sprintf("execution %d of %s", p.Number, markdown(p.Pipeline)) // "webshop#42" alone would be a link to an issue
		if at := c.page(p.Execution); at != nil {
			name = fmt.Sprintf("[%s#%d](%s)", markdown(p.Pipeline), p.Number, *at)
		}
		since := fmt.Sprintf("✅ in %s since %s", markdown(p.Environment), words.Moment(p.At))
		if p.By != "" {
			since += ", " + p.By
		}
		if p.RolledBack {
			since = strings.TrimSpace(fmt.Sprintf("↩️ rolled back from %s at %s %s", markdown(p.Environment), words.Moment(p.At), p.By))
		}
		lines = append(lines, "- "+since+" ("+name+")")
	}
	return strings.Join(lines, "\n")
}

// put notes a presence unless a newer execution has been there since; false: nothing changed.
func (m *commented) put(p presence) bool {
	if m.Places == nil {
		m.Places = map[string]presence{}
	}
	key := p.Pipeline + "/" + p.Environment
	if was, ok := m.Places[key]; ok && was.Execution >= p.Execution { // IDs are ordered by time
		return false
	}
	m.Places[key] = p
	return true
}

func (c *PullComments) load(ctx context.Context, at pullRef) (*commented, error) {
	m := &commented{}
	return m, c.read(ctx, at.key(), m)
}

// show brings the comment of a pull request up to date with where it runs. Pipelines
// share it, so one at a time.
func (c *PullComments) show(ctx context.Context, at pullRef, p presence) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := c.load(ctx, at)
	if err != nil {
		return err
	}
	if m.put(p) {
		if err := c.note(ctx, at.key(), m); err != nil {
			return err
		}
	}
	text := c.text(m)
	if m.Shown == text {
		return nil
	}
	if m.Creating {
		if err := c.lookUp(ctx, at, m); err != nil {
			return err
		}
	}
	if m.ID != 0 {
		return c.edit(ctx, at, m, text)
	}
	return c.create(ctx, at, m, text)
}

// lookUp finds a comment whose create may have happened. Where it has not, the marker goes.
func (c *PullComments) lookUp(ctx context.Context, at pullRef, m *commented) error {
	list := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100, Page: 1}}
	for ; list.Page <= mostCommentPages; list.Page++ {
		all, _, err := c.client.Issues.ListComments(ctx, at.owner, at.name, at.number, list)
		if err != nil {
			return &refusal{"looking for the comment on pull requests of", at.repository(), err}
		}
		for _, found := range all {
			if strings.HasPrefix(found.GetBody(), c.marker()) { // whoever quotes it has something before it
				m.ID, m.Creating, m.Until, m.Shown = found.GetID(), false, time.Time{}, found.GetBody()
				return c.note(ctx, at.key(), m)
			}
		}
		if len(all) < list.PerPage {
			break
		}
	}
	if c.Now().Before(m.Until) {
		return errCommentUnknown
	}
	m.Creating, m.Until = false, time.Time{}
	return nil
}

func (c *PullComments) create(ctx context.Context, at pullRef, m *commented, text string) error {
	m.Creating, m.Until = true, c.Now().Add(lagAfterCrash)
	if err := c.note(ctx, at.key(), m); err != nil {
		return err
	}
	made, _, err := c.client.Issues.CreateComment(ctx, at.owner, at.name, at.number, &github.IssueComment{Body: &text})
	if err == nil {
		m.ID, m.Creating, m.Until, m.Shown, m.Refused = made.GetID(), false, time.Time{}, text, 0
		return c.note(ctx, at.key(), m)
	}
	if status := api.Status(err); status != 0 && status < 500 || wire.NotSent(err) {
		m.Creating, m.Until = false, time.Time{} // nothing was made
	} else {
		m.Until = c.Now().Add(lagAfterLost)
	}
	return c.refused(ctx, at, m, text, err)
}

func (c *PullComments) edit(ctx context.Context, at pullRef, m *commented, text string) error {
	if m.Shown == text { // it was found as it should be
		return nil
	}
	_, _, err := c.client.Issues.EditComment(ctx, at.owner, at.name, m.ID, &github.IssueComment{Body: &text})
	switch {
	case err == nil:
		m.Shown, m.Refused = text, 0
		return c.note(ctx, at.key(), m)
	case api.Status(err) == 404 || api.Status(err) == 410: // somebody deleted it: the next one is new
		m.ID, m.Shown = 0, ""
		return c.create(ctx, at, m, text)
	}
	return c.refused(ctx, at, m, text, err)
}

// refused notes what GitHub refuses for good; else the error says that it is tried again.
func (c *PullComments) refused(ctx context.Context, at pullRef, m *commented, text string, err error) error {
	if api.Kind(err) != wire.Permanent {
		if noted := c.note(ctx, at.key(), m); noted != nil {
			return noted
		}
		return &refusal{"writing the comment on pull requests of", at.repository(), err}
	}
	m.Shown, m.Refused = text, cmp.Or(api.Status(err), -1)
	c.Log.Warn("GitHub refused a comment", "repository", at.repository(), "pull_request", at.number, "status", api.Status(err), "error", wire.Scrub(err))
	return c.note(ctx, at.key(), m)
}
