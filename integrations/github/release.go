package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	releasePages   = 5      // of a hundred releases each, among which a draft is looked for
	maxReleaseBody = 124000 // bytes; GitHub takes 125,000 characters
)

// Release is a release to be.
type Release struct {
	Repository  string // owner/name
	Tag         string // is made when the release is published, where it is not there
	Target      string // the commit that the tag is made at
	Title, Body string // Body is Markdown
	Publish     bool   // else a new one is a draft; an old one stays what it is
}

// ReleaseOptions say which GitHub, and as whom.
type ReleaseOptions struct {
	APIURL    string            // api.github.com when empty
	Token     string            // needs the right Contents: write
	Transport http.RoundTripper // http.DefaultTransport when nil
}

// PutRelease makes the release of a tag, or puts its text in place of the one it
// has; so doing it twice makes one. It returns the release's page, and whether it is
// a draft. The error says in words for people what GitHub wants.
func PutRelease(ctx context.Context, o ReleaseOptions, r Release) (page string, draft bool, err error) {
	c, err := api.New(o.APIURL, o.Token, nil, o.Transport)
	if err != nil {
		return "", false, err
	}
	owner, name, err := api.SplitRepository(r.Repository)
	if err != nil {
		return "", false, err
	}
	old, err := releaseOf(ctx, c, owner, name, r.Tag)
	if err != nil {
		return "", false, releaseFault(err, r.Repository)
	}
	if len(r.Body) > maxReleaseBody {
		r.Body = words.CutBytes(r.Body, maxReleaseBody) + "\n\nToo long for GitHub: the rest is left out.\n"
	}
	in := &github.RepositoryRelease{Body: github.String(r.Body)}
	if r.Publish {
		in.Draft = github.Bool(false)
	}
	var made *github.RepositoryRelease
	if old != nil {
		made, _, err = c.Repositories.EditRelease(ctx, owner, name, old.GetID(), in)
	} else {
		in.TagName, in.Name, in.Draft = github.String(r.Tag), github.String(r.Title), github.Bool(!r.Publish)
		if api.IsSHA(r.Target) {
			in.TargetCommitish = github.String(r.Target)
		}
		made, _, err = c.Repositories.CreateRelease(ctx, owner, name, in)
	}
	if err != nil {
		return "", false, releaseFault(err, r.Repository)
	}
	return made.GetHTMLURL(), made.GetDraft(), nil
}

// releaseOf finds the release of a tag, also a draft, which GitHub finds by no tag; nil: there is none.
func releaseOf(ctx context.Context, c *github.Client, owner, name, tag string) (*github.RepositoryRelease, error) {
	for page := 1; page <= releasePages; page++ {
		all, resp, err := c.Repositories.ListReleases(ctx, owner, name, &github.ListOptions{Page: page, PerPage: 100})
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if r.GetTagName() == tag {
				return r, nil
			}
		}
		if resp.NextPage == 0 {
			return nil, nil
		}
	}
	return nil, nil
}

// releaseFault says what GitHub wants.
func releaseFault(err error, repository string) error {
	switch code := api.Status(err); code {
	case 0:
		return fmt.Errorf("GitHub cannot be asked about releases of %s: %w", repository, wire.Scrub(err))
	case http.StatusUnauthorized:
		return errors.New("GitHub does not take the token: make a new one, with the permission \"Contents: write\" on " + repository)
	case http.StatusForbidden, http.StatusNotFound:
		return fmt.Errorf("GitHub lets this token write no releases of %s (%d): it needs the permission \"Contents: write\"; check the repository's name too", repository, code)
	default:
		return fmt.Errorf("GitHub does not take the release of %s (%d): %w", repository, code, wire.Scrub(err))
	}
}
