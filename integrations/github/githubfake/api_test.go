package githubfake_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// ask calls the API and returns the status and the body.
func ask(s *githubfake.Server, method, path, body, authorization string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", authorization)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// What GitHub refuses of a status must be refused here, else it looks fine in
// every test and never shows on a commit.
func TestStatusesAreRefusedAsGitHubDoes(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	for _, c := range []struct {
		sha, body string
		status    int
		says      string
	}{
		{sha, `{"state":"success"}`, 201, ""},
		{sha, `{"state":"error","target_url":"https://r.example/x"}`, 201, ""},
		{sha, `{"state":"failure","description":"` + strings.Repeat("ä", 140) + `"}`, 201, ""},
		{sha, `{"state":"failure","description":"` + strings.Repeat("a", 141) + `"}`, 422, "140 characters"},
		{sha, `{"state":"Success"}`, 422, "state is not included"},
		{sha, `{"state":"cancelled"}`, 422, "state is not included"},
		{sha, `{}`, 422, "state is not included"},
		{sha, `{"state":"success","target_url":"r.example/x"}`, 422, "http(s)"},
		{sha, `{"state":"success","target_url":"javascript:alert(1)"}`, 422, "http(s)"},
		{sha, `{`, 400, "JSON"},
		{sha[:39], `{"state":"success"}`, 422, "No commit found"},
		{sha + "0", `{"state":"success"}`, 422, "No commit found"},
		{"main", `{"state":"success"}`, 422, "No commit found"},
		{strings.ToUpper(sha), `{"state":"success"}`, 422, "No commit found"},
	} {
		s := githubfake.New(githubfake.Options{})
		status, body := ask(s, http.MethodPost, "/repos/acme/webshop/statuses/"+c.sha, c.body, "")
		if taken := len(s.Statuses("")); status != c.status || !strings.Contains(body, c.says) || taken == 1 != (c.status == 201) {
			t.Errorf("%s %.70s: %d %s, %d taken; want %d %s", c.sha, c.body, status, body, taken, c.status, c.says)
		}
	}
}

// The newest status of a context counts, and one repository does not show another's.
func TestStatusesAreListedNewestFirst(t *testing.T) {
	s := githubfake.New(githubfake.Options{})
	sha := strings.Repeat("a", 40)
	for _, st := range []struct{ repository, context, state string }{
		{"acme/webshop", "rollcall", "pending"}, {"acme/webshop", "ci", "failure"}, {"acme/webshop", "rollcall", "success"}, {"acme/api", "rollcall", "error"},
	} {
		if status, body := ask(s, http.MethodPost, "/repos/"+st.repository+"/statuses/"+sha, fmt.Sprintf(`{"state":%q,"context":%q}`, st.state, st.context), ""); status != 201 {
			t.Fatal(status, body)
		}
	}
	var list []githubfake.Status
	_, body := ask(s, http.MethodGet, "/repos/acme/webshop/commits/"+sha+"/statuses", "", "")
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 3 || list[0].State != "success" || list[2].State != "pending" {
		t.Errorf("%s %v", body, err)
	}
	if st, ok := s.Latest(sha, "ci"); !ok || st.State != "failure" {
		t.Errorf("ci: %+v", st)
	}
	for _, none := range [][2]string{{sha, "other"}, {strings.Repeat("b", 40), "rollcall"}} {
		if st, ok := s.Latest(none[0], none[1]); ok {
			t.Errorf("%v: %+v", none, st)
		}
	}
	if s.Calls() != 5 {
		t.Errorf("%d calls", s.Calls())
	}
}

func TestEveryCallNeedsTheToken(t *testing.T) {
	sha := strings.Repeat("a", 40)
	s := githubfake.New(githubfake.Options{Token: "t0k", Compare: func(string, string) []githubfake.File { return []githubfake.File{} }})
	s.SetTeam("acme/ops", "ana")
	for _, call := range []struct{ method, path, body string }{
		{http.MethodPost, "/repos/acme/webshop/statuses/" + sha, `{"state":"success"}`},
		{http.MethodGet, "/repos/acme/webshop/commits/" + sha + "/statuses", ""},
		{http.MethodGet, "/repos/acme/webshop/compare/a...b", ""},
		{http.MethodGet, "/orgs/acme/teams/ops", ""},
		{http.MethodGet, "/orgs/acme/teams/ops/memberships/ana", ""},
		{http.MethodGet, "/repos/acme/webshop/pulls/1/files", ""},
	} {
		for authorization, in := range map[string]bool{"": false, "Bearer ": false, "Bearer other": false, "t0k": false, "Basic t0k": false, "Bearer t0k": true, "token t0k": true} {
			if status, body := ask(s, call.method, call.path, call.body, authorization); (status != http.StatusUnauthorized) != in {
				t.Errorf("%s %s with %q: %d %s", call.method, call.path, authorization, status, body)
			}
		}
	}
	for authorization, want := range map[string]int{"Bearer a.b.c": 201, "Bearer t0k": 401, "token a.b.c": 401, "": 401} {
		if status, body := ask(s, http.MethodPost, "/app/installations/7/access_tokens", "", authorization); status != want || (want == 201) != strings.Contains(body, `"t0k"`) {
			t.Errorf("an installation with %q: %d %s", authorization, status, body)
		}
	}
}

func TestFilesComeInPages(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer app.Close()
	var all []githubfake.File
	for n := range 350 {
		all = append(all, githubfake.File{Name: fmt.Sprint(n), Status: "added"})
	}
	s := githubfake.New(githubfake.Options{WebhookURL: app.URL, Compare: func(base, head string) []githubfake.File {
		if base != "a" || head != "b" {
			return nil
		}
		return all
	}})
	if _, err := s.Pull(t.Context(), githubfake.Pull{Repository: "acme/webshop", Number: 7, Action: "opened", Files: all[:120]}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		status int
		count  int
		first  string
	}{
		{"pulls/7/files", 200, 30, "0"},
		{"pulls/7/files?page=4", 200, 30, "90"},
		{"pulls/7/files?per_page=100", 200, 100, "0"},
		{"pulls/7/files?per_page=1000&page=2", 200, 20, "100"},
		{"pulls/7/files?per_page=100&page=3", 200, 0, ""},
		{"pulls/7/files?per_page=-1&page=0", 200, 30, "0"},
		{"pulls/8/files", 404, 0, ""},
		{"compare/a...b", 200, 300, "0"},
		{"compare/a...c", 404, 0, ""},
		{"compare/a..b", 404, 0, ""},
	} {
		status, body := ask(s, http.MethodGet, "/repos/acme/webshop/"+c.path, "", "")
		var files []githubfake.File
		if strings.HasPrefix(c.path, "compare") {
			var page struct{ Files []githubfake.File }
			_ = json.Unmarshal([]byte(body), &page) // a page that cannot be read has no files, which is seen below
			files = page.Files
		} else {
			_ = json.Unmarshal([]byte(body), &files) // as above
		}
		if status != c.status || len(files) != c.count || c.count > 0 && files[0].Name != c.first {
			t.Errorf("%s: %d, %d files; want %d, %d from %q", c.path, status, len(files), c.status, c.count, c.first)
		}
	}
}

func TestTeams(t *testing.T) {
	s := githubfake.New(githubfake.Options{})
	s.SetTeam("Acme/Ops", "Ana", "ben?")
	for path, want := range map[string]string{
		"acme/teams/ops": "200", "ACME/teams/OPS": "200", "acme/teams/dev": "404", "other/teams/ops": "404",
		"acme/teams/ops/memberships/ana": "200 active", "acme/teams/ops/memberships/BEN": "200 pending", "acme/teams/ops/memberships/cho": "404", "acme/teams/dev/memberships/ana": "404",
	} {
		status, body := ask(s, http.MethodGet, "/orgs/"+path, "", "")
		code, state, _ := strings.Cut(want, " ")
		if fmt.Sprint(status) != code || state != "" && !strings.Contains(body, `"`+state+`"`) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	s.SetTeam("acme/ops")
	if status, _ := ask(s, http.MethodGet, "/orgs/acme/teams/ops/memberships/ana", "", ""); status != http.StatusNotFound {
		t.Errorf("who has left the team: %d", status)
	}
}

// The signature is over exactly the bytes that arrive, under the secret of now.
func TestDeliveriesAreSigned(t *testing.T) {
	var event, signature string
	var raw []byte
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		event, signature = r.Header.Get("X-GitHub-Event"), r.Header.Get("X-Hub-Signature-256")
		raw, _ = io.ReadAll(r.Body) // what is missing of it fails the signature
	}))
	defer app.Close()
	s := githubfake.New(githubfake.Options{})
	if _, err := s.Push(t.Context(), githubfake.Push{}); err == nil {
		t.Error("delivered, with nothing connected")
	}
	for _, secret := range []string{"s3cret", "another", ""} {
		s.Connect(app.URL, secret)
		d, err := s.Pull(t.Context(), githubfake.Pull{Repository: "acme/webshop", Number: 7, Action: "closed", HeadOwner: "ana", Author: "ana", Sender: "ben"})
		want := ""
		if secret != "" {
			want = wire.Sign([]byte(secret), d.Payload)
		}
		if err != nil || event != "pull_request" || signature != want || string(raw) != string(d.Payload) {
			t.Errorf("with %q: %v, %s signed %q, want %q", secret, err, event, signature, want)
		}
	}
	for _, part := range []string{`"state":"closed"`, `"full_name":"ana/webshop"`, `"sender":{"login":"ben"`, `"user":{"login":"ana"}`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("the payload lacks %s: %s", part, raw)
		}
	}
}
