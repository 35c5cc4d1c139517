package jira

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// DeploymentsName is the name of [Deployments], and the owner of its memos.
const DeploymentsName = "jira-deployments"

const (
	newsFor    = 7 * 24 * time.Hour // what happened longer ago is no news to an issue
	followFor  = 20 * time.Second   // one call; the rest is done by the next one, at once
	mostIssues = 200                // of one execution and stage; contents looks up no more
)

// Contents says which issues an execution brings into a stage.
type Contents interface {
	// Brings may take some seconds. The error is trouble of our own, or a
	// *workflows.Problem where it can no longer be known.
	Brings(ctx context.Context, execution, stage string) (Brought, error)
}

// Brought are issues that come into a stage and that leave it. Why says what of
// them is not known yet, or cannot be; empty: all is.
type Brought struct {
	Come, Gone []work.Issue
	Why        string
}

// DeploymentsOptions is what Deployments needs.
type DeploymentsOptions struct {
	URL        string   // of Jira, with its path if it has one
	APIURL     string   // where calls go; empty: URL
	Account    *Account // a service account, in place of User and Token
	User       string   // empty: Token is a personal access token of a Jira of one's own
	Token      string
	PublicURL  string // where an execution can be looked at: PublicURL/executions/ID
	NoLinks    bool   // issues get no remote links
	NoComments bool   // issues get no comments
	Panel      *Panel // nil: the Deployments API is not used
	Contents   Contents
	Reader     Reader
	Submitter  Submitter
	Notes      Notes
	Log        *slog.Logger      // nil: slog.Default()
	Now        func() time.Time  // nil: time.Now
	Transport  http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// Deployments keeps issues in step with where they are deployed. It is a mirror
// follower: what an issue should say is derived from executions into a memo per
// issue, and written where it differs from what was written last. Every
// environment has one remote link, whose globalId never changes, and one comment, which
// is edited. A marker is durable before a comment is made, and it is looked up
// after an answer that was lost.
//
// What Jira does not take now waits in a memo of its pipeline. Many executions
// that bring an issue somewhere meanwhile cost one write.
type Deployments struct {
	DeploymentsOptions
	jira *client

	writing  sync.Mutex      // one issue at a time: pipelines share issues
	versions map[string]bool // that were made, or are there; under writing
}

// NewDeployments checks the options; its errors are *workflows.Problem.
func NewDeployments(o DeploymentsOptions) (*Deployments, error) {
	c, err := newPacedClient(site{o.URL, o.APIURL, o.User, o.Token, o.Account}, o.Transport, wire.Pacing{Timeout: 20 * time.Second, PerSecond: 5, Burst: 10, MaxWait: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	return &Deployments{DeploymentsOptions: o, jira: c, versions: map[string]bool{}}, nil
}

// Name is the follower's name.
func (d *Deployments) Name() string { return DeploymentsName }

// Follow brings issues up to date with what ended in stages with an environment.
func (d *Deployments) Follow(ctx context.Context, b event.Batch) error {
	q, err := d.loadWaiting(ctx, b.Pipeline)
	if err != nil {
		return err
	}
	q.take(b, d.Now().Add(-newsFor))
	if q.empty() {
		return nil
	}
	end := d.Now().Add(followFor)
	cause, err := d.gather(ctx, q, end)
	if err != nil {
		return err
	}
	more, err := d.writeIssues(ctx, q, end)
	if err != nil {
		return err
	}
	if err := d.clearNotes(ctx, q); err != nil {
		return err
	}
	if err := d.saveWaiting(ctx, q); err != nil || q.empty() {
		return err
	}
	return &event.Unfinished{Err: cmp.Or(more, cause, errors.New("there is more to write to Jira")), After: max(q.next().Sub(d.Now()), time.Second)}
}

// gather finds out what ended stages mean for issues, and notes it with each of
// them. cause is why some must be looked at again.
func (d *Deployments) gather(ctx context.Context, q *waiting, end time.Time) (cause, err error) {
	var left []*arrival
	for _, a := range q.Arrivals {
		if now := d.Now(); now.Before(a.Again) || now.After(end) {
			left = append(left, a)
			continue
		}
		why, err := d.arrive(ctx, q, a)
		if err != nil {
			return nil, err
		}
		if why != nil && d.Now().Sub(a.At) < mostDays {
			cause = why
			a.Tries++
			a.Again = d.Now().Add(min(5*time.Second<<min(a.Tries-1, 10), time.Hour))
			left = append(left, a)
		}
	}
	q.Arrivals = left
	return cause, nil
}

// arrive notes with each issue what one execution's end in a stage means for it,
// and says it to the deployments panel. why is why it must be looked at again; the
// error is trouble of our own.
func (d *Deployments) arrive(ctx context.Context, q *waiting, a *arrival) (why, err error) {
	x, err := d.Reader.Execution(ctx, workflows.EnginePrincipal(), a.Execution)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading execution %s: %w", a.Execution, err)
	}
	view, err := d.Reader.Pipeline(ctx, workflows.EnginePrincipal(), x.Pipeline, x.Version)
	if notFound(err) || err == nil && view.Definition == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading version %d of %s: %w", x.Version, x.Pipeline, err)
	}
	at, ok := landingOf(&x, view.Definition, a.Stage)
	if !ok {
		return nil, nil
	}
	brought, err := d.brings(ctx, &x, a.Stage)
	var p *workflows.Problem
	if errors.As(err, &p) {
		return nil, nil // what ran before has been removed
	}
	if err != nil {
		return nil, err
	}
	wish := d.wishOf(ctx, &x, a.Stage)
	var keys []string
	for i, issue := range append(append([]work.Issue{}, brought.Come...), brought.Gone...) {
		if i >= mostIssues {
			d.Log.With(words.LogAttrs(x.Ref(), a.Stage)...).Warn("an execution brings more issues than are written to", "written", mostIssues)
			break
		}
		keys = append(keys, issue.Key)
		if err := d.place(ctx, issue.Key, at, i >= len(brought.Come), wish); err != nil {
			return nil, err
		}
		q.touch(issue.Key, x.ID, d.Now())
	}
	why = d.Panel.say(ctx, a, at, keys, len(brought.Come) == 0)
	if a.Refused != "" {
		if err := d.annotate(ctx, x.ID, workflows.Note{Name: deploymentsNote, State: "refused", Text: a.Refused}); err != nil {
			return nil, err
		}
	}
	if why == nil && brought.Why != "" {
		why = errors.New(brought.Why)
	}
	return why, nil
}

// brings is what an execution brings and takes. A rollback takes also what the
// failed execution that it follows was to bring.
func (d *Deployments) brings(ctx context.Context, x *workflows.Execution, stage string) (Brought, error) {
	b, err := d.Contents.Brings(ctx, x.ID, stage)
	if err != nil || x.Rollback == nil || x.Rollback.FailedExecution == "" {
		return b, err
	}
	failed, err := d.Contents.Brings(ctx, x.Rollback.FailedExecution, stage)
	var p *workflows.Problem
	if errors.As(err, &p) {
		return b, nil // it never came there, or is gone
	}
	for _, issue := range failed.Come {
		if !hasKey(b.Come, issue.Key) && !hasKey(b.Gone, issue.Key) {
			b.Gone = append(b.Gone, issue)
		}
	}
	b.Why = cmp.Or(b.Why, failed.Why)
	return b, err
}

func hasKey(all []work.Issue, key string) bool {
	for _, i := range all {
		if i.Key == key {
			return true
		}
	}
	return false
}
