package jirafake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// textLimit is how long a description and a comment may be, in characters, where
// an administrator has not changed it.
const (
	textLimit = 32767
	tooLong   = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
)

func (s *Server) allowed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		user, token := s.options.User, s.options.Token
		s.mu.Unlock()
		u, p, basic := r.BasicAuth()
		in, account := s.signedIn(r)
		switch {
		case account && !in:
			refuse(w, http.StatusUnauthorized, "Unauthorized; scope does not match", nil)
			return
		case account:
		case user == "" && token == "":
		case user != "" && basic && u == user && p == token:
		case user == "" && r.Header.Get("Authorization") == "Bearer "+token:
		default:
			refuse(w, http.StatusUnauthorized, "You are not authenticated. Authentication required to perform this operation.", nil)
			return
		}
		h(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, message string, fields map[string]string) {
	messages := []string{}
	if message != "" {
		messages = append(messages, message)
	}
	if fields == nil {
		fields = map[string]string{}
	}
	wire.Answer(w, status, map[string]any{"errorMessages": messages, "errors": fields})
}

func (s *Server) serverInfo(w http.ResponseWriter, _ *http.Request) {
	kind := "Cloud"
	if s.options.OnPremise {
		kind = "Server"
	}
	wire.Answer(w, http.StatusOK, map[string]any{"version": "1001.0.0", "deploymentType": kind, "serverTitle": "a small Jira"})
}

func (s *Server) myself(w http.ResponseWriter, _ *http.Request) {
	wire.Answer(w, http.StatusOK, map[string]any{"accountId": "rollcall-bot", "displayName": "rollcall", "emailAddress": s.options.User})
}

// issueTypes lists under the name that the kind of Jira uses.
func (s *Server) issueTypes(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(s.options.Projects, r.PathValue("project")) {
		refuse(w, http.StatusNotFound, "No project could be found with key '"+r.PathValue("project")+"'.", nil)
		return
	}
	var types []map[string]any
	for n, t := range s.options.IssueTypes {
		types = append(types, map[string]any{"id": fmt.Sprint(n + 1), "name": t, "subtask": false})
	}
	name := "issueTypes"
	if s.options.OnPremise {
		name = "values"
	}
	wire.Answer(w, http.StatusOK, map[string]any{name: types, "total": len(types)})
}

// Spoil answers every create and comment that holds a word with this status and body.
func (s *Server) Spoil(word string, status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoiled, s.spoiledWith = word, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// stores is false, after an answer, for a text that an old database cannot take.
func (s *Server) stores(w http.ResponseWriter, text string) bool {
	s.mu.Lock()
	word, answer := s.spoiled, s.spoiledWith
	s.mu.Unlock()
	if word != "" && strings.Contains(text, word) {
		answer(w)
		return false
	}
	if !s.options.OldDatabase || !strings.ContainsFunc(text, func(r rune) bool { return r > 0xffff }) {
		return true
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, "<html><h1>Oops, you've found a dead link.</h1></html>")
	return false
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Fields map[string]json.RawMessage `json:"fields"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil && !s.stores(w, string(body)) {
		return
	}
	if err := json.Unmarshal(body, &in); err != nil {
		refuse(w, http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.", nil)
		return
	}
	s.mu.Lock()
	i, faults := s.checkFields(in.Fields, version3(r))
	if len(faults) > 0 {
		s.mu.Unlock()
		refuse(w, http.StatusBadRequest, "", faults)
		return
	}
	s.numbers[i.Project]++ // never given twice, not even after an issue was deleted
	s.lastID++
	i.id, i.Key = s.lastID, fmt.Sprintf("%s-%d", i.Project, s.numbers[i.Project])
	i.Status, i.Created = s.workflowNow().Statuses[0].Name, s.options.Now()
	s.issues = append(s.issues, i)
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, map[string]string{"id": fmt.Sprint(i.id), "key": i.Key, "self": "http://" + r.Host + "/rest/api/2/issue/" + fmt.Sprint(i.id)})
}

// checkFields checks the fields as Jira's create screen does. It needs the lock.
func (s *Server) checkFields(fields map[string]json.RawMessage, documents bool) (*Issue, map[string]string) {
	faults := map[string]string{}
	i := &Issue{}
	for name, raw := range fields {
		if slices.Contains(s.offScreen, name) || !s.onScreen(name) {
			faults[name] = "Field '" + name + "' cannot be set. It is not on the appropriate screen, or unknown."
			continue
		}
		var object struct{ Key, Name string }
		var err error
		switch name {
		case "project":
			err = json.Unmarshal(raw, &object)
			i.Project = object.Key
		case "issuetype":
			err = json.Unmarshal(raw, &object)
			i.Type = object.Name
		case "summary":
			err = json.Unmarshal(raw, &i.Summary)
		case "description":
			i.Description, err = textOf(raw, documents)
		case "labels":
			err = json.Unmarshal(raw, &i.Labels)
		default:
			err = s.setField(i, name, raw, documents)
		}
		if err != nil {
			faults[name] = err.Error()
		}
	}
	for _, l := range i.Labels {
		if strings.ContainsAny(l, " \t\n") {
			faults["labels"] = "The label '" + l + "' contains spaces which is invalid."
		}
	}
	check := func(field string, ok bool, text string) {
		if _, known := faults[field]; !ok && !known {
			faults[field] = text
		}
	}
	check("project", slices.Contains(s.options.Projects, i.Project), "valid project is required")
	check("issuetype", slices.Contains(s.options.IssueTypes, i.Type), "Specify a valid issue type")
	check("summary", i.Summary != "", "You must specify a summary of the issue.")
	check("summary", utf8.RuneCountInString(i.Summary) <= 255, "Summary must be less than 255 characters.")
	for _, f := range s.screen {
		check(f.ID, !f.Required || fields[f.ID] != nil, f.Name+" is required.")
	}
	check("summary", !strings.ContainsAny(i.Summary, "\r\n"), "The summary is invalid because it contains newline characters.")
	check("description", utf8.RuneCountInString(i.Description) <= textLimit, tooLong)
	return i, faults
}

// issue answers 404 for an unknown key.
func (s *Server) issue(w http.ResponseWriter, r *http.Request) (Issue, bool) {
	i, ok := s.Issue(r.PathValue("key"))
	if !ok {
		refuse(w, http.StatusNotFound, "Issue does not exist or you do not have permission to see it.", nil)
	}
	return i, ok
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	if i, ok := s.issue(w, r); ok {
		view := i.json(s.options.OnPremise)
		if version3(r) {
			view["fields"].(map[string]any)["description"] = documentOf(i.Description)
		}
		if strings.Contains(r.URL.Query().Get("expand"), "changelog") {
			view["changelog"] = s.expanded(i.Key)
		}
		wire.Answer(w, http.StatusOK, view)
	}
}

// json is the issue as the API and webhooks show it. Cloud and servers say in
// different fields when it was closed.
func (i *Issue) json(onPremise bool) map[string]any {
	field := "statuscategorychangedate"
	if onPremise {
		field = "resolutiondate"
	}
	var closed any
	if !i.Closed.IsZero() {
		closed = i.Closed.Format("2006-01-02T15:04:05.000-0700")
	}
	return map[string]any{"id": fmt.Sprint(i.id), "key": i.Key, "fields": map[string]any{
		field: closed, "summary": i.Summary, "description": i.Description, "labels": i.Labels, "project": map[string]string{"key": i.Project},
		"issuetype": map[string]string{"name": i.Type}, "status": i.flow.json(i.Status), "issuelinks": i.linksJSON(),
	}}
}
