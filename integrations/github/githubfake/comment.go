package githubfake

import (
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Comment is a comment on a pull request or issue.
type Comment struct {
	ID         int64     `json:"id"`
	Repository string    `json:"-"` // owner/name
	Number     int       `json:"-"` // of the pull request
	Body       string    `json:"body"`
	User       Login     `json:"user"`
	CreatedAt  time.Time `json:"created_at"`
	Edits      int       `json:"-"`
}

// Login is who wrote something.
type Login struct {
	Login string `json:"login"`
}

// Comments are those on a pull request, oldest first; number 0: on all.
func (s *Server) Comments(repository string, number int) []Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Comment{}
	for _, c := range s.feedback.comments {
		if c.Repository == repository && (number == 0 || c.Number == number) {
			all = append(all, *c)
		}
	}
	return all
}

// WriteComment adds a comment of somebody.
func (s *Server) WriteComment(repository string, number int, login, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feedback.comments = append(s.feedback.comments, &Comment{ID: s.nextID(), Repository: repository, Number: number, Body: text, User: Login{login}, CreatedAt: time.Now().UTC()})
}

// issueComments serves issues/NUMBER/comments and issues/comments/ID.
func (s *Server) issueComments(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.PathValue("number") == "comments":
		s.comment(w, r)
	case r.PathValue("id") == "comments" && r.Method == http.MethodPost:
		s.createComment(w, r)
	case r.PathValue("id") == "comments" && r.Method == http.MethodGet:
		s.listComments(w, r)
	default:
		refuse(w, http.StatusNotFound, "Not Found")
	}
}

func (s *Server) createComment(w http.ResponseWriter, r *http.Request) {
	var in Comment
	if !s.allowed(w, r) || !commentBody(w, r, &in) {
		return
	}
	in.Number, _ = strconv.Atoi(r.PathValue("number"))
	in.Repository, in.User, in.CreatedAt = fullName(r), Login{"rollcall-bot"}, time.Now().UTC()
	s.mu.Lock()
	in.ID = s.nextID()
	kept := in // it may be edited while this answers
	s.feedback.comments = append(s.feedback.comments, &kept)
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, in)
}

func commentBody(w http.ResponseWriter, r *http.Request, in *Comment) bool {
	if !body(w, r, in) {
		return false
	}
	if in.Body == "" || utf8.RuneCountInString(in.Body) > 65536 {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: body is too long (maximum is 65536 characters)")
		return false
	}
	return true
}

// listComments answers one page, oldest first, as GitHub does.
func (s *Server) listComments(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	number, _ := strconv.Atoi(r.PathValue("number"))
	wire.Answer(w, http.StatusOK, page(r, s.Comments(fullName(r), number)))
}

// comment serves one: GET, PATCH and DELETE.
func (s *Server) comment(w http.ResponseWriter, r *http.Request) {
	var in Comment
	if !s.allowed(w, r) || r.Method == http.MethodPatch && !commentBody(w, r, &in) {
		return
	}
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.feedback.comments, func(c *Comment) bool { return c.ID == id && c.Repository == fullName(r) })
	switch {
	case i < 0:
		refuse(w, http.StatusNotFound, "Not Found")
		return
	case r.Method == http.MethodDelete:
		s.feedback.comments = slices.Delete(s.feedback.comments, i, i+1)
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method == http.MethodPatch:
		s.feedback.comments[i].Body = in.Body
		s.feedback.comments[i].Edits++
		s.changes.Notify()
	}
	wire.Answer(w, http.StatusOK, s.feedback.comments[i])
}

// DeleteComments removes all comments of a pull request, as people may.
func (s *Server) DeleteComments(repository string, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feedback.comments = slices.DeleteFunc(s.feedback.comments, func(c *Comment) bool { return c.Repository == repository && c.Number == number })
}
