package bitbucket

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// The payloads of Bitbucket Cloud, as narrow as our use of them.
type (
	pushPayload struct {
		Actor      account    `json:"actor"`
		Repository repository `json:"repository"`
		Push       struct {
			Changes []refChange `json:"changes"`
		} `json:"push"`
	}
	refChange struct {
		Old       *ref     `json:"old"` // null: it is new
		New       *ref     `json:"new"` // null: it is gone
		Created   bool     `json:"created"`
		Truncated bool     `json:"truncated"`
		Commits   []commit `json:"commits"` // the newest five
	}
	ref struct {
		Type   string `json:"type"` // branch, named_branch, tag, annotated_tag, bookmark
		Name   string `json:"name"`
		Target commit `json:"target"`
	}
	commit struct {
		Hash    string `json:"hash"`
		Message string `json:"message"`
		Author  struct {
			Raw  string  `json:"raw"` // "Ana <ana@acme.example>"
			User account `json:"user"`
		} `json:"author"`
		Links links `json:"links"`
	}
	account struct {
		Name      string `json:"display_name"`
		Nickname  string `json:"nickname"`
		AccountID string `json:"account_id"`
		UUID      string `json:"uuid"`
	}
	repository struct {
		FullName string `json:"full_name"`
	}
	links struct {
		HTML struct {
			Href string `json:"href"`
		} `json:"html"`
	}
	pullPayload struct {
		Actor       account    `json:"actor"`
		Repository  repository `json:"repository"`
		PullRequest struct {
			ID          int     `json:"id"`
			Title       string  `json:"title"`
			UpdatedOn   string  `json:"updated_on"`
			Author      account `json:"author"`
			Source      side    `json:"source"`
			Destination side    `json:"destination"`
			Links       links   `json:"links"`
		} `json:"pullrequest"`
	}
	side struct {
		Branch struct {
			Name string `json:"name"`
		} `json:"branch"`
		Commit     commit      `json:"commit"`
		Repository *repository `json:"repository"` // null when the fork is gone
	}
)

// login is by what the configuration knows an account: Bitbucket shows no names that
// people sign in with.
func (a account) login() string { return cmp.Or(a.AccountID, strings.Trim(a.UUID, "{}"), a.Nickname) }

// author is who wrote a commit, as it says.
func (c commit) author() workflows.Author {
	name, rest, _ := strings.Cut(c.Author.Raw, "<")
	mail, _, _ := strings.Cut(rest, ">")
	if !strings.Contains(mail, "@") {
		mail = ""
	}
	return workflows.Author{Name: cmp.Or(strings.TrimSpace(name), c.Author.User.Name), Email: mail, Login: c.Author.User.login()}
}

// readPush reads a push of several branches and tags.
func readPush(body []byte, d *pushes.Delivery) error {
	var p pushPayload
	if err := pushes.Object(body, &p); err != nil {
		return err
	}
	if !pushes.IsRepository(p.Repository.FullName, 2, 2) {
		return fmt.Errorf("%s is not a repository", pushes.Named(p.Repository.FullName))
	}
	for _, one := range p.Push.Changes {
		c, ignored, err := one.change(&p)
		switch {
		case err != nil:
			return err
		case ignored != "":
			d.Ignored = ignored
		default:
			d.Changes = append(d.Changes, c)
		}
	}
	return nil
}

func (r *refChange) change(p *pushPayload) (c work.Change, ignored string, err error) {
	if r.New == nil {
		name := ""
		if r.Old != nil {
			name = r.Old.Name
		}
		return c, pushes.Named(name) + " was deleted", nil
	}
	target := r.New.Target
	author := target.author()
	c = work.Change{Provider: Vendor, Event: "push", Repository: p.Repository.FullName, Commit: target.Hash, Created: r.Created || r.Old == nil,
		Summary: pushes.FirstLine(target.Message), URL: target.Links.HTML.Href, Author: &author, By: pushes.By("bitbucket", p.Actor.login(), p.Actor.Name)}
	switch r.New.Type {
	case "branch", "named_branch":
		c.Branch = r.New.Name
	case "tag", "annotated_tag":
		c.Tag = r.New.Name
	default:
		return c, pushes.Named(r.New.Name) + " is neither a branch nor a tag", nil
	}
	if r.New.Name == "" || !pushes.IsCommit(c.Commit) {
		return c, "", errors.New("the push names no branch and no tag, or no commit")
	}
	if c.Branch != "" && r.Old != nil && pushes.IsCommit(r.Old.Target.Hash) {
		c.Before = r.Old.Target.Hash
	}
	for _, one := range r.Commits {
		if a := one.author(); a != author && a != (workflows.Author{}) && !knownAuthor(c.Authors, a) {
			c.Authors = append(c.Authors, a)
		}
		if pushes.IsCommit(one.Hash) && one.Hash != c.Commit {
			c.Commits = append(c.Commits, one.Hash)
		}
	}
	c.Commits = append(c.Commits, c.Commit)
	return c, "", nil
}

func knownAuthor(all []workflows.Author, a workflows.Author) bool {
	for _, one := range all {
		if one == a {
			return true
		}
	}
	return false
}

// readPull reads an event of a pull request. Its commit is shown abbreviated, and
// completed when it is fetched.
func readPull(body []byte, kind string, d *pushes.Delivery) error {
	var p pullPayload
	if err := pushes.Object(body, &p); err != nil {
		return err
	}
	pr := p.PullRequest
	into := p.Repository.FullName
	if pr.Destination.Repository != nil {
		into = pr.Destination.Repository.FullName
	}
	if !pushes.IsRepository(into, 2, 2) {
		return fmt.Errorf("%s is not a repository", pushes.Named(into))
	}
	head := pr.Source.Commit.Hash
	if !pushes.IsCommit(head) && !pushes.IsShort(head) || pr.Destination.Branch.Name == "" {
		return errors.New("the pull request names no commit or no target branch")
	}
	d.At = pushes.Instant(pr.UpdatedOn)
	d.Changes = []work.Change{{
		Provider: Vendor, Event: "pull_request", PullEvent: kind, Repository: into, Number: pr.ID, Branch: pr.Destination.Branch.Name, HeadBranch: pr.Source.Branch.Name,
		Commit: head, Summary: pushes.FirstLine(pr.Title), URL: pr.Links.HTML.Href, At: d.At,
		Fork:   pr.Source.Repository == nil || !strings.EqualFold(pr.Source.Repository.FullName, into),
		Author: &workflows.Author{Name: pr.Author.Name, Login: pr.Author.login()}, By: pushes.By("bitbucket", p.Actor.login(), p.Actor.Name),
	}}
	return nil
}
