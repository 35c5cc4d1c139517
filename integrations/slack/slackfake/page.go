package slackfake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// PagePath is the path at which Page is mounted.
const PagePath = "/workspace/api/"

// pageBodyLimit is the largest body the page may send, in bytes.
const pageBodyLimit = 1 << 20

// Page serves the workspace to a page in a browser, under PagePath: what one
// person sees, and what they do. Who the person is, the page says itself ("as",
// a user ID); whoever mounts the handler guards it.
//
//	GET  state?as=U   what U sees now: people, channels, messages, forms, home tab
//	GET  events?as=U  server-sent events: {"version":N} after every change of it
//	POST command {as,channel,text}                types the slash command
//	POST click   {as,channel,ts,view,action}      presses a button
//	POST choose  {as,channel,ts,view,action,value} picks an option, enters a value
//	POST suggest {as,channel,ts,view,action,typed} {"options":[{"text","value","description"}]}
//	POST submit  {as,view,values:{block:value}}   sends a form
//	POST dismiss {as,view}                        closes a form
//	POST home    {as}                             opens the app's home tab
//	POST shortcut {as,callback,channel,ts}        uses a shortcut, on a message where one is named
//	POST say     {as,channel,thread,text}         posts a message
//
// Click, choose and suggest take a "block" too, for blocks that share an action_id.
// A value is text, an option's value, or several of them with commas.
//
// A POST is answered when the app has answered, or Slack would have given it
// up: {"ok":true}, or {"ok":false,"error":"…"} with what Slack would tell the
// user. What the app shows then is in the state: a form that the app found wrong
// is {"ok":true} and has errors there. A body that is no such JSON object, or has
// other fields, is answered with 400, one above 1 MiB with 413.
func (w *Server) Page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PagePath+"state", w.pageState)
	mux.HandleFunc("GET "+PagePath+"events", w.pageEvents)
	for name, h := range map[string]http.Handler{
		"command": pageAct(w, w.pageCommand), "say": pageAct(w, w.pageSay), "home": pageAct(w, w.pageHome),
		"click": pageAct(w, w.pageClick), "choose": pageAct(w, w.pageChoose), "suggest": pageAct(w, w.pageSuggest),
		"submit": pageAct(w, w.pageSubmit), "dismiss": pageAct(w, w.pageDismiss), "shortcut": pageAct(w, w.pageShortcut),
	} {
		mux.Handle("POST "+PagePath+name, h)
	}
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		refusePage(rw, http.StatusNotFound, fmt.Errorf("the workspace has no %s %s", r.Method, r.URL.Path))
	})
	return mux
}

func refusePage(rw http.ResponseWriter, status int, err error) {
	pageAnswer(rw, status, reply{"ok": false, "error": strings.ReplaceAll(userText(err), "\n", "; ")})
}

// pageAnswer writes an answer that no cache keeps.
func pageAnswer(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	answer(rw, status, v)
}

// actor is the person who acts, in every body.
type actor struct {
	As string `json:"as"`
}

func (a actor) who() string { return a.As }

// pageAct reads a body of that form and does what it asks for. The app hears of
// it even when the page has gone before it answered.
func pageAct[T interface{ who() string }](w *Server, do func(context.Context, T) (reply, error)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var in T
		if status, err := readPage(rw, r, &in); err != nil {
			refusePage(rw, status, err)
			return
		}
		var out reply
		err := w.isPerson(in.who())
		if err == nil {
			out, err = do(context.WithoutCancel(r.Context()), in)
		}
		if err != nil {
			refusePage(rw, http.StatusOK, err)
			return
		}
		if out == nil {
			out = reply{}
		}
		out["ok"] = true
		pageAnswer(rw, http.StatusOK, out)
	})
}

// readPage reads one JSON object without unknown fields; the status is for the error.
func readPage(rw http.ResponseWriter, r *http.Request, into any) (status int, err error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return http.StatusBadRequest, errors.New("the body must be sent as application/json")
	}
	body, err := wire.ReadBody(rw, r, pageBodyLimit)
	if err != nil {
		return wire.BodyStatus(err), err
	}
	return http.StatusBadRequest, wirefake.ReadObject(body, into)
}

// isPerson says whether somebody may act on the page: apps and people who have
// left may not.
func (w *Server) isPerson(user string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mayAct(user)
}

// mayAct is isPerson for who holds mu.
func (w *Server) mayAct(user string) error {
	switch u := w.users[user]; {
	case u == nil:
		return fmt.Errorf("there is no user %q in the workspace", user)
	case u.Kind == Bot:
		return fmt.Errorf("%s is an app; only people can look at the workspace", u.Name)
	case u.Kind == Deactivated:
		return fmt.Errorf("%s has left the workspace", u.Name)
	}
	return nil
}

type pageCommand struct {
	actor
	Channel string `json:"channel"`
	Text    string `json:"text"`
}

func (w *Server) pageCommand(ctx context.Context, in pageCommand) (reply, error) {
	_, err := w.Command(ctx, in.As, in.Channel, in.Text)
	return nil, err
}

type pageSay struct {
	actor
	Channel string `json:"channel"`
	Thread  string `json:"thread"`
	Text    string `json:"text"`
}

func (w *Server) pageSay(ctx context.Context, in pageSay) (reply, error) {
	_, err := w.Say(ctx, in.As, in.Channel, in.Thread, in.Text)
	return nil, err
}

func (w *Server) pageHome(ctx context.Context, in actor) (reply, error) {
	_, err := w.OpenHome(ctx, in.As)
	return nil, err
}

// pageTarget is what is used: a control of a message or view.
type pageTarget struct {
	actor
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	View    string `json:"view"`
	Block   string `json:"block"`
	Action  string `json:"action"`
}

func (p pageTarget) at() Target {
	return Target{Channel: p.Channel, TS: p.TS, View: p.View, Block: p.Block}
}

func (w *Server) pageClick(ctx context.Context, in pageTarget) (reply, error) {
	_, err := w.Click(ctx, in.As, in.at(), in.Action)
	return nil, err
}

type pageChoice struct {
	pageTarget
	Value string `json:"value"`
}

func (w *Server) pageChoose(ctx context.Context, in pageChoice) (reply, error) {
	_, err := w.Choose(ctx, in.As, in.at(), in.Action, in.Value)
	return nil, err
}

type pageTyped struct {
	pageTarget
	Typed string `json:"typed"`
}

func (w *Server) pageSuggest(ctx context.Context, in pageTyped) (reply, error) {
	options, err := w.Suggest(ctx, in.As, in.at(), in.Action, in.Typed)
	if options == nil {
		options = []Option{}
	}
	return reply{"options": options}, err
}

type pageForm struct {
	actor
	View   string            `json:"view"`
	Values map[string]string `json:"values"`
}

func (w *Server) pageSubmit(ctx context.Context, in pageForm) (reply, error) {
	_, err := w.Submit(ctx, in.As, in.View, in.Values)
	return nil, err
}

type pageView struct {
	actor
	View string `json:"view"`
}

// pageDismiss closes a form. That the app could not be reached does not concern the user.
func (w *Server) pageDismiss(ctx context.Context, in pageView) (reply, error) {
	_, err := w.Dismiss(ctx, in.As, in.View)
	if _, ok := errors.AsType[*unanswered](err); ok {
		return nil, nil
	}
	return nil, err
}
