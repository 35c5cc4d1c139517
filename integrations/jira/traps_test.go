package jira

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/andygrunwald/go-jira"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// trap is a Jira, the library on it, and our client.
type trap struct {
	fake   *jirafake.Server
	theirs *jira.Client
	ours   *client
	bodies *[]string // of what was sent
}

func newTrap(t *testing.T, o jirafake.Options) trap {
	t.Helper()
	o.User, o.Token = user, token
	fake, bodies := jirafake.New(o), &[]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*bodies = append(*bodies, strings.TrimSuffix(string(body), "\n"))
		r.Body = io.NopCloser(bytes.NewReader(body))
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	theirs, err := jira.NewClient((&jira.BasicAuthTransport{Username: user, Password: token}).Client(), srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := newClient(site{url: srv.URL, user: user, token: token}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return trap{fake, theirs, ours, bodies}
}

func (tr trap) last() string { return (*tr.bodies)[len(*tr.bodies)-1] }

func aText(s string) *markup.Doc {
	var d markup.Doc
	d.Line(markup.Text(s))
	return &d
}

// The library's comment holds empty fields that Jira refuses.
func TestTrapOfComments(t *testing.T) {
	tr := newTrap(t, jirafake.Options{OnPremise: true})
	key := tr.fake.Open("OPS", "Bug", "x")
	if _, _, err := tr.theirs.Issue.AddCommentWithContext(t.Context(), key, &jira.Comment{Body: "x"}); err == nil {
		t.Error("the trap is gone: the library's comments are taken")
	}
	if _, err := tr.ours.addComment(t.Context(), key, aText("x")); err != nil || tr.last() != `{"body":"x\n"}` {
		t.Errorf("%v, sent %s", err, tr.last())
	}
}

// The library says only the status of a refusal.
func TestTrapOfRefusals(t *testing.T) {
	tr := newTrap(t, jirafake.Options{})
	_, _, err := tr.theirs.Issue.CreateWithContext(t.Context(), &jira.Issue{Fields: &jira.IssueFields{Project: jira.Project{Key: "NONE"}, Summary: "x"}})
	if err == nil || strings.Contains(err.Error(), "valid project") {
		t.Errorf("the trap is gone: the library says %v", err)
	}
	_, err = tr.ours.create(t.Context(), map[string]any{"project": map[string]string{"key": "NONE"}, "summary": "x"}, aText("x"), false)
	if err == nil || !strings.Contains(err.Error(), "project: valid project is required") {
		t.Errorf("the refusal is %v", err)
	}
}

// The library sends a password with every person in a field.
func TestTrapOfPeople(t *testing.T) {
	tr := newTrap(t, jirafake.Options{})
	_, _, _ = tr.theirs.Issue.CreateWithContext(t.Context(), &jira.Issue{Fields: &jira.IssueFields{Project: jira.Project{Key: "OPS"}, Type: jira.IssueType{Name: "Bug"}, Summary: "x", Assignee: &jira.User{AccountID: "a"}}})
	if !strings.Contains(tr.last(), `"Password"`) {
		t.Errorf("the trap is gone: the library sends %s", tr.last())
	}
	tr.fake.AddField(jirafake.Field{ID: "customfield_1", Name: "On call", Type: "user"})
	f := fieldMeta{ID: "customfield_1"}
	f.Schema.Type = "user"
	_, err := tr.ours.create(t.Context(), map[string]any{"project": map[string]string{"key": "OPS"}, "issuetype": map[string]string{"name": "Bug"}, "summary": "x", f.ID: f.shape(json.RawMessage(`"a"`), true)}, aText("x"), false)
	if err != nil || !strings.Contains(tr.last(), `"customfield_1":{"accountId":"a"}`) {
		t.Errorf("%v, sent %s", err, tr.last())
	}
}

// The library's search and its questions about the create screen are gone from Jira.
func TestTrapOfCallsThatAreGone(t *testing.T) {
	tr := newTrap(t, jirafake.Options{})
	key := tr.fake.Open("OPS", "Bug", "x")
	if _, _, err := tr.theirs.Issue.SearchWithContext(t.Context(), `key in ("`+key+`")`, nil); err == nil {
		t.Error("the trap is gone: the library's search is answered")
	}
	if found, err := tr.ours.find(t.Context(), `key in ("`+key+`")`); err != nil || found != key {
		t.Errorf("found %q, %v", found, err)
	}
	if meta, _, err := tr.theirs.Issue.GetCreateMetaWithOptionsWithContext(t.Context(), &jira.GetQueryOptions{ProjectKeys: "OPS"}); err == nil && len(meta.Projects) > 0 {
		t.Error("the trap is gone: the library's question about the create screen is answered")
	}
	for _, premise := range []bool{false, true} {
		tr := newTrap(t, jirafake.Options{OnPremise: premise})
		if fields, err := tr.ours.createScreen(t.Context(), "OPS", "Bug"); err != nil || !slices.ContainsFunc(fields, func(f fieldMeta) bool { return f.id() == "labels" }) {
			t.Errorf("on premise %t: fields %+v, %v", premise, fields, err)
		}
	}
}

// The library cannot read a description that is a document, nor a time that ends in Z.
func TestTrapsOfReading(t *testing.T) {
	for name, body := range map[string]string{
		"a document": `{"key":"OPS-1","fields":{"description":{"type":"doc","version":1,"content":[]},"status":{"name":"Done","statusCategory":{"key":"done"}},"resolutiondate":"2026-03-01T12:00:00.000+0000"}}`,
		"a Z":        `{"key":"OPS-1","fields":{"updated":"2026-03-01T12:00:00Z","resolutiondate":"2026-03-01T12:00:00Z","status":{"name":"Done","statusCategory":{"key":"done"}}}}`,
	} {
		tr := newTrap(t, jirafake.Options{})
		tr.fake.Faults.Set(fault.Fault{Match: "GET /rest/api/2/issue/OPS-1", Status: 200, Body: body})
		if _, _, err := tr.theirs.Issue.GetWithContext(t.Context(), "OPS-1", nil); err == nil {
			t.Errorf("%s: the trap is gone: the library reads it", name)
		}
		if s, err := tr.ours.state(t.Context(), "OPS-1"); err != nil || !s.done || s.since.IsZero() {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// The library's transition sends empty fields and updates; ours only what its screen has.
func TestTrapOfTransitions(t *testing.T) {
	tr := newTrap(t, jirafake.Options{})
	key := tr.fake.Open("OPS", "Bug", "x")
	if _, err := tr.theirs.Issue.DoTransitionWithContext(t.Context(), key, "31"); err != nil || !strings.Contains(tr.last(), `"update"`) {
		t.Errorf("the trap is gone: the library sends %s, %v", tr.last(), err)
	}
	key = tr.fake.Open("OPS", "Bug", "x")
	if _, ok, err := tr.ours.move(t.Context(), key, toStatus("Done")); err != nil || !ok || tr.last() != `{"transition":{"id":"31"}}` {
		t.Errorf("%v, sent %s", err, tr.last())
	}
}

// What calls itself Cloud and knows version 2 only gets markup.
func TestCloudWithoutVersion3(t *testing.T) {
	for _, status := range []int{404, 405, 410} {
		tr := newTrap(t, jirafake.Options{})
		tr.fake.Faults.Set(fault.Fault{Match: "/rest/api/3/", Status: status, Body: `{"errorMessages":["dead link"]}`})
		key, err := tr.ours.create(t.Context(), map[string]any{"project": map[string]string{"key": "OPS"}, "issuetype": map[string]string{"name": "Bug"}, "summary": "x"}, aText("[x]"), false)
		if err != nil {
			t.Fatal(err)
		}
		id, err := tr.ours.addComment(t.Context(), key, aText("more"))
		if err != nil {
			t.Fatal(err)
		}
		if found, err := tr.ours.findComment(t.Context(), key, aText("more")); err != nil || found != id {
			t.Errorf("%d: found %q, %v", status, found, err)
		}
		if i, _ := tr.fake.Issue(key); i.Description != "\\[x\\]\n" {
			t.Errorf("%d: %q", status, i.Description)
		}
	}
}
