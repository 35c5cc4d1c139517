package slackfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// bodyLimit is the largest request the Web API reads, in bytes.
const bodyLimit = 4 << 20

// reply is a JSON object of the Web API; "ok" is added when it is sent.
type reply map[string]any

// apiError is an answer with ok:false.
type apiError struct {
	Code     string
	Messages []string // response_metadata.messages
	Needed   string
	Provided string // with Needed
}

// Error is Slack's code.
func (e *apiError) Error() string { return e.Code }

func (e *apiError) reply() reply {
	r := reply{"ok": false, "error": e.Code}
	if e.Needed != "" {
		r["needed"], r["provided"] = e.Needed, e.Provided
	}
	if len(e.Messages) > 0 {
		r["response_metadata"] = reply{"messages": e.Messages}
		r["errors"] = e.Messages
	}
	return r
}

func fail(code string) (reply, error) { return nil, &apiError{Code: code} }

// method carries out one method of the Web API. It is called with mu held.
type method func(a args) (reply, error)

// table lists the methods of the Web API.
func (w *Server) table() map[string]method {
	return map[string]method{
		"auth.test": w.authTest, "team.info": w.teamInfo, "bots.info": w.botsInfo, "api.test": func(args) (reply, error) { return reply{}, nil },
		"users.info": w.usersInfo, "users.list": w.usersList, "users.lookupByEmail": w.usersByEmail,
		"usergroups.list": w.groupsList, "usergroups.users.list": w.groupMembers,
		"conversations.list": w.conversationsList, "conversations.info": w.conversationsInfo, "conversations.members": w.conversationsMembers,
		"conversations.history": w.conversationsHistory, "conversations.replies": w.conversationsReplies,
		"conversations.open": w.conversationsOpen, "conversations.join": w.conversationsJoin,
		"chat.postMessage": w.chatPost, "chat.update": w.chatUpdate, "chat.postEphemeral": w.chatEphemeral,
		"chat.delete": w.chatDelete, "chat.getPermalink": w.chatPermalink, "chat.unfurl": w.chatUnfurl,
		"reactions.add": w.reactionsAdd, "reactions.remove": w.reactionsRemove,
		"views.open": w.viewsOpen, "views.push": w.viewsPush, "views.update": w.viewsUpdate, "views.publish": w.viewsPublish,
		"apps.connections.open": w.connectionsOpen,
	}
}

// ServeHTTP serves the Web API under /api/, response URLs under /response/ and
// Socket Mode under /link.
func (w *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	method, api := strings.CutPrefix(r.URL.Path, "/api/")
	switch {
	case api:
		w.count(method)
		w.calling.ServeHTTP(rw, r)
	case strings.HasPrefix(r.URL.Path, "/response/"):
		w.count(ResponseURLs)
		w.calling.ServeHTTP(rw, r)
	case r.URL.Path == "/link":
		w.serveLink(rw, r)
	default:
		http.NotFound(rw, r)
	}
}

// serveCall serves what the app calls, and what may go wrong.
func (w *Server) serveCall(rw http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Path, "/response/"); ok {
		w.serveResponse(rw, r, id)
		return
	}
	w.serveAPI(rw, r, strings.TrimPrefix(r.URL.Path, "/api/"))
}

func (w *Server) serveAPI(rw http.ResponseWriter, r *http.Request, name string) {
	a, err := readArgs(rw, r)
	if err != nil {
		answer(rw, http.StatusOK, (&apiError{Code: "invalid_form_data"}).reply())
		return
	}
	w.setScopeHeader(rw.Header(), a)
	res, err := w.call(name, a, origin(r))
	var limited *limitedError
	if errors.As(err, &limited) {
		limited.answer(rw)
		return
	}
	if err != nil {
		var e *apiError
		if !errors.As(err, &e) {
			e = &apiError{Code: "internal_error"}
		}
		w.o.Log.Debug("web api call refused", "method", name, "error", e.Code, "messages", e.Messages)
		answer(rw, http.StatusOK, e.reply())
		return
	}
	res["ok"] = true
	answer(rw, http.StatusOK, res)
}

