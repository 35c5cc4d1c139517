package jira

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	readOneByOne = 5   // keys that are read one by one; more are searched for
	searchedFor  = 50  // keys in one search
	mostReads    = 250 // calls for one question
)

// IssuesOptions say which Jira.
type IssuesOptions struct {
	URL       string
	User      string // empty: Token is a server's personal token
	Token     string
	Transport http.RoundTripper // nil: http.DefaultTransport
}

// Issues knows which issues there are.
type Issues struct{ client *client }

// NewIssues asks nothing before the first question. The error is a
// *workflows.Problem about the configuration.
func NewIssues(o IssuesOptions) (*Issues, error) {
	c, err := newPacedClient(o.URL, o.User, o.Token, o.Transport, wire.Pacing{Timeout: 10 * time.Second, PerSecond: 10, Burst: 20, MaxWait: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	return &Issues{client: c}, nil
}

// Issues returns those of the keys that Jira has, and shows to this login, in the
// order of the keys. Jira refuses a search that names a key which it does not have,
// without saying dependably which, and a search does not find what is new: so
// searches only save calls, and what they leave open is read by its key.
func (i *Issues) Issues(ctx context.Context, keys []string) ([]work.Issue, error) {
	q := &issueQuery{client: i.client, found: map[string]work.Issue{}}
	for part := range slices.Chunk(keys, searchedFor) {
		if err := q.look(ctx, part); err != nil {
			return nil, fmt.Errorf("ask Jira about issues: %w", wire.Scrub(err))
		}
	}
	var known []work.Issue
	for _, key := range keys {
		if issue, ok := q.found[key]; ok {
			known = append(known, issue)
		}
	}
	return known, nil
}

// issueQuery is one question about many keys.
type issueQuery struct {
	client *client
	calls  int
	taken  bool // the login, by a search
	found  map[string]work.Issue
}

type issueJSON struct {
	Key    string `json:"key"`
	Fields struct {
		Summary string `json:"summary"`
		Type    struct {
			Name string `json:"name"`
		} `json:"issuetype"`
	} `json:"fields"`
}

// note notes an issue under the key that people wrote: one that was moved has another now.
func (q *issueQuery) note(key string, i issueJSON) {
	q.found[key] = work.Issue{Key: key, Summary: words.Cut(clean.Line(i.Fields.Summary), maxSummary), Type: words.Cut(clean.Line(i.Fields.Type.Name), 60), URL: q.client.link(key)}
}

// look finds issues by a search, by searches for each half where that is refused, and by reading the rest.
func (q *issueQuery) look(ctx context.Context, keys []string) error {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !isKey(key) })
	if len(keys) <= readOneByOne {
		return q.read(ctx, keys)
	}
	err := q.search(ctx, keys)
	switch {
	case answered(err) == http.StatusBadRequest:
		half := len(keys) / 2
		return errors.Join(q.look(ctx, keys[:half]), q.look(ctx, keys[half:]))
	case err != nil:
		return err
	}
	return q.read(ctx, slices.DeleteFunc(keys, func(key string) bool { _, ok := q.found[key]; return ok }))
}

// search notes what one search finds.
func (q *issueQuery) search(ctx context.Context, keys []string) error {
	var list struct {
		Issues []issueJSON `json:"issues"`
	}
	query := "?" + url.Values{"jql": {`key in ("` + strings.Join(keys, `","`) + `")`}, "maxResults": {fmt.Sprint(searchedFor)}, "fields": {"summary,issuetype"}}.Encode()
	err := q.call(ctx, "rest/api/2/search/jql"+query, &list)
	switch answered(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		err = q.call(ctx, "rest/api/2/search"+query, &list)
	}
	for _, i := range list.Issues {
		if slices.Contains(keys, i.Key) {
			q.note(i.Key, i)
		}
	}
	return err
}

// read reads issues one by one; what is not there, or not for us, is left out.
func (q *issueQuery) read(ctx context.Context, keys []string) error {
	for _, key := range keys {
		var i issueJSON
		err := q.call(ctx, "rest/api/2/issue/"+key+"?fields=summary,issuetype", &i)
		switch answered(err) {
		case http.StatusNotFound, http.StatusGone:
			continue
		case http.StatusForbidden:
			if err := q.welcome(ctx, key); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		q.note(key, i)
	}
	return nil
}

// welcome says whether Jira takes this login at all, after it has refused to show it an
// issue: servers answer 403 for one in a project that the login may not browse. A
// search is answered nevertheless.
func (q *issueQuery) welcome(ctx context.Context, key string) error {
	if q.taken {
		return nil
	}
	err := q.search(ctx, []string{key})
	q.taken = err == nil || answered(err) == http.StatusBadRequest
	if q.taken {
		return nil
	}
	return err
}

func (q *issueQuery) call(ctx context.Context, path string, out any) error {
	if q.calls++; q.calls > mostReads {
		return &ownError{errors.New("too many calls would be needed")}
	}
	return q.client.call(ctx, http.MethodGet, path, nil, out)
}
