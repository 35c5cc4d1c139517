package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// answerMark begins what marks an answer; readers do not see it.
const answerMark = "<!-- rollcall answers comment"

// commentAnswer is the memo of a comment whose command was carried out: what is to be
// answered, and since when that has been tried.
type commentAnswer struct {
	Text  string    `json:"text"`
	Tried time.Time `json:"tried,omitzero"`
}

// process carries a comment out and answers it. What it led to is noted before it is
// answered, and that it is being answered before GitHub is asked: a crash in between
// neither acts nor answers twice.
func (c *Comments) process(ctx context.Context, r work.Receipt, try wire.Try) ([]byte, error) {
	var said remark
	if err := json.Unmarshal(r.Payload, &said); err != nil {
		c.Log.Error("an accepted comment cannot be read and does nothing", "receipt", r.Key, "error", err)
		return []byte("{}"), nil
	}
	log := c.Log.With("repository", said.Repository, "number", said.Number, "comment", said.ID, "login", said.Login)
	err := try(ctx, func(ctx context.Context) error {
		err := c.respond(ctx, r, said)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if refused := api.Status(err) != 0 && !mayPass(err); refused || c.Now().Sub(r.At) > answerFor {
			log.Warn("a comment could not be answered; a token or app with the permission Pull requests: write can", "error", err)
			return c.Notes.Note(ctx, r.Key, nil)
		}
		log.Warn("a comment could not be answered; trying again", "error", err)
		return err
	})
	return []byte("{}"), err
}

func (c *Comments) respond(ctx context.Context, r work.Receipt, said remark) error {
	var memo commentAnswer
	raw, known, err := c.Notes.Memo(ctx, r.Key)
	if err == nil && known {
		err = json.Unmarshal(raw, &memo)
	}
	if err != nil {
		return fmt.Errorf("reading what is to be answered: %w", err)
	}
	if !known {
		fork, err := c.isFork(ctx, said)
		if err != nil {
			return err
		}
		if memo.Text, err = c.execute(ctx, r, said, fork); err != nil || memo.Text == "" {
			return err
		}
	}
	look := !memo.Tried.IsZero()
	if !look {
		memo.Tried = c.Now().UTC()
		if raw, err = json.Marshal(memo); err == nil {
			err = c.Notes.Note(ctx, r.Key, raw)
		}
		if err != nil {
			return fmt.Errorf("noting what is to be answered: %w", err)
		}
	}
	if err := c.post(ctx, said, memo, look); err != nil {
		return err
	}
	return c.Notes.Note(ctx, r.Key, nil)
}

// isFork says whether the pull request comes from another repository.
func (c *Comments) isFork(ctx context.Context, said remark) (bool, error) {
	owner, name, err := api.SplitRepository(said.Repository)
	if err != nil {
		return true, err
	}
	pr, _, err := c.client.PullRequests.Get(ctx, owner, name, said.Number)
	if err != nil {
		return true, fmt.Errorf("asking for pull request %d of %s: %w", said.Number, said.Repository, err)
	}
	return !strings.EqualFold(pr.GetHead().GetRepo().GetFullName(), said.Repository), nil
}

// execute has the command executed, and returns what to answer; empty: nothing is.
func (c *Comments) execute(ctx context.Context, r work.Receipt, said remark, fork bool) (string, error) {
	mail, linked := c.emails[strings.ToLower(said.Login)]
	switch {
	case fork && !linked:
		return "", nil // strangers do not make it write
	case fork:
		return "Not done: this pull request comes from a fork, where commands are not carried out.", nil
	case !linked:
		return "Not done: rollcall does not know who " + said.Login + " is. An administrator links the login to an e-mail address under people in its configuration.", nil
	case said.Text == "":
		return "Not done: the comment holds several commands. Write one in each comment.", nil
	}
	by := workflows.Principal{ID: "mail:" + mail, Name: said.Login, Email: mail, Via: "github"}
	return c.Typist.Answer(ctx, r.Key, by, said.Text)
}

// post makes the comment that answers, unless look finds it there.
func (c *Comments) post(ctx context.Context, said remark, memo commentAnswer, look bool) error {
	owner, name, err := api.SplitRepository(said.Repository)
	if err != nil {
		return err
	}
	marker := fmt.Sprintf("%s %d -->", answerMark, said.ID)
	if look {
		found, err := c.isAnswered(ctx, owner, name, said, marker, memo.Tried)
		if found || err != nil {
			return err
		}
	}
	body := fmt.Sprintf("> %s %s\n\n%s\n\n%s", c.Command, inMarkdown(words.Cut(clean.Line(said.Text), 300)), inMarkdown(memo.Text), marker)
	_, _, err = c.client.Issues.CreateComment(ctx, owner, name, said.Number, &github.IssueComment{Body: &body})
	if err != nil {
		return fmt.Errorf("answering comment %d of %s: %w", said.ID, said.Repository, err)
	}
	return nil
}

// isAnswered looks for the answer among the comments since it was first tried.
func (c *Comments) isAnswered(ctx context.Context, owner, name string, said remark, marker string, since time.Time) (bool, error) {
	since = since.Add(-time.Minute) // clocks differ
	o := &github.IssueListCommentsOptions{Since: &since, ListOptions: github.ListOptions{PerPage: 100}}
	for {
		list, resp, err := c.client.Issues.ListComments(ctx, owner, name, said.Number, o)
		if err != nil {
			return false, fmt.Errorf("looking for the answer to comment %d of %s: %w", said.ID, said.Repository, err)
		}
		for _, one := range list {
			if strings.HasSuffix(strings.TrimSpace(one.GetBody()), marker) {
				return true, nil
			}
		}
		if resp.NextPage == 0 {
			return false, nil
		}
		o.Page = resp.NextPage
	}
}

// inMarkdown writes plain text so that Markdown gives nothing in it a meaning, and
// nobody is notified; its lines stay lines.
func inMarkdown(text string) string {
	escaped := strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`, "@", "@\u200b", "\n", "  \n").Replace(text)
	return escaped
}
