package jirafake_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// ask calls the API and returns the status and the body.
func ask(s *jirafake.Server, method, path, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, "/rest/api/2"+path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// What the create screen refuses must be refused here, else a ticket that no
// Jira takes looks fine in every test.
func TestCreatingRefusesWhatJiraRefuses(t *testing.T) {
	fields := func(change string) string {
		all := map[string]json.RawMessage{"project": json.RawMessage(`{"key":"OPS"}`), "issuetype": json.RawMessage(`{"name":"Bug"}`), "summary": json.RawMessage(`"it failed"`)}
		var with map[string]json.RawMessage
		if err := json.Unmarshal([]byte(change), &with); err != nil {
			t.Fatal(err)
		}
		for name, raw := range with {
			if all[name] = raw; string(raw) == "null" {
				delete(all, name)
			}
		}
		raw, err := json.Marshal(map[string]any{"fields": all})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for _, c := range []struct{ change, field string }{
		{`{}`, ""},
		{`{"labels":["rollcall","webshop-42"]}`, ""},
		{`{"summary":"` + strings.Repeat("ä", 255) + `"}`, ""},
		{`{"description":"` + strings.Repeat("ä", 32767) + `"}`, ""},
		{`{"project":null}`, "project"},
		{`{"project":{"key":"WEB"}}`, "project"},
		{`{"project":{"key":"ops"}}`, "project"},
		{`{"project":"OPS"}`, "project"},
		{`{"issuetype":{"name":"Epic"}}`, "issuetype"},
		{`{"issuetype":null}`, "issuetype"},
		{`{"summary":null}`, "summary"},
		{`{"summary":""}`, "summary"},
		{`{"summary":"two\nlines"}`, "summary"},
		{`{"summary":7}`, "summary"},
		{`{"summary":"` + strings.Repeat("a", 256) + `"}`, "summary"},
		{`{"description":"` + strings.Repeat("a", 32768) + `"}`, "description"},
		{`{"labels":["two words"]}`, "labels"},
		{`{"labels":"rollcall"}`, "labels"},
		{`{"priority":{"name":"High"}}`, "priority"},
		{`{"customfield_10010":"x"}`, "customfield_10010"},
	} {
		s := jirafake.New(jirafake.Options{})
		status, body := ask(s, http.MethodPost, "/issue", fields(c.change))
		if c.field == "" {
			if status != http.StatusCreated || len(s.Issues()) != 1 {
				t.Errorf("%.60s: %d %s", c.change, status, body)
			}
			continue
		}
		var said struct{ Errors map[string]string }
		if err := json.Unmarshal([]byte(body), &said); err != nil || status != http.StatusBadRequest || len(said.Errors) != 1 || said.Errors[c.field] == "" {
			t.Errorf("%.60s: %d %s, want 400 about %s alone", c.change, status, body, c.field)
		}
		if len(s.Issues()) != 0 {
			t.Errorf("%.60s: refused, and created", c.change)
		}
	}
}

func TestFieldsThatAreOffTheScreen(t *testing.T) {
	s := jirafake.New(jirafake.Options{})
	s.Refuse("labels")
	if status, body := ask(s, http.MethodGet, "/issue/createmeta/OPS/issuetypes/1", ""); status != http.StatusOK || strings.Contains(body, `"labels"`) || !strings.Contains(body, `"description"`) {
		t.Errorf("the screen: %d %s", status, body)
	}
	const in = `{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Bug"},"summary":"x","labels":["a"]}}`
	if status, body := ask(s, http.MethodPost, "/issue", in); status != http.StatusBadRequest || !strings.Contains(body, "labels") {
		t.Errorf("labels were taken: %d %s", status, body)
	}
	s.Refuse()
	if status, body := ask(s, http.MethodPost, "/issue", in); status != http.StatusCreated {
		t.Errorf("labels are still refused: %d %s", status, body)
	}
}

// A cloud takes basic auth, a server a bearer token; neither takes the other's.
func TestWhoMayCall(t *testing.T) {
	cloud, server := jirafake.Options{User: "bot@acme.example", Token: "t0k"}, jirafake.Options{Token: "t0k"}
	basic := func(user, password string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for _, c := range []struct {
		name    string
		options jirafake.Options
		auth    string
		want    int
	}{
		{"anybody", jirafake.Options{}, "", 200},
		{"basic", cloud, basic("bot@acme.example", "t0k"), 200},
		{"another user", cloud, basic("ana@acme.example", "t0k"), 401},
		{"a wrong token", cloud, basic("bot@acme.example", "other"), 401},
		{"a bearer at a cloud", cloud, "Bearer t0k", 401},
		{"nothing", cloud, "", 401},
		{"bearer", server, "Bearer t0k", 200},
		{"a wrong bearer", server, "Bearer other", 401},
		{"an empty bearer", server, "Bearer ", 401},
		{"basic without a user", server, basic("", "t0k"), 401},
	} {
		if got, body := ask(jirafake.New(c.options), http.MethodGet, "/myself", "", "Authorization", c.auth); got != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, got, body, c.want)
		}
	}
}

func TestTheSearch(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name      string
		onPremise bool
		path, jql string
		after     time.Duration
		status    int
		found     bool
	}{
		{"by label", false, "/search/jql", `labels = "x"`, time.Minute, 200, true},
		{"by another label", false, "/search/jql", `labels = "X"`, time.Minute, 200, false},
		{"by a part of a label", false, "/search/jql", `labels = "x1"`, time.Minute, 200, false},
		{"by text", false, "/search/jql", `description ~ "exit 3"`, time.Minute, 200, true},
		{"not in the index yet", false, "/search/jql", `labels = "x"`, time.Minute - 1, 200, false},
		{"no quotes", false, "/search/jql", `labels = x`, time.Minute, 400, false},
		{"nothing", false, "/search/jql", ``, time.Minute, 400, false},
		{"another field", false, "/search/jql", `assignee = "x"`, time.Minute, 400, false},
		{"a quote that ends early", false, "/search/jql", `labels = "x" OR labels = "y"`, time.Minute, 400, false},
		{"an escape", false, "/search/jql", `labels = "x\"`, time.Minute, 400, false},
		{"the server's way at a cloud", false, "/search", `labels = "x"`, time.Minute, 410, false},
		{"the server's way", true, "/search", `labels = "x"`, time.Minute, 200, true},
		{"the cloud's way at a server", true, "/search/jql", `labels = "x"`, time.Minute, 404, false},
	} {
		at := now
		s := jirafake.New(jirafake.Options{OnPremise: c.onPremise, SearchLag: time.Minute, Now: func() time.Time { return at }})
		ask(s, http.MethodPost, "/issue", `{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Bug"},"summary":"s","description":"it ended with exit 3","labels":["x"]}}`)
		at = now.Add(c.after)
		status, body := ask(s, http.MethodGet, c.path+"?jql="+url.QueryEscape(c.jql), "")
		if status != c.status || strings.Contains(body, `"OPS-1"`) != c.found {
			t.Errorf("%s: %d %s, want %d, found %v", c.name, status, body, c.status, c.found)
		}
	}
}

