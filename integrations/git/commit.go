package git

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	maxMessage = 100 << 10 // bytes of CommitMessage, CodePipeline's limit
	maxSummary = 200       // bytes of the first line
	maxName    = 200       // bytes of an author's name or address
)

// commit is what git says about a commit.
type commit struct {
	sha, authored, committed, message string
	author                            workflows.Author
}

// commit reads a commit. The author is who the commit names (%an), not who a
// .mailmap says it is (%aN): the map is part of what is to be judged.
func (c *clone) commit(ctx context.Context, sha string) (commit, error) {
	out, err := c.git(ctx, "log", "--max-count=1", "--no-show-signature", "--no-notes", "--encoding=UTF-8",
		"--format=%H%x00%an%x00%ae%x00%aI%x00%cI%x00%B", sha)
	if err != nil {
		return commit{}, err
	}
	fields := strings.SplitN(strings.ToValidUTF8(out, "\uFFFD"), "\x00", 6)
	if len(fields) != 6 || fields[0] != sha {
		return commit{}, fmt.Errorf("git says nothing usable about commit %s", sha)
	}
	return commit{
		sha: sha, authored: fields[3], committed: fields[4],
		message: words.CutBytes(strings.TrimRight(fields[5], "\n"), maxMessage),
		author:  workflows.Author{Name: words.CutBytes(fields[1], maxName), Email: words.CutBytes(fields[2], maxName)},
	}, nil
}

// summary is the first line of the message.
func (c commit) summary() string {
	line, _, _ := strings.Cut(strings.TrimSpace(c.message), "\n")
	return words.CutBytes(clean.Line(line), maxSummary)
}

func (c commit) sourceRevision(action string, p remote) *workflows.SourceRevision {
	return &workflows.SourceRevision{
		ActionName: action, RevisionID: c.sha, RevisionSummary: c.summary(), RevisionURL: p.commitURL(c.sha),
		Branch: p.branch, Repository: p.repository, Author: &c.author,
	}
}

// outputs are the variables of CodePipeline's Git sources, as far as the action
// has them. BranchName is the branch that the commit came from; empty where a tag
// or a bare ID named it. CommitUrl is empty where GitHub is reached by ssh.
func (c commit) outputs(a *workflows.Action, p remote) map[string]string {
	all := map[string]string{
		"AuthorDate": c.authored, "BranchName": p.branch, "CommitId": c.sha, "CommitMessage": c.message, "CommitUrl": p.commitURL(c.sha),
		"CommitterDate": c.committed, "RepositoryName": p.name, "FullRepositoryName": p.full, "ConnectionArn": a.Configuration["ConnectionArn"],
	}
	names, _ := source.Outputs(a)
	maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(names, name) })
	return all
}
