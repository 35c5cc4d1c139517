// Package ecr is ECR of the fake of AWS: repositories of images that have tags.
package ecr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Service is ECR of an account in a region.
type Service struct {
	world *api.World

	mu           sync.Mutex
	repositories map[string][]*image // the newest image last
}

type image struct {
	digest string
	tags   []string
	at     time.Time
	size   int
}

// New is ECR without repositories.
func New(w *api.World) *Service { return &Service{world: w, repositories: map[string][]*image{}} }

// Push puts an image of that content under tags, which leave the images that had
// them, and returns its digest. The repository is made when it is not there.
func (s *Service) Push(repository, content string, tags ...string) (digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256([]byte(content))
	pushed := &image{digest: "sha256:" + hex.EncodeToString(sum[:]), tags: tags, at: s.world.Now(), size: len(content)}
	for _, i := range s.repositories[repository] {
		i.tags = slices.DeleteFunc(slices.Clone(i.tags), func(t string) bool { return slices.Contains(tags, t) })
	}
	s.repositories[repository] = append(s.repositories[repository], pushed)
	return pushed.digest
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	return []api.Right{{Action: "ecr:" + q.Operation, Resource: q.ARN("repository/" + q.Input.Text("repositoryName"))}}
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	if q.Operation != "DescribeImages" {
		return nil, api.Refuse("InvalidParameterException", "The fake of ECR describes images only")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := q.Input.Text("repositoryName")
	all, ok := s.repositories[name]
	if !ok {
		return nil, api.Refuse("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", name, s.world.Account)
	}
	var found []any
	for _, wanted := range q.Input.List("imageIds") {
		id := wanted
		i := slices.IndexFunc(all, func(i *image) bool {
			return i.digest == id.Text("imageDigest") || slices.Contains(i.tags, id.Text("imageTag"))
		})
		if i < 0 {
			return nil, api.Refuse("ImageNotFoundException", "The image requested does not exist in the repository with name '%s'", name)
		}
		found = append(found, map[string]any{"registryId": s.world.Account, "repositoryName": name, "imageDigest": all[i].digest, "imageTags": all[i].tags,
			"imageSizeInBytes": all[i].size, "imagePushedAt": all[i].at})
	}
	return map[string]any{"imageDetails": found}, nil
}
