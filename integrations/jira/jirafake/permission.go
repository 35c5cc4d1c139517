package jirafake

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Forbid takes permissions from the caller, by Jira's keys: ADD_COMMENTS. Only
// mypermissions says so.
func (s *Server) Forbid(permissions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forbidden = permissions
}

// permissions answers mypermissions.
func (s *Server) permissions(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := map[string]any{}
	for key := range strings.SplitSeq(r.URL.Query().Get("permissions"), ",") {
		list[key] = map[string]any{"key": key, "name": key, "havePermission": !slices.Contains(s.forbidden, key)}
	}
	wire.Answer(w, http.StatusOK, map[string]any{"permissions": list})
}
