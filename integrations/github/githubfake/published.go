package githubfake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Published is a release of a repository.
type Published struct {
	ID         int    `json:"id"`
	Repository string `json:"-"`
	Tag        string `json:"tag_name"`
	Target     string `json:"target_commitish"`
	Name       string `json:"name"`
	Body       string `json:"body"`
	Draft      bool   `json:"draft"`
	Page       string `json:"html_url"`
}

func (s *Server) releaseRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /repos/{owner}/{name}/releases", s.listReleases)
	mux.HandleFunc("POST /repos/{owner}/{name}/releases", s.createRelease)
	mux.HandleFunc("PATCH /repos/{owner}/{name}/releases/{id}", s.editRelease)
}

// Releases are all releases, the oldest first.
func (s *Server) Releases() []Published {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.published)
}

func (s *Server) listReleases(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	list := []Published{}
	for _, p := range slices.Backward(s.Releases()) {
		if p.Repository == r.PathValue("owner")+"/"+r.PathValue("name") {
			list = append(list, p)
		}
	}
	size, page := query(r, "per_page", 30, 100), query(r, "page", 1, 1000)
	from, to := min((page-1)*size, len(list)), min(page*size, len(list))
	if to < len(list) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?per_page=%d&page=%d>; rel="next"`, r.Host, r.URL.Path, size, page+1))
	}
	wire.Answer(w, http.StatusOK, list[from:to])
}

// createRelease refuses a second release of a published tag, as GitHub does.
func (s *Server) createRelease(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	p := Published{Repository: r.PathValue("owner") + "/" + r.PathValue("name"), Target: "main"}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&p); err != nil || p.Tag == "" || len(p.Body) > 125000 {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	s.mu.Lock()
	taken := slices.ContainsFunc(s.published, func(old Published) bool { return !old.Draft && old.Repository == p.Repository && old.Tag == p.Tag })
	if !taken {
		p.ID = len(s.published) + 1
		p.Page = fmt.Sprintf("https://github.com/%s/releases/tag/%s", p.Repository, p.Tag)
		s.published = append(s.published, p)
	}
	s.mu.Unlock()
	if taken {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: tag_name already_exists")
		return
	}
	wire.Answer(w, http.StatusCreated, p)
}

func (s *Server) editRelease(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.published, func(p Published) bool { return fmt.Sprint(p.ID) == r.PathValue("id") })
	if i < 0 {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	edited := s.published[i]
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&edited); err != nil {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	s.published[i] = edited
	wire.Answer(w, http.StatusOK, edited)
}
