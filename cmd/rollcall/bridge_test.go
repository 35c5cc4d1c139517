package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// answers is a service that answers each request of a kind ("POST pipelines/…")
// with what is said there, in order; the last one again and again.
type answers struct {
	mu     sync.Mutex
	said   map[string][]string // "STATUS JSON"
	tokens []string            // of the starts and rollbacks, in order
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1/")
	key = strings.Replace(key, "0192f000-0000-7000-8000-000000000044", "webshop#44", 1) // two names of one
	all := a.said[key]
	if len(all) == 0 {
		http.Error(w, "nothing is said of "+key, http.StatusNotImplemented)
		return
	}
	if len(all) > 1 {
		a.said[key] = all[1:]
	}
	var body struct {
		Token string `json:"clientRequestToken"`
	}
	if json.NewDecoder(r.Body).Decode(&body) == nil && body.Token != "" {
		a.tokens = append(a.tokens, body.Token)
	}
	status := 0
	if _, err := fmt.Sscan(all[0], &status); err != nil {
		http.Error(w, err.Error(), http.StatusNotImplemented)
		return
	}
	_, text, _ := strings.Cut(all[0], " ")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// bridgedJSON is webshop#44 in AWS; also is more of its JSON.
func bridgedJSON(status, also string) string {
	return fmt.Sprintf(`{"id":"0192f000-0000-7000-8000-000000000044","number":44,"pipeline":"webshop","externalId":"7cf7f7cb-3137-439f-a458-d7e034aaaaaa","status":%q,"startedAt":"2026-03-12T14:00:00Z","trigger":{"type":"StartPipelineExecution","by":{"id":"","name":""}},"stages":[{"name":"Production","status":%q,"actions":[]}]%s}`, status, status, also)
}

const askedJSON = `{"request":{"id":"r1","verb":"%s","stage":"Production","by":{"id":"token:ci","name":"ci"},"at":"2026-03-12T14:00:00Z","state":"open"}}`

// What is asked of AWS is waited for as AWS does it: until the execution exists,
// until a retry has been taken up, and no longer than until AWS refuses.
func TestTheCommandLineWaitsForAWS(t *testing.T) {
	const start, back, lock = "POST pipelines/webshop/executions", "POST pipelines/webshop/stages/Production/rollback", "POST pipelines/webshop/stages/Production/transition"
	const one, retry = "GET executions/webshop#44", "POST executions/webshop#44/retry"
	ask := func(verb string) string { return "202 " + fmt.Sprintf(askedJSON, verb) }
	failed := bridgedJSON("Failed", `,"endedAt":"2026-03-12T14:05:00Z"`)
	failedAgain := bridgedJSON("Failed", `,"endedAt":"2026-03-12T14:09:00Z","statusReason":{"code":"ActionFailed","message":"Deploy in Production: exit status 2"}`)
	open := bridgedJSON("Failed", `,"endedAt":"2026-03-12T14:05:00Z","requests":[{"verb":"retry","state":"open"}]`)
	refused := bridgedJSON("Failed", `,"endedAt":"2026-03-12T14:05:00Z","requests":[{"verb":"retry","state":"refused","error":{"code":"StageNotRetryable","message":"the stage runs"}}]`)
	watched := `409 {"title":"Conflict","status":409,"code":"WatchOnly","detail":"webshop is only watched","hint":"set mode: act for the bridge prod-eu","id":"x"}`
	for _, c := range []struct {
		name   string
		args   []string
		said   map[string][]string
		code   int
		stdout string
		stderr string
	}{
		{"a start that is not answered", []string{"start", "webshop"}, map[string][]string{start: {ask("start")}}, 0, "AWS is asked to start the pipeline; it has not answered yet\n", ""},
		{"as JSON", []string{"start", "webshop", "-o", "json"}, map[string][]string{start: {ask("start")}}, 0, `"state": "open"`, ""},
		{"a start that is waited for", []string{"start", "webshop", "--wait"}, map[string][]string{start: {ask("start"), ask("start"), "201 " + bridgedJSON("InProgress", "")}, one: {"200 " + bridgedJSON("Succeeded", "")}}, 0, "started webshop#44\nwebshop#44 succeeded\n", ""},
		{"one that does not begin in time", []string{"start", "webshop", "--wait", "--timeout", "600ms"}, map[string][]string{start: {ask("start")}}, 4, "", "AWS has not begun within 600ms; AWS may still do it"},
		{"one that AWS refuses later", []string{"start", "webshop", "--wait"}, map[string][]string{start: {ask("start"), `409 {"code":"ConcurrentPipelineExecutionsLimitExceeded","detail":"AWS refused to start the pipeline: 50 run","id":"x"}`}}, 1, "", "AWS refused to start the pipeline: 50 run"},
		{"a rollback", []string{"rollback", "webshop", "Production", "--to", "7cf7f7cb-3137-439f-a458-d7e034aaaaaa", "--wait"}, map[string][]string{"GET executions/7cf7f7cb-3137-439f-a458-d7e034aaaaaa": {"200 " + bridgedJSON("Succeeded", "")},
			back: {ask("rollback"), "201 " + bridgedJSON("InProgress", "")}, one: {"200 " + bridgedJSON("Succeeded", "")}}, 0, "rolling Production back to webshop#44: webshop#44\n", ""},
		{"a lock", []string{"lock", "webshop", "Production"}, map[string][]string{lock: {ask("lock")}}, 0, "AWS is asked to lock Production; it has not answered yet\n", ""},
		{"a lock that is set", []string{"lock", "webshop", "Production"}, map[string][]string{lock: {`200 {"enabled":false}`}}, 0, "Production of webshop is locked\n", ""},
		{"a retry that AWS takes up", []string{"retry", "webshop#44", "--wait"}, map[string][]string{retry: {"200 " + open}, one: {"200 " + open, "200 " + failed, "200 " + bridgedJSON("InProgress", ""), "200 " + bridgedJSON("Succeeded", "")}}, 0, "webshop#44 succeeded\n", ""},
		{"one that fails again", []string{"retry", "webshop#44", "--wait"}, map[string][]string{retry: {"200 " + open}, one: {"200 " + failed, "200 " + failedAgain}}, 3, "", "exit status 2"},
		{"one that AWS refuses", []string{"retry", "webshop#44", "--wait"}, map[string][]string{retry: {"200 " + open}, one: {"200 " + refused}}, 1, "", "webshop#44: AWS refused: the stage runs (StageNotRetryable)"},
		{"a pipeline that is only watched", []string{"start", "webshop"}, map[string][]string{start: {watched}}, 1, "", "webshop is only watched\n  set mode: act for the bridge prod-eu"},
		{"AWS away", []string{"stop", "webshop#44"}, map[string][]string{"POST executions/webshop#44/stop": {`503 {"code":"AWSUnavailable","detail":"AWS did not answer","hint":"look, then ask again","id":"x"}`}}, 1, "", "look, then ask again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			said := &answers{said: c.said}
			server := httptest.NewServer(said)
			defer server.Close()
			t.Setenv("ROLLCALL_URL", server.URL)
			t.Setenv("ROLLCALL_TOKEN", "token-of-the-test")
			var stdout, stderr bytes.Buffer
			code := run(c.args, &stdout, &stderr)
			if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("status %d, want %d\n%s%s", code, c.code, stdout.String(), stderr.String())
			}
			if tokens := slices.Compact(slices.Clone(said.tokens)); len(tokens) > 1 {
				t.Errorf("asked again under another token: %v", said.tokens)
			}
		})
	}
}

