package session

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Principal says who sent a request: by a session's token as `Authorization:
// Bearer`, or by the browser's cookie. ok is false when nobody is signed in. An
// error is a *workflows.Problem: Slack could not be asked, or the request would
// change something and another site may have sent it.
func (s *Sessions) Principal(r *http.Request) (by workflows.Principal, ok bool, err error) {
	if bearer, sent := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); sent {
		return s.who(r.Context(), strings.TrimSpace(bearer))
	}
	token := s.cookie(r)
	if token == "" {
		return by, false, nil
	}
	if err := s.checkOrigin(r); err != nil {
		return by, false, err
	}
	return s.who(r.Context(), token)
}

// checkOrigin refuses a request that would change something for a cookie unless it
// is known that a page of ours sent it.
func (s *Sessions) checkOrigin(r *http.Request) error {
	if isSafe(r.Method) || s.isOurs(r) {
		return nil
	}
	return &workflows.Problem{Code: workflows.CodeAccessDenied, Message: "the request does not come from a page of rollcall", Hint: "programs send a token as `Authorization: Bearer TOKEN`"}
}

// who is the person behind a token, as Slack says they are now.
func (s *Sessions) who(ctx context.Context, token string) (by workflows.Principal, ok bool, err error) {
	key := ofSessions + hash(token)
	var r row
	if ok, err = s.read(ctx, key, &r); err != nil || !ok || !s.isGood(r.Made, r.ends()) || r.Kind == Browser && !s.o.Console {
		return by, false, err
	}
	team, err := s.o.People.Team(ctx)
	if err != nil {
		return by, false, unchecked(err)
	}
	by, err = s.o.People.Person(ctx, r.User)
	switch {
	case err != nil:
		return workflows.Principal{}, false, unchecked(err)
	case by.Stranger != "": // who comes back later signs in again
		s.forget(ctx, key)
		return workflows.Principal{}, false, nil
	case team != r.Team:
		return workflows.Principal{}, false, nil
	}
	if s.o.Now().Sub(r.Seen) >= noteUse {
		s.noteUse(ctx, key)
	}
	by.Via = "console"
	return by, true, nil
}

// forget ends a session for good. Where that cannot be written it is tried at its next use.
func (s *Sessions) forget(ctx context.Context, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.o.Memos.NoteAll(ctx, map[string][]byte{key: nil}); err != nil {
		s.o.Log.Debug("a session of somebody who is no member could not be removed", "error", err)
	}
}

// noteUse keeps that a session was used, unless it was ended meanwhile.
func (s *Sessions) noteUse(ctx context.Context, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r row
	ok, err := s.read(ctx, key, &r)
	if err == nil && ok {
		r.Seen = s.o.Now().UTC()
		err = s.o.Memos.NoteAll(ctx, map[string][]byte{key: text(r)})
	}
	if err != nil {
		s.o.Log.Debug("it could not be kept that a session was used", "error", err)
	}
}

// List returns the sessions of whoever sent the request, the newest first.
func (s *Sessions) List(r *http.Request, by workflows.Principal) ([]Session, error) {
	id, err := user(by)
	if err != nil {
		return []Session{}, nil // a machine has none
	}
	mine, err := s.ofUser(r.Context(), id)
	if err != nil {
		return nil, err
	}
	slices.Reverse(mine)
	current := ofSessions + hash(s.token(r))
	all := []Session{}
	for _, f := range mine {
		all = append(all, Session{ID: nameOf(f.key), Kind: f.Kind, Host: f.Host, Address: f.Address, Made: f.Made, Seen: f.Seen, Ends: f.ends(), Current: f.key == current})
	}
	return all, nil
}

// nameOf is the ID under which people see a session.
func nameOf(key string) string { return strings.TrimPrefix(key, ofSessions)[:16] }

// End ends one of somebody's sessions: the one with that ID, all for "all", or with
// an empty ID the one that the request was sent with, whoever's it is: nobody has to
// be asked for that, so people can sign out while Slack does not answer. It says how many ended.
func (s *Sessions) End(r *http.Request, by workflows.Principal, id string) (ended int, err error) {
	if id == "" {
		return s.endOwn(r)
	}
	who, err := user(by)
	if err != nil {
		return 0, nil // a machine has none
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine, err := s.ofUser(r.Context(), who)
	if err != nil {
		return 0, err
	}
	write := map[string][]byte{}
	for _, f := range mine {
		if id == "all" || id == nameOf(f.key) {
			write[f.key] = nil
		}
	}
	if len(write) == 0 {
		return 0, nil
	}
	if err := s.o.Memos.NoteAll(r.Context(), write); err != nil {
		return 0, fmt.Errorf("end a session: %w", err)
	}
	s.o.Log.Info("sessions were ended", "user", who, "sessions", len(write))
	return len(write), nil
}

// endOwn ends the session that the request was sent with, if there is one.
func (s *Sessions) endOwn(r *http.Request) (ended int, err error) {
	if _, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !bearer && s.cookie(r) != "" {
		if err := s.checkOrigin(r); err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := ofSessions + hash(s.token(r))
	var own row
	if ok, err := s.read(r.Context(), key, &own); err != nil || !ok {
		return 0, err
	}
	if err := s.o.Memos.NoteAll(r.Context(), map[string][]byte{key: nil}); err != nil {
		return 0, fmt.Errorf("end a session: %w", err)
	}
	s.o.Log.Info("somebody signed out", "user", own.User, "kind", own.Kind)
	return 1, nil
}

// token is what the request brings: a bearer's, else the cookie's.
func (s *Sessions) token(r *http.Request) string {
	if bearer, sent := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); sent {
		return strings.TrimSpace(bearer)
	}
	return s.cookie(r)
}

// cookieName is such that no other host and no plain connection can set the cookie.
// Without TLS it has the port in it: browsers give all services of a host the same
// cookies, and two on one machine would sign each other's people out.
func (s *Sessions) cookieName() string {
	u, err := url.Parse(s.o.URL)
	switch {
	case err != nil || u.Port() == "" && u.Scheme != "https":
		return "rollcall-session"
	case u.Scheme != "https":
		return "rollcall-session-" + u.Port()
	}
	return "__Host-rollcall"
}

func (s *Sessions) cookie(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie gives the browser a token, or takes it away when it is empty. Lax: who
// follows a link from Slack is still signed in; what changes something must come
// from our own pages, see isOurs.
func (s *Sessions) setCookie(w http.ResponseWriter, token string) {
	c := &http.Cookie{Name: s.cookieName(), Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.o.URL, "https://"), MaxAge: int(lastsFor.Seconds())}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isOurs says whether a browser says that a page of ours sent the request. One
// that says nothing is not enough: a cookie is sent whoever asks for it.
func (s *Sessions) isOurs(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || origin.Host == "" {
		return false
	}
	public, err := url.Parse(s.o.URL)
	return origin.Host == r.Host || err == nil && origin.Scheme == public.Scheme && origin.Host == public.Host
}

// from is the address that a request comes from.
func from(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
