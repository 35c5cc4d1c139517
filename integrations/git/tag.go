package git

import (
	"context"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Tagged returns the commit that a tag of the repository names, through an
// annotated tag too; empty: there is no such tag.
func (s *Source) Tagged(ctx context.Context, a workflows.Action, tag string) (string, error) {
	p, err := s.remote(a.ActionType.Provider, a.Configuration)
	if err != nil || tag == "" || branchRule().MatchString(tag) {
		return "", err
	}
	if err := s.prepare(); err != nil {
		return "", err
	}
	ref := "refs/tags/" + tag
	out, err := s.git(ctx, p, call{remote: true, args: []string{"ls-remote", "--", p.url, ref, ref + "^{}"}})
	if err != nil {
		return "", p.explain("look at", err)
	}
	commit := ""
	for line := range strings.Lines(out) {
		sha, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if isCommit(sha) && (name == ref && commit == "" || name == ref+"^{}") {
			commit = sha
		}
	}
	return commit, nil
}
