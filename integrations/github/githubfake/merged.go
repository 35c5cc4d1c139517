package githubfake

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Keep has the API know a pull request that nothing tells the webhook of.
func (s *Server) Keep(p Pull) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulls[p.key()] = p
}

// ofRepository are a repository's pull requests, the newest first.
func (s *Server) ofRepository(r *http.Request) (all []Pull) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pulls {
		if p.Repository == r.PathValue("owner")+"/"+r.PathValue("name") {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Pull) int { return cmp.Compare(b.Number, a.Number) })
	return all
}

// listPulls answers one page of the closed ones, with the address of the next.
func (s *Server) listPulls(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	closed := slices.DeleteFunc(s.ofRepository(r), func(p Pull) bool { return p.Action != "closed" })
	size, page := query(r, "per_page", 30, 100), query(r, "page", 1, 1000)
	from, to := min((page-1)*size, len(closed)), min(page*size, len(closed))
	if to < len(closed) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?per_page=%d&page=%d>; rel="next"`, r.Host, r.URL.Path, size, page+1))
	}
	wire.Answer(w, http.StatusOK, shown(closed[from:to]))
}

// pullsOf answers those that brought a commit.
func (s *Server) pullsOf(w http.ResponseWriter, r *http.Request) {
	if s.allowed(w, r) {
		wire.Answer(w, http.StatusOK, shown(slices.DeleteFunc(s.ofRepository(r), func(p Pull) bool { return !slices.Contains(p.Commits, r.PathValue("sha")) })))
	}
}

// shown are pull requests as the API lists them.
func shown(all []Pull) []map[string]any {
	list := []map[string]any{}
	for _, p := range all {
		one := map[string]any{"number": p.Number, "state": "open", "title": p.Title, "html_url": fmt.Sprintf("https://github.com/%s/pull/%d", p.Repository, p.Number),
			"user": map[string]any{"login": p.Author}, "head": map[string]any{"ref": p.Head, "sha": p.Commit}, "base": map[string]any{"ref": p.Base}, "merged_at": nil, "merge_commit_sha": nil}
		if p.Action == "closed" {
			one["state"] = "closed"
		}
		if p.Merged {
			one["merged_at"], one["merge_commit_sha"] = "2026-11-20T10:00:00Z", p.MergeCommit
		}
		list = append(list, one)
	}
	return list
}
