package app

import (
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
)

// What an answer in Jira does not need may be missing there, in whatever way.
func TestAnAnswerInJiraNeedsNothingButTheChangelog(t *testing.T) {
	for _, call := range []string{`serverInfo`, `myself`, `GET .*/comment$`, `POST .*/comment$`, `/rest/api/3/`, `/changelog$`, `search`} {
		for _, answer := range []struct {
			status int
			body   string
		}{{400, ""}, {403, ""}, {404, ""}, {405, ""}, {500, ""}, {501, ""}, {200, ""}, {200, "<html>"}} {
			if call == `/rest/api/3/` && (answer.status == 200 || answer.status == 500) {
				continue // nobody can know that this made no issue
			}
			lacks := regexp.MustCompile(call)
			answeredInJira(t, `{from: ["group:managers"], required: 2, jira: {}}`, jirafake.Options{}, func(h *inJira) {
				h.instead = func(r *http.Request, w http.ResponseWriter) bool {
					if !lacks.MatchString(r.Method + " " + r.URL.Path) {
						return false
					}
					w.WriteHeader(answer.status)
					_, _ = io.WriteString(w, answer.body)
					return true
				}
				id := h.start()
				h.pass(2 * time.Minute)
				key := h.only().Key
				h.moves(annInJira, key, "Approved")
				h.moves(choInJira, key, "To Do")
				h.moves(choInJira, key, "Approved")
				h.pass(time.Minute)
				if g := h.gate(id); g.Closed != "approved" || len(h.only().Comments) > 3 {
					t.Errorf("%s answered %d %s: the gate is %q by %q, comments %q", call, answer.status, answer.body, g.Closed, voters(g), h.only().Comments)
				}
			})
		}
	}
}
