package githubfake

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// TypedComment is an event of a comment on a pull request.
type TypedComment struct {
	Repository string // owner/name
	Number     int
	Action     string // empty: created
	ID         int
	Text       string
	Login      string
	Type       string // of the account; empty: User
	App        string // slug of the app that wrote it in somebody's name; empty: none
	OnIssue    bool   // it is on an issue that is no pull request
	CreatedAt  time.Time
}

// Payload is the event as GitHub writes it.
func (c TypedComment) Payload() []byte {
	if c.Type == "" {
		c.Type = "User"
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = time.Now()
	}
	who := map[string]any{"login": c.Login, "type": c.Type}
	issue := map[string]any{"number": c.Number, "title": "Cart", "state": "open"}
	if !c.OnIssue {
		issue["pull_request"] = map[string]any{"url": "https://api.github.com/repos/" + c.Repository + "/pulls/7"}
	}
	app := any(nil)
	if c.App != "" {
		app = map[string]any{"slug": c.App}
	}
	comment := map[string]any{"id": c.ID, "body": c.Text, "user": who, "author_association": "MEMBER", "created_at": c.CreatedAt.UTC().Format(time.RFC3339), "performed_via_github_app": app}
	return event(c.Repository, c.Action, "created", c.Login, map[string]any{"issue": issue, "comment": comment, "sender": who})
}

// Type delivers a comment to the webhook and returns the answer.
func (s *Server) Type(ctx context.Context, c TypedComment) (wirefake.Delivery, error) {
	return s.Deliver(ctx, "issue_comment", c.Payload())
}

// getPull answers with one pull request.
func (s *Server) getPull(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	p, ok := s.pulls[fullName(r)+"#"+r.PathValue("number")]
	s.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	wire.Answer(w, http.StatusOK, p.body())
}

// WaitComments waits until a pull request has so many comments, and returns them.
func (s *Server) WaitComments(ctx context.Context, repository string, number, many int) ([]Comment, error) {
	var all []Comment
	err := s.changes.Wait(ctx, func() bool {
		all = s.Comments(repository, number)
		return len(all) >= many
	})
	if err != nil {
		return all, fmt.Errorf("waiting for %d comments on %s#%d, there are %d: %w", many, repository, number, len(all), err)
	}
	return all, nil
}
