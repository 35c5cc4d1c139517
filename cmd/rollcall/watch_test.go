package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// On a terminal watch draws the execution again while it changes, and leaves behind how it ended.
// In a pipe there are lines only.
func TestWatchShowsAnExecution(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	watch := func(o *output, looks int) {
		api := watched(t, looks)
		defer api.Close()
		c := &watchCmd{service: service{URL: api.URL, Token: "x"}, What: "webshop#42"}
		if err := c.Run(t.Context(), o); err != nil {
			t.Error(err)
		}
	}
	got := onTerminal(t, func(tty *os.File) { watch(&output{tty, tty}, 4) })
	screen, left, _ := strings.Cut(got, backScreen)
	if !strings.HasPrefix(screen, ownScreen) || !strings.Contains(screen, "\x1b[Hwebshop#42  InProgress\x1b[K") {
		t.Errorf("the screen shows %q", screen)
	}
	if !strings.HasPrefix(left, "webshop#42  Succeeded\n") || strings.Contains(left, "\x1b") {
		t.Errorf("what stays is %q", left)
	}
	var pipe bytes.Buffer
	watch(&output{&pipe, &pipe}, 2)
	if text := pipe.String(); strings.Contains(text, "\x1b") || strings.Count(text, "\n") != 2 || !strings.HasSuffix(text, "webshop#42  succeeded\n") {
		t.Errorf("a pipe gets %q", text)
	}
}

// watched is a service with an execution that succeeds once it has been looked at so often.
func watched(t *testing.T, most int) *httptest.Server {
	const id = "0198c1a0-7f3e-7000-8000-00000000002a"
	var mu sync.Mutex
	t.Helper()
	looks, seen := 0, make(chan struct{})
	event := func(w http.ResponseWriter, kind, more string) {
		fmt.Fprintf(w, "data: {\"cursor\":\"1\",\"pipeline\":\"webshop\",\"execution\":%q,\"kind\":%q%s}\n\n", id, kind, more)
		_ = http.NewResponseController(w).Flush()
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/events" {
			event(w, "stageEntered", `,"stage":"Production"`)
			select {
			case <-seen:
				event(w, "executionSucceeded", "")
			case <-t.Context().Done():
			}
			return
		}
		mu.Lock()
		defer mu.Unlock()
		status := "InProgress"
		switch looks++; {
		case looks == most:
			close(seen)
		case looks > most:
			status = "Succeeded"
		}
		fmt.Fprintf(w, `{"id":%q,"number":42,"pipeline":"webshop","status":%q}`, id, status)
	}))
}