// call checks the token and carries a method out.
func (w *Server) call(name string, a args, public string) (reply, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.methods[name]
	want := w.o.BotToken
	if name == "apps.connections.open" {
		want = w.o.AppToken
	}
	switch token := a.str("token"); {
	case m == nil:
		return nil, &apiError{Code: "unknown_method"}
	case token == "" && name != "api.test":
		return nil, &apiError{Code: "not_authed"}
	case token == w.o.UserToken && token != "":
		return w.asUser(name)
	case token != want && (token == w.o.BotToken || token == w.o.AppToken):
		return nil, &apiError{Code: "not_allowed_token_type"}
	case token != want && name != "api.test":
		return nil, &apiError{Code: "invalid_auth"}
	}
	if w.o.PublicURL == "" {
		w.public = public
	}
	if err := w.spend(name, w.channelKey(a)); err != nil {
		return nil, err
	}
	if err := w.lacks(name, a); err != nil {
		return nil, err
	}
	from := len(w.violations)
	res, err := m(a)
	w.withhold(res, a)
	w.attributeViolations(from, name, a)
	return res, err
}

// channelKey is the ID of the channel that a call is about, or whatever the app calls it.
func (w *Server) channelKey(a args) string {
	if r := w.find(a.str("channel")); r != nil {
		return r.ID
	}
	return a.str("channel")
}

// origin is the address that the app used to come here, with the path below
// which the workspace is mounted: what the request's line had before the path
// that is left of it.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	mount, ok := strings.CutSuffix(asked, r.URL.EscapedPath())
	if !ok || !strings.HasPrefix(mount, "/") {
		mount = ""
	}
	return scheme + "://" + r.Host + mount
}

// args are the arguments of a call, from query, form or JSON. What is no
// string there is JSON text here, as in Slack's forms.
type args map[string]string

// readArgs reads the arguments from wherever the app put them; the token too.
func readArgs(rw http.ResponseWriter, r *http.Request) (args, error) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, bodyLimit))
	if err != nil {
		return nil, fmt.Errorf("reading the call: %w", err)
	}
	a := args{}
	add := func(values url.Values) {
		for k, v := range values {
			a[k] = v[0]
		}
	}
	add(r.URL.Query())
	if isJSON(r.Header.Get("Content-Type")) && len(body) > 0 {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			return nil, fmt.Errorf("reading the call's JSON: %w", err)
		}
		for k, v := range fields {
			var s string
			if json.Unmarshal(v, &s) != nil {
				s = string(v)
			}
			a[k] = s
		}
	} else {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fmt.Errorf("reading the call's form: %w", err)
		}
		add(form)
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		a["token"] = token
	}
	return a, nil
}

func (a args) str(name string) string { return a[name] }

func (a args) yes(name string) bool { return a[name] == "true" || a[name] == "1" }

// number is the argument, or otherwise when it is missing or no number.
func (a args) number(name string, otherwise int) int {
	if n, err := strconv.Atoi(a[name]); err == nil {
		return n
	}
	return otherwise
}

// has says whether the argument was given and is not null.
func (a args) has(name string) bool { return a[name] != "" && a[name] != "null" }

// page cuts one page out of a list by limit and cursor.
func page[T any](a args, all []T, limit int) (part []T, meta reply) {
	limit = min(max(a.number("limit", limit), 1), 1000)
	from := 0
	if c, ok := strings.CutPrefix(a.str("cursor"), "at:"); ok {
		from, _ = strconv.Atoi(c)
	}
	from = min(max(from, 0), len(all))
	to := min(from+limit, len(all))
	next := ""
	if to < len(all) {
		next = "at:" + strconv.Itoa(to)
	}
	return slices.Clone(all[from:to]), reply{"next_cursor": next}
}

// answer writes a JSON answer.
func answer(rw http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("slackfake: an answer that always is JSON is not: " + err.Error())
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	_, _ = rw.Write(b)
}
