package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// parsedDelivery is what a delivery says: a change, or why it is none.
type parsedDelivery struct {
	change  work.Change
	at      time.Time // when it happened, as what is signed says; zero: it does not
	ignored string
}

// maxCommits is where GitHub cuts the list of a push; from there on the changed files are not known.
const maxCommits = 2048

// The payloads, as narrow as our use of them: a field that changes its type
// elsewhere (custom properties, timestamps) cannot spoil a delivery.
type (
	pushPayload struct {
		Ref        string        `json:"ref"`
		Before     string        `json:"before"`
		After      string        `json:"after"`
		Created    bool          `json:"created"`
		Deleted    bool          `json:"deleted"`
		Forced     bool          `json:"forced"`
		Commits    *[]commit     `json:"commits"`
		HeadCommit *commit       `json:"head_commit"`
		Repository repository    `json:"repository"`
		Pusher     commitPerson  `json:"pusher"`
		Sender     delivery.User `json:"sender"`
	}
	commit struct {
		ID        string        `json:"id"`
		Message   delivery.Text `json:"message"`
		Timestamp delivery.Text `json:"timestamp"`
		URL       delivery.Text `json:"url"`
		Author    commitPerson  `json:"author"`
		Added     []string      `json:"added"`
		Removed   []string      `json:"removed"`
		Modified  []string      `json:"modified"`
	}
	commitPerson struct {
		Name     delivery.Text `json:"name"`
		Email    delivery.Text `json:"email"`
		Username delivery.Text `json:"username"`
	}
	repository struct {
		FullName string          `json:"full_name"`
		PushedAt json.RawMessage `json:"pushed_at"` // in a push a number of seconds
	}
	pullPayload struct {
		Action      string        `json:"action"`
		Number      int           `json:"number"`
		Before      delivery.Text `json:"before"` // of synchronize
		PullRequest pull          `json:"pull_request"`
		Repository  repository    `json:"repository"`
		Sender      delivery.User `json:"sender"`
	}
	pull struct {
		Title     delivery.Text `json:"title"`
		HTMLURL   delivery.Text `json:"html_url"`
		UpdatedAt delivery.Text `json:"updated_at"`
		ClosedAt  delivery.Text `json:"closed_at"`
		User      delivery.User `json:"user"`
		Head      branch        `json:"head"`
		Base      branch        `json:"base"`
	}
	branch struct {
		Ref  string      `json:"ref"`
		SHA  string      `json:"sha"`
		Repo *repository `json:"repo"` // null when the fork is gone
	}
)

// parse reads a payload. An error means that the delivery makes no sense; an
// event that nobody listens to makes sense and is ignored, with a reason.
func parse(event string, payload []byte) (parsedDelivery, error) {
	trimmed := bytes.TrimSpace(payload)
	if !json.Valid(trimmed) || len(trimmed) == 0 || trimmed[0] != '{' {
		return parsedDelivery{}, errors.New("the delivery is signed, but its payload is not a JSON object")
	}
	switch event {
	case "push":
		return parsePush(trimmed)
	case "pull_request":
		return parsePull(trimmed)
	case "release", "workflow_run", "deployment", "merge_group":
		return parseEvent(event, trimmed)
	case "ping":
		return parsedDelivery{ignored: "ping: nothing to do"}, nil
	case "":
		return parsedDelivery{}, errors.New("the header X-GitHub-Event is missing")
	}
	return parsedDelivery{ignored: fmt.Sprintf("%s: nobody listens to this event", words.Cut(clean.Line(event), 64))}, nil
}

func parsePush(payload []byte) (parsedDelivery, error) {
	var p pushPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return parsedDelivery{}, errors.New("the push cannot be read: a field has an unexpected type")
	}
	if _, _, err := api.SplitRepository(p.Repository.FullName); err != nil {
		return parsedDelivery{}, err
	}
	if p.Deleted || strings.Trim(p.After, "0") == "" {
		return parsedDelivery{ignored: fmt.Sprintf("%s was deleted", clean.Line(p.Ref))}, nil
	}
	c := work.Change{
		Provider: "GitHub", Event: "push", Repository: p.Repository.FullName, Commit: p.After,
		Created: p.Created, Files: p.files(), By: delivery.Principal(string(p.Sender.Login), string(p.Pusher.Name)),
	}
	if head := p.HeadCommit; head != nil {
		// An annotated tag has an object of its own; what runs is the commit it names.
		c.Commit = head.ID
		head.describe(&c)
		c.URL, c.At = string(head.URL), instant(string(head.Timestamp))
	}
	c.Authors, c.Commits = p.authors(c.Author), p.ids(c.Commit)
	if api.IsSHA(p.Before) && strings.Trim(p.Before, "0") != "" {
		c.Before = p.Before
	}
	if !api.IsSHA(c.Commit) {
		return parsedDelivery{}, errors.New("the push names no commit")
	}
	var ok bool
	if c.Branch, ok = strings.CutPrefix(p.Ref, "refs/heads/"); !ok {
		c.Branch = ""
		if c.Tag, ok = strings.CutPrefix(p.Ref, "refs/tags/"); !ok {
			return parsedDelivery{ignored: fmt.Sprintf("%s is neither a branch nor a tag", clean.Line(p.Ref))}, nil
		}
	}
	if c.Branch+c.Tag == "" {
		return parsedDelivery{}, errors.New("the push names no branch and no tag")
	}
	var at time.Time
	if seconds, err := strconv.ParseInt(string(p.Repository.PushedAt), 10, 64); err == nil && seconds > 0 {
		at = time.Unix(seconds, 0)
	}
	return parsedDelivery{change: c, at: at}, nil
}

