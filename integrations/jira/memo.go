package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
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

	maxResults = 50 // jobs remembered per ticket
)

// ticket is the memo of one action's failures.
type ticket struct {
	State     string    `json:"state,omitempty"`
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

	key string
}

// result is a job that needs nothing more of Jira.
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

func (r *ticket) finish(d result) {
	r.Doing = ""
	r.Done = append(r.Done, d)
	if n := len(r.Done) - maxResults; n > 0 {
		r.Done = r.Done[n:]
	}
}

// ticketKey is the memo's key; with an empty action the prefix of a stage's.
func ticketKey(pipeline, stage, action string) string {
	return "ticket/" + url.PathEscape(pipeline) + "/" + url.PathEscape(stage) + "/" + url.PathEscape(action)
}

// issueKey and closedKey are the memos that let a webhook find its way: which
// issues are ours, and which somebody has closed.
func issueKey(issue string) string  { return "issue/" + issue }
func closedKey(issue string) string { return "closed/" + issue }

func (t *Tickets) load(ctx context.Context, key string) (*ticket, error) {
	r := &ticket{key: key}
	raw, ok, err := t.Notes.Memo(ctx, key)
	if err != nil {
		return nil, &ownError{fmt.Errorf("reading what we know of %s: %w", key, err)}
	}
	if ok {
		if err := json.Unmarshal(raw, r); err != nil {
			return nil, &ownError{fmt.Errorf("reading what we know of %s: %w", key, err)}
		}
	}
	return r, nil
}

func (t *Tickets) save(ctx context.Context, r *ticket) error {
	raw, err := json.Marshal(r)
	if err == nil {
		err = t.Notes.Note(ctx, r.key, raw)
	}
	if err != nil {
		return &ownError{fmt.Errorf("noting what we know of %s: %w", r.key, err)}
	}
	return nil
}
