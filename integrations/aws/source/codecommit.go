package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codecommit"
	"github.com/aws/aws-sdk-go-v2/service/codecommit/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	commitType = "COMMIT_ID"
	// mostFiles are fetched one by one: CodeCommit has no call for a whole commit.
	mostFiles = 5000
)

func commits() []runner.Kind {
	return []runner.Kind{{Category: "Source", Provider: "CodeCommit", Start: takeCommit, Needs: commitNeeds, Check: checkBranch, Subject: runner.Subject{Setting: "RepositoryName", Deleted: "DeleteRepository"}}}
}

// takeCommit pins a commit, and makes its files the action's artifact.
func takeCommit(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	repository, branch := a.Setting("RepositoryName"), a.Setting("BranchName")
	api := codecommit.NewFromConfig(a.Config)
	id := ""
	if r := a.Task.Revision; r != nil {
		id = r.RevisionID
	}
	if id == "" {
		out, err := api.GetBranch(ctx, &codecommit.GetBranchInput{RepositoryName: &repository, BranchName: &branch})
		if err != nil {
			return work.Outcome{}, err
		}
		id = aws.ToString(out.Branch.CommitId)
	}
	out, err := api.GetCommit(ctx, &codecommit.GetCommitInput{RepositoryName: &repository, CommitId: &id})
	if err != nil {
		return work.Outcome{}, err
	}
	c := out.Commit
	page := a.URL("codesuite/codecommit/repositories/"+repository+"/commit/"+id, "")
	o := work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: page,
		Outputs: map[string]string{"RepositoryName": repository, "BranchName": branch, "CommitId": id, "CommitMessage": aws.ToString(c.Message)},
		Revision: &workflows.SourceRevision{ActionName: a.Task.Action.Name, RevisionID: id, RevisionSummary: aws.ToString(c.Message), RevisionURL: page, Repository: repository, Branch: branch, Type: commitType,
			Author: authorOf(c.Author)}}
	if c.Author != nil {
		o.Outputs["AuthorDate"] = aws.ToString(c.Author.Date)
	}
	if c.Committer != nil {
		o.Outputs["CommitterDate"] = aws.ToString(c.Committer.Date)
	}
	if len(a.Task.Action.OutputArtifacts) == 0 {
		return o, nil
	}
	f := fetch{api: api, repository: repository, commit: id, dir: filepath.Join(a.Dir(), "files"), left: mostFiles}
	if err := f.folder(ctx, ""); err != nil {
		return work.Outcome{}, err
	}
	for _, out := range a.Task.Action.OutputArtifacts {
		one, err := a.Pack(out.Name, f.dir)
		if err != nil {
			return work.Outcome{}, err
		}
		o.Artifacts = append(o.Artifacts, one)
	}
	return o, a.Logf("%s at %s, %d files", repository, id, mostFiles-f.left)
}

func authorOf(u *types.UserInfo) *workflows.Author {
	if u == nil {
		return nil
	}
	return &workflows.Author{Name: aws.ToString(u.Name), Email: aws.ToString(u.Email)}
}

// fetch lays the files of a commit out in a folder.
type fetch struct {
	api                *codecommit.Client
	repository, commit string
	dir                string
	left               int
}

func (f *fetch) folder(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Join(f.dir, path), 0o700); err != nil {
		return err
	}
	in := &codecommit.GetFolderInput{RepositoryName: &f.repository, CommitSpecifier: &f.commit, FolderPath: aws.String(path)}
	if path == "" {
		in.FolderPath = aws.String("/")
	}
	out, err := f.api.GetFolder(ctx, in)
	if err != nil {
		return err
	}
	for _, one := range out.Files {
		mode := os.FileMode(0o644)
		if one.FileMode == types.FileModeTypeEnumExecutable {
			mode = 0o755
		}
		if err := f.file(ctx, aws.ToString(one.AbsolutePath), aws.ToString(one.BlobId), func(path string, data []byte) error { return os.WriteFile(path, data, mode) }); err != nil {
			return err
		}
	}
	for _, one := range out.SymbolicLinks {
		if err := f.file(ctx, aws.ToString(one.AbsolutePath), aws.ToString(one.BlobId), func(path string, data []byte) error { return os.Symlink(string(data), path) }); err != nil {
			return err
		}
	}
	for _, one := range out.SubFolders {
		if err := f.folder(ctx, strings.Trim(aws.ToString(one.AbsolutePath), "/")); err != nil {
			return err
		}
	}
	return nil
}

// file fetches one blob; lay puts it where it belongs, which a repeat may have done already.
func (f *fetch) file(ctx context.Context, path, blob string, lay func(path string, data []byte) error) error {
	if f.left--; f.left < 0 {
		return &runner.SettingsError{Text: fmt.Sprintf("the commit holds more than %d files, and CodeCommit gives them one by one; let a Git source read the repository over https", mostFiles)}
	}
	path = strings.Trim(path, "/")
	if !filepath.IsLocal(path) {
		return &runner.SettingsError{Text: "the commit has a file outside of its folder: " + path}
	}
	out, err := f.api.GetBlob(ctx, &codecommit.GetBlobInput{RepositoryName: &f.repository, BlobId: &blob})
	if err != nil {
		return err
	}
	at := filepath.Join(f.dir, path)
	if err := os.RemoveAll(at); err != nil {
		return err
	}
	return lay(at, out.Content)
}

// headOfBranch is the newest commit of a branch.
func headOfBranch(ctx context.Context, c aws.Config, action workflows.Action) (work.Change, error) {
	repository, branch := action.Configuration["RepositoryName"], action.Configuration["BranchName"]
	api := codecommit.NewFromConfig(c)
	at, err := api.GetBranch(ctx, &codecommit.GetBranchInput{RepositoryName: &repository, BranchName: &branch})
	if err != nil {
		return work.Change{}, err
	}
	out, err := api.GetCommit(ctx, &codecommit.GetCommitInput{RepositoryName: &repository, CommitId: at.Branch.CommitId})
	if err != nil {
		return work.Change{}, err
	}
	return work.Change{Provider: "CodeCommit", Kind: work.CommitKind, Event: "push", Repository: repository, Branch: branch, Commit: aws.ToString(at.Branch.CommitId),
		Summary: aws.ToString(out.Commit.Message), Author: authorOf(out.Commit.Author)}, nil
}

// commitNeeds are the permissions of the calls above.
func commitNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	return []policy.Statement{{Sid: "ReadRepository", Comment: "the branch's newest commit, and its files",
		Actions: []string{"codecommit:GetBranch", "codecommit:GetCommit", "codecommit:GetFolder", "codecommit:GetBlob"}, Resources: []string{at.ARN("codecommit", action.Configuration["RepositoryName"])}}}
}
