package jira

import (
	"cmp"
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
	readOneByOne = 5  // keys that are read one by one; more are searched for
	searchedFor  = 50 // keys in one search
	mostLabels   = 20 // of an issue, that are kept
)

// IssuesOptions say which Jira.
type IssuesOptions struct {
	URL       string
	APIURL    string   // where calls go; empty: URL
	Account   *Account // in place of User and Token
	User      string   // empty: Token is a server's personal token
	Token     string
	Projects  []string          // whose issues may be shown to whoever sees a release; empty: all that the login may browse
	Transport http.RoundTripper // nil: http.DefaultTransport
}

// Issues knows which issues there are.
type Issues struct {
	client   *client
	projects []string
}

// NewIssues asks nothing before the first question. The error is a
// *workflows.Problem about the configuration.
func NewIssues(o IssuesOptions) (*Issues, error) {
	c, err := newPacedClient(site{o.URL, o.APIURL, o.User, o.Token, o.Account}, o.Transport, wire.Pacing{Timeout: 10 * time.Second, PerSecond: 10, Burst: 20, MaxWait: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	return &Issues{c, o.Projects}, nil
}

// Issues returns those of the keys that Jira has, and shows to this login, in the
// order of the keys, in at most so many calls. Keys of other projects than those that
// are allowed are none, and cost no call. Jira refuses a search that names a key which it does not have,
// and a search does not find what is new: so searches only save calls, and what they leave open is read by its key.
func (i *Issues) Issues(ctx context.Context, keys []string, most int) (known work.Tracked, err error) {
	q := &issueQuery{client: i.client, most: most, found: map[string]work.Issue{}, none: map[string]bool{}}
	var ask []string
	for _, key := range keys {
		if q.none[key] = !isKey(key) || !i.allows(key); !q.none[key] {
			ask = append(ask, key)
		}
	}
	for part := range slices.Chunk(ask, searchedFor) {
		if err = q.look(ctx, part); err != nil {
			break
		}
	}
	for _, key := range keys {
		issue, is := q.found[key]
		if is {
			known.Issues = append(known.Issues, issue)
		}
		if is || q.none[key] {
			known.Asked = append(known.Asked, key)
		}
	}
	known.Calls = q.calls
	if err != nil && !errors.Is(err, errTooMany) {
		return known, fmt.Errorf("ask Jira about issues: %w", wire.Scrub(err))
	}
	return known, nil
}

// allows says whether issues of a key's project may be shown.
func (i *Issues) allows(key string) bool {
	project, _, _ := strings.Cut(key, "-")
	return len(i.projects) == 0 || slices.ContainsFunc(i.projects, func(p string) bool { return strings.EqualFold(p, project) })
}

// errTooMany ends a question whose calls are used up.
var errTooMany = errors.New("too many calls would be needed")

// issueQuery is one question about many keys.
type issueQuery struct {
	client *client
	most   int
	calls  int
	taken  bool // the login, by a search
	found  map[string]work.Issue
	none   map[string]bool // keys of which it is known that there is no such issue for us
}

type issueJSON struct {
	Key    string `json:"key"`
	Fields struct {
		Summary string `json:"summary"`
		Type    struct {
			Name string `json:"name"`
		} `json:"issuetype"`
		Labels []string `json:"labels"`
	} `json:"fields"`
}

// note notes an issue under the key that people wrote: one that was moved has another now.
func (q *issueQuery) note(key string, i issueJSON) {
	for n, label := range i.Fields.Labels {
		i.Fields.Labels[n] = words.Cut(clean.Line(label), 60)
	}
	q.found[key] = work.Issue{Labels: i.Fields.Labels[:min(len(i.Fields.Labels), mostLabels)], Key: key, Summary: words.Cut(clean.Line(i.Fields.Summary), maxSummary), Type: words.Cut(clean.Line(i.Fields.Type.Name), 60), URL: q.client.link(key)}
}

// look finds issues by a search. Where that is refused it goes on without the
// keys that Jira names in its refusal, in whatever language, or where it names none by
// searches for each half; then it reads the rest.
func (q *issueQuery) look(ctx context.Context, keys []string) error {
	if len(keys) <= readOneByOne {
		return q.read(ctx, keys)
	}
	err := q.search(ctx, keys)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusBadRequest {
		named := work.Mentions(r.whole)
		rest := slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
			q.none[key] = slices.Contains(named, key)
			return q.none[key]
		})
		if len(rest) < len(keys) {
			return q.look(ctx, rest)
		}
		half := len(keys) / 2
		return cmp.Or(q.look(ctx, keys[:half]), q.look(ctx, keys[half:]))
	}
	if err != nil {
		return err
	}
	return q.read(ctx, slices.DeleteFunc(slices.Clone(keys), func(key string) bool { _, ok := q.found[key]; return ok }))
}

// search notes what one search finds.
func (q *issueQuery) search(ctx context.Context, keys []string) error {
	var list struct {
		Issues []issueJSON `json:"issues"`
	}
	query := "?" + url.Values{"jql": {`key in ("` + strings.Join(keys, `","`) + `")`}, "maxResults": {fmt.Sprint(searchedFor)}, "fields": {"summary,issuetype,labels"}}.Encode()
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
		err := q.call(ctx, "rest/api/2/issue/"+key+"?fields=summary,issuetype,labels", &i)
		switch answered(err) {
		case http.StatusNotFound, http.StatusGone:
			q.none[key] = true
			continue
		case http.StatusForbidden:
			if err := q.welcome(ctx, key); err != nil {
				return err
			}
			q.none[key] = true
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
	if q.calls >= q.most {
		return errTooMany
	}
	err := q.client.call(ctx, http.MethodGet, path, nil, out)
	if err == nil || answered(err) != 0 {
		q.calls++
	}
	return err
}
