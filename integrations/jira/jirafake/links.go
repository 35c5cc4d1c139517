package jirafake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Link is a link of an issue with another one.
type Link struct {
	Type string // name
	Key  string // of the other issue
}

// SetLinkTypes has Jira have these kinds of links; none: links are turned off.
func (s *Server) SetLinkTypes(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.linkTypes = append([]string{}, names...)
}

// linkTypesNow needs the lock.
func (s *Server) linkTypesNow() []string {
	if s.linkTypes == nil {
		return []string{"Blocks", "Cloners", "Duplicate", "Relates"}
	}
	return s.linkTypes
}

func (s *Server) linkKinds(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.linkTypesNow()
	if len(names) == 0 {
		refuse(w, http.StatusNotFound, "Issue linking is currently disabled.", nil)
		return
	}
	list := []map[string]any{}
	for n, name := range names {
		list = append(list, map[string]any{"id": fmt.Sprint(10000 + n), "name": name, "inward": name + " in", "outward": name + " out"})
	}
	wire.Answer(w, http.StatusOK, map[string]any{"issueLinkTypes": list})
}

// link links two issues; doing it twice makes two links, which Jira may or may not.
func (s *Server) link(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Type    struct{ Name string } `json:"type"`
		Inward  struct{ Key string }  `json:"inwardIssue"`
		Outward struct{ Key string }  `json:"outwardIssue"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in)
	s.mu.Lock()
	one, other := s.find(in.Inward.Key), s.find(in.Outward.Key)
	ok := err == nil && slices.Contains(s.linkTypesNow(), in.Type.Name)
	if ok && one != nil && other != nil {
		one.Links = append(one.Links, Link{Type: in.Type.Name, Key: other.Key})
		other.Links = append(other.Links, Link{Type: in.Type.Name, Key: one.Key})
	}
	s.mu.Unlock()
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "No issue link type with name '"+in.Type.Name+"' found.", nil)
	case one == nil || other == nil:
		refuse(w, http.StatusNotFound, "Issue does not exist or you do not have permission to see it.", nil)
	default:
		s.changes.Notify()
		w.WriteHeader(http.StatusCreated)
	}
}

// linksJSON are the issue's links as the API shows them.
func (i *Issue) linksJSON() []map[string]any {
	list := []map[string]any{}
	for n, l := range i.Links {
		list = append(list, map[string]any{"id": fmt.Sprint(n + 1), "type": map[string]any{"name": l.Type}, "outwardIssue": map[string]any{"key": l.Key}})
	}
	return list
}
