package jirafake_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
)

// golden is the form of snapshots, which is read for good.
const golden = `{"snapshot":1,"issues":[{"id":10002,"key":"OPS-2","project":"OPS","type":"Bug","summary":"webshop#44 failed","description":"at Production",` +
	`"labels":["rollcall"],"status":"In Progress","comments":["again"],"commentIds":[1],"created":"2026-01-02T15:04:05Z"}],"lastId":10002,"numbers":{"OPS":2},"deliveries":7}`

func TestTheFormOfSnapshots(t *testing.T) {
	s := jirafake.New(jirafake.Options{})
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

func create(t *testing.T, s *jirafake.Server, summary string) {
	t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/rest/api/2/issue",
		strings.NewReader(`{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Bug"},"summary":"`+summary+`","labels":["x"]}}`)))
	if rec.Code != http.StatusCreated {
		t.Fatal(rec.Code, rec.Body)
	}
}

func TestARestartKeepsIssuesAndGivesNoKeyTwice(t *testing.T) {
	old := jirafake.New(jirafake.Options{})
	for _, summary := range []string{"first", "second"} {
		create(t, old, summary)
	}
	old.Delete("OPS-2")
	linked := httptest.NewRecorder()
	old.ServeHTTP(linked, httptest.NewRequest(http.MethodPost, "/rest/api/2/issue/OPS-1/remotelink",
		strings.NewReader(`{"globalId":"g1","object":{"url":"https://r.example/executions/1","title":"production: <b>shop#1</b>","summary":"since 14:05"}}`)))
	if linked.Code != http.StatusCreated {
		t.Fatal(linked.Code, linked.Body)
	}
	before, err := old.Move(t.Context(), "OPS-1", "Done")
	if err != nil {
		t.Fatal(err)
	}
	data, err := old.Snapshot()
	if err != nil {
		t.Fatal(err)
	}

	s := jirafake.New(jirafake.Options{})
	if err := s.Restore(data); err != nil {
		t.Fatal(err)
	}
	page := httptest.NewRecorder()
	s.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/browse/OPS-1", nil))
	if want := `<li><a href="https://r.example/executions/1">production: &lt;b&gt;shop#1&lt;/b&gt;</a> since 14:05</li>`; !strings.Contains(page.Body.String(), want) {
		t.Errorf("the page lacks %s:\n%s", want, page.Body)
	}
	if diff := cmp.Diff(old.Issues(), s.Issues(), cmpopts.IgnoreUnexported(jirafake.Issue{})); diff != "" {
		t.Error("issues (-before +after):\n", diff)
	}
	create(t, s, "third")
	if all := s.Issues(); len(all) != 2 || all[1].Key != "OPS-3" {
		t.Errorf("after the restart: %+v", all)
	}
	if after, err := s.Move(t.Context(), "OPS-1", "To Do"); err != nil || after.ID == before.ID {
		t.Errorf("the delivery %s is there twice: %v", after.ID, err)
	}
	for _, bad := range []string{``, `{}`, `{"snapshot":2}`, `{"snapshot":1,"mood":1}`} {
		if s.Restore([]byte(bad)) == nil || len(s.Issues()) != 2 {
			t.Errorf("%q was restored", bad)
		}
	}
}
