package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	askedOneByOne = 20  // commits that are asked about one by one; for more, pull requests are listed first
	pullsPerPage  = 100 // GitHub's most
	mostPages     = 30
	mostLabels    = 20  // of a pull request, that are kept
	maxTitle      = 200 // bytes of a pull request's title, and of its branch
)

// Pulls knows by which pull requests commits came.
type Pulls struct{ client *github.Client }

// PullsOptions say which GitHub, and as whom.
type PullsOptions struct {
	APIURL    string // empty: https://api.github.com/
	Token     string // or App
	App       *api.App
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// NewPulls asks nothing before the first question, and looks at nothing but the
// address, the credentials, which need the right to read pull requests, and the transport. The error is a
// *workflows.Problem about the configuration.
func NewPulls(o PullsOptions) (*Pulls, error) {
	c, err := api.NewPaced(o.APIURL, o.Token, o.App, o.Transport, wire.Pacing{Timeout: 10 * time.Second, PerSecond: 10, Burst: 20, MaxWait: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	return &Pulls{client: c}, nil
}

// Pulls says of commits of a repository (owner/name), newest first, by which pull
// requests they came, in at most so many calls. Few commits are asked about one
// by one. For many, the closed pull requests are listed, and what they merged
// is found by the commits' parents; the rest is asked about one by one. What was found before
// an error is returned with it.
func (p *Pulls) Pulls(ctx context.Context, repository string, commits []work.Commit, most int) (work.Pulled, error) {
	q := &pullQuery{client: p.client, most: most, found: work.Pulled{By: map[string]*work.Pull{}}, commits: commits, at: map[string]int{}}
	var err error
	if q.owner, q.name, err = api.SplitRepository(repository); err != nil {
		return q.found, err
	}
	for i, c := range commits {
		q.at[c.ID] = i
	}
	rest := commits
	if len(commits) > askedOneByOne {
		if rest, err = q.list(ctx); err != nil {
			return q.found, unread(err, repository)
		}
	}
	for _, c := range rest {
		if q.found.Calls >= q.most {
			break
		}
		if _, known := q.found.By[c.ID]; known {
			continue
		}
		if _, err := q.ask(ctx, c.ID); err != nil {
			return q.found, unread(err, repository)
		}
	}
	return q.found, nil
}

// unread says that GitHub did not answer, or what it wants.
func unread(err error, repository string) error {
	if code := api.Status(err); code != 0 && api.Kind(err) != wire.Transient {
		return fmt.Errorf("GitHub shows no pull requests of %s (%d); its token or app needs the right to read them: %s", repository, code, api.Advice(err, "the permission Pull requests: read"))
	}
	return fmt.Errorf("GitHub could not be asked about the pull requests of %s: %w", repository, wire.Scrub(err))
}

// pullQuery is one question about many commits.
type pullQuery struct {
	client      *github.Client
	owner, name string
	most        int
	commits     []work.Commit
	at          map[string]int // their places by ID
	found       work.Pulled
}

// ask asks about one commit. GitHub answers 422 for one that it does not have.
func (q *pullQuery) ask(ctx context.Context, commit string) (*work.Pull, error) {
	all, _, err := q.client.PullRequests.ListPullRequestsWithCommit(ctx, q.owner, q.name, commit, &github.ListOptions{PerPage: 10})
	if err != nil && api.Status(err) != http.StatusUnprocessableEntity {
		return nil, err
	}
	q.found.Calls++
	var best *work.Pull
	for _, merged := range []bool{true, false} {
		for _, pr := range all {
			if pr != nil && best == nil && isMerged(pr) == merged {
				best = pullOf(pr)
			}
		}
	}
	q.found.By[commit] = best
	return best, nil
}

// list goes through the closed pull requests, those that changed last first, and
// returns the commits that must be asked about one by one.
func (q *pullQuery) list(ctx context.Context) (rest []work.Commit, err error) {
	sure := true // what no pull request has merged came by none
	for page, more := 1, true; more && len(q.found.By) < len(q.commits); page++ {
		if page > mostPages || q.found.Calls >= q.most {
			return q.unknown(), nil
		}
		all, resp, err := q.client.PullRequests.List(ctx, q.owner, q.name, &github.PullRequestListOptions{State: "closed", Sort: "updated", Direction: "desc",
			ListOptions: github.ListOptions{PerPage: pullsPerPage, Page: page}})
		if api.Status(err) == http.StatusNotFound {
			return q.unknown(), nil // asking one by one says whether it is the repository that is not shown
		}
		if err != nil {
			return nil, err
		}
		q.found.Calls++
		for _, pr := range all {
			again, known := q.merged(pr)
			sure = sure && known
			rest = append(rest, again...)
		}
		more = resp.NextPage != 0 || len(all) >= pullsPerPage
	}
	if !sure {
		return q.unknown(), nil
	}
	asked := rest
	for _, c := range asked {
		if err := q.rebased(ctx, c); err != nil {
			return nil, err
		}
	}
	if q.found.Calls < q.most {
		for _, c := range q.unknown() {
			q.found.By[c.ID] = nil
		}
	}
	return nil, nil
}

// unknown are the commits of which nothing is known yet.
func (q *pullQuery) unknown() []work.Commit {
	return slices.DeleteFunc(slices.Clone(q.commits), func(c work.Commit) bool {
		_, known := q.found.By[c.ID]
		return known
	})
}

// merged notes what a pull request has merged. It may have been rebased: then
// again is its newest commit, and those before it are its own as well. known is
// false where GitHub does not say what it merged.
func (q *pullQuery) merged(pr *github.PullRequest) (again []work.Commit, known bool) {
	pull, sha := pullOf(pr), pr.GetMergeCommitSHA()
	if i, here := q.at[pr.GetHead().GetSHA()]; here && isMerged(pr) {
		q.note(i, pull) // as it was
	}
	i, here := q.at[sha]
	if !here {
		return nil, sha != "" || !isMerged(pr)
	}
	q.note(i, pull)
	c := q.commits[i]
	switch {
	case len(c.Parents) > 1:
		of, main := q.reach(c.Parents[1:]...), q.reach(c.Parents[0])
		for j := range of {
			if !main[j] {
				q.note(j, pull)
			}
		}
	case numbered(c.Summary) != pull.Number && len(c.Parents) == 1:
		return []work.Commit{c}, true
	}
	return nil, true
}

// note notes how a commit came; who merged it first has brought it.
func (q *pullQuery) note(i int, pull *work.Pull) {
	id := q.commits[i].ID
	if was := q.found.By[id]; was == nil || pull.Number < was.Number {
		q.found.By[id] = pull
	}
}

// rebased finds the commits of a rebased pull request behind its newest one.
func (q *pullQuery) rebased(ctx context.Context, newest work.Commit) error {
	pull := q.found.By[newest.ID]
	for at := newest; len(at.Parents) == 1 && q.found.Calls < q.most; {
		i, here := q.at[at.Parents[0]]
		if !here {
			break
		}
		at = q.commits[i]
		if _, known := q.found.By[at.ID]; known {
			break
		}
		if before, err := q.ask(ctx, at.ID); err != nil {
			return err
		} else if before == nil || before.Number != pull.Number {
			break
		}
	}
	return nil
}

// reach are the places of the commits of the question that can be reached from some.
func (q *pullQuery) reach(from ...string) map[int]bool {
	seen := map[int]bool{}
	for todo := slices.Clone(from); len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if i, here := q.at[id]; here && !seen[i] {
			seen[i] = true
			todo = append(todo, q.commits[i].Parents...)
		}
	}
	return seen
}

var squashed = regexp.MustCompile(`\(#([0-9]{1,9})\)$`)

// numbered is the pull request that a squashed commit names: "Sell shoes (#12)"; 0: none.
func numbered(summary string) int {
	m := squashed.FindStringSubmatch(summary)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return n
}

func isMerged(pr *github.PullRequest) bool { return !pr.GetMergedAt().IsZero() || pr.GetMerged() }

func pullOf(pr *github.PullRequest) *work.Pull {
	var labels []string
	if pr != nil { // a list may hold null
		for _, l := range pr.Labels[:min(len(pr.Labels), mostLabels)] {
			labels = append(labels, words.CutBytes(clean.Line(l.GetName()), maxTitle))
		}
	}
	return &work.Pull{Number: pr.GetNumber(), Title: words.CutBytes(clean.Line(pr.GetTitle()), maxTitle), URL: pr.GetHTMLURL(), Branch: words.CutBytes(clean.Line(pr.GetHead().GetRef()), maxTitle), Labels: labels}
}
