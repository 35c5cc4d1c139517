package web

import (
	"net/http"

	"github.com/rollcall-bot/rollcall/workflows"
)

// metrics answers a scrape.
func (a *api) metrics(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	scrape, err := a.Metrics(r.Context(), by)
	if err != nil {
		return 0, nil, err
	}
	scrape.ServeHTTP(w, r)
	return 0, nil, nil
}
