package githubfake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// Pull is an event of a pull request.
type Pull struct {
	Repository string // owner/name, that it is to be merged into
	Number     int
	Action     string // opened|synchronize|closed|labeled …
	Merged     bool   // of closed
	Base       string // branch that it is to be merged into
	Head       string // branch that it comes from
	HeadOwner  string // of the repository of Head; empty: the same repository
	Commit     string // newest of Head
	Title      string
	Author     string // login
	Sender     string // login; empty: Author
	Files      []File // that it changes

	MergeCommit string   // of closed: the commit that it was merged as
	Commits     []string // that it brought into Base; the API names it when it is asked about one
}

// File is one changed file, as the API lists it.
type File struct {
	Name     string `json:"filename"`
	Previous string `json:"previous_filename,omitempty"` // of a renamed one
	Status   string `json:"status"`                      // added|removed|modified|renamed
}

func (p Pull) key() string { return p.Repository + "#" + strconv.Itoa(p.Number) }

// Payload is the event as GitHub writes it.
func (p Pull) Payload() []byte {
	if p.Sender == "" {
		p.Sender = p.Author
	}
	raw, err := json.Marshal(map[string]any{
		"action": p.Action, "number": p.Number, "pull_request": p.body(),
		"repository": map[string]any{"full_name": p.Repository}, "sender": map[string]any{"login": p.Sender, "type": "User"},
	})
	if err != nil {
		panic("githubfake: a pull request always marshals: " + err.Error())
	}
	return raw
}

// body is the pull request alone.
func (p Pull) body() map[string]any {
	owner, name, _ := strings.Cut(p.Repository, "/")
	if p.HeadOwner != "" {
		owner = p.HeadOwner
	}
	state := "open"
	if p.Action == "closed" {
		state = "closed"
	}
	return map[string]any{
		"number": p.Number, "state": state, "merged": p.Merged, "title": p.Title, "user": map[string]any{"login": p.Author},
		"html_url": fmt.Sprintf("https://github.com/%s/pull/%d", p.Repository, p.Number), "updated_at": time.Now().UTC().Format(time.RFC3339),
		"head": map[string]any{"ref": p.Head, "sha": p.Commit, "repo": map[string]any{"full_name": owner + "/" + name}},
		"base": map[string]any{"ref": p.Base, "sha": strings.Repeat("0", 40), "repo": map[string]any{"full_name": p.Repository}},
	}
}

// Pull delivers an event of a pull request to the webhook and returns the
// answer. From then on the API lists its files.
func (s *Server) Pull(ctx context.Context, p Pull) (wirefake.Delivery, error) {
	s.mu.Lock()
	s.pulls[p.key()] = p
	s.mu.Unlock()
	return s.Deliver(ctx, "pull_request", p.Payload())
}

// listFiles answers one page, as GitHub does: 30 files, or as many as asked for, at most 100.
func (s *Server) listFiles(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	p, ok := s.pulls[r.PathValue("owner")+"/"+r.PathValue("name")+"#"+r.PathValue("number")]
	s.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	size, page := query(r, "per_page", 30, 100), query(r, "page", 1, 30)
	from := min((page-1)*size, len(p.Files))
	wire.Answer(w, http.StatusOK, append([]File{}, p.Files[from:min(from+size, len(p.Files))]...))
}

// compare answers the first page of a comparison, which alone lists files: at most 300.
func (s *Server) compare(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	var files []File
	if base, head, ok := strings.Cut(r.PathValue("basehead"), "..."); ok && s.options.Compare != nil {
		files = s.options.Compare(base, head)
	}
	if files == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	wire.Answer(w, http.StatusOK, map[string]any{"total_commits": 1, "files": files[:min(len(files), 300)]})
}

func query(r *http.Request, name string, otherwise, most int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 {
		return otherwise
	}
	return min(n, most)
}
