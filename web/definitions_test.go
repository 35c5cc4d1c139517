package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// declare reads a language of its own, a line for the name and then one for
// every fault: the API neither knows nor cares what a declaration looks like.
func declare(data []byte) (*workflows.Pipeline, []Diagnostic) {
	name, rest, _ := strings.Cut(strings.Trim(string(data), `"`), "\n")
	var found []Diagnostic
	failed := false
	for i, line := range strings.Split(rest, "\n") {
		if line != "" {
			found = append(found, Diagnostic{Line: i + 2, Column: 1, Message: line, Hint: "mend it", Warning: strings.HasPrefix(line, "perhaps")})
			failed = failed || !strings.HasPrefix(line, "perhaps")
		}
	}
	if failed {
		return nil, found
	}
	return &workflows.Pipeline{Name: name, Stages: []workflows.Stage{{Name: "Source"}}}, found
}

func TestADeclarationIsPutInForce(t *testing.T) {
	e := &engine{result: event.Result{Version: 3, Changed: true, Weakened: []event.Weakened{{Stage: "Prod", Action: "SignOff", Old: "2 of group:sre", New: "removed"}}}}
	w := call(e, "PUT", "/api/v1/pipelines/webshop", "webshop\nperhaps no runner", "Content-Type", "application/yaml")
	if got := e.asked; w.Code != http.StatusOK || got.Verb != workflows.Edit || got.Pipeline != "webshop" || got.NewDefinition == nil || got.NewDefinition.Name != "webshop" || got.IfCurrent != "" || got.ManagedBy != "" {
		t.Fatalf("%d %s, asked %+v", w.Code, w.Body, e.asked)
	}
	var answer struct {
		Name     string
		Version  int
		Changed  bool
		Weakened []event.Weakened
		Warnings []Diagnostic
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Name != "webshop" || answer.Version != 3 || !answer.Changed || len(answer.Weakened) != 1 || answer.Weakened[0].New != "removed" ||
		len(answer.Warnings) != 1 || answer.Warnings[0].Line != 2 || w.Header().Get("ETag") != `"3"` {
		t.Errorf("%+v %v", answer, w.Header())
	}

	// Who may edit and not look hears what came of it all the same.
	e = &engine{hidden: true, result: event.Result{Version: 1, Changed: true}}
	w = call(e, "PUT", "/api/v1/pipelines/secret", "secret")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"version":1`) || !strings.Contains(w.Body.String(), `"weakened":[],"cancels":[],"warnings":[]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAFaultyDeclarationChangesNothingAndSaysWhere(t *testing.T) {
	for _, c := range []struct {
		name, kind, body, field, words string
		places                         string
	}{
		{"faults", "text/yaml", "webshop\nno stages\nperhaps odd\ntwo names", "", "line 2, column 1: no stages, and 1 more", "2:1 3:1 4:1 "},
		{"another name", "", "webshup", "name", "the declaration is of webshup, and was sent to webshop", ""},
		{"not JSON", "application/json; charset=utf-8", "{\"name\": \"webshop\",\n  \"stages\" []}", "", "line 2, column 12: this is not JSON", "2:12 "},
		{"JSON that ends too soon", "application/json", "{", "", "not JSON", "1:1 "},
		{"nothing as JSON", "application/json", "", "", "not JSON", "1:1 "},
		{"another kind", "application/xml", "webshop", "Content-Type", "not read from application/xml", ""},
	} {
		e := &engine{}
		w := call(e, "PUT", "/api/v1/pipelines/webshop", c.body, "Content-Type", c.kind)
		var p problemBody
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		places := ""
		for _, d := range p.Diagnostics {
			places += jsonText(d.Line) + ":" + jsonText(d.Column) + " "
		}
		if w.Code != 400 || p.Code != workflows.CodeValidation || p.Field != c.field || !strings.Contains(p.Detail, c.words) || places != c.places || e.asked.Verb != "" {
			t.Errorf("%s: %d %+v at %q, asked %q", c.name, w.Code, p, places, e.asked.Verb)
		}
	}
	e := &engine{}
	if w := call(e, "PUT", "/api/v1/pipelines/webshop", strings.Repeat("x", 2<<20)); w.Code != 413 || e.asked.Verb != "" {
		t.Errorf("too large: %d", w.Code)
	}
}

func jsonText(v any) string { b, _ := json.Marshal(v); return string(b) }

// Who says which version they have changed is refused when it is no longer in force.
func TestTheVersionThatWasSeenIsHandedOn(t *testing.T) {
	for _, c := range []struct{ query, match, want string }{
		{"", "", ""}, {"", `"3"`, "3"}, {"", "3", "3"}, {"", `W/"3"`, "3"}, {"?version=4", "", "4"}, {"?version=0", "", "0"}, {"?version=007", "", "7"},
	} {
		e := &engine{}
		if call(e, "PUT", "/api/v1/pipelines/webshop"+c.query, "webshop", "If-Match", c.match); e.asked.IfCurrent != c.want || e.asked.Verb != workflows.Edit {
			t.Errorf("%+v: asked %+v", c, e.asked)
		}
	}
	for _, bad := range []string{"*", "abc", "-1"} {
		e := &engine{}
		if w := call(e, "PUT", "/api/v1/pipelines/webshop", "webshop", "If-Match", bad); w.Code != 400 || !strings.Contains(w.Body.String(), "If-Match") || e.asked.Verb != "" {
			t.Errorf("%q: %d %s", bad, w.Code, w.Body)
		}
	}
	if w := call(&engine{}, "GET", "/api/v1/pipelines/webshop?version=2", ""); w.Header().Get("ETag") != `"2"` {
		t.Errorf("ETag %s", w.Header().Get("ETag"))
	}
}

func TestDeletingArchives(t *testing.T) {
	e := &engine{result: event.Result{Pipeline: "webshop", Changed: true}}
	w := call(e, "DELETE", "/api/v1/pipelines/webshop", "")
	if w.Code != 200 || e.asked.Verb != workflows.Archive || e.asked.Pipeline != "webshop" || strings.TrimSpace(w.Body.String()) != `{"archived":true,"changed":true,"name":"webshop"}` {
		t.Errorf("%d %s, asked %+v", w.Code, w.Body, e.asked)
	}
	e = &engine{err: &workflows.Problem{Code: workflows.CodeManagedByFile, Message: "webshop is defined in pipelines/webshop.yaml"}}
	if w := call(e, "DELETE", "/api/v1/pipelines/webshop", ""); w.Code != 409 || !strings.Contains(w.Body.String(), "pipelines/webshop.yaml") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzPlaceOfWhatIsNotJSON(f *testing.F) {
	f.Add("{\n}\n}")
	f.Add("{\"a\":\"ä\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range notJSON([]byte(text)) {
			if lines := strings.Count(text, "\n") + 1; d.Line < 1 || d.Line > lines || d.Column < 1 || d.Column > len(text)+1 {
				t.Errorf("%q: line %d, column %d", text, d.Line, d.Column)
			}
		}
	})
}
