package jirafake

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Field is a field of the create screen.
type Field struct {
	ID, Name string
	Type     string // of its values: string, number, option, user, array
	Items    string // of an array: of what
	Custom   string // "com.atlassian.jira.plugin.system.customfieldtypes:textarea", whose texts are documents over version 3
	Required bool
	Allowed  []string // options; empty: any
}

// AddField puts a field on the create screen.
func (s *Server) AddField(f Field) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.screen = append(s.screen, f)
}

// SetComponents has the project have these components, and no others.
func (s *Server) SetComponents(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.components = names
}

// SetPriorities has Jira have these priorities. Without any the screen has no such field.
func (s *Server) SetPriorities(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.priorities = names
}

// onScreen says whether a field can be set at all. It needs the lock.
func (s *Server) onScreen(name string) bool {
	switch name {
	case "project", "issuetype", "summary", "description", "labels":
		return true
	case "components":
		return len(s.components) > 0
	case "priority":
		return len(s.priorities) > 0
	}
	return slices.ContainsFunc(s.screen, func(f Field) bool { return f.ID == name })
}

// setField sets one of the fields that not every project has. It needs the lock.
func (s *Server) setField(i *Issue, name string, raw json.RawMessage, documents bool) error {
	switch name {
	case "priority":
		var p struct{ Name string }
		if json.Unmarshal(raw, &p) != nil || !slices.Contains(s.priorities, p.Name) {
			return errors.New("The priority selected is invalid.") //nolint:staticcheck // Jira's words
		}
		i.Priority = p.Name
		return nil
	case "components":
		var all []struct{ Name string }
		if json.Unmarshal(raw, &all) != nil {
			return errors.New("data was not an array")
		}
		for _, c := range all {
			if !slices.Contains(s.components, c.Name) {
				return fmt.Errorf("Component name '%s' is not valid", c.Name) //nolint:staticcheck // Jira's words
			}
			i.Components = append(i.Components, c.Name)
		}
		return nil
	}
	f := s.screen[slices.IndexFunc(s.screen, func(f Field) bool { return f.ID == name })]
	if err := f.check(raw, documents, s.options.OnPremise); err != nil {
		return err
	}
	if i.Fields == nil {
		i.Fields = map[string]json.RawMessage{}
	}
	i.Fields[name] = raw
	return nil
}

// check refuses a value that has another form than the field's.
func (f *Field) check(raw json.RawMessage, documents, onPremise bool) error {
	if f.Type != "array" {
		return f.checkOne(f.Type, raw, documents, onPremise)
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return errors.New("data was not an array")
	}
	for _, item := range list {
		if err := f.checkOne(f.Items, item, documents, onPremise); err != nil {
			return err
		}
	}
	return nil
}

func (f *Field) checkOne(kind string, raw json.RawMessage, documents, onPremise bool) error {
	var text string
	switch kind {
	case "string":
		if documents && strings.HasSuffix(f.Custom, ":textarea") {
			_, err := textOf(raw, true)
			return err
		}
		if json.Unmarshal(raw, &text) != nil {
			return errNoText
		}
		return nil
	case "number":
		if _, err := strconv.ParseFloat(string(raw), 64); err != nil {
			return errors.New("Operation value must be a number") //nolint:staticcheck // Jira's words
		}
		return nil
	}
	member := map[string]string{"option": "value", "user": "accountId", "version": "name", "component": "name"}[kind]
	if kind == "user" && onPremise {
		member = "name"
	}
	var object map[string]string
	if json.Unmarshal(raw, &object) != nil || object[member] == "" {
		return fmt.Errorf("Specify a valid '%s' for %s", member, f.Name) //nolint:staticcheck // Jira's words
	}
	if len(f.Allowed) > 0 && !slices.Contains(f.Allowed, object[member]) {
		return fmt.Errorf("Option value '%s' is not valid", object[member]) //nolint:staticcheck // Jira's words
	}
	return nil
}

// fields lists what the create screen has, under the name that the kind of Jira uses, in pages.
func (s *Server) fields(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []map[string]any
	for _, f := range []string{"project", "issuetype", "summary", "description", "labels", "components", "priority"} {
		if !slices.Contains(s.offScreen, f) && s.onScreen(f) {
			list = append(list, map[string]any{"fieldId": f, "key": f, "name": f, "required": f == "project" || f == "issuetype" || f == "summary"})
		}
	}
	for _, f := range s.screen {
		if !slices.Contains(s.offScreen, f.ID) {
			schema := map[string]any{"type": f.Type, "custom": f.Custom}
			if f.Items != "" {
				schema["items"] = f.Items
			}
			list = append(list, map[string]any{"fieldId": f.ID, "key": f.ID, "name": f.Name, "required": f.Required, "schema": schema})
		}
	}
	name := "fields"
	if s.options.OnPremise {
		name = "values"
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("startAt"))
	size, err := strconv.Atoi(r.URL.Query().Get("maxResults"))
	if err != nil {
		size = 50
	}
	page := list[min(max(from, 0), len(list)):]
	page = page[:min(len(page), max(size, 1))]
	wire.Answer(w, http.StatusOK, map[string]any{name: page, "startAt": from, "maxResults": size, "total": len(list)})
}
