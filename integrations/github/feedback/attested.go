package feedback

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	attestationsRead = "Attestations: read"
	contentsRead     = "Contents: read"

	factWorkflows = 2  // that a line names for one image
	factName      = 80 // characters of a name in a line
)

// isMissing says whether GitHub answers that there is no such thing, or shows none.
func isMissing(err error) bool {
	return api.Status(err) == http.StatusNotFound || api.Status(err) == http.StatusUnprocessableEntity
}

// attestations is GitHub's list of what is attested of a digest.
type attestations struct {
	Attestations []struct {
		Bundle struct {
			Envelope struct {
				Payload []byte `json:"payload"` // a statement
			} `json:"dsseEnvelope"`
		} `json:"bundle"`
	} `json:"attestations"`
}

// statement is what a workflow of GitHub Actions attests of what it has built.
type statement struct {
	Type    string `json:"predicateType"`
	Subject []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	Predicate struct {
		Build struct {
			Parameters struct {
				Workflow struct {
					Ref        string `json:"ref"`
					Repository string `json:"repository"`
					Path       string `json:"path"`
				} `json:"workflow"`
			} `json:"externalParameters"`
		} `json:"buildDefinition"`
	} `json:"predicate"`
}

// attested says by which workflows an image is attested, as GitHub lists it: nobody
// has verified a signature. Empty: that is not known.
func (f *Facts) attested(ctx context.Context, e *workflows.Execution, at commitRef, i image) (fact string, err error) {
	req, err := f.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/attestations/%s?predicate_type=provenance&per_page=10", at.owner, at.name, i.digest), nil)
	if err != nil {
		return "", fmt.Errorf("making the request for attestations: %w", err)
	}
	var list attestations
	ok, err := f.ask(ctx, e, at, attestationsRead, func() error { _, err := f.client.Do(ctx, req, &list); return err })
	if err != nil || !ok {
		return "", err
	}
	var by []string
	for _, a := range list.Attestations {
		var s statement
		if json.Unmarshal(a.Bundle.Envelope.Payload, &s) != nil || !s.isAbout(i.digest) {
			continue
		}
		if name := s.workflow(at.repository()); name != "" && !slices.Contains(by, name) {
			by = append(by, name)
		}
	}
	if len(by) == 0 {
		return "", nil
	}
	if more := len(by) - factWorkflows; more > 0 {
		by = append(by[:factWorkflows], fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("image %s (%.19s) is attested by %s, not verified here", short(i.name), i.digest, strings.Join(by, " and ")), nil
}

// isAbout says whether a statement is about where a digest comes from.
func (s *statement) isAbout(digest string) bool {
	if !strings.HasPrefix(s.Type, "https://slsa.dev/provenance/") {
		return false
	}
	for _, one := range s.Subject {
		if "sha256:"+one.Digest["sha256"] == digest {
			return true
		}
	}
	return len(s.Subject) == 0 // GitHub lists it under the digest
}

// workflow names the workflow: "build.yml@main", or where it is of another
// repository "acme/ci/build.yml@main". Empty: the statement does not say.
func (s *statement) workflow(here string) string {
	w := s.Predicate.Build.Parameters.Workflow
	u, err := url.Parse(w.Repository)
	if w.Path == "" || w.Ref == "" || w.Repository == "" || err != nil {
		return ""
	}
	ref := w.Ref
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		ref = strings.TrimPrefix(ref, prefix)
	}
	name := path.Base(w.Path) + "@" + ref
	if of := strings.Trim(u.Path, "/"); !strings.EqualFold(of, here) {
		name = of + "/" + name
	}
	return short(name)
}

// tagged says whether a tag is held by an immutable release, may move, or has moved.
// Empty: that is not known.
func (f *Facts) tagged(ctx context.Context, e *workflows.Execution, t tagRef) (fact string, err error) {
	req, err := f.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/releases/tags/%s", t.owner, t.name, url.PathEscape(t.tag)), nil)
	if err != nil {
		return "", fmt.Errorf("making the request for a release: %w", err)
	}
	var release struct {
		Immutable *bool `json:"immutable"`
	}
	found, err := f.ask(ctx, e, t.commitRef, contentsRead, func() error { _, err := f.client.Do(ctx, req, &release); return err })
	switch {
	case err != nil, found && release.Immutable == nil: // a GitHub that knows no immutable releases
		return "", err
	case found && *release.Immutable:
		return "release " + short(t.tag) + " is immutable", nil
	}
	// No release is seen: that is known only where the tag itself is.
	var commit string
	found, err = f.ask(ctx, e, t.commitRef, contentsRead, func() (err error) {
		commit, _, err = f.client.Repositories.GetCommitSHA1(ctx, t.owner, t.name, "tags/"+t.tag, "")
		return err
	})
	switch {
	case err != nil, !found, !api.IsSHA(commit):
		return "", err
	case commit != t.sha:
		return fmt.Sprintf("tag %s has moved to %s since", short(t.tag), words.Revision(commit)), nil
	}
	return "tag " + short(t.tag) + " may move", nil
}

// short is a name from outside, fit for a line.
func short(name string) string { return words.Cut(clean.Line(name), factName) }
