package github

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	commentSource  = "github-comment" // of receipts: a comment acts once, whichever hooks tell of it
	commentsAtOnce = 4
	answerFor      = time.Hour // until an answer that GitHub does not take is given up
)

// Typist carries out what somebody typed. *bot.Typed is one.
type Typist interface {
	// Answer carries a command out, and returns what to answer, without markup. The
	// same key acts once. A refusal is an answer; an error is worth another try.
	Answer(ctx context.Context, key string, by workflows.Principal, text string) (string, error)
}

// commentReceipts keeps comments durably until they are answered. *runtime.Engine is one.
type commentReceipts interface {
	Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error)
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
	// Finish notes that an accepted receipt was carried out, and what a repeat is answered.
	Finish(ctx context.Context, key string, result []byte) error
}

// CommentOptions is what Comments need.
type CommentOptions struct {
	Repositories []string // globs of OWNER/NAME whose pull requests are read
	Command      string   // that a line begins with: "/rollcall"
	// People maps a GitHub login to an e-mail address, under which rules know the person.
	People    map[string]string
	Typist    Typist
	Inbox     commentReceipts
	Notes     api.Notes // what is to be answered
	APIURL    string
	Token     string // or App
	App       *api.App
	Transport http.RoundTripper
	Log       *slog.Logger     // nil: slog.Default()
	Now       func() time.Time // nil: time.Now
}

// Comments carries out commands in comments on pull requests, with the rights of the
// person whom the configuration links to the login, and answers in a comment. Comments
// on pull requests from forks, edited ones and those of bots do nothing.
type Comments struct {
	CommentOptions
	client *github.Client
	where  workflows.Patterns
	emails delivery.Emails
	inbox  *wire.Inbox
}

// NewComments makes a Comments; its errors are *workflows.Problem. [Comments.Run] must run beside it.
func NewComments(o CommentOptions) (*Comments, error) {
	client, err := api.New(o.APIURL, o.Token, o.App, o.Transport)
	if err != nil {
		return nil, err
	}
	c := &Comments{CommentOptions: o, client: client, emails: delivery.NewEmails(o.People)}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, r := range o.Repositories {
		c.where.Includes = append(c.where.Includes, strings.ToLower(r))
	}
	c.inbox = wire.NewInbox(wire.InboxOptions{
		Source: commentSource, Receipts: o.Inbox, Queue: c.queue, Process: c.process, Finish: o.Inbox.Finish,
		Resume: true, Workers: commentsAtOnce, LongestPause: longestPause, Log: c.Log,
	})
	return c, nil
}

// Run answers comments, also those that an earlier process accepted, until ctx ends.
func (c *Comments) Run(ctx context.Context) error { return c.inbox.Run(ctx) }

type (
	commentPayload struct {
		Action     string     `json:"action"`
		Repository repository `json:"repository"`
		Issue      struct {
			Number int              `json:"number"`
			Pull   *json.RawMessage `json:"pull_request"` // only of a pull request
		} `json:"issue"`
		Comment struct {
			ID        int64           `json:"id"`
			Body      delivery.Text   `json:"body"`
			User      account         `json:"user"`
			App       json.RawMessage `json:"performed_via_github_app"`
			CreatedAt delivery.Text   `json:"created_at"`
		} `json:"comment"`
		Sender account `json:"sender"`
	}
	account struct {
		Login delivery.Text `json:"login"`
		Type  delivery.Text `json:"type"`
	}
	// remark is a command in a comment, as its receipt keeps it.
	remark struct {
		Repository string    `json:"repository"`
		Number     int       `json:"number"` // of the pull request
		ID         int64     `json:"id"`
		Login      string    `json:"login"`
		Text       string    `json:"text"` // behind the command
		At         time.Time `json:"at,omitzero"`
	}
)

