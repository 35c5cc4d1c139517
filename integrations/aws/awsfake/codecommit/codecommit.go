// Package codecommit is CodeCommit of the fake of AWS: repositories of commits, read file by file.
package codecommit

import (
	"context"
	"crypto/sha1" //nolint:gosec // what Git names things by
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Service is CodeCommit of an account in a region.
type Service struct {
	world *api.World

	mu           sync.Mutex
	repositories map[string]*repository
}

type repository struct {
	branches map[string]string // their newest commit
	commits  map[string]*Commit
	blobs    map[string]string
}

// Commit is what a commit holds.
type Commit struct {
	Message, Author, Email string
	Files                  map[string]string // by path
	Executable             []string          // paths of those that are
}

// New is CodeCommit without repositories.
func New(w *api.World) *Service {
	return &Service{world: w, repositories: map[string]*repository{}}
}

// Commit puts a commit on a branch and returns its ID. Repository and branch are
// made when they are not there.
func (s *Service) Commit(name, branch string, c Commit) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repositories[name]
	if r == nil {
		r = &repository{branches: map[string]string{}, commits: map[string]*Commit{}, blobs: map[string]string{}}
		s.repositories[name] = r
	}
	for _, content := range c.Files {
		r.blobs[sum(content)] = content
	}
	id = sum(name + branch + c.Message + r.branches[branch])
	r.branches[branch], r.commits[id] = id, &c
	return id
}

func sum(text string) string {
	h := sha1.Sum([]byte(text)) //nolint:gosec // a name
	return hex.EncodeToString(h[:])
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	return []api.Right{{Action: "codecommit:" + q.Operation, Resource: q.ARN(q.Input.Text("repositoryName"))}}
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := q.Input.Text("repositoryName")
	r := s.repositories[name]
	if r == nil {
		return nil, api.Refuse("RepositoryDoesNotExistException", "%s does not exist", name)
	}
	switch q.Operation {
	case "GetBranch":
		branch := q.Input.Text("branchName")
		if r.branches[branch] == "" {
			return nil, api.Refuse("BranchDoesNotExistException", "Branch %s does not exist", branch)
		}
		return map[string]any{"branch": map[string]any{"branchName": branch, "commitId": r.branches[branch]}}, nil
	case "GetCommit":
		id := q.Input.Text("commitId")
		c := r.commits[id]
		if c == nil {
			return nil, api.Refuse("CommitIdDoesNotExistException", "The commit %s does not exist", id)
		}
		who := map[string]any{"name": c.Author, "email": c.Email, "date": "1772442000 +0000"}
		return map[string]any{"commit": map[string]any{"commitId": id, "message": c.Message, "author": who, "committer": who}}, nil
	case "GetBlob":
		content, ok := r.blobs[q.Input.Text("blobId")]
		if !ok {
			return nil, api.Refuse("BlobIdDoesNotExistException", "The blob does not exist")
		}
		return map[string]any{"content": []byte(content)}, nil
	case "GetFolder":
		return r.folder(q)
	}
	return nil, api.Refuse("InvalidCommitException", "The fake of CodeCommit has no %s", q.Operation)
}

func (r *repository) folder(q *api.Request) (any, *api.Error) {
	id, folder := q.Input.Text("commitSpecifier"), strings.Trim(q.Input.Text("folderPath"), "/")
	c := r.commits[id]
	if c == nil {
		return nil, api.Refuse("CommitDoesNotExistException", "The commit %s does not exist", id)
	}
	files, folders, seen := []any{}, []any{}, map[string]bool{}
	for _, file := range words.Keys(c.Files) {
		below := file
		if folder != "" {
			var ok bool
			if below, ok = strings.CutPrefix(file, folder+"/"); !ok {
				continue
			}
		}
		if first, _, deeper := strings.Cut(below, "/"); deeper {
			if at := path.Join(folder, first); !seen[at] {
				seen[at] = true
				folders = append(folders, map[string]any{"treeId": sum(at), "absolutePath": at, "relativePath": first})
			}
			continue
		}
		mode := "NORMAL"
		if slices.Contains(c.Executable, file) {
			mode = "EXECUTABLE"
		}
		files = append(files, map[string]any{"blobId": sum(c.Files[file]), "absolutePath": file, "relativePath": below, "fileMode": mode})
	}
	return map[string]any{"commitId": id, "folderPath": folder, "files": files, "subFolders": folders, "symbolicLinks": []any{}, "subModules": []any{}}, nil
}
