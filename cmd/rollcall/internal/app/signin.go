package app

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/web/session"
	"github.com/rollcall-bot/rollcall/workflows"
)

var (
	_ web.Sessions   = (*session.Sessions)(nil)
	_ session.People = members{}
	_ bot.SignIn     = signIn{}
)

// members are the people of the workspace, for sessions.
type members struct{ *slack.Client }

// Team is the ID of the workspace.
func (m members) Team(ctx context.Context) (string, error) {
	id, err := m.Identity(ctx)
	return id.Team, err
}

// signIn is how the bot signs people in.
type signIn struct{ *session.Sessions }

// Claim is the terminal that shows a code.
func (s signIn) Claim(ctx context.Context, by workflows.Principal, code string) (bot.Terminal, error) {
	p, err := s.Sessions.Claim(ctx, by, code)
	return bot.Terminal(p), err
}

// Grant signs a terminal in, or refuses it.
func (s signIn) Grant(ctx context.Context, by workflows.Principal, id string, yes bool) (bot.Terminal, error) {
	p, err := s.Sessions.Grant(ctx, by, id, yes)
	return bot.Terminal(p), err
}

// openSessions lets people sign in whom Slack knows: in terminals, and where the
// console is on in browsers.
func (a *App) openSessions(chat *slack.Client, restored time.Time) {
	why, hint := a.config.ConsoleOff()
	a.sessions = session.New(session.Options{Memos: a.engine.MemosOf("session"), People: members{chat}, URL: a.config.PublicURL, Console: why == "",
		Off: workflows.Problem{Code: workflows.CodeConflict, Message: why, Hint: hint}, Command: a.config.Slack.Command, Restored: restored, Log: a.log})
	a.background = append(a.background, a.sessions.Run)
	if why == "" {
		a.on = append(a.on, "console")
	}
}

// serveWeb mounts the API, and around it the pages of people who are signed in.
func (a *App) serveWeb(api http.Handler) {
	a.mux.Handle("/", api)
	if a.sessions == nil {
		return
	}
	pages := a.sessions.Handler()
	for _, path := range []string{"/login", "/logout", "/account", "/sessions/"} {
		a.mux.Handle(path, pages)
	}
	a.mux.Handle("GET /{$}", a.sessions.Home(api))
}
