package jirafake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

func (s *Server) comments(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	list := []map[string]any{}
	for n, c := range i.Comments {
		list = append(list, commentJSON(i.commentIDs[n], c, version3(r)))
	}
	if r.URL.Query().Get("orderBy") == "-created" {
		slices.Reverse(list)
	}
	wire.Answer(w, http.StatusOK, map[string]any{"comments": list, "total": len(list)})
}

func commentJSON(id int, text string, documents bool) map[string]any {
	var body any = text
	if documents {
		body = documentOf(text)
	}
	return map[string]any{"id": fmt.Sprint(id), "body": body}
}

// comment refuses the empty author and visibility that a well-known client sends, as Jira has done.
func (s *Server) comment(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.issue(w, r); !ok {
		return
	}
	text, ok := s.commentText(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	s.lastID++
	id := s.lastID
	if i := s.find(r.PathValue("key")); i != nil {
		i.Comments, i.commentIDs = append(i.Comments, text), append(i.commentIDs, id)
	}
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, commentJSON(id, text, version3(r)))
}

// editComment puts a text in place of a comment's.
func (s *Server) editComment(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.issue(w, r); !ok {
		return
	}
	text, ok := s.commentText(w, r)
	if !ok {
		return
	}
	at, id := -1, 0
	s.mu.Lock()
	if i := s.find(r.PathValue("key")); i != nil {
		at = slices.IndexFunc(i.commentIDs, func(id int) bool { return fmt.Sprint(id) == r.PathValue("id") })
		if at >= 0 {
			i.Comments[at], id = text, i.commentIDs[at]
		}
	}
	s.mu.Unlock()
	if at < 0 {
		refuse(w, http.StatusNotFound, "Can not find a comment for the id: "+r.PathValue("id")+".", nil)
		return
	}
	s.changes.Notify()
	wire.Answer(w, http.StatusOK, commentJSON(id, text, version3(r)))
}

// commentText reads the text that a call brings; false: it was refused.
func (s *Server) commentText(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in map[string]json.RawMessage
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in)
	text, wrong := textOf(in["body"], version3(r))
	switch {
	case err != nil || in["body"] == nil || wrong == nil && text == "":
		refuse(w, http.StatusBadRequest, "", map[string]string{"comment": "Comment body can not be empty!"})
		return "", false
	case wrong != nil:
		refuse(w, http.StatusBadRequest, "", map[string]string{"comment": wrong.Error()})
		return "", false
	case utf8.RuneCountInString(text) > textLimit:
		refuse(w, http.StatusBadRequest, "", map[string]string{"comment": tooLong})
		return "", false
	case !s.stores(w, text):
		return "", false
	case len(in) > 1:
		refuse(w, http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.", nil)
		return "", false
	}
	return text, true
}

// DeleteComments removes all comments of an issue, as somebody would.
func (s *Server) DeleteComments(key string) {
	s.mu.Lock()
	if i := s.find(key); i != nil {
		i.Comments, i.commentIDs = nil, nil
	}
	s.mu.Unlock()
	s.changes.Notify()
}
