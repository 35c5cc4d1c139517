package githubfake_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
)

// golden is the form of snapshots, which is read for good. Payload and answer are base64.
const golden = `{"snapshot":1,"statuses":[{"repository":"acme/webshop","sha":"0123456789012345678901234567890123456789",` +
	`"state":"success","context":"rollcall","description":"deployed","target_url":"http://127.0.0.1/x","created_at":"2026-01-02T15:04:05Z"}],` +
	`"deliveries":[{"id":"d1","event":"push","payload":"e30=","status":202,"answer":"e30="}]}`

func TestTheFormOfSnapshots(t *testing.T) {
	s := githubfake.New(githubfake.Options{})
	if err := s.Restore([]byte(golden)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, string(got)); diff != "" {
		t.Error("the snapshot has another form (-want +got):\n", diff)
	}
}

func TestARestartKeepsWhatWasTakenAndSent(t *testing.T) {
	var heard []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		heard = append(heard, r.Header.Get("X-GitHub-Delivery"))
	}))
	defer hook.Close()
	old := githubfake.New(githubfake.Options{WebhookURL: hook.URL})
	sha := strings.Repeat("a", 40)
	pushed, err := old.Push(t.Context(), githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: sha})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/repos/acme/webshop/statuses/"+sha, strings.NewReader(`{"state":"pending","context":"rollcall"}`))
	old.ServeHTTP(httptest.NewRecorder(), r)
	post := func(path, body string) {
		t.Helper()
		answer := httptest.NewRecorder()
		old.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/repos/acme/webshop/"+path, strings.NewReader(body)))
		if answer.Code != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
	post("deployments", `{"ref":"`+sha+`","environment":"production","task":"deploy","payload":{"execution":"x"},"auto_merge":false,"required_contexts":[]}`)
	post(fmt.Sprintf("deployments/%d/statuses", old.Deployments()[0].ID), `{"state":"success","description":"<b>deployed</b>"}`)
	old.WriteComment("acme/webshop", 7, "rollcall", "<!-- rollcall -->In **production**")
	data, err := old.Snapshot()
	if err != nil {
		t.Fatal(err)
	}

	s := githubfake.New(githubfake.Options{WebhookURL: hook.URL})
	if err := s.Restore(data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(old.Statuses(""), s.Statuses("")); diff != "" || len(s.Statuses(sha)) != 1 {
		t.Error("statuses (-before +after):\n", diff)
	}
	if diff := cmp.Diff(old.Deployments(), s.Deployments()); diff != "" || len(s.Deployments()) != 1 {
		t.Error("deployments (-before +after):\n", diff)
	}
	if diff := cmp.Diff(old.Comments("acme/webshop", 7), s.Comments("acme/webshop", 7)); diff != "" {
		t.Error("comments (-before +after):\n", diff)
	}
	page := httptest.NewRecorder()
	s.Page("acme/webshop").ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/", nil))
	for _, wanted := range []string{"production", "✓ success", "&lt;b&gt;deployed&lt;/b&gt;", `href="webshop/commit/aaaaaaa`, "● pending", "on #7", "In **production**"} {
		if !strings.Contains(page.Body.String(), wanted) {
			t.Errorf("the page lacks %q:\n%s", wanted, page.Body)
		}
	}
	if strings.Contains(page.Body.String(), "&lt;!--") {
		t.Errorf("the page shows what GitHub hides:\n%s", page.Body)
	}
	if _, err := s.Redeliver(t.Context(), pushed.ID); err != nil || len(heard) != 2 || heard[0] != heard[1] {
		t.Errorf("redelivering: %v %v", heard, err)
	}
	for _, bad := range []string{``, `{}`, `{"snapshot":2}`, `{"snapshot":1,"mood":1}`} {
		if s.Restore([]byte(bad)) == nil || len(s.Statuses("")) != 1 {
			t.Errorf("%q was restored", bad)
		}
	}
}
