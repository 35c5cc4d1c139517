package jirafake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Person is somebody who moves an issue or decides about a request. On Cloud they
// are known by AccountID, on a server by Name.
type Person struct {
	AccountID string
	Kind      string // accountType: atlassian (also when empty), app, customer
	Name      string
	Display   string
	Rule      string // not empty: a rule moved the issue in their name
}

// bot is who calls the API.
func bot() Person { return Person{AccountID: "rollcall-bot", Display: "rollcall"} }

func (p Person) json() map[string]any {
	if p.Name != "" {
		return map[string]any{"name": p.Name, "key": "JIRAUSER-" + p.Name, "displayName": p.Display, "active": true}
	}
	kind := p.Kind
	if kind == "" {
		kind = "atlassian"
	}
	return map[string]any{"accountId": p.AccountID, "accountType": kind, "displayName": p.Display, "active": true}
}

// history is a change of an issue's status.
type history struct {
	id       int
	by       Person
	at       time.Time
	from, to string
}

// record notes a change of status. It needs the lock.
func (s *Server) record(i *Issue, to string, by Person) {
	if s.histories == nil {
		s.histories = map[string][]history{}
	}
	s.lastID++
	s.histories[i.Key] = append(s.histories[i.Key], history{s.lastID, by, s.options.Now(), i.Status, to})
}

func (h *history) json(flow *Workflow) map[string]any {
	from, to := flow.json(h.from), flow.json(h.to)
	shown := map[string]any{"id": strconv.Itoa(h.id), "author": h.by.json(), "created": h.at.Format("2006-01-02T15:04:05.000-0700"), "items": []any{
		map[string]any{"field": "priority", "fieldtype": "jira", "from": "1", "fromString": "High", "to": "2", "toString": "Approved"},
		map[string]any{"field": "status", "fieldtype": "jira", "from": from["id"], "fromString": h.from, "to": to["id"], "toString": h.to},
	}}
	if h.by.Rule != "" {
		shown["historyMetadata"] = map[string]any{"type": "automation", "generator": map[string]any{"id": h.by.Rule, "type": "automation-rule"}}
	}
	return shown
}

// shownAtOnce is how many changes come with an issue.
const shownAtOnce = 3

// expanded is the changelog that comes with an issue: the newest changes, newest
// first, on Cloud; on a server all of them.
func (s *Server) expanded(key string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.histories[key])
	total := len(all)
	if !s.options.OnPremise {
		slices.Reverse(all)
		all = all[:min(len(all), shownAtOnce)]
	}
	list := []map[string]any{}
	for i := range all {
		list = append(list, all[i].json(s.workflowNow()))
	}
	return map[string]any{"startAt": 0, "maxResults": len(list), "total": total, "histories": list}
}

// changelog answers a page of all changes, oldest first. Servers have no such address.
func (s *Server) changelog(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	if s.options.OnPremise {
		refuse(w, http.StatusNotFound, "null for uri: "+r.URL.Path, nil)
		return
	}
	s.mu.Lock()
	all, flow := slices.Clone(s.histories[i.Key]), s.workflowNow()
	s.mu.Unlock()
	from, _ := strconv.Atoi(r.URL.Query().Get("startAt"))
	from = min(max(from, 0), len(all))
	to := min(from+shownAtOnce, len(all))
	list := []map[string]any{}
	for n := from; n < to; n++ {
		list = append(list, all[n].json(flow))
	}
	wire.Answer(w, http.StatusOK, map[string]any{"startAt": from, "maxResults": shownAtOnce, "total": len(all), "isLast": to == len(all), "values": list})
}

// MoveUnheard is MoveAs without a delivery, as if it were lost.
func (s *Server) MoveUnheard(by Person, key, status string) error {
	if _, ok := s.Issue(key); !ok {
		return fmt.Errorf("there is no issue %s", key)
	}
	s.set(key, status, by)
	return nil
}
