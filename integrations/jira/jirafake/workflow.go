package jirafake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Workflow is the statuses of issues, and the ways between them.
type Workflow struct {
	Statuses    []Status     // a new issue has the first
	Transitions []Transition // empty: from every status to every other, without screens
}

// Status is a status.
type Status struct {
	Name     string
	Category string // new, indeterminate or done
}

// Transition is a way into a status.
type Transition struct {
	Name   string
	From   string // empty: from every other status
	To     string
	Screen map[string]ScreenField // fields; only they can be sent
}

// ScreenField is a field of a transition's screen.
type ScreenField struct {
	Required bool
	Allowed  []string // names of values
}

// usualWorkflow is that of a new project.
func usualWorkflow() *Workflow {
	return &Workflow{Statuses: []Status{{"To Do", "new"}, {"In Progress", "indeterminate"}, {"Done", "done"}}}
}

// SetWorkflow has all issues follow another workflow.
func (s *Server) SetWorkflow(w Workflow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workflow = &w
}

// workflowNow needs the lock.
func (s *Server) workflowNow() *Workflow {
	if s.workflow == nil {
		s.workflow = usualWorkflow()
	}
	return s.workflow
}

// all are the transitions.
func (w *Workflow) all() (list []Transition) {
	if len(w.Transitions) > 0 {
		return w.Transitions
	}
	for _, s := range w.Statuses {
		list = append(list, Transition{Name: "Move to " + s.Name, To: s.Name})
	}
	return list
}

// leads says whether an issue of a status can go that way.
func (t *Transition) leads(from string) bool { return t.To != from && (t.From == "" || t.From == from) }

// json is a status as the API and webhooks show it.
func (w *Workflow) json(name string) map[string]any {
	at := slices.IndexFunc(w.Statuses, func(s Status) bool { return s.Name == name })
	category := ""
	if at >= 0 {
		category = w.Statuses[at].Category
	}
	names := map[string]string{"new": "To Do", "indeterminate": "In Progress", "done": "Done"}
	return map[string]any{"id": fmt.Sprint(10001 + at), "name": name, "statusCategory": map[string]any{"key": category, "name": names[category]}}
}

func (s *Server) statusJSON(name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workflowNow().json(name)
}

func (s *Server) transitions(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	flow := s.workflowNow()
	list := []map[string]any{}
	for n, t := range flow.all() {
		if !t.leads(i.Status) {
			continue
		}
		view := map[string]any{"id": fmt.Sprint(11 + 10*n), "name": t.Name, "to": flow.json(t.To)}
		if r.URL.Query().Get("expand") == "transitions.fields" {
			view["fields"] = t.fields()
		}
		list = append(list, view)
	}
	wire.Answer(w, http.StatusOK, map[string]any{"transitions": list})
}

// fields are those of the screen, as the API shows them.
func (t *Transition) fields() map[string]any {
	all := map[string]any{}
	for name, f := range t.Screen {
		allowed := []map[string]any{}
		for n, v := range f.Allowed {
			allowed = append(allowed, map[string]any{"id": fmt.Sprint(n + 1), "name": v})
		}
		all[name] = map[string]any{"required": f.Required, "hasDefaultValue": false, "name": name, "allowedValues": allowed}
	}
	return all
}

// transition refuses the fields that the screen has not, and the lack of those that it demands.
func (s *Server) transition(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	var in struct {
		Transition struct {
			ID string `json:"id"`
		} `json:"transition"`
		Fields map[string]json.RawMessage `json:"fields"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in)
	s.mu.Lock()
	all := s.workflowNow().all()
	s.mu.Unlock()
	for n, t := range all {
		if err != nil || !t.leads(i.Status) || fmt.Sprint(11+10*n) != in.Transition.ID {
			continue
		}
		if faults := t.check(in.Fields); len(faults) > 0 {
			refuse(w, http.StatusBadRequest, "", faults)
			return
		}
		s.set(i.Key, t.To, bot())
		s.resolve(i.Key, &t, in.Fields["resolution"])
		w.WriteHeader(http.StatusNoContent)
		return
	}
	refuse(w, http.StatusBadRequest, "It seems that you have tried to perform a workflow operation that is not valid for the current state of this issue.", nil)
}

func (t *Transition) check(fields map[string]json.RawMessage) map[string]string {
	faults := map[string]string{}
	for name := range fields {
		if _, ok := t.Screen[name]; !ok {
			faults[name] = "Field '" + name + "' cannot be set. It is not on the appropriate screen, or unknown."
		}
	}
	for name, f := range t.Screen {
		if f.Required && fields[name] == nil {
			faults[name] = name + " is required."
		}
	}
	return faults
}

// resolve notes the resolution that was sent with a transition.
func (s *Server) resolve(key string, t *Transition, raw json.RawMessage) {
	var sent struct{ ID, Name string }
	if json.Unmarshal(raw, &sent) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, name := range t.Screen["resolution"].Allowed {
		if i := s.find(key); i != nil && (sent.Name == name || sent.ID == fmt.Sprint(n+1)) {
			i.Resolution = name
		}
	}
}

func (s *Server) set(key, status string, by Person) {
	s.mu.Lock()
	flow := s.workflowNow()
	if i := s.find(key); i != nil {
		s.record(i, status, by)
		i.Status, i.Closed, i.Resolution = status, time.Time{}, ""
		if slices.Contains(flow.Statuses, Status{Name: status, Category: "done"}) {
			i.Closed = s.options.Now()
		}
	}
	s.mu.Unlock()
	s.changes.Notify()
}
