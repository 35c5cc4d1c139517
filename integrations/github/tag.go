package github

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	tagAppears = time.Minute   // until a tag that is not there is believed to be gone
	askForTag  = 6 * time.Hour // until the commit of a release is given up
)

// findTag puts the commit of a release's tag into the change, as git shows it, or
// the API; the release came so long ago. A change that is left without a commit
// starts nothing. An error is worth another try.
func (h *Webhook) findTag(ctx context.Context, c *work.Change, since time.Duration) error {
	commit, err := h.engine.Tagged(ctx, *c)
	if commit == "" && h.client != nil {
		commit, err = h.tagOnGitHub(ctx, *c)
	}
	if err == nil && commit == "" {
		err = fmt.Errorf("%s has no such tag, or it cannot be seen from here", c.Repository)
		if since >= tagAppears {
			since = askForTag
		}
	}
	if err != nil && since < askForTag && mayPass(err) {
		return fmt.Errorf("finding the commit of tag %s of %s: %w", c.Tag, c.Repository, err)
	} else if err != nil {
		h.log.Error("the commit of a release is not known, so it starts nothing", "repository", c.Repository, "tag", c.Tag, "error", err)
	}
	c.Commit = commit
	return nil
}

// tagOnGitHub asks GitHub for the commit of a tag; empty: there is no such tag.
func (h *Webhook) tagOnGitHub(ctx context.Context, c work.Change) (string, error) {
	owner, name, err := api.SplitRepository(c.Repository)
	if err != nil {
		return "", err
	}
	commit, _, err := h.client.Repositories.GetCommitSHA1(ctx, owner, name, "tags/"+c.Tag, "")
	switch {
	case api.Status(err) == http.StatusNotFound, api.Status(err) == http.StatusUnprocessableEntity:
		return "", nil
	case err != nil:
		return "", err
	case !api.IsSHA(commit):
		return "", fmt.Errorf("GitHub answers %q, which is no commit", commit)
	}
	return commit, nil
}

// mayPass says whether an error is worth another try.
func mayPass(err error) bool {
	return api.Kind(err) == wire.Transient || api.Status(err) == http.StatusUnauthorized
}
