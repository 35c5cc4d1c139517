package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// news is what a delivery says: a change, or why it is none.
type news struct {
	change  work.Change
	ignored string
}

// maxCommits is where GitHub cuts the list of a push; from there on the changed files are not known.
const maxCommits = 2048

// The payloads, as narrow as our use of them: a field that changes its type
// elsewhere (custom properties, timestamps) cannot spoil a delivery.
type (
	pushPayload struct {
		Ref        string       `json:"ref"`
		After      string       `json:"after"`
		Created    bool         `json:"created"`
		Deleted    bool         `json:"deleted"`
		Commits    *[]commit    `json:"commits"`
		HeadCommit *commit      `json:"head_commit"`
		Repository repository   `json:"repository"`
		Pusher     commitPerson `json:"pusher"`
		Sender     user         `json:"sender"`
	}
	commit struct {
		ID        string       `json:"id"`
		Message   string       `json:"message"`
		Timestamp string       `json:"timestamp"`
		URL       string       `json:"url"`
		Author    commitPerson `json:"author"`
		Added     []string     `json:"added"`
		Removed   []string     `json:"removed"`
		Modified  []string     `json:"modified"`
	}
	commitPerson struct {
		Name     string `json:"name"`
		Email    string `json:"email"`
		Username string `json:"username"`
	}
	user struct {
		Login string `json:"login"`
	}
	repository struct {
		FullName string `json:"full_name"`
	}
	pullPayload struct {
		Action      string     `json:"action"`
		Number      int        `json:"number"`
		PullRequest pull       `json:"pull_request"`
		Repository  repository `json:"repository"`
		Sender      user       `json:"sender"`
	}
	pull struct {
		Title     string `json:"title"`
		HTMLURL   string `json:"html_url"`
		UpdatedAt string `json:"updated_at"`
		User      user   `json:"user"`
		Head      branch `json:"head"`
		Base      branch `json:"base"`
	}
	branch struct {
		Ref  string      `json:"ref"`
		SHA  string      `json:"sha"`
		Repo *repository `json:"repo"` // null when the fork is gone
	}
)

// parse reads a payload. An error means that the delivery makes no sense; an
// event that nobody listens to makes sense and is ignored, with a reason.
func parse(event string, payload []byte) (news, error) {
	trimmed := bytes.TrimSpace(payload)
	if !json.Valid(trimmed) || len(trimmed) == 0 || trimmed[0] != '{' {
		return news{}, errors.New("the delivery is signed, but its payload is not a JSON object")
	}
	switch event {
	case "push":
		return parsePush(trimmed)
	case "pull_request":
		return parsePull(trimmed)
	case "ping":
		return news{ignored: "ping: nothing to do"}, nil
	case "":
		return news{}, errors.New("the header X-GitHub-Event is missing")
	}
	return news{ignored: fmt.Sprintf("%s: nobody listens to this event", clip(printable(event), 64))}, nil
}

func parsePush(payload []byte) (news, error) {
	var p pushPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return news{}, errors.New("the push cannot be read: a field has an unexpected type")
	}
	if _, _, err := splitRepository(p.Repository.FullName); err != nil {
		return news{}, err
	}
	if p.Deleted || strings.Trim(p.After, "0") == "" {
		return news{ignored: fmt.Sprintf("%s was deleted", printable(p.Ref))}, nil
	}
	c := work.Change{
		Provider: "GitHub", Event: "push", Repository: p.Repository.FullName, Commit: p.After,
		Created: p.Created, Files: p.files(), By: principal(p.Sender.Login, p.Pusher.Name),
	}
	if head := p.HeadCommit; head != nil {
		// An annotated tag has an object of its own; what runs is the commit it names.
		c.Commit = head.ID
		c.Summary, c.URL = firstLine(head.Message), head.URL
		c.Author = &workflows.Author{Name: head.Author.Name, Email: head.Author.Email, Login: head.Author.Username}
		c.At = instant(head.Timestamp)
	}
	c.Authors = p.authors(c.Author)
	if !isSHA(c.Commit) {
		return news{}, errors.New("the push names no commit")
	}
	var ok bool
	if c.Branch, ok = strings.CutPrefix(p.Ref, "refs/heads/"); !ok {
		c.Branch = ""
		if c.Tag, ok = strings.CutPrefix(p.Ref, "refs/tags/"); !ok {
			return news{ignored: fmt.Sprintf("%s is neither a branch nor a tag", printable(p.Ref))}, nil
		}
	}
	if c.Branch+c.Tag == "" {
		return news{}, errors.New("the push names no branch and no tag")
	}
	return news{change: c}, nil
}

// authors are those of the other commits, each once.
func (p *pushPayload) authors(head *workflows.Author) []workflows.Author {
	if p.Commits == nil {
		return nil
	}
	var all []workflows.Author
	for _, c := range *p.Commits {
		a := workflows.Author{Name: c.Author.Name, Email: c.Author.Email, Login: c.Author.Username}
		if (head == nil || a != *head) && a != (workflows.Author{}) && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// files lists what the push changed, each path once. Nil means unknown: the
// list was cut, or the push brought no commits of its own (a tag, a new branch
// on known commits).
func (p *pushPayload) files() []string {
	if p.Commits == nil || len(*p.Commits) == 0 || len(*p.Commits) >= maxCommits {
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

func parsePull(payload []byte) (news, error) {
	var p pullPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return news{}, errors.New("the pull request event cannot be read: a field has an unexpected type")
	}
	if _, _, err := splitRepository(p.Repository.FullName); err != nil {
		return news{}, err
	}
	kind, ok := pullEvent(p.Action)
	if !ok {
		return news{ignored: fmt.Sprintf("pull request %d: %s starts nothing", p.Number, clip(printable(p.Action), 64))}, nil
	}
	pr := p.PullRequest
	if !isSHA(pr.Head.SHA) || pr.Base.Ref == "" {
		return news{}, errors.New("the pull request names no commit or no base branch")
	}
	return news{change: work.Change{
		Provider: "GitHub", Event: "pull_request", PullEvent: kind, Repository: p.Repository.FullName,
		Number: p.Number, Branch: pr.Base.Ref, HeadBranch: pr.Head.Ref, Commit: pr.Head.SHA, Summary: firstLine(pr.Title), URL: pr.HTMLURL,
		Fork:   pr.Head.Repo == nil || !strings.EqualFold(pr.Head.Repo.FullName, p.Repository.FullName),
		Author: &workflows.Author{Login: pr.User.Login}, By: principal(p.Sender.Login, ""), At: instant(pr.UpdatedAt),
	}}, nil
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

// principal is who pushed, as GitHub says. It has no rights.
func principal(login, fallback string) workflows.Principal {
	if login == "" {
		login = fallback
	}
	if login == "" {
		login = "unknown"
	}
	return workflows.Principal{ID: "github:" + login, Name: login, Via: "github"}
}

// splitRepository checks "owner/name" before it becomes part of an address:
// the client does not escape it, and ".." would leave the repository.
func splitRepository(full string) (owner, name string, err error) {
	owner, name, ok := strings.Cut(full, "/")
	if !ok || !isName(owner) || !isName(name) {
		return "", "", fmt.Errorf("%q is not a repository: owner/name is wanted", clip(printable(full), 80))
	}
	return owner, name, nil
}

func isName(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 100 {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

func isSHA(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return clip(printable(strings.TrimSpace(line)), 200)
}

// printable replaces what a terminal or a log could misread.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// instant reads a time; one that cannot be read is no reason to refuse a push.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