// authors are those of the other commits, each once.
func (p *pushPayload) authors(head *workflows.Author) []workflows.Author {
	if p.Commits == nil {
		return nil
	}
	var all []workflows.Author
	for _, c := range *p.Commits {
		a := c.Author.author()
		if (head == nil || a != *head) && a != (workflows.Author{}) && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// ids are the commits that the push brought, as far as the delivery lists them.
func (p *pushPayload) ids(head string) (ids []string) {
	if p.Commits == nil || len(*p.Commits) == 0 {
		return nil
	}
	for _, c := range *p.Commits {
		if api.IsSHA(c.ID) {
			ids = append(ids, c.ID)
		}
	}
	if !slices.Contains(ids, head) {
		ids = append(ids, head)
	}
	return ids
}

// files lists what the commits of the push changed, each path once: no less than
// what differs between before and after. Nil means unknown: commits were taken
// away, the list was cut, or the push brought no commits of its own (a tag, a new
// branch on known commits).
func (p *pushPayload) files() []string {
	if p.Forced || p.Commits == nil || len(*p.Commits) == 0 || len(*p.Commits) >= maxCommits {
		return nil
	}
	files, seen := []string{}, map[string]bool{}
	for _, c := range *p.Commits {
		for _, list := range [][]string{c.Added, c.Removed, c.Modified} {
			for _, f := range list {
				if !seen[f] {
					seen[f] = true
					files = append(files, f)
				}
			}
		}
	}
	return files
}

func parsePull(payload []byte) (parsedDelivery, error) {
	var p pullPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return parsedDelivery{}, errors.New("the pull request event cannot be read: a field has an unexpected type")
	}
	if _, _, err := api.SplitRepository(p.Repository.FullName); err != nil {
		return parsedDelivery{}, err
	}
	kind, ok := pullEvent(p.Action)
	if !ok {
		return parsedDelivery{ignored: fmt.Sprintf("pull request %d: %s starts nothing", p.Number, words.Cut(clean.Line(p.Action), 64))}, nil
	}
	pr := p.PullRequest
	if !api.IsSHA(pr.Head.SHA) || pr.Base.Ref == "" {
		return parsedDelivery{}, errors.New("the pull request names no commit or no base branch")
	}
	at := instant(string(pr.UpdatedAt))
	return parsedDelivery{at: at, change: work.Change{
		Provider: "GitHub", Event: "pull_request", PullEvent: kind, Repository: p.Repository.FullName,
		Number: p.Number, Branch: pr.Base.Ref, HeadBranch: pr.Head.Ref, Commit: pr.Head.SHA, Summary: delivery.FirstLine(string(pr.Title)), URL: string(pr.HTMLURL), ID: p.id(),
		Fork:   pr.Head.Repo == nil || !strings.EqualFold(pr.Head.Repo.FullName, p.Repository.FullName),
		Author: &workflows.Author{Login: string(pr.User.Login)}, By: delivery.Principal(string(p.Sender.Login), ""), At: at,
	}}, nil
}

// id tells apart what happens to a pull request while its commit stays: that it is
// closed and opened again, or pushed to and back.
func (p *pullPayload) id() string {
	when := delivery.Text("")
	switch p.Action {
	case "reopened":
		when = p.PullRequest.UpdatedAt
	case "closed":
		when = p.PullRequest.ClosedAt
	case "synchronize":
		when = p.Before
	}
	return strings.TrimSpace(strconv.Itoa(p.Number) + " " + string(when))
}

// pullEvent translates GitHub's action into CodePipeline's event. Merging closes, too.
func pullEvent(action string) (string, bool) {
	switch action {
	case "opened", "reopened":
		return "OPEN", true
	case "synchronize":
		return "UPDATED", true
	case "closed":
		return "CLOSED", true
	}
	return "", false
}

func (p commitPerson) author() workflows.Author {
	return workflows.Author{Name: string(p.Name), Email: string(p.Email), Login: string(p.Username)}
}

// instant reads a time; one that cannot be read is no reason to refuse a push.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