// An issue moves by the transitions that are offered, and by no other.
func TestTransitions(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	s := jirafake.New(jirafake.Options{Now: func() time.Time { return now }})
	create(t, s, "it failed")
	for _, c := range []struct {
		key, id string
		want    int
		status  string // of OPS-1 afterwards
		offered []string
	}{
		{"OPS-1", "31", 204, "Done", []string{"11", "21"}},
		{"OPS-1", "31", 400, "Done", []string{"11", "21"}}, // it is there already
		{"OPS-1", "41", 400, "Done", []string{"11", "21"}},
		{"OPS-1", "", 400, "Done", []string{"11", "21"}},
		{"OPS-2", "11", 404, "Done", []string{"11", "21"}},
		{"OPS-1", "21", 204, "In Progress", []string{"11", "31"}},
		{"OPS-1", "11", 204, "To Do", []string{"21", "31"}},
	} {
		status, body := ask(s, http.MethodPost, "/issue/"+c.key+"/transitions", `{"transition":{"id":"`+c.id+`"}}`)
		i, _ := s.Issue("OPS-1")
		if status != c.want || i.Status != c.status {
			t.Errorf("%s by %q: %d %s, it is %s; want %d, %s", c.key, c.id, status, body, i.Status, c.want, c.status)
		}
		if done := c.status == "Done"; i.Closed.Equal(now) != done || i.Closed.IsZero() == done {
			t.Errorf("%s, and closed at %v", i.Status, i.Closed)
		}
		var list struct{ Transitions []struct{ ID string } }
		_, body = ask(s, http.MethodGet, "/issue/OPS-1/transitions", "")
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, offered := range list.Transitions {
			ids = append(ids, offered.ID)
		}
		if !slices.Equal(ids, c.offered) {
			t.Errorf("%s: %v are offered, want %v", i.Status, ids, c.offered)
		}
	}
	if status, _ := ask(s, http.MethodPost, "/issue/OPS-1/transitions", `{`); status != http.StatusBadRequest {
		t.Errorf("a body that is no JSON: %d", status)
	}
}

