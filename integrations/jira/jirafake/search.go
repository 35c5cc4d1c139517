package jirafake

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

func (s *Server) searchCloud(w http.ResponseWriter, r *http.Request) {
	if s.options.OnPremise {
		refuse(w, http.StatusNotFound, "null for uri: "+r.URL.Path, nil)
		return
	}
	s.search(w, r)
}

func (s *Server) searchServer(w http.ResponseWriter, r *http.Request) {
	if !s.options.OnPremise {
		refuse(w, http.StatusGone, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.", nil)
		return
	}
	s.search(w, r)
}

// Open has Jira have another issue, and returns its key.
func (s *Server) Open(project, issueType, summary string) string {
	s.mu.Lock()
	s.numbers[project]++
	s.lastID++
	i := &Issue{id: s.lastID, Key: fmt.Sprintf("%s-%d", project, s.numbers[project]), Project: project, Type: issueType, Summary: summary, Status: "To Do", Created: s.options.Now()}
	s.issues = append(s.issues, i)
	s.mu.Unlock()
	s.changes.Notify()
	return i.Key
}

// searchKeys finds issues by their keys. Like Jira it refuses a key that it does not have.
func (s *Server) searchKeys(w http.ResponseWriter, keys []string) {
	found := []map[string]any{}
	for _, key := range keys {
		i, ok := s.Issue(strings.Trim(key, `" `))
		if !ok {
			refuse(w, http.StatusBadRequest, "An issue with key '"+strings.Trim(key, `" `)+"' does not exist for field 'key'.", nil)
			return
		}
		if s.options.Now().Sub(i.Created) >= s.options.SearchLag {
			found = append(found, i.json(s.options.OnPremise))
		}
	}
	wire.Answer(w, http.StatusOK, map[string]any{"issues": found, "isLast": true})
}

// search understands `labels = "X"`, `description ~ "X"` and `key in ("X","Y")`.
func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	if keys, ok := strings.CutPrefix(r.URL.Query().Get("jql"), "key in ("); ok {
		s.searchKeys(w, strings.Split(strings.TrimSuffix(keys, ")"), ","))
		return
	}
	m := regexp.MustCompile(`^(labels =|description ~) "([^"\\]+)"$`).FindStringSubmatch(r.URL.Query().Get("jql"))
	if m == nil {
		refuse(w, http.StatusBadRequest, "Error in the JQL Query: this small Jira understands labels = \"X\", description ~ \"X\" and key in (\"X\").", nil)
		return
	}
	found := []map[string]any{}
	for _, i := range s.Issues() {
		hit := slices.Contains(i.Labels, m[2])
		if m[1] == "description ~" {
			hit = strings.Contains(i.Description, m[2])
		}
		if hit && s.options.Now().Sub(i.Created) >= s.options.SearchLag {
			found = append(found, i.json(s.options.OnPremise))
		}
	}
	wire.Answer(w, http.StatusOK, map[string]any{"issues": found, "isLast": true})
}
