package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// reasonUnavailable is the code of an action whose revision is not to be had.
const reasonUnavailable = "RevisionUnavailable"

// find fetches what a revision names and returns its commit, and the branch
// that it is known to be of; empty: nobody knows. None, or one without
// AnyBranch, must be on the configured branch.
func (c *clone) find(ctx context.Context, r *workflows.SourceRevision) (sha, branch string, err error) {
	if r == nil || r.RevisionID == "" {
		if err := c.fetchBranch(ctx); err != nil {
			return "", "", err
		}
		out, err := c.git(ctx, "rev-parse", "--verify", "--quiet", c.ref+"^{commit}")
		return strings.TrimSpace(out), c.p.branch, err
	}
	sha = r.RevisionID
	switch {
	case abbreviatedRule().MatchString(sha) && !isCommit(sha):
		if full, err := c.ofPull(ctx, r); full != "" || err != nil {
			return full, r.Branch, err
		}
		sha, err = c.fullSHA(ctx, sha)
		return sha, c.p.branch, err
	case !isCommit(sha):
		return "", "", invalid("revision %q is no commit ID (give the 40 characters that git log shows)", sha)
	}
	if r.AnyBranch && r.Branch != "" && r.Branch != c.p.branch {
		return sha, r.Branch, c.fetchCommit(ctx, sha)
	}
	err = c.fetchBranch(ctx)
	if err == nil {
		err = c.onBranch(ctx, sha)
	}
	if _, final := errors.AsType[*workflows.Problem](err); final && r.AnyBranch {
		return sha, r.Branch, c.fetchCommit(ctx, sha)
	}
	return sha, c.p.branch, err
}

// ofPull completes the abbreviated commit of a pull request, which is how Bitbucket
// shows it, on the branch that it comes from; empty: it is none, or that is gone, as
// after a merge, and the commit is to be found where it went.
func (c *clone) ofPull(ctx context.Context, r *workflows.SourceRevision) (string, error) {
	if !r.AnyBranch || r.Branch == "" || r.Branch == c.p.branch || branchRule().MatchString(r.Branch) {
		return "", nil
	}
	there := *c
	there.p.branch, there.ref = r.Branch, "refs/heads/"+digest(r.Branch)
	sha, err := there.fullSHA(ctx, r.RevisionID)
	if _, final := errors.AsType[*workflows.Problem](err); final {
		return "", nil
	}
	return sha, err
}

// fullSHA completes the abbreviated ID of a commit of the branch.
func (c *clone) fullSHA(ctx context.Context, start string) (string, error) {
	if err := c.fetchBranch(ctx); err != nil {
		return "", err
	}
	out, err := c.git(ctx, "rev-parse", "--disambiguate="+start)
	if err != nil {
		return "", err
	}
	var on []string
	for sha := range strings.FieldsSeq(out) {
		err := c.onBranch(ctx, sha)
		if _, elsewhere := errors.AsType[*workflows.Problem](err); err == nil {
			on = append(on, sha)
		} else if !elsewhere {
			return "", err
		}
	}
	if len(on) == 1 {
		return on[0], nil
	}
	return "", &workflows.Problem{
		Code:    reasonUnavailable,
		Message: fmt.Sprintf("%d commits on branch %q of %s begin with %s", len(on), c.p.branch, c.p.repository, start),
		Hint:    "give the 40 characters that git log shows; a commit of another branch needs the right start-any-revision too",
	}
}

// fetchBranch brings the branch up to date.
func (c *clone) fetchBranch(ctx context.Context) error {
	return c.p.explain("fetch", c.fetch(ctx, "+refs/heads/"+c.p.branch+":"+c.ref))
}

// onBranch refuses a commit that cannot be reached from the branch.
func (c *clone) onBranch(ctx context.Context, sha string) error {
	_, err := c.git(ctx, "merge-base", "--is-ancestor", sha, c.ref)
	f, ok := errors.AsType[*failure](err)
	// 1: known, but elsewhere. Unknown here: not on the branch either.
	if !ok || f.status != 1 && !strings.Contains(f.text, "ot a valid ") {
		return err
	}
	return &workflows.Problem{
		Code:    reasonUnavailable,
		Message: fmt.Sprintf("commit %s is not on branch %q of %s", sha, c.p.branch, c.p.repository),
		Hint:    "only what can be reached from the configured branch is released; another one needs the right start-any-revision",
	}
}

// refusesCommit matches the answer of a server that does not serve commits by their ID, or lacks this one.
var refusesCommit = compiled(`(?i)not our ref|unadvertised object|couldn't find remote ref|no such remote ref`)

// fetchCommit fetches one commit, whatever branch it is on: by its ID where the
// server allows that, otherwise with everything that has a name. A pull request
// on GitHub keeps its commits when its branch is gone.
func (c *clone) fetchCommit(ctx context.Context, sha string) error {
	attempts := [][]string{{sha}, {"+refs/heads/*:refs/rollcall/heads/*", "+refs/tags/*:refs/rollcall/tags/*"}}
	if pulls := map[string]string{GitHub: "refs/pull/*/head", GitLab: "refs/merge-requests/*/head", Bitbucket: "refs/pull-requests/*/from"}[c.p.provider]; pulls != "" {
		attempts = append(attempts, []string{"+" + pulls + ":refs/rollcall/pull/*"})
	}
	for _, refs := range attempts {
		err := c.fetch(ctx, refs...)
		if f, ok := errors.AsType[*failure](err); err != nil && !(ok && f.cause == nil && refusesCommit().MatchString(f.text)) {
			return c.p.explain("fetch", err)
		}
		if out, err := c.git(ctx, "rev-parse", "--verify", "--quiet", sha+"^{commit}"); err == nil && strings.TrimSpace(out) == sha {
			return nil
		} else if ctx.Err() != nil {
			return err
		}
	}
	return &workflows.Problem{
		Code:    reasonUnavailable,
		Message: fmt.Sprintf("%s has no commit %s", c.p.repository, sha),
		Hint:    "it may have been removed by a forced push; check the ID, or start without naming a revision",
	}
}

// parentsLock is git's lock of the commit graph, within a copy.
const parentsLock = "objects/info/commit-graphs/commit-graph-chain.lock"

// fetch fetches refs into the copy, which is made if there is none. Names that
// are gone there and in the way here (a beside a/b) are dropped.
func (c *clone) fetch(ctx context.Context, refs ...string) error {
	if _, err := os.Stat(filepath.Join(c.dir, "HEAD")); err != nil {
		if err := os.RemoveAll(c.dir); err != nil {
			return fmt.Errorf("make a copy of %s: %w", c.p.repository, err)
		}
		if _, err := c.git(ctx, "init", "--quiet", "--bare", "--template="); err != nil {
			return err
		}
	}
	// A git that was ended while it noted parents leaves this lock. Nobody else is
	// at work here, and the copy is whole: it need not be fetched anew.
	_ = os.Remove(filepath.Join(c.dir, parentsLock))
	args := []string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules"}
	if len(refs) > 1 || strings.Contains(refs[0], "*") {
		args = append(args, "--prune")
	}
	_, err := c.s.git(ctx, c.p, call{
		args: append(append(args, "--", c.p.url), refs...),
		env:  []string{"GIT_DIR=" + c.dir}, lock: c.lock, remote: true,
	})
	return err
}
