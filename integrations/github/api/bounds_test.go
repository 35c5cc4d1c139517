package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wiretest"
)

// T4, T8: reads and writes, by token and as an app.
func TestCredentialsAndMemoryStayAtHome(t *testing.T) {
	app := &App{ID: 1, InstallationID: 2, PrivateKey: githubfake.PrivateKey()}
	for name, client := range map[string]func(base string, tr http.RoundTripper) (*github.Client, error){
		"token": func(base string, tr http.RoundTripper) (*github.Client, error) {
			return New(base, token, nil, tr)
		},
		"app": func(base string, tr http.RoundTripper) (*github.Client, error) { return New(base, "", app, tr) },
	} {
		t.Run(name+" reads", func(t *testing.T) {
			wiretest.Bounds(t, func(t *testing.T, base string, tr http.RoundTripper) (bool, error) {
				c, err := client(base, tr)
				if err != nil {
					t.Fatal(err)
				}
				_, _, err = c.PullRequests.ListFiles(t.Context(), "acme", "webshop", 1, nil)
				return Kind(err) != wire.Permanent, err
			})
		})
		t.Run(name+" writes", func(t *testing.T) {
			wiretest.Bounds(t, func(t *testing.T, base string, tr http.RoundTripper) (bool, error) {
				c, err := client(base, tr)
				if err != nil {
					t.Fatal(err)
				}
				_, _, err = c.Repositories.CreateStatus(t.Context(), "acme", "webshop", "main", &github.RepoStatus{})
				return Kind(err) != wire.Permanent, err
			})
		})
	}
}

// A renamed repository redirects reads by 301 and writes by 307, to the same host.
func TestRenamedRepositoriesAreFound(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		status := map[string]int{"GET": http.StatusMovedPermanently, "POST": http.StatusTemporaryRedirect}[r.Method]
		switch r.URL.Path {
		case "/repos/acme/old/pulls/1/files":
			http.Redirect(w, r, "/repositories/7/pulls/1/files", status)
		case "/repos/acme/old/statuses/main":
			http.Redirect(w, r, "/repositories/7/statuses/main", status)
		case "/repositories/7/pulls/1/files":
			_, _ = w.Write([]byte(`[{"filename":"a.go"}]`))
		default:
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{}`))
		}
	}))
	defer srv.Close()
	c, err := New(srv.URL, token, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := c.PullRequests.ListFiles(t.Context(), "acme", "old", 1, nil)
	if err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
	if _, _, err = c.Repositories.CreateStatus(t.Context(), "acme", "old", "main", &github.RepoStatus{}); err != nil {
		t.Error(err)
	}
	if len(got) != 4 || got[3] != "POST /repositories/7/statuses/main Bearer "+token {
		t.Errorf("calls %q", got)
	}
}
