package web

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/web/session"
	"github.com/rollcall-bot/rollcall/workflows"
)

// recheck is how often it is looked whether somebody who reads the live feed is
// still signed in.
const recheck = 30 * time.Second

// unanswered is how often in a row that may not be known before the feed ends:
// whoever cannot be asked about sees no more than with a new request.
const unanswered = 10

// Sessions know who is signed in. *session.Sessions does.
type Sessions interface {
	// Principal says who sent a request; ok is false when nobody is signed in.
	Principal(r *http.Request) (by workflows.Principal, ok bool, err error)
	Begin(ctx context.Context, host, address string) (session.Login, error)
	Poll(ctx context.Context, token string) (state string, err error)
	List(r *http.Request, by workflows.Principal) ([]session.Session, error)
	// End ends sessions of the person: one by its ID, "all", or, whoever asks, "" for the request's own.
	End(r *http.Request, by workflows.Principal, id string) (ended int, err error)
}

// login gives a terminal a code, which somebody confirms in Slack.
func (a *api) login(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Host string `json:"host"`
	}
	if err := read(w, r, &b); err != nil {
		a.fail(w, r, err)
		return
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	l, err := a.Sessions.Begin(r.Context(), b.Host, address)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, "application/json", l)
}

// poll says whether somebody has confirmed the code of a terminal.
func (a *api) poll(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Token string `json:"token"`
	}
	err := read(w, r, &b)
	if err == nil && b.Token == "" {
		err = invalid("token", "token is missing", "send the one that POST /api/v1/login gave")
	}
	state := ""
	if err == nil {
		state, err = a.Sessions.Poll(r.Context(), b.Token)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"state": state})
}

// logout ends the session that the request was sent with, also while Slack cannot
// say whose it is.
func (a *api) logout(w http.ResponseWriter, r *http.Request) {
	n, err := a.Sessions.End(r, workflows.Principal{}, "")
	switch {
	case err != nil:
		a.fail(w, r, err)
	case n > 0:
		writeJSON(w, http.StatusOK, "application/json", map[string]int{"ended": n})
	default: // a machine has no session
		a.asSomebody(func(http.ResponseWriter, *http.Request, workflows.Principal) (int, any, error) {
			return http.StatusOK, map[string]int{"ended": 0}, nil
		}).ServeHTTP(w, r)
	}
}

// sessions lists those of whoever asks.
func (a *api) sessions(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	all, err := a.Sessions.List(r, by)
	return http.StatusOK, map[string]any{"sessions": notNil(all)}, err
}

// endSession ends one of them.
func (a *api) endSession(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	n, err := a.Sessions.End(r, by, r.PathValue("session"))
	if err == nil && n == 0 {
		err = &workflows.Problem{Code: codeNotFound, Message: "you have no such session", Hint: "/api/v1/sessions lists them"}
	}
	return http.StatusOK, map[string]int{"ended": n}, err
}

// whileSignedIn returns a context that ends when the person who sent the request is
// not signed in any more; a machine's token is good as long as the service runs.
func (a *api) whileSignedIn(r *http.Request, by workflows.Principal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	if _, machine := by.Machine(); machine || a.Sessions == nil {
		return ctx, cancel
	}
	go func() {
		defer cancel()
		look := time.NewTicker(recheck)
		defer look.Stop()
		for failed := 0; failed < unanswered; {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			switch _, ok, err := a.Sessions.Principal(r); {
			case err != nil:
				failed++
			case !ok:
				return
			default:
				failed = 0
			}
		}
	}()
	return ctx, cancel
}