// read says which command a comment holds, or why none is carried out.
func (c *Comments) read(payload []byte) (r remark, ignored string) {
	var p commentPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return r, "issue_comment: a field has an unexpected type"
	}
	full := p.Repository.FullName
	if _, _, err := api.SplitRepository(full); err != nil {
		return r, "issue_comment: " + err.Error()
	}
	r = remark{Repository: full, Number: p.Issue.Number, ID: p.Comment.ID, Login: string(p.Comment.User.Login), At: instant(string(p.Comment.CreatedAt))}
	text, many := c.command(string(p.Comment.Body))
	switch {
	case p.Action != "created":
		return r, "issue_comment: " + words.Cut(clean.Line(p.Action), 64) + " does nothing"
	case !c.where.Match(strings.ToLower(full)):
		return r, "issue_comment: github.comments does not name " + full
	case p.Issue.Pull == nil || p.Issue.Number <= 0 || p.Comment.ID <= 0:
		return r, "issue_comment: it is not on a pull request"
	case text == "" && !many:
		return r, "issue_comment: no line of it is a command"
	case strings.Contains(string(p.Comment.Body), answerMark):
		return r, "issue_comment: it is an answer of rollcall"
	case p.Sender.Type != "User" || p.Comment.User.Type != "User" || p.Sender.Login != p.Comment.User.Login || r.Login == "" || len(p.Comment.App) > 0 && string(p.Comment.App) != "null":
		return r, "issue_comment: a program wrote it"
	case !r.At.IsZero() && c.Now().Sub(r.At) > oldest:
		return r, "issue_comment: it is older than six days"
	}
	r.Text = text
	return r, ""
}

// command is what stands behind the command in the one line of a comment that begins
// with it, outside of code; many says that there are several.
func (c *Comments) command(body string) (text string, many bool) {
	fence := ""
	for line := range strings.Lines(strings.ReplaceAll(body, "\r", "")) {
		line = strings.TrimRight(line, "\n ")
		if indent := len(line) - len(strings.TrimLeft(line, " ")); indent < 4 { // more is code
			line = line[indent:]
		}
		if mark := strings.TrimLeft(line, " "); strings.HasPrefix(mark, "```") || strings.HasPrefix(mark, "~~~") {
			switch {
			case fence == "":
				fence = mark[:3]
			case strings.HasPrefix(mark, fence):
				fence = ""
			}
			continue
		}
		rest, is := strings.CutPrefix(line, c.Command)
		if fence != "" || !is || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		if text != "" {
			return "", true
		}
		if text = strings.TrimSpace(rest); text == "" {
			text = "help"
		}
	}
	return words.Cut(text, 2000), false
}

// accept makes a comment durable and acknowledges it; it is carried out and answered afterwards.
func (c *Comments) accept(w http.ResponseWriter, r *http.Request, payload []byte, fingerprint string) *wire.Rejection {
	said, ignored := c.read(payload)
	if ignored != "" {
		wire.Answer(w, http.StatusOK, delivery.Answer{Started: []string{}, Ignored: []string{ignored}})
		return nil
	}
	raw, err := json.Marshal(said)
	if err != nil {
		return unrecorded(fmt.Errorf("writing the comment down: %w", err))
	}
	ctx, cancel := context.WithTimeout(r.Context(), delivery.AnswerWithin)
	defer cancel()
	receipt := work.Receipt{Key: fmt.Sprintf("%s/%s/%d", commentSource, strings.ToLower(said.Repository), said.ID), Print: fingerprint, Source: commentSource, At: c.Now().UTC(), Payload: raw}
	_, fresh, err := c.inbox.Take(ctx, receipt, 0)
	switch {
	case err != nil:
		return unrecorded(err)
	case !fresh:
		wire.Answer(w, http.StatusOK, delivery.Answer{Duplicate: true, Started: []string{}, Ignored: []string{}})
	default:
		wire.Answer(w, http.StatusAccepted, delivery.Answer{Started: []string{}, Ignored: []string{}})
	}
	return nil
}

// queue is the login: what one person says is carried out in that order.
func (c *Comments) queue(r work.Receipt) (login string, ours bool) {
	var said remark
	_ = json.Unmarshal(r.Payload, &said) // process says so of what cannot be read
	return strings.ToLower(said.Login), len(r.Payload) > 0
}
