package githubfake

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// Push is one push of one commit.
type Push struct {
	Repository string // owner/name
	Ref        string // refs/heads/…, refs/tags/…
	Commit     string // empty: the ref was deleted
	Message    string
	Author     Person
	Pusher     string // login
	Created    bool
	Before     string   // empty: it says that there was none
	Forced     bool     // Commit was there before: the delivery lists no commits
	Files      []string // that the commit changed
}

// Person is the author of a commit.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Login string `json:"username"`
}

// Payload is the push as GitHub writes it.
func (p Push) Payload() []byte {
	zero := strings.Repeat("0", 40)
	body := map[string]any{
		"ref": p.Ref, "before": zero, "after": zero, "created": p.Created, "deleted": p.Commit == "", "forced": p.Forced, "base_ref": nil,
		"repository": map[string]any{"full_name": p.Repository, "default_branch": "main", "custom_properties": map[string]any{"teams": []string{"a", "b"}}},
		"pusher":     map[string]any{"name": p.Pusher, "email": p.Pusher + "@users.noreply.github.com"},
		"sender":     map[string]any{"login": p.Pusher, "type": "User"},
		"commits":    []any{}, "head_commit": nil,
	}
	if p.Commit != "" {
		commit := map[string]any{
			"id": p.Commit, "message": p.Message, "timestamp": time.Now().UTC().Format(time.RFC3339), "author": p.Author,
			"url":   "https://github.com/" + p.Repository + "/commit/" + p.Commit,
			"added": []string{}, "removed": []string{}, "modified": append([]string{}, p.Files...),
		}
		body["after"], body["head_commit"] = p.Commit, commit
		if !p.Forced {
			body["commits"] = []any{commit}
		}
	}
	if p.Before != "" {
		body["before"] = p.Before
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic("githubfake: a push always marshals: " + err.Error())
	}
	return raw
}

// Push delivers a push to the webhook and returns the answer.
func (s *Server) Push(ctx context.Context, p Push) (wirefake.Delivery, error) {
	return s.Deliver(ctx, "push", p.Payload())
}
