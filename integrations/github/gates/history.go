package gates

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	comparedPerPage = 100
	comparedPages   = 10   // of commits that are counted one by one
	mostRemembered  = 4096 // repositories whose installation is known
)

// history knows what lies between two commits that GitHub Actions deploys: it asks
// GitHub's compare API, because no copy of these repositories is kept.
type history struct {
	clients *api.Installations
	usual   int64 // the installation of the configuration
	emails  delivery.Emails

	mu sync.Mutex
	of map[string]int64 // repository, in small letters, to installation
}

func newHistory(clients *api.Installations, usual int64, people delivery.Emails) *history {
	return &history{clients: clients, usual: usual, emails: people, of: map[string]int64{}}
}

// learn notes which installation sees a repository.
func (h *history) learn(repository string, installation int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.of) >= mostRemembered {
		clear(h.of)
	}
	h.of[strings.ToLower(repository)] = installation
}

// Head answers nothing: deployments are asked about by GitHub, and never looked for.
func (g *Gates) Head(_ context.Context, f work.Followed) (work.Change, error) {
	return work.Change{}, fmt.Errorf("%s is not followed", f.Action.Name)
}

// Compare says what lies between two commits. What GitHub does not show is not known;
// an error means that it could not be asked.
func (g *Gates) Compare(ctx context.Context, r work.Range) (work.Changes, error) {
	h := g.history
	owner, name, err := api.SplitRepository(r.Repository)
	switch {
	case err != nil:
		return work.Changes{Why: err.Error()}, nil
	case r.From == "":
		return work.Changes{Why: "nothing of " + r.Repository + " was approved there before"}, nil
	case !api.IsSHA(r.From) || !api.IsSHA(r.To):
		return work.Changes{Why: "they are no commits"}, nil
	}
	h.mu.Lock()
	installation := h.of[strings.ToLower(r.Repository)]
	h.mu.Unlock()
	if installation == 0 {
		installation = h.usual
	}
	client, err := h.clients.Client(installation)
	if err != nil {
		return work.Changes{Why: err.Error()}, nil
	}
	c := &comparison{client: client, owner: owner, name: name}
	out := work.Changes{}
	if out.New, out.Authors, out.Count, err = c.commits(ctx, r.From, r.To); err == nil && c.behind > 0 {
		out.Lost, _, out.Undone, err = c.commits(ctx, r.To, r.From)
	}
	if err != nil {
		return notCompared(err, r.Repository)
	}
	out.CompareURL, out.Complete, out.Why = c.page, len(out.New) == out.Count, fmt.Sprintf("GitHub lists only %d of %d commits", len(out.New), out.Count)
	if out.Complete {
		out.Why = ""
	}
	for i := range out.Authors {
		h.emails.Name(&out.Authors[i])
	}
	for _, one := range out.New {
		out.Commits = append(out.Commits, one.ID)
	}
	return out, nil
}

// notCompared says why a history is not known, or that it could not be asked for.
func notCompared(err error, repository string) (work.Changes, error) {
	if api.Kind(err) == wire.Transient {
		return work.Changes{}, fmt.Errorf("GitHub could not be asked about the commits of %s: %w", repository, wire.Scrub(err))
	}
	why := fmt.Sprintf("GitHub shows no commits of %s (%d)", repository, api.Status(err))
	switch api.Status(err) {
	case http.StatusForbidden, http.StatusUnauthorized:
		why += "; the app needs the permission \"Contents: read\""
	case http.StatusNotFound:
		why += "; a commit is gone, or the app lacks the permission \"Contents: read\""
	}
	return work.Changes{Why: why}, nil
}

// comparison asks about one repository.
type comparison struct {
	client      *github.Client
	owner, name string
	behind      int    // commits that the first answer lacks
	page        string // the web page of the first answer
}

// commits are those that to has and from lacks, newest first, as far as they are
// listed, who had a hand in them, and how many there are.
func (c *comparison) commits(ctx context.Context, from, to string) (all []work.Commit, people []workflows.Author, count int, err error) {
	for page := 1; page <= comparedPages; page++ {
		got, _, err := c.client.Repositories.CompareCommits(ctx, c.owner, c.name, from, to, &github.ListOptions{Page: page, PerPage: comparedPerPage})
		if err != nil {
			return nil, nil, 0, err
		}
		if got.GetStatus() == "" {
			return nil, nil, 0, &github.ErrorResponse{Response: &http.Response{StatusCode: http.StatusNotFound}, Message: "no comparison"}
		}
		if page == 1 {
			count = got.GetAheadBy()
			if c.page == "" {
				c.behind, c.page = got.GetBehindBy(), got.GetHTMLURL()
			}
		}
		for _, one := range got.Commits {
			all = append(all, commitOf(one))
			for _, who := range []workflows.Author{authorOf(one.GetCommit().GetAuthor(), one.GetAuthor()), authorOf(one.GetCommit().GetCommitter(), one.GetCommitter())} {
				if who != (workflows.Author{}) && !slices.Contains(people, who) {
					people = append(people, who)
				}
			}
		}
		if len(all) >= count || len(got.Commits) == 0 {
			break
		}
	}
	slices.Reverse(all)
	return all, people, max(count, len(all)), nil
}

func commitOf(c *github.RepositoryCommit) work.Commit {
	text := c.GetCommit().GetMessage()
	one := work.Commit{ID: c.GetSHA(), Summary: delivery.FirstLine(text), URL: c.GetHTMLURL(), Author: authorOf(c.GetCommit().GetAuthor(), c.GetAuthor()), Mentions: work.Mentions(clean.Text(text))}
	for _, p := range c.Parents {
		one.Parents = append(one.Parents, p.GetSHA())
	}
	return one
}

func authorOf(a *github.CommitAuthor, u *github.User) workflows.Author {
	return workflows.Author{Name: clean.Line(a.GetName()), Email: clean.Line(a.GetEmail()), Login: clean.Line(u.GetLogin())}
}
