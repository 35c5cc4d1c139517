package session

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const style = `:root{color-scheme:light dark;--line:#8886;--accent:#1d4ed8;--on:#fff}` +
	`@media(prefers-color-scheme:dark){:root{--accent:#8ab4ff;--on:#111}}` +
	`*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:8vh auto;padding:0 1rem;overflow-wrap:anywhere}` +
	`code{font-size:1em}.code{font-size:1.75rem;letter-spacing:.1em;margin:.5rem 0}` +
	`button{font:inherit;min-height:44px;padding:.5rem 1rem;border:1px solid var(--line);border-radius:8px;background:none;color:inherit;cursor:pointer}` +
	`button.main{background:var(--accent);border-color:var(--accent);color:var(--on);font-weight:600}` +
	`:focus-visible{outline:3px solid var(--accent);outline-offset:2px}a{color:var(--accent)}` +
	`ul{padding:0;list-style:none}li{border-top:1px solid var(--line);padding:.75rem 0;display:flex;flex-wrap:wrap;gap:.5rem;justify-content:space-between;align-items:center}` +
	`form{display:inline}small{opacity:.75}`

// policy lets a page have its own style and forms, and nothing else.
func policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// page writes a page. title and the body's parts are HTML already.
func page(w http.ResponseWriter, status int, title string, body ...string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would have forms send no origin
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>` + title +
		` · rollcall</title><style>` + style + `</style></head><body><main><h1>` + title + `</h1>` + strings.Join(body, "\n") + `</main></body></html>`)) // the browser has gone; there is nobody to answer
}

func esc(s string) string { return html.EscapeString(s) }

// failed shows what went wrong. What is no *workflows.Problem is only logged.
func (s *Sessions) failed(w http.ResponseWriter, err error) {
	var p *workflows.Problem
	if !errors.As(err, &p) {
		s.o.Log.Error("a sign-in failed", "error", err)
		p = &workflows.Problem{Message: "something went wrong inside rollcall", Hint: "try again; its log says more", Code: workflows.CodeUnavailable}
	}
	status := http.StatusGone
	switch p.Code {
	case workflows.CodeAccessDenied:
		status = http.StatusForbidden
	case workflows.CodeUnavailable, workflows.CodeCommitUnknown:
		status = http.StatusServiceUnavailable
	case codeTooMany:
		status = http.StatusTooManyRequests
	}
	page(w, status, "Not signed in", "<p>"+esc(sentence(p.Message))+"</p><p>"+esc(sentence(p.Hint))+"</p>")
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// account is the page of who is signed in.
const account = "/account"

// Handler serves the pages of signing in and out: /login, /logout, /account and /sessions/.
// No GET of them changes anything.
func (s *Sessions) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", s.showLogin)
	mux.HandleFunc("POST /login", s.takeLogin)
	mux.HandleFunc("POST /logout", s.signOut)
	mux.HandleFunc("GET "+account, s.showAccount)
	mux.HandleFunc("POST /sessions/{id}", s.endOne)
	protection := http.NewCrossOriginProtection()
	if u, err := url.Parse(s.o.URL); err == nil && u.Host != "" { // a proxy may have changed the host
		_ = protection.AddTrustedOrigin(u.Scheme + "://" + u.Host) // it is an origin
	}
	return protection.Handler(mux)
}

// showLogin shows the one button that signs in, or how to come by it.
func (s *Sessions) showLogin(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case q.Has("link"):
		i, ok, err := s.invited(r.Context(), q.Get("link"))
		switch {
		case err != nil:
			s.failed(w, err)
		case !ok:
			s.over(w, r, s.overLink())
		default:
			page(w, http.StatusOK, "Sign in to rollcall", "<p>Slack says that you are <strong>"+esc(i.Name)+"</strong>. This link works once, for two minutes.</p>",
				form("/login", "link", q.Get("link"), "Sign in as "+i.Name, true), "<p><small>Is that not you? Close this page: nothing has happened.</small></p>")
		}
	case q.Has("code"):
		s.showCode(w, r, plainCode(q.Get("code")))
	default:
		by, ok, err := s.Principal(r)
		if err == nil && ok {
			s.home(w, r, by)
			return
		}
		s.howTo(w, http.StatusOK)
	}
}

// over says that a link is over; who is signed in, because they pressed twice or came
// back to the page, is shown that they are.
func (s *Sessions) over(w http.ResponseWriter, r *http.Request, why error) {
	if _, ok, err := s.Principal(r); err == nil && ok {
		http.Redirect(w, r, account, http.StatusSeeOther)
		return
	}
	s.failed(w, why)
}

func (s *Sessions) howTo(w http.ResponseWriter, status int) {
	way := "<p>Type <code>" + esc(s.o.Command) + " console</code> in Slack: it gives you a link that signs you in.</p>"
	if !s.o.Console {
		way = "<p>" + esc(sentence(s.o.Off.Message)) + "</p><p>" + esc(sentence(s.o.Off.Hint)) + "</p>"
	}
	page(w, status, "Sign in to rollcall", way, "<p>In a terminal, type <code>rollcall login "+esc(s.o.URL)+"</code>.</p>")
}

// showCode says what to do with a terminal's code. Only who is signed in learns
// whether a terminal waits with it, and which.
func (s *Sessions) showCode(w http.ResponseWriter, r *http.Request, code string) {
	if len(code) != 8 {
		s.failed(w, overCode())
		return
	}
	shown := code[:4] + "-" + code[4:]
	inSlack := "<p>Does your terminal show this code?</p><p class=\"code\"><code>" + shown + "</code></p><p>Then type this in Slack:</p><p><code>" + esc(s.o.Command) + " login " + shown + "</code></p>"
	by, ok, err := s.Principal(r)
	if err != nil {
		s.failed(w, err)
		return
	}
	if !ok {
		page(w, http.StatusOK, "Sign in a terminal", inSlack, warning)
		return
	}
	page(w, http.StatusOK, "Sign in a terminal", inSlack, "<p>Or, because you are signed in here as <strong>"+esc(by.Called())+"</strong>:</p>",
		form("/login", "code", shown, "Show the terminal that waits", true), warning)
}

const warning = "<p><small>Go on only if you have just typed <code>rollcall login</code> yourself. Whoever sent you this address otherwise wants to act in your name.</small></p>"

// endForm is the button that ends a session; who does not see the line beside it hears which.
func endForm(id, what string) string {
	return strings.Replace(form("/sessions/"+url.PathEscape(id), "", "", "End it", false), "<button", `<button aria-label="End it: `+esc(what)+`"`, 1)
}

// form is a form with one hidden field, or none, and one button.
func form(to, field, value, button string, main bool) string {
	class := ""
	if main {
		class = ` class="main"`
	}
	hidden := ""
	if field != "" {
		hidden = `<input type="hidden" name="` + field + `" value="` + esc(value) + `">`
	}
	return `<form method="post" action="` + esc(to) + `">` + hidden + `<button` + class + `>` + esc(button) + `</button></form>`
}

// takeLogin redeems a link, or confirms a terminal's code in two steps: first it
// says which terminal that is.
func (s *Sessions) takeLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil {
		s.failed(w, &workflows.Problem{Code: workflows.CodeValidation, Message: "the form cannot be read", Hint: "open the page again"})
		return
	}
	if link := r.PostForm.Get("link"); link != "" {
		token, to, err := s.redeem(r.Context(), link, from(r), s.cookie(r))
		if err != nil {
			s.over(w, r, err)
			return
		}
		s.setCookie(w, token)
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	by, ok, err := s.Principal(r)
	switch {
	case err != nil:
		s.failed(w, err)
		return
	case !ok:
		s.howTo(w, http.StatusUnauthorized)
		return
	}
	s.confirm(w, r, by)
}

func (s *Sessions) confirm(w http.ResponseWriter, r *http.Request, by workflows.Principal) {
	f := r.PostForm
	if id := f.Get("terminal"); id != "" {
		p, err := s.grantIn(r, by, id)
		if err != nil {
			s.failed(w, err)
			return
		}
		page(w, http.StatusOK, "Signed in", "<p>The terminal on <strong>"+esc(p.Host)+"</strong> acts as "+esc(by.Called())+" now. You can close this page.</p>",
			`<p><a href="`+account+`">Your sessions</a></p>`)
		return
	}
	p, err := s.Claim(r.Context(), by, f.Get("code"))
	if err != nil {
		s.failed(w, err)
		return
	}
	page(w, http.StatusOK, "Sign in a terminal", "<p>A terminal that calls itself <strong>"+esc(p.Host)+"</strong>, at "+esc(p.Address)+", asked "+words.Moment(p.At)+" to act as <strong>"+esc(by.Called())+"</strong>.</p>",
		form("/login", "terminal", p.ID, "Sign it in as "+by.Called(), true), warning)
}

// grantIn signs a terminal in as who sent the request, whose own session it does not outlive.
func (s *Sessions) grantIn(r *http.Request, by workflows.Principal, id string) (Pending, error) {
	var own row
	ok, err := s.read(r.Context(), ofSessions+hash(s.token(r)), &own)
	switch {
	case err != nil:
		return Pending{}, err
	case !ok:
		return Pending{}, overCode() // it was ended meanwhile
	}
	return s.grant(r.Context(), by, id, true, own.last())
}

func (s *Sessions) signOut(w http.ResponseWriter, r *http.Request) {
	if _, err := s.End(r, workflows.Principal{}, ""); err != nil {
		s.failed(w, err)
		return
	}
	s.setCookie(w, "")
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *Sessions) endOne(w http.ResponseWriter, r *http.Request) {
	by, ok, err := s.Principal(r)
	if err == nil && !ok {
		s.howTo(w, http.StatusUnauthorized)
		return
	}
	if err == nil {
		_, err = s.End(r, by, r.PathValue("id"))
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	http.Redirect(w, r, account, http.StatusSeeOther)
}

// showAccount shows somebody their sessions.
func (s *Sessions) showAccount(w http.ResponseWriter, r *http.Request) {
	by, ok, err := s.Principal(r)
	switch {
	case err != nil:
		s.failed(w, err)
	case !ok:
		s.howTo(w, http.StatusUnauthorized)
	default:
		s.home(w, r, by)
	}
}

// Home is the page of who is signed in; everybody else sees how to sign in, or anon
// where nobody can with a browser.
func (s *Sessions) Home(anon http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, ok, err := s.Principal(r)
		switch {
		case err != nil:
			s.failed(w, err)
		case !ok && s.o.Console:
			s.howTo(w, http.StatusOK)
		case !ok:
			anon.ServeHTTP(w, r)
		default:
			s.home(w, r, by)
		}
	})
}

func (s *Sessions) home(w http.ResponseWriter, r *http.Request, by workflows.Principal) {
	all, err := s.List(r, by)
	if err != nil {
		s.failed(w, err)
		return
	}
	who := "<p>You are signed in as <strong>" + esc(by.Called()) + "</strong>"
	if by.Email != "" && by.Email != by.Called() {
		who += " (" + esc(by.Email) + ")"
	}
	var rows strings.Builder
	for _, one := range all {
		what := "A browser"
		if one.Kind == Terminal {
			what = "A terminal on " + one.Host
		}
		if one.Address != "" {
			what += " at " + one.Address
		}
		if one.Current {
			what += " (this one)"
		}
		rows.WriteString("<li><span>" + esc(what) + "<br><small>since " + words.Moment(one.Made) + ", used " + words.Moment(one.Seen) + ", ends " + words.Moment(one.Ends) +
			"</small></span>" + endForm(one.ID, what) + "</li>")
	}
	page(w, http.StatusOK, "Your account", who+".</p>", form("/logout", "", "", "Sign out", false)+" "+form("/sessions/all", "", "", "Sign out everywhere", false),
		"<h2>Your sessions</h2><ul>"+rows.String()+"</ul>",
		"<h2>Where to look</h2><p>There are no pages of pipelines here yet. Look in Slack with <code>"+esc(s.o.Command)+"</code>, in a terminal with <code>rollcall status</code> after <code>rollcall login "+esc(s.o.URL)+
			`</code>, or at the API: <a href="/api/v1/pipelines">pipelines</a>, <a href="/api/v1/approvals">approvals</a>, <a href="/api/v1/whoami">who you are</a>.</p>`)
}
