package jirafake

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Decision is an approval of a request in Jira Service Management.
type Decision struct {
	Final string // pending (also when empty), approved, declined
	By    []Person
}

// Decide makes an issue a request with these approvals. It delivers nothing.
func (s *Server) Decide(key string, all ...Decision) {
	s.mu.Lock()
	if s.requests == nil {
		s.requests = map[string][]Decision{}
	}
	s.requests[key] = slices.Clone(all)
	s.mu.Unlock()
	s.changes.Notify()
}

// approvals answers what was decided. A server wants its experimental API asked for.
func (s *Server) approvals(w http.ResponseWriter, r *http.Request) {
	i, ok := s.issue(w, r)
	if !ok {
		return
	}
	if s.options.OnPremise && r.Header.Get("X-ExperimentalApi") != "opt-in" {
		wire.Answer(w, http.StatusPreconditionFailed, map[string]string{"errorMessage": "This API is experimental."})
		return
	}
	s.mu.Lock()
	all, request := s.requests[i.Key]
	s.mu.Unlock()
	if !request {
		wire.Answer(w, http.StatusNotFound, map[string]string{"errorMessage": "The request does not exist."})
		return
	}
	list := []map[string]any{}
	for n, d := range all {
		if d.Final == "" {
			d.Final = "pending"
		}
		approvers := []map[string]any{}
		for _, p := range d.By {
			approvers = append(approvers, map[string]any{"approver": p.json(), "approverDecision": d.Final})
		}
		list = append(list, map[string]any{"id": strconv.Itoa(n + 1), "name": "Approval", "finalDecision": d.Final, "canAnswerApproval": false, "approvers": approvers})
	}
	wire.Answer(w, http.StatusOK, map[string]any{"size": len(list), "start": 0, "limit": 50, "isLastPage": true, "values": list})
}
