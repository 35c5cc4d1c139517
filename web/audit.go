package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Auditor reads the record for those who have the right audit.
type Auditor interface {
	// Records calls visit for each record of a selection; a refusal comes before the first.
	Records(ctx context.Context, by workflows.Principal, sel record.Selection, visit func(*record.Stored) error) error
	// Show answers what the record says of the execution that is named: by its
	// number, ID, commit, tag, ticket, or by a moment.
	Show(ctx context.Context, by workflows.Principal, of string) (audit.Answer, error)
}

func (a *api) trail(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	t, err := a.Auditor.Show(r.Context(), by, r.PathValue("name"))
	return http.StatusOK, t, err
}

// records sends the record as JSON lines. When it cannot be ended the connection
// breaks, so that nobody takes a part for the whole.
func (a *api) records(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	sel := record.Selection{Pipeline: r.FormValue("pipeline"), Execution: r.FormValue("execution")}
	if err := after(&sel, r.FormValue("after")); err != nil {
		return 0, nil, err
	}
	w.Header().Set("Cache-Control", "no-store")
	begun := false
	begin := func() {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.WriteHeader(http.StatusOK)
			begun = true
		}
	}
	err := a.Auditor.Records(r.Context(), by, sel, func(s *record.Stored) error {
		line := audit.LineOf(s)
		text, err := line.Text()
		if err != nil {
			return err
		}
		begin()
		_, err = w.Write(text)
		return err
	})
	switch {
	case err == nil:
		begin()
		return 0, nil, nil
	case !begun:
		return 0, nil, err
	}
	a.Log.Error("an export of the record broke off", "by", by.ID, "err", err)
	panic(http.ErrAbortHandler)
}

// after reads where a selection begins: a time, a record ("webshop@42"), or a
// cursor of the live feed.
func after(sel *record.Selection, text string) error {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			sel.Since = t
			return nil
		}
	}
	if strings.Contains(text, "@") {
		sel.Behind = text
		return nil
	}
	at, err := parseCursor(text)
	sel.After = at.frame
	if err != nil {
		return invalid("after", "after is no time, no record and no cursor", "give a time as 2026-03-02T12:00:00Z, a record as webshop@42, or a cursor of /api/v1/events")
	}
	return nil
}
