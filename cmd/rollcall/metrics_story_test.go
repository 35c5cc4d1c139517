package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// scraped are the metrics as Prometheus reads them, by name and labels.
func (w *fixture) scraped(token string) (status int, values map[string]string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+w.addr+"/metrics", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	values = map[string]string{}
	for line := range strings.Lines(string(text)) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			values[line[:at]] = strings.TrimSpace(line[at:])
		}
	}
	return res.StatusCode, values
}

// identifying is what no label may hold: an execution, a commit, a number, a mail.
var identifying = regexp.MustCompile(`#|@|\b[0-9a-f]{7,40}\b|[0-9a-f]{8}-`)

// checkMetrics checks what the story has left in the metrics.
func (w *fixture) checkMetrics() {
	w.t.Helper()
	want := map[string]string{
		`rollcall_executions_total{pipeline="webshop",status="Succeeded"}`:    "5",
		`rollcall_executions_total{pipeline="webshop",status="Failed"}`:       "1",
		`rollcall_rollbacks_total{pipeline="webshop",trigger="automatic"}`:    "1",
		`rollcall_rollbacks_total{pipeline="webshop",trigger="manual"}`:       "1",
		`rollcall_execution_seconds_count{status="Succeeded"}`:                "5",
		`rollcall_action_seconds_count{provider="Commands",status="Failed"}`:  "1",
		`rollcall_action_seconds_count{provider="GitHub",status="Succeeded"}`: "4",
		`rollcall_gate_seconds_count{answer="approved"}`:                      "4",
		`rollcall_gates_waiting`:                                                                "0",
		`rollcall_gates_waiting_oldest_seconds`:                                                 "0",
		`rollcall_follower_lag{follower="slack"}`:                                               "0",
		`rollcall_follower_behind{follower="slack"}`:                                            "0",
		`rollcall_inbox_pending{source="slack"}`:                                                "0",
		`rollcall_outside_calls_total{operation="POST issue",result="ok",system="jira"}`:        "1",
		`rollcall_outside_calls_total{operation="auth.test",result="ok",system="slack"}`:        "",
		`rollcall_outside_calls_total{operation="POST statuses",result="ok",system="github"}`:   "",
		`rollcall_outside_calls_total{operation="chat.postMessage",result="ok",system="slack"}`: "",
		`rollcall_commit_seconds_count`:                                                         "",
		`go_goroutines`:                                                                         "",
		`process_resident_memory_bytes`:                                                         "",
	}
	var wrong []string
	defer func() {
		if len(wrong) > 0 {
			w.t.Log(strings.Join(wrong, "\n"))
		}
	}()
	w.until("the metrics tell the story", func() bool {
		_, got := w.scraped(token)
		wrong = nil
		for name, value := range want {
			if is, ok := got[name]; !ok || value != "" && is != value {
				wrong = append(wrong, name+" is "+is+", want "+value)
			}
		}
		for name := range got {
			if _, labels, ok := strings.Cut(name, "{"); ok && strings.HasPrefix(name, "rollcall_") && identifying.MatchString(labels) {
				w.t.Errorf("a label identifies something: %s", name)
			}
		}
		return len(wrong) == 0
	})
	if status, got := w.scraped(""); status != http.StatusUnauthorized || got["go_goroutines"] != "" {
		w.t.Errorf("without a token the metrics are answered with %d", status)
	}
}
