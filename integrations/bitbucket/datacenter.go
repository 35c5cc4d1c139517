package bitbucket

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// The payloads of Bitbucket Data Center, as narrow as our use of them.
type (
	refsPayload struct {
		Date       string        `json:"date"`
		Actor      ownUser       `json:"actor"`
		Repository ownRepository `json:"repository"`
		Changes    []struct {
			Ref struct {
				ID   string `json:"id"` // refs/heads/main
				Name string `json:"displayId"`
				Type string `json:"type"` // BRANCH|TAG
			} `json:"ref"`
			From string `json:"fromHash"`
			To   string `json:"toHash"`
			Type string `json:"type"` // ADD|UPDATE|DELETE
		} `json:"changes"`
		Commits []ownCommit `json:"commits"` // of the first change; since 8.0
		Head    *ownCommit  `json:"toCommit"`
	}
	ownCommit struct {
		ID      string  `json:"id"`
		Message string  `json:"message"`
		Author  ownUser `json:"author"`
	}
	ownUser struct {
		Name        string `json:"name"`
		Email       string `json:"emailAddress"`
		DisplayName string `json:"displayName"`
		Slug        string `json:"slug"`
	}
	ownRepository struct {
		Slug    string `json:"slug"`
		Project struct {
			Key string `json:"key"`
		} `json:"project"`
		Links struct {
			Self []struct {
				Href string `json:"href"`
			} `json:"self"`
		} `json:"links"`
	}
	ownPullPayload struct {
		Date        string  `json:"date"`
		Actor       ownUser `json:"actor"`
		PullRequest struct {
			ID     int     `json:"id"`
			Title  string  `json:"title"`
			From   ownSide `json:"fromRef"`
			To     ownSide `json:"toRef"`
			Author struct {
				User ownUser `json:"user"`
			} `json:"author"`
			Links struct {
				Self []struct {
					Href string `json:"href"`
				} `json:"self"`
			} `json:"links"`
		} `json:"pullRequest"`
	}
	ownSide struct {
		ID         string        `json:"id"`
		Name       string        `json:"displayId"`
		Commit     string        `json:"latestCommit"`
		Repository ownRepository `json:"repository"`
	}
)

func (r ownRepository) fullName() string { return r.Project.Key + "/" + r.Slug }

func (u ownUser) author() workflows.Author {
	name := u.DisplayName
	if name == "" {
		name = u.Name
	}
	return workflows.Author{Name: name, Email: u.Email, Login: u.Name}
}

func (u ownUser) principal() workflows.Principal {
	by := pushes.By("bitbucket", u.Name, u.DisplayName)
	by.Email = u.Email
	return by
}

// readRefs reads a push of several branches and tags.
func readRefs(body []byte, d *pushes.Delivery) error {
	var p refsPayload
	if err := pushes.Object(body, &p); err != nil {
		return err
	}
	if !pushes.IsRepository(p.Repository.fullName(), 2, 2) {
		return fmt.Errorf("%s is not a repository", pushes.Named(p.Repository.fullName()))
	}
	d.At = pushes.Instant(p.Date)
	for _, one := range p.Changes {
		if one.Type == "DELETE" || pushes.IsNone(one.To) {
			d.Ignored = pushes.Named(one.Ref.Name) + " was deleted"
			continue
		}
		c := work.Change{Provider: Vendor, Event: "push", Repository: p.Repository.fullName(), Commit: one.To, Created: one.Type == "ADD", By: p.Actor.principal(), At: d.At}
		var isBranch, isTag bool
		if c.Branch, isBranch = strings.CutPrefix(one.Ref.ID, "refs/heads/"); !isBranch {
			c.Branch = ""
			if c.Tag, isTag = strings.CutPrefix(one.Ref.ID, "refs/tags/"); !isTag {
				d.Ignored = pushes.Named(one.Ref.ID) + " is neither a branch nor a tag"
				continue
			}
		}
		if c.Branch+c.Tag == "" || !pushes.IsCommit(c.Commit) {
			return errors.New("the push names no branch and no tag, or no commit")
		}
		if isBranch && pushes.IsCommit(one.From) && !pushes.IsNone(one.From) {
			c.Before = one.From
		}
		p.describe(&c)
		d.Changes = append(d.Changes, c)
	}
	return nil
}

// describe adds what the delivery says of a change's commits.
func (p *refsPayload) describe(c *work.Change) {
	all := p.Commits
	if p.Head != nil {
		all = append([]ownCommit{*p.Head}, all...)
	}
	for _, one := range all {
		if one.ID == c.Commit && c.Author == nil {
			a := one.Author.author()
			c.Author, c.Summary = &a, pushes.FirstLine(one.Message)
		}
	}
	if c.Author == nil {
		return // the commits are another change's
	}
	for _, one := range all {
		if a := one.Author.author(); a != *c.Author && a != (workflows.Author{}) && !knownAuthor(c.Authors, a) {
			c.Authors = append(c.Authors, a)
		}
	}
}

// readOwnPull reads an event of a pull request.
func readOwnPull(body []byte, kind string, d *pushes.Delivery) error {
	var p ownPullPayload
	if err := pushes.Object(body, &p); err != nil {
		return err
	}
	pr := p.PullRequest
	into := pr.To.Repository.fullName()
	if !pushes.IsRepository(into, 2, 2) {
		return fmt.Errorf("%s is not a repository", pushes.Named(into))
	}
	branch := strings.TrimPrefix(pr.To.ID, "refs/heads/")
	if !pushes.IsCommit(pr.From.Commit) || branch == "" {
		return errors.New("the pull request names no commit or no target branch")
	}
	author := pr.Author.User.author()
	c := work.Change{
		Provider: Vendor, Event: "pull_request", PullEvent: kind, Repository: into, Number: pr.ID, Branch: branch, HeadBranch: strings.TrimPrefix(pr.From.ID, "refs/heads/"),
		Commit: pr.From.Commit, Summary: pushes.FirstLine(pr.Title), Fork: !strings.EqualFold(pr.From.Repository.fullName(), into),
		Author: &author, By: p.Actor.principal(), At: pushes.Instant(p.Date),
	}
	if len(pr.Links.Self) > 0 {
		c.URL = pr.Links.Self[0].Href
	}
	d.At, d.Changes = c.At, []work.Change{c}
	return nil
}
