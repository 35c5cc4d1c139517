package web

import (
	"net/http"

	"github.com/rollcall-bot/rollcall/workflows"
)

// backup sends a copy of all that is kept. When it cannot be ended the
// connection breaks, so that nobody takes the half for the whole.
func (a *api) backup(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	write, err := a.Backup(r.Context(), by)
	if err != nil {
		return 0, nil, err
	}
	w.Header().Set("Content-Type", "application/x-tar")
	w.Header().Set("Cache-Control", "no-store")
	if err := write(w); err != nil {
		a.Log.Error("a backup broke off", "by", by.ID, "err", err)
		panic(http.ErrAbortHandler)
	}
	a.Log.Info("a backup was taken", "by", by.ID)
	return 0, nil, nil
}
