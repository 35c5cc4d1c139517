package jira

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// FollowerName is the follower's name, and the owner of its memos.
const FollowerName = "jira"

// noteName is the execution's note that says what became of its ticket.
const noteName = "ticket"

// Reader reads what was committed.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	// Pipeline returns a version of a definition; 0: the one in force.
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
	// Changes returns what an execution brought into a stage, against what ran there before.
	Changes(ctx context.Context, viewer workflows.Principal, ref, stage string) (changes.Set, error)
	// Tail returns the last lines of an attempt's log; attempt 0: the latest.
	Tail(ctx context.Context, ref, stage, action string, attempt, lines int) ([]string, error)
}

// Submitter takes the notes that executions get.
type Submitter interface {
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
}

// Notes is our map of tickets.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	List(ctx context.Context, prefix string) ([]record.Memo, error)
	Note(ctx context.Context, key string, value []byte) error // durable when it returns; an empty value deletes
}

// Options is what Tickets needs.
type Options struct {
	URL       string   // of Jira, with its path if it has one
	APIURL    string   // where calls go; empty: URL
	Account   *Account // a service account, in place of User and Token
	User      string   // the bot's e-mail address; empty: Token is a personal access token of a Jira of one's own
	Token     string
	Project   string // key, where the definition names none
	IssueType string // name, where the definition names none; empty: Bug
	PublicURL string // where an execution can be looked at: PublicURL/executions/ID; empty: no links
	Reader    Reader
	Submitter Submitter
	Notes     Notes
	Log       *slog.Logger      // nil: slog.Default()
	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// Tickets opens and keeps tickets. See the package comment.
type Tickets struct {
	Options
	jira *client

	screensMu sync.Mutex
	screens   map[string]screen // by project and issue type
}

// New checks the options; its errors are *workflows.Problem.
func New(o Options) (*Tickets, error) {
	c, err := newClient(site{o.URL, o.APIURL, o.User, o.Token, o.Account}, o.Transport)
	if err != nil {
		return nil, err
	}
	if o.Project == "" {
		return nil, &workflows.Problem{Code: workflows.CodeValidation, Field: "jira.project",
			Message: "jira.project is empty, so failures of pipelines that name none have nowhere to go", Hint: "give the key of a project, such as OPS"}
	}
	if o.IssueType == "" {
		o.IssueType = "Bug"
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	return &Tickets{Options: o, jira: c}, nil
}

// Name is the follower's name.
func (t *Tickets) Name() string { return FollowerName }

// Follow opens tickets for the batch's failures and reports successes to open
// tickets. What Jira does not take now is queued and retried by the clock until
// Jira takes it or refuses it for good; the executions concerned say so. It
// delays nothing else.
func (t *Tickets) Follow(ctx context.Context, b event.Batch) error {
	q, err := t.loadQueue(ctx, b.Pipeline)
	if err != nil {
		return err
	}
	q.add(jobs(b))
	if len(q.Jobs) == 0 {
		return nil
	}
	cause, err := t.processQueue(ctx, q)
	if err != nil {
		return err
	}
	if err := t.saveQueue(ctx, q); err != nil || len(q.Jobs) == 0 {
		return err
	}
	return &event.Unfinished{Err: cause, After: max(q.Again.Sub(t.Now()), time.Second)}
}

// loadExecution reads how the job's execution stands; false: it is gone.
func (t *Tickets) loadExecution(ctx context.Context, j *job) (bool, error) {
	e, err := t.Reader.Execution(ctx, workflows.EnginePrincipal(), j.Execution)
	if err != nil && !notFound(err) {
		return false, &ownError{fmt.Errorf("reading execution %s: %w", j.Execution, err)}
	}
	j.execution = &e
	return err == nil, nil
}

// annotate puts a note on the job's execution unless it is there already.
func (t *Tickets) annotate(ctx context.Context, j *job, state, text, url string) error {
	n := workflows.Note{Name: noteName, State: state, Text: text, URL: url}
	for _, old := range j.execution.Notes {
		if old == n {
			return nil
		}
	}
	in := workflows.Intent{Verb: workflows.Annotate, Pipeline: j.execution.Pipeline, Execution: j.execution.ID, Note: &n}
	if _, err := t.Submitter.Submit(ctx, in, workflows.EnginePrincipal()); err != nil && !notFound(err) {
		return &ownError{fmt.Errorf("noting the ticket on %s: %w", j.execution.Ref(), err)}
	}
	return nil
}

// ownError is trouble on our own side, which is not Jira being away.
type ownError struct{ error }

// Unwrap is the cause.
func (i *ownError) Unwrap() error { return i.error }

// notFound says whether an error means that there is no such thing any more.
func notFound(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p) && p.NotFound()
}
