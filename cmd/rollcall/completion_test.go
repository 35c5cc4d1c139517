package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCompletion: what may come next, where the service answers and where it does not.
func TestCompletion(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/pipelines":
			_, _ = w.Write([]byte(`{"pipelines":[{"name":"webshop"},{"name":"till"}]}`))
		case "/api/v1/pipelines/webshop":
			_, _ = w.Write([]byte(`{"name":"webshop","definition":{"name":"webshop","variables":[{"name":"colour"},{"name":"outcome","description":"how it ends"}]},"stages":[{"name":"Source"},{"name":"Production"}]}`))
		case "/api/v1/pipelines/webshop/executions":
			_, _ = w.Write([]byte(`{"executions":[{"id":"e42","number":42,"pipeline":"webshop","status":"Succeeded"}]}`))
		case "/api/v1/executions/webshop#42":
			_, _ = w.Write([]byte(`{"id":"e42","number":42,"pipeline":"webshop","stages":[{"name":"Production","actions":[{"name":"Deploy","status":"Succeeded"}]}]}`))
		case "/api/v1/pipelines/webshop/stages/Production/targets":
			_, _ = w.Write([]byte(`{"targets":[{"number":41,"eligible":true}]}`))
		default:
			_, _ = w.Write([]byte(`{"executions":[]}`))
		}
	}))
	defer service.Close()
	for _, c := range []struct {
		words []string
		want  string // the first candidates
	}{
		{[]string{"sta"}, "start status"},
		{[]string{"rollback", ""}, "till webshop"},
		{[]string{"rollback", "webshop", "P"}, "Production"},
		{[]string{"rollback", "--reason", "why", "webshop", ""}, "Source Production"},
		{[]string{"approve", "w"}, "webshop#42"},
		{[]string{"approve", "webshop#42", ""}, "Deploy"},
		{[]string{"disable", "webshop", "S"}, "Source"},
		{[]string{"resolve", "webshop#42", "Deploy", ""}, "succeeded failed again"},
		{[]string{"executions", "webshop", "--status", "S"}, "Stopping Stopped Succeeded Superseded"},
		{[]string{"rollback", "webshop", "Production", "--to", "w"}, "webshop#41"},
		{[]string{"start", "webshop", ""}, "colour= outcome="},
		{[]string{"start", "webshop", "colour=red", ""}, "outcome="},
		{[]string{"start", "webshop", "--wait=P"}, "Production"},
		{[]string{"status", "--out"}, "--output"},
		{[]string{"start", "webshop", "--wait=a"}, "approval"},         // scripts put the flag before it
		{[]string{"start", "webshop", "--wait", "=", "a"}, "approval"}, // as bash splits it
		{[]string{"rollback", "webshop", "Production", "--definition=c"}, "current"},
		{[]string{"audit", ""}, "show export verify"},
		{[]string{"nonsense", ""}, ""},
	} {
		for _, url := range []string{service.URL, "http://127.0.0.1:1"} {
			t.Setenv("ROLLCALL_URL", url)
			want := strings.Fields(c.want)
			got := completed(t, c.words)
			for range 60 { // a service that does not answer within a second is asked by the next Tab
				if url != service.URL || len(got) >= len(want) {
					break
				}
				got = completed(t, c.words)
			}
			if url != service.URL && slices.ContainsFunc(want, func(w string) bool { return strings.ContainsAny(w, "PDwt#S=") && !strings.HasPrefix(w, "-") }) {
				continue // names that only the service knows
			}
			if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
				t.Errorf("%q at %s: %q, want %q", c.words, url, got, want)
			}
		}
	}
}

// completed are the candidates for the last word.
func completed(t *testing.T, words []string) (got []string) {
	t.Helper()
	var out, errors bytes.Buffer
	if code := run(append([]string{cobra.ShellCompRequestCmd}, words...), &out, &errors); code != 0 {
		t.Errorf("%q: %d %s", words, code, errors.String())
	}
	for line := range strings.Lines(out.String()) {
		word, _, _ := strings.Cut(line, "\t")
		got = append(got, strings.TrimSpace(word))
	}
	return got[:len(got)-1] // the last line tells the script what to do with them
}
