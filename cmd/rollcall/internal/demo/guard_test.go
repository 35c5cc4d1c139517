package demo

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Whoever the demo does not know can make it do nothing.
func TestGuard(t *testing.T) {
	const here = "127.0.0.1:8484"
	type from struct {
		host, origin, cookie, header, site, mode string
	}
	page := from{host: here, cookie: "the-key", header: "1"}
	with := func(change func(*from)) from {
		f := page
		change(&f)
		return f
	}
	for _, c := range []struct {
		name, method, path string
		from               from
		want               int
		reaches            string
	}{
		{"the page reads", "GET", "/demo/api/state", page, 200, "visitors"},
		{"the page acts", "POST", "/workspace/api/click", page, 200, "visitors"},
		{"and says where it is from", "POST", "/demo/api/kill", with(func(f *from) { f.origin = "http://" + here }), 200, "visitors"},
		{"assets need no key", "GET", "/assets/demo.js", from{host: here}, 200, "visitors"},
		{"without the key nothing is read", "GET", "/workspace/api/state", from{host: here}, 403, ""},
		{"nor shown", "GET", "/", from{host: here}, 403, ""},
		{"with a wrong key neither", "GET", "/", with(func(f *from) { f.cookie = "the-kez" }), 403, ""},
		{"without the key nothing is done", "POST", "/demo/api/push", with(func(f *from) { f.cookie = "" }), 403, ""},
		{"without the header nothing is done", "POST", "/demo/api/push", with(func(f *from) { f.header = "" }), 403, ""},
		{"nor by other methods", "DELETE", "/demo/api/push", with(func(f *from) { f.header = "" }), 403, ""},
		{"another site does nothing", "POST", "/demo/api/kill", with(func(f *from) { f.origin = "https://evil.example" }), 403, ""},
		{"nor a sandboxed page", "POST", "/demo/api/kill", with(func(f *from) { f.origin = "null" }), 403, ""},
		{"nor another port", "POST", "/demo/api/kill", with(func(f *from) { f.origin = "http://127.0.0.1:8485" }), 403, ""},
		{"nor reads", "GET", "/demo/api/state", with(func(f *from) { f.origin = "https://evil.example" }), 403, ""},
		{"another site does nothing to the fakes", "POST", "/slack-api/api/chat.postMessage", with(func(f *from) { f.origin = "https://evil.example" }), 403, ""},
		{"nor to the service", "POST", "/slack/commands", with(func(f *from) { f.origin = "https://evil.example" }), 403, ""},
		{"a name that points here is refused", "GET", "/demo/api/state", with(func(f *from) { f.host = "evil.example:8484" }), 421, ""},
		{"also for programs", "POST", "/slack-api/api/auth.test", from{host: "evil.example"}, 421, ""},
		{"programs come with their own tokens", "POST", "/slack-api/api/auth.test", from{host: here}, 200, "programs"},
		{"and signatures", "POST", "/github/webhook", from{host: here}, 200, "programs"},
		{"signing in has links and sessions of its own", "POST", "/login", with(func(f *from) { f.cookie, f.header, f.origin = "", "", "http://"+here }), 200, "programs"},
		{"so have sessions", "POST", "/sessions/all", with(func(f *from) { f.cookie, f.header, f.origin = "", "", "http://"+here }), 200, "programs"},
		{"not for another site", "POST", "/login", with(func(f *from) { f.origin = "https://evil.example" }), 403, ""},
		{"the ticket's page is for visitors", "GET", "/jira/browse/SHOP-1", from{host: here}, 403, ""},
		{"the printed address", "GET", "/?key=the-key", from{host: here}, 303, ""},
		{"with a wrong key", "GET", "/?key=other", from{host: here}, 403, ""},
		{"never by POST", "POST", "/demo/api/kill?key=the-key", from{host: here}, 403, ""},
		{"a link from elsewhere comes again", "GET", "/", from{host: here, site: "cross-site", mode: "navigate"}, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached := ""
			reach := func(name string) http.Handler {
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = name })
			}
			d := &Demo{addr: here, place: &dataDir{note: note{Key: "the-key"}}}
			r := httptest.NewRequest(c.method, "http://"+here+c.path, nil)
			r.Host = c.from.host
			for name, value := range map[string]string{"Origin": c.from.origin, header: c.from.header, "Sec-Fetch-Site": c.from.site, "Sec-Fetch-Mode": c.from.mode} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if c.from.cookie != "" {
				r.AddCookie(&http.Cookie{Name: d.cookie(), Value: c.from.cookie})
			}
			w := httptest.NewRecorder()
			d.guard(reach("visitors"), reach("programs")).ServeHTTP(w, r)
			if w.Code != c.want || reached != c.reaches {
				t.Errorf("answered %d and reached %q, want %d and %q: %s", w.Code, reached, c.want, c.reaches, w.Body)
			}
		})
	}
}

// The key becomes a cookie that no script reads and no other site sends, and leaves the address.
func TestKeyBecomesCookie(t *testing.T) {
	d := &Demo{addr: "127.0.0.1:8484", place: &dataDir{note: note{Key: "the-key"}}}
	for path, want := range map[string]string{"/?key=the-key": "/", "/workspace?as=UBEN&key=the-key": "/workspace?as=UBEN", "//evil.example/?key=the-key": "/evil.example/"} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8484"+path, nil)
		w := httptest.NewRecorder()
		d.guard(http.NotFoundHandler(), http.NotFoundHandler()).ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
		for _, c := range w.Result().Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Value != "the-key" {
				t.Errorf("cookie %+v", c)
			}
		}
	}
}

func TestOnlyLoopback(t *testing.T) {
	for address, ok := range map[string]bool{"127.0.0.1:8484": true, "127.0.0.9:0": true, "[::1]:8484": true,
		"0.0.0.0:8484": false, ":8484": false, "[::]:8484": false, "192.168.1.2:8484": false, "example.com:80": false, "localhost:8484": false, "127.0.0.1": false, "": false} {
		if err := loopback(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}