// How pipelines in AWS and their executions are printed.
func TestTheCommandLineShowsWhatIsInAWS(t *testing.T) {
	pipeline := `{"name":"webshop","version":3,"managedBy":"bridge","executionMode":"QUEUED","stages":[],"bridge":{"name":"prod-eu","account":"444455556666","region":"eu-west-1","mode":"watch","type":"V2","seenAt":"2026-03-12T14:02:00Z","error":{"code":"AccessDenied","message":"the role cannot be assumed"}}}`
	execution := bridgedJSON("InProgress", `,"requests":[{"verb":"retry","stage":"Production","by":{"id":"slack:U1","name":"Ana"},"state":"refused","error":{"code":"StageNotRetryable","message":"the stage runs"}}]`)
	server := httptest.NewServer(&answers{said: map[string][]string{"GET pipelines": {`200 {"pipelines":[` + pipeline + `]}`}, "GET pipelines/webshop": {"200 " + pipeline}, "GET executions/webshop#44": {"200 " + execution},
		"GET pipelines/webshop/executions": {`200 {"executions":[` + execution + `]}`}}})
	defer server.Close()
	t.Setenv("ROLLCALL_URL", server.URL)
	const lost, watched = "not seen since 12 Mar 14:02: the role cannot be assumed", "only watched: nothing can be done from here; to turn that on, set mode: act for the bridge prod-eu"
	for command, want := range map[string][]string{
		"status webshop":             {"webshop  version 3  QUEUED", "in AWS: account 444455556666, eu-west-1, type V2, bridge prod-eu (watch)", lost, watched},
		"status":                     {"in AWS: account 444455556666"},
		"pipelines":                  {"bridge prod-eu, not seen any more: the role cannot be assumed"},
		"status webshop#44":          {"webshop#44 in AWS  InProgress", lost, "Ana asked AWS to retry Production. AWS refused: the stage runs (StageNotRetryable)", "started in AWS"},
		"status webshop#44 -o wide":  {"id in AWS: 7cf7f7cb-3137-439f-a458-d7e034aaaaaa"},
		"executions webshop":         {"webshop#44", lost},
		"executions webshop -o wide": {"ID IN AWS", "7cf7f7cb-3137-439f-a458-d7e034aaaaaa"},
	} {
		t.Setenv("TZ", "UTC")
		var stdout, stderr bytes.Buffer
		if code := run(strings.Fields(command), &stdout, &stderr); code != 0 {
			t.Errorf("%s: status %d: %s", command, code, stderr.String())
		}
		for _, w := range want {
			if !strings.Contains(stdout.String(), w) {
				t.Errorf("%s does not say %q:\n%s", command, w, stdout.String())
			}
		}
	}
}
