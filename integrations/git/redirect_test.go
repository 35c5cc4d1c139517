package git

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// T4: a server that redirects gets the token to no other host, port or scheme;
// a renamed repository on the same host is found.
func TestTheTokenFollowsNoRedirect(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, filepath.Join(root, "acme", "webshop.git"))
	r.commit("file", "1", "one")
	h := newHub(t, root)
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s came with %q", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		r.SetBasicAuth("anybody", token) // it asks nobody who they are
		h.Config.Handler.ServeHTTP(w, r)
	}))
	defer other.Close()
	asks := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s came with %q", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="give me what you have"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer asks.Close()
	for name, c := range map[string]struct {
		to    string
		works bool
	}{
		"another name": {h.URL, true}, "another port": {other.URL, true}, "one that asks for a password": {asks.URL, false},
		"http": {strings.Replace(other.URL, "https:", "http:", 1), false},
	} { // the other one is open to everybody
		t.Run(name, func(t *testing.T) {
			h.moved.Store(&c.to)
			s := New(Options{CloneURL: h.URL, CacheDir: t.TempDir(), Token: func(context.Context) (string, error) { return token, nil }})
			tk := githubTask()
			tk.Configuration["FullRepositoryId"] = "acme/old"
			o, err := s.Start(t.Context(), tk, newDesk(t))
			if (o.State == work.Succeeded) != c.works {
				t.Errorf("outcome %+v %+v, %v", o, o.Error, err)
			}
		})
	}
}
