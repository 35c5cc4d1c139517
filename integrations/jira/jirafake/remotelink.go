package jirafake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// RemoteLink is a remote link of an issue. Jira keeps one of each GlobalID.
type RemoteLink struct {
	ID                                              int
	GlobalID, Relation, URL, Title, Summary, Status string
}

// Links are an issue's remote links, oldest first.
func (s *Server) RemoteLinks(key string) []RemoteLink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.releases.links[key])
}

func (s *Server) remoteLinks(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	list := []map[string]any{}
	for _, l := range s.RemoteLinks(i.Key) {
		list = append(list, map[string]any{"id": l.ID, "globalId": l.GlobalID, "relationship": l.Relation, "object": map[string]any{"url": l.URL, "title": l.Title, "summary": l.Summary}})
	}
	wire.Answer(w, http.StatusOK, list)
}

// addRemoteLink makes a link, or changes the one of that globalId: 201 or 200.
func (s *Server) addRemoteLink(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	var in struct {
		GlobalID string `json:"globalId"`
		Relation string `json:"relationship"`
		Object   struct {
			URL, Title, Summary string
			Status              struct {
				Resolved bool `json:"resolved"`
			} `json:"status"`
		} `json:"object"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in)
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.", nil)
		return
	case !strings.HasPrefix(in.Object.URL, "http"):
		refuse(w, http.StatusBadRequest, "", map[string]string{"url": "A valid URL is required for the remote link."})
		return
	case in.Object.Title == "":
		refuse(w, http.StatusBadRequest, "", map[string]string{"title": "The remote link title is required."})
		return
	case len(in.GlobalID) > 255 || len(in.Object.Title) > 255:
		refuse(w, http.StatusBadRequest, "", map[string]string{"globalId": "The field is longer than 255 characters."})
		return
	}
	l := RemoteLink{GlobalID: in.GlobalID, Relation: in.Relation, URL: in.Object.URL, Title: in.Object.Title, Summary: in.Object.Summary}
	if in.Object.Status.Resolved {
		l.Status = "resolved"
	}
	status := http.StatusCreated
	s.mu.Lock()
	at := slices.IndexFunc(s.releases.links[i.Key], func(old RemoteLink) bool { return in.GlobalID != "" && old.GlobalID == in.GlobalID })
	if at >= 0 {
		status, l.ID = http.StatusOK, s.releases.links[i.Key][at].ID
		s.releases.links[i.Key][at] = l
	} else {
		s.lastID++
		l.ID = s.lastID
		s.releases.links[i.Key] = append(s.releases.links[i.Key], l)
	}
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, status, map[string]any{"id": l.ID, "self": fmt.Sprintf("http://%s/rest/api/2/issue/%s/remotelink/%d", r.Host, i.Key, l.ID)})
}
