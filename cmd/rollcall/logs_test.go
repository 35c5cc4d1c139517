package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// rights are those that an API token may have.
func rights() []workflows.Verb {
	return []workflows.Verb{workflows.View, workflows.Logs, workflows.Start, workflows.StopExecution, workflows.Retry, workflows.Approve, workflows.RollBack, workflows.Override,
		workflows.Lock, workflows.Unlock, workflows.Resolve, workflows.Edit, workflows.Audit, workflows.StartAnyRevision}
}

// narrowTokens are lines of the configuration: for each right a token that has
// it alone, and one that may look besides.
func narrowTokens() (lines string) {
	for _, v := range rights() {
		lines += fmt.Sprintf("    - {name: only-%[1]s, token: a-token-for-%[1]s-only, may: [%[1]s]}\n", v)
		if v != workflows.View {
			lines += fmt.Sprintf("    - {name: view-%[1]s, token: a-token-to-view-and-%[1]s, may: [view, %[1]s]}\n", v)
		}
	}
	return lines
}

// body is the answer to a GET by the holder of a token.
func (w *fixture) body(path, secret string) string {
	w.t.Helper()
	text, err := io.ReadAll(w.get(w.t.Context(), path, secret))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// feed is what the live feed says from its beginning until it has said something,
// and for a moment longer.
func (w *fixture) feed(secret, until string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), testTimeout)
	defer cancel()
	var said strings.Builder
	lines := bufio.NewScanner(w.get(ctx, "/api/v1/events", secret))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), until) {
			time.AfterFunc(time.Second, cancel)
		}
	}
	if !strings.Contains(said.String(), until) {
		w.t.Fatalf("the feed never said %s: %v\n%s", until, lines.Err(), said.String())
	}
	return said.String()
}

func (w *fixture) get(ctx context.Context, path, secret string) io.Reader {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.addr+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { res.Body.Close() })
	return res.Body
}

// T10: a line of a log is read by those who may read logs, and by those to whom
// the pipeline's own settings show it: its channel and its ticket. Every right
// alone, and beside the right to look, is tried on every answer of the API.
func TestALogIsReadByNobodyElse(t *testing.T) {
	const marker = "the shop answers 500"
	w := newWorld(t)
	w.push("broken", "Break the shop")
	w.approve(w.ana, 1)
	w.approve(w.ben, 1)
	w.ended(1, workflows.StatusFailed)
	id := w.execution(1).ID
	w.until("the channel is shown the end of the log", func() bool {
		told := w.posts("rollcall_failure", id)
		return len(told) == 1 && strings.Contains(told[0].Text, marker) && strings.Contains(w.slack.Rendered(told[0]), marker)
	})
	w.until("the ticket is shown the end of the log", func() bool {
		all := w.jira.Issues()
		return len(all) == 1 && strings.Contains(all[0].Description, marker)
	})
	quiet := []string{"pipelines", "pipelines/webshop", "pipelines/webshop/versions", "pipelines/webshop/executions", "pipelines/webshop/stages/Production/targets",
		"executions/" + id, "approvals"}
	log := "/api/v1/executions/" + id + "/log?stage=Production&action=Deploy"
	for _, v := range rights() {
		for _, secret := range []string{fmt.Sprintf("a-token-for-%s-only", v), fmt.Sprintf("a-token-to-view-and-%s", v)} {
			for _, path := range quiet {
				if got := w.body("/api/v1/"+path, secret); strings.Contains(got, marker) {
					t.Errorf("%s shows it to %s: %s", path, secret, got)
				}
			}
			may := secret == "a-token-to-view-and-logs"
			if got := w.body(log, secret); strings.Contains(got, marker) != may {
				t.Errorf("the log says to %s: %s", secret, got)
			}
		}
	}
	if feed := w.feed("a-token-for-view-only", "actionFailed"); strings.Contains(feed, marker) {
		t.Errorf("the feed says: %s", feed)
	}
}
