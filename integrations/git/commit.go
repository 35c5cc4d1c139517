package git

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows"
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
func (c *bare) commit(ctx context.Context, sha string) (commit, error) {
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
		message: clip(strings.TrimRight(fields[5], "\n"), maxMessage),
		author:  workflows.Author{Name: clip(fields[1], maxName), Email: clip(fields[2], maxName)},
	}, nil
}

// summary is the first line of the message.
func (c commit) summary() string {
	line, _, _ := strings.Cut(strings.TrimSpace(c.message), "\n")
	return clip(strings.TrimSpace(line), maxSummary)
}

func (c commit) sourceRevision(action string, p place) *workflows.SourceRevision {
	return &workflows.SourceRevision{
		ActionName: action, RevisionID: c.sha, RevisionSummary: c.summary(), RevisionURL: p.commitURL(c.sha),
		Branch: p.branch, Repository: p.repository, Author: &c.author,
	}
}

// outputs are the variables of CodePipeline's Git sources. BranchName is the
// branch that the commit came from; empty where a tag or a bare ID named it.
func (c commit) outputs(p place) map[string]string {
	return map[string]string{
		"AuthorDate": c.authored, "BranchName": p.branch, "CommitId": c.sha, "CommitMessage": c.message,
		"CommitterDate": c.committed, "RepositoryName": p.name, "FullRepositoryName": p.full,
	}
}

// clip cuts text to n bytes, the sign of cutting included, at the border of a character.
func clip(text string, n int) string {
	const sign = "…"
	if len(text) <= n {
		return text
	}
	n -= len(sign)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + sign
}