func TestComments(t *testing.T) {
	s := jirafake.New(jirafake.Options{OldDatabase: true})
	create(t, s, "it failed")
	s.Spoil("WAF", http.StatusForbidden, `{"blocked":true}`)
	for _, c := range []struct {
		key, body string
		want      int
	}{
		{"OPS-1", `{"body":"first"}`, 201},
		{"OPS-1", `{"body":""}`, 400},
		{"OPS-1", `{}`, 400},
		{"OPS-1", `{`, 400},
		{"OPS-1", `{"body":{"type":"doc"}}`, 400}, // that is version 3
		{"OPS-1", `{"body":"x","author":{}}`, 400},
		{"OPS-1", `{"body":"` + strings.Repeat("ä", 32768) + `"}`, 400},
		{"OPS-1", `{"body":"😀"}`, 500},
		{"OPS-1", `{"body":"the WAF says no"}`, 403},
		{"OPS-7", `{"body":"x"}`, 404},
		{"OPS-1", `{"body":"` + strings.Repeat("ä", 32767) + `"}`, 201},
		{"OPS-1", `{"body":"last"}`, 201},
	} {
		if got, said := ask(s, http.MethodPost, "/issue/"+c.key+"/comment", c.body); got != c.want {
			t.Errorf("%.40s: %d %s, want %d", c.body, got, said, c.want)
		}
	}
	i, _ := s.Issue("OPS-1")
	if len(i.Comments) != 3 || i.Comments[0] != "first" || i.Comments[2] != "last" {
		t.Errorf("%d comments: %.20q", len(i.Comments), i.Comments)
	}
	for query, first := range map[string]string{"": "first", "?orderBy=-created": "last"} {
		var list struct{ Comments []struct{ Body string } }
		_, body := ask(s, http.MethodGet, "/issue/OPS-1/comment"+query, "")
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Comments) != 3 || list.Comments[0].Body != first {
			t.Errorf("%q: %d comments, want 3 with %q first", query, len(list.Comments), first)
		}
	}
}

// A delivery is signed with the secret over exactly its bytes, also when it is sent again.
func TestDeliveriesAreSigned(t *testing.T) {
	type got struct{ id, signature, want string }
	var all []got
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var raw json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
			t.Error(err)
		}
		all = append(all, got{r.Header.Get("X-Atlassian-Webhook-Identifier"), r.Header.Get("X-Hub-Signature"), wire.Sign([]byte("s3cret"), raw)})
	}))
	defer app.Close()
	s := jirafake.New(jirafake.Options{})
	create(t, s, "it failed")
	if _, err := s.Deliver(t.Context(), "d", []byte(`{}`)); err == nil {
		t.Error("delivered, with nothing connected")
	}
	s.Connect(app.URL, "s3cret")
	d, err := s.Move(t.Context(), "OPS-1", "Done")
	if err != nil || !strings.Contains(string(d.Payload), `"fromString":"To Do"`) {
		t.Fatal(err, string(d.Payload))
	}
	if _, err := s.Redeliver(t.Context(), d.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Redeliver(t.Context(), "delivery-99"); err == nil {
		t.Error("a delivery that never was is sent again")
	}
	s.Connect(app.URL, "")
	if _, err := s.Move(t.Context(), "OPS-1", "To Do"); err != nil {
		t.Error(err)
	}
	if len(all) != 3 || all[0].signature != all[0].want || all[1] != all[0] || all[2].signature != "" || all[2].id == all[0].id {
		t.Errorf("%+v", all)
	}
	if _, err := s.Move(t.Context(), "OPS-9", "Done"); err == nil {
		t.Error("an issue that is not there was moved")
	}
}
