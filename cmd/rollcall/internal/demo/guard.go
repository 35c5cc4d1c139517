package demo

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// Where the fakes are mounted. Their own tokens and signatures guard what
// is below; everything else on the port is for the visitor's browser.
const (
	slackMount  = "/slack-api"
	githubMount = "/github-api"
	codePage    = "/code/acme/webshop" // of the repository, as GitHub shows it
	jiraMount   = "/jira"
	jiraUser    = "rollcall"
	header      = "X-Rollcall-Demo"
)

// guard lets nobody in but this machine's programs and the browser that was
// given the key. Whatever another site makes a browser send is refused: by
// Host (a name that points here), by Origin, and for want of the cookie and of
// a header that other sites cannot send.
func (d *Demo) guard(visitors, programs http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		switch {
		case r.Host != d.addr:
			http.Error(w, "the demo is at http://"+d.addr, http.StatusMisdirectedRequest)
		case origin != "" && origin != "http://"+d.addr:
			http.Error(w, "other sites may do nothing here", http.StatusForbidden)
		case forPrograms(r.URL.Path):
			programs.ServeHTTP(w, r)
		case r.URL.Query().Has("key"):
			d.admit(w, r)
		case strings.HasPrefix(r.URL.Path, "/assets/"):
			visitors.ServeHTTP(w, r)
		case !d.invited(r):
			d.explainKey(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get(header) == "":
			http.Error(w, "the header "+header+" is missing", http.StatusForbidden)
		default:
			visitors.ServeHTTP(w, r)
		}
	})
}

// forPrograms says whether a path is guarded by tokens or signatures of its own.
func forPrograms(path string) bool {
	for _, prefix := range []string{slackMount + "/", githubMount + "/", jiraMount + "/rest/", awsMount + "/", "/slack/", "/github/", "/api/", "/sessions/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"/healthz", "/readyz", awsMount, "/login", "/logout", "/account"}, path)
}

func (d *Demo) cookie() string {
	return "rollcall-demo-" + d.addr[strings.LastIndexByte(d.addr, ':')+1:]
}

func (d *Demo) hasKey(key string) bool {
	return subtle.ConstantTimeCompare([]byte(key), []byte(d.place.note.Key)) == 1
}

func (d *Demo) invited(r *http.Request) bool {
	c, err := r.Cookie(d.cookie())
	return err == nil && d.hasKey(c.Value)
}

// admit turns the key of the printed address into a cookie.
func (d *Demo) admit(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Method != http.MethodGet || !d.hasKey(q.Get("key")) {
		d.explainKey(w, r)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: d.cookie(), Value: q.Get("key"), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	q.Del("key")
	to := *r.URL
	to.Scheme, to.Host, to.RawQuery = "", "", q.Encode()
	to.Path = "/" + strings.TrimLeft(to.Path, "/\\")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// explainKey tells people how to come in. Who follows a link from another site has
// their cookie, but it was not sent: they come again, from here.
func (d *Demo) explainKey(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><meta http-equiv="refresh" content="0"><title>rollcall</title>`))
		return
	}
	http.Error(w, "Open the address that `rollcall demo` printed: it holds the key.", http.StatusForbidden)
}
