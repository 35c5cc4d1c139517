package feedback

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// image is a container image that an execution deploys.
type image struct{ name, digest string }

var isDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// imagesOf are the images that an execution is known to deploy, each digest once:
// sources that are images, and output variables imageDigest (also as ECR's source
// and build write it). fallback names those without a name of their own.
func imagesOf(fallback string, all ...*workflows.Execution) (found []image) {
	seen := map[string]bool{}
	add := func(name, digest string) {
		if isDigest.MatchString(digest) && !seen[digest] {
			seen[digest] = true
			found = append(found, image{words.Cut(cmp.Or(name, fallback), 256), digest})
		}
	}
	for _, e := range all {
		for _, r := range e.SourceRevisions {
			if r.Type == "IMAGE_DIGEST" {
				add(r.Repository, r.RevisionID)
			}
		}
		for _, namespace := range slices.Sorted(maps.Keys(e.Outputs)) {
			addOutputs(add, e.Outputs[namespace])
		}
		for i := range e.Stages {
			for _, a := range e.Stages[i].Actions {
				addOutputs(add, a.OutputVariables)
			}
		}
	}
	return found
}

func addOutputs(add func(name, digest string), out map[string]string) {
	uri, _, _ := strings.Cut(cmp.Or(out["imageURI"], out["ImageURI"]), "@")
	name := cmp.Or(out["imageName"], out["RepositoryName"], out["ECRRepositoryName"], uri)
	for _, key := range []string{"imageDigest", "ImageDigest", "ECRImageDigestId"} {
		add(name, out[key])
	}
}
