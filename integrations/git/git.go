package git

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Providers this package carries out, as pipeline files name them.
const (
	Git        = "Git"                      // configuration Repository (URL or path), BranchName
	GitHub     = "GitHub"                   // configuration FullRepositoryId (owner/name), BranchName
	CodeStar   = "CodeStarSourceConnection" // as GitHub
	defaultURL = "https://github.com/"
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

// Source fetches revisions (as a runner) and looks at heads (as a source). It
// keeps nothing in memory; several may share a cache folder.
type Source struct {
	o Options
}

// New returns a source. See [Source.Check] for what can be wrong with a machine.
func New(o Options) *Source {
	if o.CloneURL == "" {
		o.CloneURL = defaultURL
	}
	if !strings.HasSuffix(o.CloneURL, "/") && !strings.HasSuffix(o.CloneURL, ":") {
		o.CloneURL += "/"
	}
	if dir, err := filepath.Abs(o.CacheDir); err == nil {
		o.CacheDir = dir
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{o: o}
}

// Check says in one sentence why sources cannot be fetched here: no git.
func (s *Source) Check() error {
	_, err := binary()
	return err
}

// Start fetches the branch, checks that the pinned commit (none: the head) is
// on it, and packs its tree. A revision with AnyBranch may be anywhere in the
// repository: a trigger named it, or somebody who may start any. It ends the
// action at once, one way or the other.
func (s *Source) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	if !t.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, t.Deadline)
		defer cancel()
	}
	o, err := s.fetch(ctx, t, w)
	if final, ok := errors.AsType[*workflows.Problem](err); ok {
		return work.Outcome{Task: t.ID, State: work.Failed, Error: &workflows.Reason{
			Code: reasonCode(final), Message: final.Error(),
		}}, nil
	}
	return o, err
}

// reasonCode tells a configuration that cannot work from a revision that is not there.
func reasonCode(p *workflows.Problem) string {
	switch p.Code {
	case workflows.CodeValidation:
		return "ConfigurationInvalid"
	case reasonUnavailable:
		return reasonUnavailable
	}
	return "ActionFailed"
}

func (s *Source) fetch(ctx context.Context, t work.Task, w work.Workspace) (o work.Outcome, err error) {
	p, err := s.place(t.Action.ActionType.Provider, t.Configuration)
	if err != nil {
		return work.Outcome{}, err
	}
	log, err := w.Log()
	if err != nil {
		return work.Outcome{}, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	fmt.Fprintf(log, "fetching %s\n", p.wanted(t.Revision))

	c, err := s.open(ctx, p)
	if err != nil {
		return work.Outcome{}, err
	}
	defer func() { c.close(err) }()
	sha, branch, err := c.find(ctx, t.Revision)
	if err != nil {
		fmt.Fprintln(log, err)
		return work.Outcome{}, err
	}
	p.branch = branch
	commit, err := c.commit(ctx, sha)
	if err != nil {
		return work.Outcome{}, err
	}
	fmt.Fprintf(log, "commit %s by %s: %s\n", sha, commit.author.Name, commit.summary())
	artifacts, err := c.pack(ctx, sha, t, w)
	if err != nil {
		fmt.Fprintln(log, err)
		return work.Outcome{}, err
	}
	return work.Outcome{
		Task: t.ID, State: work.Succeeded, Summary: commit.summary(),
		ExternalID: sha, ExternalURL: p.commitURL(sha),
		Revision: commit.sourceRevision(t.Action.Name, p), Outputs: commit.outputs(p), Artifacts: artifacts,
	}, nil
}

// pack checks the commit's tree out into the run folder and stores it.
func (c *bare) pack(ctx context.Context, sha string, t work.Task, w work.Workspace) ([]workflows.Artifact, error) {
	if len(t.Action.OutputArtifacts) == 0 {
		return nil, nil
	}
	tree := filepath.Join(w.Dir(), "tree")
	if err := c.checkOut(ctx, sha, tree, filepath.Join(w.Dir(), "index")); err != nil {
		return nil, err
	}
	var out []workflows.Artifact
	for _, o := range t.Action.OutputArtifacts {
		a, err := w.Pack(o.Name, tree, o.Files)
		if err != nil {
			return nil, fmt.Errorf("store output artifact %q: %w", o.Name, err)
		}
		out = append(out, a)
	}
	if err := os.RemoveAll(tree); err != nil {
		return nil, fmt.Errorf("clear the run folder: %w", err)
	}
	return out, nil
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

// Changed lists the files that differ between two commits, the newer of which is
// the branch's, in git's order. nil: not known, because the older one is gone.
func (s *Source) Changed(ctx context.Context, a workflows.Action, from, to string) (files []string, err error) {
	p, err := s.place(a.ActionType.Provider, a.Configuration)
	if err != nil || !isCommit(from) || !isCommit(to) {
		return nil, err
	}
	c, err := s.open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { c.close(err) }()
	if err := c.fetchBranch(ctx); err != nil {
		return nil, err
	}
	for _, sha := range []string{from, to} {
		_, err := c.git(ctx, "cat-file", "-e", sha+"^{commit}")
		if _, gone := errors.AsType[*failure](err); gone && ctx.Err() == nil {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	out, err := c.git(ctx, "diff", "--name-only", "--no-renames", "-z", from, to)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 }), nil
}

// Head returns the newest revision of the branch that the action follows. Who
// pushed it is not known from looking. A branch, repository or right that is
// missing is a *workflows.Problem.
func (s *Source) Head(ctx context.Context, a workflows.Action) (work.Change, error) {
	p, err := s.place(a.ActionType.Provider, a.Configuration)
	if err != nil {
		return work.Change{}, err
	}
	if err := s.prepare(); err != nil {
		return work.Change{}, err
	}
	ref := "refs/heads/" + p.branch
	out, err := s.git(ctx, p, call{remote: true, args: []string{"ls-remote", "--", p.url, ref}})
	if err != nil {
		return work.Change{}, p.explain("look at", err)
	}
	for line := range strings.Lines(out) {
		sha, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if name == ref && isCommit(sha) {
			return work.Change{
				Provider: p.provider, Event: "push", Repository: p.repository, Branch: p.branch, Commit: sha, URL: p.commitURL(sha),
				By: workflows.Principal{ID: "git:poll", Name: "polling", Via: "git"},
			}, nil
		}
	}
	return work.Change{}, p.noBranch()
}
