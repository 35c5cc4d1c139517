package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// States of a ticket in our map. Without a state there is none.
const (
	creating = "creating" // the marker: a create may be under way, or have happened
	opened   = "open"
	closed   = "closed"
)

const (
	// lagAfterLost is how long a create of unknown outcome gets to show up in Jira's
	// search, which may lag by half a minute; lagAfterUnavailable is that time after Jira
	// said it was not available, which as good as rules the ticket out.
	lagAfterLost        = time.Minute
	lagAfterUnavailable = time.Second

	maxResults = 50 // jobs remembered per ticket, beside those of the last change
)

// ticket is the memo of one kind of failure. Where it was opened, what it counts
// and what it shows are there before Jira is asked to change anything.
type ticket struct {
	State     string    `json:"state,omitempty"`
	Print     string    `json:"print,omitempty"` // the kind, in a memo of the whole action that an earlier version wrote
	Issue     string    `json:"issue,omitempty"`
	Label     string    `json:"label,omitempty"`     // only this ticket carries it
	Plain     bool      `json:"plain,omitempty"`     // Jira refused labels: it is in the description only
	Until     time.Time `json:"until,omitzero"`      // creating: before this, not finding it proves nothing
	Previous  string    `json:"previous,omitempty"`  // the issue that was closed before this one
	Number    int       `json:"number,omitempty"`    // of the newest execution that failed
	Recovered bool      `json:"recovered,omitempty"` // a later execution succeeded, and the ticket says so
	Doing     string    `json:"doing,omitempty"`     // the job whose write to Jira may have happened
	Reopening string    `json:"reopening,omitempty"` // the job for which the ticket is, or was, opened again
	Reopened  int64     `json:"reopened,omitempty"`  // when, in ms: a delivery from before it that says "closed" no longer counts
	Done      []result  `json:"done,omitempty"`      // newest last

	Times      int       `json:"times,omitempty"` // failures that it stands for; 0 in what an earlier version wrote
	First      time.Time `json:"first,omitzero"`  // when the first of them happened
	Last       time.Time `json:"last,omitzero"`
	Recent     []sight   `json:"recent,omitempty"`     // the newest executions among them, newest last
	Between    bool      `json:"between,omitempty"`    // it succeeded between two of them
	Linked     bool      `json:"linked,omitempty"`     // with Previous, as far as Jira lets it be
	Comment    string    `json:"comment,omitempty"`    // the ID of the one that counts
	Commenting bool      `json:"commenting,omitempty"` // a comment that counts may have been made
	Shown      int       `json:"shown,omitempty"`      // what it says

	key string
}

// sight is an execution that failed so.
type sight struct {
	Execution string `json:"execution"`
	Number    int    `json:"number"`
}

// mostRecent is how many executions a ticket names.
const mostRecent = 10

// result is a job that needs nothing more of Jira but what its ticket has to show.
type result struct {
	Job     string `json:"job"`
	Issue   string `json:"issue,omitempty"`
	Refused string `json:"refused,omitempty"` // what Jira wants
}

func (r *ticket) resultOf(id string) (result, bool) {
	for _, d := range r.Done {
		if d.Job == id {
			return d, true
		}
	}
	return result{}, false
}

// finish notes what became of jobs. The newest are never dropped: until they are
// out of the queue they may come again.
func (r *ticket) finish(all ...result) {
	r.Doing = ""
	r.Done = append(r.Done, all...)
	if n := len(r.Done) - max(maxResults, len(all)); n > 0 {
		r.Done = r.Done[n:]
	}
}

// count counts failures that belong to the ticket.
func (r *ticket) count(all []*job) {
	done := make([]result, 0, len(all))
	for _, j := range all {
		if r.Times == 0 || j.at().Before(r.First) {
			r.First = j.at()
		}
		if j.at().After(r.Last) {
			r.Last = j.at()
		}
		r.Times += 1 + j.Folded
		r.Number = max(r.Number, j.execution.Number)
		r.Between, r.Recovered = r.Between || r.Recovered, false
		r.Recent = append(slices.DeleteFunc(r.Recent, func(s sight) bool { return s.Execution == j.Execution }), sight{Execution: j.Execution, Number: j.execution.Number})
		done = append(done, result{Job: j.ID, Issue: r.Issue})
	}
	r.Recent = r.Recent[max(0, len(r.Recent)-mostRecent):]
	r.finish(done...)
}

// begin makes of a memo that of a new ticket.
func (r *ticket) begin(label string) {
	*r = ticket{key: r.key, Print: r.Print, State: creating, Label: label, Previous: r.Issue, Done: r.Done}
}

// ticketKey is the key of an action's memo, which an earlier version wrote; with
// an empty action the prefix of those of a stage.
func ticketKey(pipeline, stage, action string) string {
	return "ticket/" + url.PathEscape(pipeline) + "/" + url.PathEscape(stage) + "/" + url.PathEscape(action)
}

// issueKey and closedKey are the memos that let a webhook find its way: which
// issues are ours, and which somebody has closed.
func issueKey(issue string) string  { return "issue/" + issue }
func closedKey(issue string) string { return "closed/" + issue }

func (t *Tickets) load(ctx context.Context, key string) (*ticket, error) {
	r := &ticket{key: key}
	if err := t.loadMemo(ctx, key, r); err != nil {
		return nil, err
	}
	if r.State == opened && r.Times == 0 { // an earlier version's
		for _, d := range r.Done {
			if d.Issue == r.Issue && strings.HasPrefix(d.Job, failed+"/") {
				r.Times++
			}
		}
		r.Times = max(r.Times, 1)
		r.Shown, r.Linked = r.Times, true
	}
	return r, nil
}

func (t *Tickets) save(ctx context.Context, r *ticket) error { return t.saveMemo(ctx, r.key, r) }

// loadMemo reads a memo into a value; without one it stays as it is.
func (t *Tickets) loadMemo(ctx context.Context, key string, into any) error {
	raw, ok, err := t.Notes.Memo(ctx, key)
	if err == nil && ok {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return &ownError{fmt.Errorf("reading what we know of %s: %w", key, err)}
	}
	return nil
}

func (t *Tickets) saveMemo(ctx context.Context, key string, v any) error {
	raw, err := json.Marshal(v)
	if err == nil {
		err = t.Notes.Note(ctx, key, raw)
	}
	if err != nil {
		return &ownError{fmt.Errorf("noting what we know of %s: %w", key, err)}
	}
	return nil
}
