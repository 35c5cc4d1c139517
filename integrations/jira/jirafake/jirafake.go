// Package jirafake is a small Jira: issues, comments, transitions with screens,
// links, fields, a search that lags behind, signed webhooks. It speaks REST version 2
// as Cloud does, and version 3, whose texts are documents, or as a server of one's
// own, and refuses what Jira refuses. Tests and the demo
// run against it; [Server.Faults] makes it fail.
package jirafake

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// Options says what the fake is like.
type Options struct {
	User, Token string   // that callers must send, as basic auth; without a user as a bearer token; both empty: everybody may
	Projects    []string // keys; empty: OPS
	IssueTypes  []string // empty: Bug, Task
	OldDatabase bool     // texts with characters beyond U+FFFF end in 500 and a page
	OnPremise   bool     // search at /search as a server does; Cloud answers 410 there
	WebhookURL  string   // where deliveries go; may be set later with Connect
	Secret      string   // they are signed with

	SearchLag time.Duration    // how long a new issue stays hidden from the search
	Now       func() time.Time // nil: time.Now
}

// Issue is an issue as people would see it.
type Issue struct {
	Key         string
	Project     string
	Type        string
	Summary     string
	Description string
	Labels      []string
	Status      string // "To Do", "In Progress", "Done", or one of SetWorkflow
	Resolution  string
	Components  []string
	Priority    string
	Fields      map[string]json.RawMessage // those of AddField that are set, by ID
	Links       []Link
	Comments    []string // oldest first
	Created     time.Time
	Closed      time.Time // zero while it is not done

	id         int
	commentIDs []int // of Comments
	flow       *Workflow
}

// Server is the fake. It is an http.Handler for the API and the issue pages.
type Server struct {
	Faults fault.Switch // trouble for calls of the API

	changes fault.Changes
	handler http.Handler
	hook    *wirefake.Hook

	mu          sync.Mutex
	options     Options
	issues      []*Issue
	offScreen   []string // fields that cannot be set
	forbidden   []string // permissions that the caller has not
	spoiled     string   // a word that is answered so
	spoiledWith func(http.ResponseWriter)
	calls       []string
	deliveries  int
	screen      []Field // beside the usual fields
	components  []string
	priorities  []string
	workflow    *Workflow // nil: the usual one
	linkTypes   []string  // names; nil: the usual ones
	lastID      int
	releases    releases
	numbers     map[string]int        // by project
	account     *account              // nil: none
	histories   map[string][]history  // by issue
	requests    map[string][]Decision // by issue
}

// New makes a Jira without issues.
func New(o Options) *Server {
	if len(o.Projects) == 0 {
		o.Projects = []string{"OPS"}
	}
	if len(o.IssueTypes) == 0 {
		o.IssueTypes = []string{"Bug", "Task"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{options: o, lastID: 10000, numbers: map[string]int{}, releases: newReleases()}
	s.hook = wirefake.NewHook(dress, s.changes.Notify)
	s.hook.Connect(o.WebhookURL, o.Secret)
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /rest/api/2/serverInfo":                                s.serverInfo,
		"GET /rest/api/2/myself":                                    s.myself,
		"GET /rest/api/2/mypermissions":                             s.permissions,
		"GET /rest/api/2/issue/createmeta/{project}/issuetypes":     s.issueTypes,
		"GET /rest/api/2/issue/createmeta/{project}/issuetypes/{t}": s.fields,
		"POST /rest/api/2/issue":                                    s.create,
		"GET /rest/api/2/issue/{key}":                               s.get,
		"GET /rest/api/2/issue/{key}/comment":                       s.comments,
		"POST /rest/api/2/issue/{key}/comment":                      s.comment,
		"GET /rest/api/2/issue/{key}/transitions":                   s.transitions,
		"POST /rest/api/2/issue/{key}/transitions":                  s.transition,
		"GET /rest/api/2/search/jql":                                s.searchCloud,
		"GET /rest/api/2/search":                                    s.searchServer,
		"PUT /rest/api/2/issue/{key}/comment/{id}":                  s.editComment,
		"GET /rest/api/2/issueLinkType":                             s.linkKinds,
		"POST /rest/api/2/issueLink":                                s.link,
		"GET /rest/api/3/serverInfo":                                s.cloudOnly(s.serverInfo),
		"POST /rest/api/3/issue":                                    s.cloudOnly(s.create),
		"GET /rest/api/3/issue/{key}":                               s.cloudOnly(s.get),
		"GET /rest/api/3/issue/{key}/comment":                       s.cloudOnly(s.comments),
		"POST /rest/api/3/issue/{key}/comment":                      s.cloudOnly(s.comment),
		"PUT /rest/api/3/issue/{key}/comment/{id}":                  s.cloudOnly(s.editComment),
		"GET /rest/api/2/issue/{key}/changelog":                     s.changelog,
		"GET /rest/servicedeskapi/request/{key}/approval":           s.approvals,
	} {
		mux.HandleFunc(pattern, s.allowed(h))
	}
	for pattern, h := range s.releaseRoutes() {
		mux.HandleFunc(pattern, s.allowed(h))
	}
	mux.HandleFunc("GET /browse/{key}", s.browse)
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("POST /rest/oauth2/latest/token", s.token)
	s.handler = s.Faults.Wrap(below(mux))
	return s
}

// ServeHTTP serves the API and the issue pages.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}

// Refuse takes fields off the create screen: setting one answers 400.
func (s *Server) Refuse(fields ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offScreen = fields
}

// Calls are the methods and paths of all calls, failed ones included, oldest first.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Issues are all issues, oldest first.
func (s *Server) Issues() []Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Issue, 0, len(s.issues))
	for _, i := range s.issues {
		list = append(list, s.view(i))
	}
	return list
}

// Issue returns one issue.
func (s *Server) Issue(key string) (Issue, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(key); i != nil {
		return s.view(i), true
	}
	return Issue{}, false
}

// Wait waits until the issues are as wanted, and returns them.
func (s *Server) Wait(ctx context.Context, until func([]Issue) bool) ([]Issue, error) {
	var now []Issue
	err := s.changes.Wait(ctx, func() bool {
		now = s.Issues()
		return until(now)
	})
	if err != nil {
		return now, fmt.Errorf("waiting for Jira, which has %d issues: %w", len(now), err)
	}
	return now, nil
}

// Delete removes an issue, as an administrator would.
func (s *Server) Delete(key string) {
	s.mu.Lock()
	s.issues = slices.DeleteFunc(s.issues, func(i *Issue) bool { return i.Key == key })
	s.mu.Unlock()
	s.changes.Notify()
}

// view is the issue for somebody else; it needs the lock.
func (s *Server) view(i *Issue) Issue {
	c := i.clone()
	c.flow = s.workflowNow()
	return c
}

func (i *Issue) clone() Issue {
	c := *i
	c.Labels, c.Comments, c.commentIDs = slices.Clone(i.Labels), slices.Clone(i.Comments), slices.Clone(i.commentIDs)
	c.Components, c.Fields, c.Links = slices.Clone(i.Components), maps.Clone(i.Fields), slices.Clone(i.Links)
	return c
}

// find needs the lock.
func (s *Server) find(key string) *Issue {
	for _, i := range s.issues {
		if i.Key == key {
			return i
		}
	}
	return nil
}
