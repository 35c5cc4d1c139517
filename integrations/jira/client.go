package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/andygrunwald/go-jira"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// client makes the few calls that tickets need, over REST version 2; texts go
// over version 3 where it is Cloud, see write. The library builds requests and
// sends them; their bodies are made and answers are read here, because the
// library's own send more than Jira takes, and drop what it says about a refusal.
type client struct {
	jira *jira.Client
	base string // for people, without a slash at its end

	kindMu    sync.Mutex // guards what follows, see isCloud
	kindKnown bool
	cloud     bool
}

// site says which Jira, and as whom.
type site struct {
	url     string // for people, and for calls where apiURL is empty
	apiURL  string
	user    string // empty: token is a server's personal token
	token   string
	account *Account // in place of user and token; nil: none
}

func newClient(l site, transport http.RoundTripper) (*client, error) {
	return newPacedClient(l, transport, wire.Pacing{Timeout: 20 * time.Second, PerSecond: 5, Burst: 10})
}

// newPacedClient is newClient with a pace of its own.
func newPacedClient(l site, transport http.RoundTripper, pace wire.Pacing) (*client, error) {
	api := or(l.apiURL, l.url)
	for _, address := range []struct{ field, value string }{{"jira.url", l.url}, {"jira.apiURL", api}} {
		u, err := url.Parse(address.value)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: address.field,
				Message: fmt.Sprintf("%s %q is not an address", address.field, wire.Address(address.value)), Hint: "use https://NAME.atlassian.net, without a user part"}
		}
	}
	if l.token == "" && l.account == nil {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.token", Message: "jira.token is empty", Hint: "make an API token for the bot's account"}
	}
	hc := &http.Client{Transport: l.signed(wire.Transport(transport, pace)), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c, err := jira.NewClient(hc, strings.TrimSuffix(api, "/")+"/")
	if err != nil {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.url", Message: "jira.url cannot be used"}
	}
	return &client{jira: c, base: strings.TrimSuffix(l.url, "/")}, nil
}

// signed returns base with the login on each call.
func (l *site) signed(base http.RoundTripper) http.RoundTripper {
	switch {
	case l.account != nil:
		return l.account.Transport(base)
	case l.user == "":
		return &jira.PATAuthTransport{Token: l.token, Transport: base}
	}
	return &jira.BasicAuthTransport{Username: l.user, Password: l.token, Transport: base}
}

// call makes one call; in and out are JSON, each may be nil.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	req, err := c.jira.NewRequestWithContext(ctx, method, path, in)
	if err != nil {
		return &ownError{fmt.Errorf("preparing a call to Jira: %w", wire.Scrub(err))}
	}
	resp, err := c.jira.Do(req, nil)
	if err != nil {
		return toRefusal(resp, err)
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	body, err := io.ReadAll(resp.Body) // the transport bounds it
	if err != nil {
		return fmt.Errorf("reading Jira's answer: %w", err)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &unreadable{fmt.Errorf("reading Jira's answer: %w", err)}
	}
	return nil
}

// find looks an issue up by what only it contains; empty: there is none. Cloud
// and servers search at different addresses.
func (c *client) find(ctx context.Context, jql string) (string, error) {
	var found struct {
		Issues []struct {
			Key string `json:"key"`
		} `json:"issues"`
	}
	query := "?" + url.Values{"jql": {jql}, "maxResults": {"2"}, "fields": {"summary"}}.Encode()
	err := c.call(ctx, http.MethodGet, "rest/api/2/search/jql"+query, nil, &found)
	for _, path := range []string{"rest/api/2/search", "rest/api/3/search/jql"} {
		if unknownCall(err) {
			err = c.call(ctx, http.MethodGet, path+query, nil, &found)
		}
	}
	if err != nil {
		return "", err
	}
	for _, i := range found.Issues {
		if isKey(i.Key) {
			return i.Key, nil
		}
	}
	return "", nil
}

// open says whether the issue is there and not done.
func (c *client) open(ctx context.Context, key string) (bool, error) {
	s, err := c.state(ctx, key)
	return s.there && !s.done, err
}

// issueState is how an issue stands.
type issueState struct {
	there, done bool
	status      status
	since       time.Time // done: when it was closed, as far as Jira says; zero: unknown
}

// state asks for an issue's state. Cloud says when the status last changed its
// category, servers when the issue was resolved; where neither is said, the
// last change of anything is the latest that it can have been.
func (c *client) state(ctx context.Context, key string) (issueState, error) {
	var issue struct {
		Fields struct {
			Status   status `json:"status"`
			Category string `json:"statuscategorychangedate"`
			Resolved string `json:"resolutiondate"`
			Updated  string `json:"updated"`
		} `json:"fields"`
	}
	err := c.call(ctx, http.MethodGet, "rest/api/2/issue/"+key+"?fields=status,statuscategorychangedate,resolutiondate,updated", nil, &issue)
	switch answered(err) {
	case 0:
	case http.StatusNotFound, http.StatusGone:
		return issueState{}, nil
	}
	if err != nil {
		return issueState{there: true}, err
	}
	s := issueState{there: true, done: issue.Fields.Status.done(), status: issue.Fields.Status}
	for _, said := range []string{issue.Fields.Category, issue.Fields.Resolved, issue.Fields.Updated} {
		for _, form := range []string{"2006-01-02T15:04:05.000-0700", time.RFC3339} {
			if at, err := time.Parse(form, said); err == nil && s.since.IsZero() {
				s.since = at
			}
		}
	}
	return s, nil
}

// status is an issue's status. Its name is translated; its category's key is not.
type status struct {
	Name     string `json:"name"`
	Category struct {
		Key  string `json:"key"`
		Name string `json:"name"`
	} `json:"statusCategory"`
}

func (s status) done() bool { return s.Category.Key == "done" }

// link is where people read the issue.
func (c *client) link(key string) string { return c.base + "/browse/" + key }

// isKey checks an issue key before it becomes part of an address.
func isKey(s string) bool {
	project, number, ok := strings.Cut(s, "-")
	return ok && len(s) <= 64 && project != "" && number != "" &&
		strings.Trim(project, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == "" && strings.Trim(number, "0123456789") == ""
}
