package bot_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot"
	slackside "github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/web/session"
	"github.com/rollcall-bot/rollcall/workflows"
)

// workspaceOf and signIn fit the parts together, as the service does.
type workspaceOf struct{ *slackside.Client }

func (m workspaceOf) Team(ctx context.Context) (string, error) {
	id, err := m.Identity(ctx)
	return id.Team, err
}

type signIn struct{ *session.Sessions }

func (s signIn) Claim(ctx context.Context, by workflows.Principal, code string) (bot.Terminal, error) {
	p, err := s.Sessions.Claim(ctx, by, code)
	return bot.Terminal(p), err
}

func (s signIn) Grant(ctx context.Context, by workflows.Principal, id string, yes bool) (bot.Terminal, error) {
	p, err := s.Sessions.Grant(ctx, by, id, yes)
	return bot.Terminal(p), err
}

// opener signs everybody in.
type opener struct{}

func (opener) Invite(context.Context, workflows.Principal, string) (string, error) {
	return "https://rollcall.acme.example/login?link=x", nil
}

func (opener) Claim(context.Context, workflows.Principal, string) (bot.Terminal, error) {
	return bot.Terminal{ID: "x", Host: "laptop"}, nil
}

func (opener) Grant(context.Context, workflows.Principal, string, bool) (bot.Terminal, error) {
	return bot.Terminal{Host: "laptop"}, nil
}

// linkIn is the address behind the button that signs in.
func (h *fixture) linkIn(m slackfake.Message) *url.URL {
	h.t.Helper()
	_, rest, _ := strings.Cut(string(m.Blocks), `"url":"`)
	address, _, _ := strings.Cut(rest, `"`)
	u, err := url.Parse(strings.ReplaceAll(address, `\u0026`, "&"))
	if err != nil || !u.Query().Has("link") {
		h.t.Fatalf("no link in %s", m.Blocks)
	}
	return u
}

// Somebody asks for the console, and is signed in as who they are in Slack, at what
// they asked for. Nobody else sees the link; a guest gets none.
func TestTheConsoleIsOpenedFromSlack(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_execution", "1")
		h.says(h.ana, "console webshop#1")
		m := h.hears(h.ana, "Sign in to the console as", "webshop#1")
		if strings.Contains(h.channel(), "login?link=") || len(h.Ephemerals(h.ben.ID)) > 0 && strings.Contains(h.Rendered(h.Ephemerals(h.ben.ID)[0]), "login?link=") {
			t.Error("others see the link")
		}
		r := httptest.NewRequest("POST", "/login", strings.NewReader(url.Values{"link": {h.linkIn(m).Query().Get("link")}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.sessions.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/executions/") || len(w.Result().Cookies()) != 1 {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
		r = httptest.NewRequest("GET", "/", nil)
		r.AddCookie(w.Result().Cookies()[0])
		if by, ok, err := h.sessions.Principal(r); !ok || err != nil || by.Email != "ana@acme.example" || by.Via != "console" {
			t.Errorf("%+v %v %v", by, ok, err)
		}
		h.clicks(h.ana, m, "signin.open") // Slack tells of the click on a link, too
		h.says(h.ana, "console nothing")
		h.hears(h.ana, "no pipeline")
		h.says(h.gil, "console")
		if got := h.hears(h.gil, "guests"); strings.Contains(string(got.Blocks), "login?link=") {
			t.Error("a guest has got a link")
		}
		for range 6 {
			h.says(h.cho, "console")
		}
		h.hears(h.cho, "several links already", "try again in")
	})
}

// A terminal is signed in by its code and a button, in the name of who typed the code.
func TestATerminalIsSignedInFromSlack(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		state := func(l session.Login, want string) {
			t.Helper()
			h.until(want, func() bool { got, err := h.sessions.Poll(t.Context(), l.Token); return err == nil && got == want })
		}
		l, err := h.sessions.Begin(t.Context(), "anas-laptop", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		h.says(h.ana, "login "+l.Code)
		m := h.hears(h.ana, "Is this terminal yours?", "anas-laptop", "192.0.2.1")
		state(l, session.Waiting)
		h.says(h.ben, "login "+l.Code)
		h.hears(h.ben, "no terminal waits with that code")
		h.clicks(h.ana, m, "signin")
		h.hears(h.ana, "acts as", "now")
		state(l, session.Granted)

		l, _ = h.sessions.Begin(t.Context(), "evil", "198.51.100.1")
		h.says(h.cho, "login "+l.Code)
		h.clicks(h.cho, h.hears(h.cho, "evil"), "signin.refuse")
		h.hears(h.cho, "Refused")
		state(l, session.Refused)
		h.says(h.ana, "login")
		h.hears(h.ana, "rollcall login")
		h.says(h.gil, "login "+l.Code)
		h.hears(h.gil, "guests")
	})
}
