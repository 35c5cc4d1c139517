package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// signingIn is a service that signs terminals in; states are its answers to whoever
// asks how it stands, the last one for ever.
type signingIn struct {
	mu     sync.Mutex
	states []string
	asked  []string

	unknown bool // it says that the token is not known
}

func (s *signingIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	s.asked = append(s.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/api/v1/login":
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"code":"BCDF-GHJK","command":"/rollcall login BCDF-GHJK\u001b[2J","url":"https://rollcall.acme.example/login?code=BCDF-GHJK","token":"token-of-the-session"}`)
	case "/api/v1/login/poll":
		state := s.states[0]
		if len(s.states) > 1 {
			s.states = s.states[1:]
		}
		if state == "away" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, `{"state":"`+state+`"}`)
	case "/api/v1/whoami":
		if s.unknown {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"id":"slack:U0ANA","name":"Ana","via":"console"}`)
	case "/api/v1/logout":
		_, _ = io.WriteString(w, `{"ended":1}`)
	}
}

// login shows a code, waits, also while the service is restarted, and keeps the
// session that only its owner can read; logout ends it at the service.
func TestLoginSignsInAsAPerson(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("ROLLCALL_URL", "")
	t.Setenv("ROLLCALL_TOKEN", "")
	s := &signingIn{states: []string{"waiting", "away", "granted"}}
	server := httptest.NewServer(s)
	defer server.Close()
	do := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(args, &out, &errs); code != want {
			t.Fatalf("%v: status %d\n%s%s", args, code, out.String(), errs.String())
		}
		return out.String(), errs.String()
	}
	stdout, stderr := do(0, "login", server.URL, "--context", "prod")
	if !strings.Contains(stderr, "/rollcall login BCDF-GHJK\n") || !strings.Contains(stderr, "https://rollcall.acme.example/login?code=BCDF-GHJK") || strings.Contains(stderr, "\x1b") {
		t.Errorf("%q", stderr)
	}
	if !strings.Contains(stdout, "as Ana (context prod)") || strings.Contains(stdout+stderr, "token-of-the-session") {
		t.Errorf("%q %q", stdout, stderr)
	}
	path := os.Getenv("XDG_CONFIG_HOME") + "/rollcall/config.yaml"
	info, err := os.Stat(path)
	kept, _ := os.ReadFile(path)
	if err != nil || info.Mode().Perm() != 0o600 || !bytes.Contains(kept, []byte("token-of-the-session")) {
		t.Fatalf("%v %v %s", info, err, kept)
	}
	if stdout, _ := do(0, "whoami"); !strings.HasPrefix(stdout, "Ana at ") {
		t.Errorf("%q", stdout)
	}
	do(0, "logout")
	s.mu.Lock()
	last := s.asked[len(s.asked)-1]
	s.mu.Unlock()
	if !strings.HasPrefix(last, "POST /api/v1/logout Bearer token-of-the-session") {
		t.Errorf("%q", last)
	}
	if kept, _ := os.ReadFile(path); bytes.Contains(kept, []byte("token-of")) {
		t.Errorf("%s", kept)
	}

	for state, says := range map[string]string{"refused": "refused in Slack", "expired": "five minutes"} {
		s.mu.Lock()
		s.states = []string{state}
		s.mu.Unlock()
		if _, stderr := do(1, "login", server.URL); !strings.Contains(stderr, says) {
			t.Errorf("%s: %q", state, stderr)
		}
	}
	if kept, _ := os.ReadFile(path); bytes.Contains(kept, []byte("token-of")) {
		t.Errorf("something was kept: %s", kept)
	}

	s.mu.Lock()
	s.states = []string{"granted"}
	s.mu.Unlock()
	do(0, "login", server.URL)
	server.Close()
	if stdout, stderr := do(0, "logout"); !strings.Contains(stderr, "could not be ended") || !strings.Contains(stdout, "signed out") {
		t.Errorf("%q %q", stdout, stderr)
	}
}

// Signing in again ends the session that it replaces; one that cannot be kept is
// ended, and a file that cannot be read is found before anybody is asked.
func TestLoginLeavesNoSessionBehind(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("ROLLCALL_URL", "")
	t.Setenv("ROLLCALL_TOKEN", "")
	s := &signingIn{states: []string{"granted"}}
	server := httptest.NewServer(s)
	defer server.Close()
	do := func(want int, args ...string) (asked []string, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		s.mu.Lock()
		s.asked = nil
		s.mu.Unlock()
		if code := run(args, &out, &errs); code != want {
			t.Fatalf("%v: status %d\n%s%s", args, code, out.String(), errs.String())
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.asked, errs.String()
	}
	ended := func(asked []string, token string) bool {
		for _, one := range asked {
			if strings.HasPrefix(one, "POST /api/v1/logout Bearer "+token) {
				return true
			}
		}
		return false
	}
	path := os.Getenv("XDG_CONFIG_HOME") + "/rollcall/config.yaml"
	if err := os.MkdirAll(os.Getenv("XDG_CONFIG_HOME")+"/rollcall", 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("contexts:\n- {name: prod, url: " + server.URL + ", token: earlier, session: true}\n- {name: other, url: " + server.URL + ", token: others, session: true}\n- {name: ci, url: " + server.URL + ", token: machines}\n")
	if asked, stderr := do(0, "login", server.URL, "--context", "prod"); !ended(asked, "earlier") || ended(asked, "others") || ended(asked, "token-of-the-session") || strings.Contains(stderr, "http://: whoever") {
		t.Errorf("%q %s", asked, stderr)
	}
	if asked, _ := do(0, "login", server.URL, "--context", "ci"); ended(asked, "") {
		t.Errorf("a machine's token was signed out: %q", asked)
	}
	write("{")
	if asked, _ := do(1, "login", server.URL); len(asked) != 0 {
		t.Errorf("asked for nothing: %q", asked)
	}
	write("")
	s.mu.Lock()
	s.unknown = true
	s.mu.Unlock()
	if asked, _ := do(5, "login", server.URL); !ended(asked, "token-of-the-session") {
		t.Errorf("it was not ended: %q", asked)
	}
}

// What a browser does is not waited for.
func TestABrowserIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	open := dir + "/open"
	if err := os.WriteFile(open, []byte("#!/bin/sh\necho \"$1\" > "+dir+"/seen.new\nmv "+dir+"/seen.new "+dir+"/seen\nwhile [ ! -e "+dir+"/closed ]; do sleep 0.05; done\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	showIn(t.Context(), open, "file:///etc/passwd")
	showIn(t.Context(), open, "https://rollcall.acme.example/login?code=BCDF-GHJK") // comes back while the window is open
	for seen := ""; seen != "https://rollcall.acme.example/login?code=BCDF-GHJK\n"; {
		if raw, err := os.ReadFile(dir + "/seen"); err == nil {
			if seen = string(raw); strings.HasPrefix(seen, "file:") {
				t.Fatal("it was given a file")
			}
		}
	}
	if err := os.WriteFile(dir+"/closed", nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
