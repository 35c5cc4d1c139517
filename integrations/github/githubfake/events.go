package githubfake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// ReleaseEvent is an event of a release.
type ReleaseEvent struct {
	Repository string // owner/name
	Action     string // empty: published
	Tag        string
	ID         int
	Draft      bool
	Prerelease bool
	Author     string // login
}

// RunEvent is an event of a workflow run.
type RunEvent struct {
	Repository     string // owner/name
	HeadRepository string // empty: the same; "-": a fork that is gone
	Action         string // empty: completed
	Workflow, Path string
	Branch, Commit string
	Conclusion     string
	Event          string // that started it
	Actor          string // login
	ID, Attempt    int
}

// DeploymentEvent is a deployment that somebody created.
type DeploymentEvent struct {
	Repository  string // owner/name
	Ref, Commit string
	Environment string
	Creator     string // login
	Note        any    // payload: an object, or a text
	ID          int
}

// MergeGroup is an event of the merge queue.
type MergeGroup struct {
	Repository string // owner/name
	Action     string // empty: checks_requested
	Base       string // branch
	Number     int    // of the last pull request in it
	Commit     string
}

// event is the envelope that all payloads share.
func event(repository, action, otherwise, sender string, more map[string]any) []byte {
	if action == "" {
		action = otherwise
	}
	more["action"], more["repository"] = action, map[string]any{"full_name": repository}
	if more["sender"] == nil {
		more["sender"] = map[string]any{"login": sender, "type": "User"}
	}
	raw, err := json.Marshal(more)
	if err != nil {
		panic("githubfake: an event always marshals: " + err.Error())
	}
	return raw
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// Payload is the event as GitHub writes it.
func (r ReleaseEvent) Payload() []byte {
	return event(r.Repository, r.Action, "published", r.Author, map[string]any{"release": map[string]any{
		"id": r.ID, "tag_name": r.Tag, "target_commitish": "main", "name": "Release " + r.Tag, "body": "", "draft": r.Draft, "prerelease": r.Prerelease,
		"created_at": now(), "published_at": now(), "author": map[string]any{"login": r.Author}, "assets": []any{},
		"html_url": "https://github.com/" + r.Repository + "/releases/tag/" + r.Tag,
	}})
}

// Payload is the event as GitHub writes it.
func (r RunEvent) Payload() []byte {
	head := any(map[string]any{"full_name": r.Repository})
	switch r.HeadRepository {
	case "":
	case "-":
		head = nil
	default:
		head = map[string]any{"full_name": r.HeadRepository}
	}
	return event(r.Repository, r.Action, "completed", r.Actor, map[string]any{
		"workflow": map[string]any{"name": r.Workflow, "path": r.Path},
		"workflow_run": map[string]any{
			"id": r.ID, "run_attempt": max(r.Attempt, 1), "run_number": 163, "name": r.Workflow, "path": r.Path, "event": r.Event, "status": "completed", "conclusion": r.Conclusion,
			"head_branch": r.Branch, "head_sha": r.Commit, "head_repository": head, "updated_at": now(), "pull_requests": []any{},
			"head_commit": map[string]any{"id": r.Commit, "message": "Change", "timestamp": now(), "author": map[string]any{"name": r.Actor, "email": r.Actor + "@acme.example"}},
			"html_url":    fmt.Sprintf("https://github.com/%s/actions/runs/%d", r.Repository, r.ID),
		},
	})
}

// Payload is the event as GitHub writes it.
func (d DeploymentEvent) Payload() []byte {
	note := d.Note
	if note == nil {
		note = map[string]any{}
	}
	return event(d.Repository, "", "created", d.Creator, map[string]any{"workflow": nil, "workflow_run": nil, "deployment": map[string]any{
		"id": d.ID, "sha": d.Commit, "ref": d.Ref, "task": "deploy", "payload": note, "environment": d.Environment, "description": nil,
		"created_at": now(), "updated_at": now(), "creator": map[string]any{"login": d.Creator},
	}})
}

// Payload is the event as GitHub writes it.
func (g MergeGroup) Payload() []byte {
	return event(g.Repository, g.Action, "checks_requested", "github-merge-queue[bot]", map[string]any{"merge_group": map[string]any{
		"head_sha": g.Commit, "head_ref": fmt.Sprintf("refs/heads/gh-readonly-queue/%s/pr-%d-%s", g.Base, g.Number, g.Commit),
		"base_ref": "refs/heads/" + g.Base, "base_sha": strings.Repeat("0", 40),
		"head_commit": map[string]any{"id": g.Commit, "message": "Merge pull request", "timestamp": now(), "author": map[string]any{"name": "GitHub", "email": "noreply@github.com"}},
	}})
}

// Publish delivers an event of a release and returns the answer. From then on the API knows commit as the tag's; empty: it does not.
func (s *Server) Publish(ctx context.Context, r ReleaseEvent, commit string) (wirefake.Delivery, error) {
	s.Tag(r.Repository, r.Tag, commit)
	return s.Deliver(ctx, "release", r.Payload())
}

// Tag sets the commit of a tag; empty: there is no such tag.
func (s *Server) Tag(repository, tag, commit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tags == nil {
		s.tags = map[string]string{}
	}
	s.tags[repository+" "+tag] = commit
}

// commitOf answers GET /repos/{owner}/{name}/commits/tags/{tag} with the ID alone, if asked so.
func (s *Server) commitOf(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	commit := s.tags[r.PathValue("owner")+"/"+r.PathValue("name")+" "+r.PathValue("tag")]
	s.mu.Unlock()
	if commit == "" {
		refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: tags/"+r.PathValue("tag"))
		return
	}
	if r.Header.Get("Accept") != "application/vnd.github.v3.sha" {
		wire.Answer(w, http.StatusOK, map[string]any{"sha": commit})
		return
	}
	w.Header().Set("Content-Type", "application/vnd.github.v3.sha")
	_, _ = w.Write([]byte(commit)) // whoever hung up does not need it
}
