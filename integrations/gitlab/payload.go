package gitlab

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// mostParts is how deep groups may be nested: 20, and the project.
const mostParts = 21

// The payloads, as narrow as our use of them.
type (
	payload struct {
		Kind        string  `json:"object_kind"`
		EventName   string  `json:"event_name"`
		Ref         string  `json:"ref"`
		Before      string  `json:"before"`
		After       string  `json:"after"`
		CheckoutSHA *string `json:"checkout_sha"`
		UserName    string  `json:"user_name"`
		Username    string  `json:"user_username"`
		UserEmail   string  `json:"user_email"`
		Project     project `json:"project"`
		Commits     []struct {
			ID      string `json:"id"`
			Message string `json:"message"`
			URL     string `json:"url"`
			Author  person `json:"author"`
		} `json:"commits"`

		User       user       `json:"user"`
		Attributes attributes `json:"object_attributes"`
	}
	project struct {
		Path string `json:"path_with_namespace"`
		URL  string `json:"web_url"`
	}
	person struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	user struct {
		Name     string `json:"name"`
		Username string `json:"username"`
		Email    string `json:"email"` // or "[REDACTED]"
	}
	attributes struct {
		IID           int             `json:"iid"`
		Action        string          `json:"action"`
		OldRev        string          `json:"oldrev"` // of an update that brought commits
		Title         string          `json:"title"`
		URL           string          `json:"url"`
		UpdatedAt     string          `json:"updated_at"`
		SourceBranch  string          `json:"source_branch"`
		TargetBranch  string          `json:"target_branch"`
		SourceProject json.RawMessage `json:"source_project_id"`
		TargetProject json.RawMessage `json:"target_project_id"`
		Source        *project        `json:"source"`
		Target        project         `json:"target"`
		LastCommit    struct {
			ID     string `json:"id"`
			Author person `json:"author"`
		} `json:"last_commit"`
	}
)

func (p *payload) push(d *pushes.Delivery) error {
	if !pushes.IsRepository(p.Project.Path, 2, mostParts) {
		return fmt.Errorf("%s is not a project", pushes.Named(p.Project.Path))
	}
	if pushes.IsNone(p.After) {
		d.Ignored = pushes.Named(p.Ref) + " was deleted"
		return nil
	}
	c := work.Change{Provider: Vendor, Event: "push", Repository: p.Project.Path, Commit: p.After, Created: pushes.IsNone(p.Before), By: pushes.By("gitlab", p.Username, p.UserName)}
	if strings.Contains(p.UserEmail, "@") {
		c.By.Email = p.UserEmail
	}
	switch branch, isBranch := strings.CutPrefix(p.Ref, "refs/heads/"); {
	case isBranch:
		c.Branch = branch
	default:
		c.Tag, _ = strings.CutPrefix(p.Ref, "refs/tags/")
		if c.Tag == p.Ref {
			d.Ignored = pushes.Named(p.Ref) + " is neither a branch nor a tag"
			return nil
		}
		if p.CheckoutSHA != nil { // an annotated tag has an object of its own; what runs is the commit it names
			c.Commit = *p.CheckoutSHA
		}
	}
	if c.Branch+c.Tag == "" || !pushes.IsCommit(c.Commit) {
		return errors.New("the push names no branch and no tag, or no commit")
	}
	if c.Branch != "" && pushes.IsCommit(p.Before) && !c.Created {
		c.Before = p.Before
	}
	p.commits(&c)
	d.Changes = []work.Change{c}
	return nil
}

// commits adds what the push says of its commits. GitLab lists 20 of them at most, and
// says of none whether an earlier one was pushed away: the changed files are asked for.
func (p *payload) commits(c *work.Change) {
	for _, one := range p.Commits {
		a := workflows.Author{Name: one.Author.Name, Email: one.Author.Email}
		if one.ID == c.Commit {
			c.Summary, c.URL, c.Author = pushes.FirstLine(one.Message), one.URL, &a
		}
		if pushes.IsCommit(one.ID) {
			c.Commits = append(c.Commits, one.ID)
		}
	}
	for _, one := range p.Commits {
		a := workflows.Author{Name: one.Author.Name, Email: one.Author.Email}
		if (c.Author == nil || a != *c.Author) && a != (workflows.Author{}) && !slices.Contains(c.Authors, a) {
			c.Authors = append(c.Authors, a)
		}
	}
	if len(c.Commits) > 0 && !slices.Contains(c.Commits, c.Commit) {
		c.Commits = append(c.Commits, c.Commit)
	}
	if c.URL == "" && strings.HasPrefix(p.Project.URL, "https://") {
		c.URL = p.Project.URL + "/-/commit/" + c.Commit
	}
}

func (p *payload) mergeRequest(d *pushes.Delivery) error {
	a := p.Attributes
	repository := cmp.Or(a.Target.Path, p.Project.Path)
	if !pushes.IsRepository(repository, 2, mostParts) {
		return fmt.Errorf("%s is not a project", pushes.Named(repository))
	}
	kind := map[string]string{"open": "OPEN", "reopen": "OPEN", "close": "CLOSED", "merge": "CLOSED"}[a.Action]
	if a.Action == "update" && a.OldRev != "" {
		kind = "UPDATED"
	}
	if kind == "" {
		d.Ignored = fmt.Sprintf("merge request %d: %s starts nothing", a.IID, pushes.Named(a.Action))
		return nil
	}
	if !pushes.IsCommit(a.LastCommit.ID) || a.TargetBranch == "" {
		return errors.New("the merge request names no commit or no target branch")
	}
	d.At = pushes.Instant(a.UpdatedAt)
	by := pushes.By("gitlab", p.User.Username, p.User.Name)
	if strings.Contains(p.User.Email, "@") {
		by.Email = p.User.Email
	}
	d.Changes = []work.Change{{
		Provider: Vendor, Event: "pull_request", PullEvent: kind, Repository: repository, Number: a.IID, Branch: a.TargetBranch, HeadBranch: a.SourceBranch,
		Commit: a.LastCommit.ID, Summary: pushes.FirstLine(a.Title), URL: a.URL, Fork: a.isFork(repository), By: by, At: d.At,
		Author: &workflows.Author{Name: a.LastCommit.Author.Name, Email: a.LastCommit.Author.Email},
	}}
	return nil
}

// isFork says whether the commits are in another project, also one that is gone.
func (a *attributes) isFork(repository string) bool {
	if a.Source == nil || !strings.EqualFold(a.Source.Path, repository) {
		return true
	}
	return len(a.SourceProject) == 0 || string(a.SourceProject) != string(a.TargetProject)
}
