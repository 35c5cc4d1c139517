package wire

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnEndpointAcceptsOnlyWhatIsVerified(t *testing.T) {
	secret, sign := []byte("s"), func(body string) string { return Sign([]byte("s"), []byte(body)) }
	for _, c := range []struct {
		name, body, signature string
		status                int
		says, logged          string
	}{
		{"signed", "hello", sign("hello"), 202, "", ""},
		{"not signed", "hello", "", 401, "not signed (X-Sig)", "not signed (X-Sig)"},
		{"not signed and too large is not read", strings.Repeat("x", 20), "", 401, "not signed (X-Sig)", "not signed"},
		{"signed with another secret", "hello", Sign([]byte("t"), []byte("hello")), 401, "this webhook's secret", "secret"},
		{"another body", "hullo", sign("hello"), 401, "this webhook's secret", "secret"},
		{"too large", strings.Repeat("x", 20), sign(strings.Repeat("x", 20)), 413, "larger than 10 bytes", "larger than"},
		{"turned away by Accept", "away", sign("away"), 503, "come back", "the disk is full"},
		{"a ping", "ping", "anything", 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			accepted, signature := 0, Signature{Header: "X-Sig", Secret: secret, BodyLimit: 10}
			h := Endpoint{Name: "a test's request", Log: slog.New(slog.NewTextHandler(&log, nil)),
				Limit: signature.Limit, Verify: signature.Verify,
				Ping: func(_ *http.Request, body []byte) bool { return string(body) == "ping" },
				Accept: func(w http.ResponseWriter, _ *http.Request, body []byte, fingerprint string) *Rejection {
					if fingerprint != Fingerprint(body) {
						t.Errorf("fingerprint %q", fingerprint)
					}
					if string(body) == "away" {
						return &Rejection{Status: 503, Code: "Unavailable", Detail: "come back", Cause: errors.New("the disk is full")}
					}
					accepted++
					w.WriteHeader(http.StatusAccepted)
					return nil
				},
				Describe: func(r *http.Request) []any { return []any{"path", r.URL.Path} },
			}.Handler(NewSampler())
			r := httptest.NewRequest("POST", "/hook", strings.NewReader(c.body))
			if c.signature != "" {
				r.Header.Set("X-Sig", c.signature)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || (accepted == 1) != (c.status == 202) {
				t.Errorf("%d %s, accepted %d", w.Code, w.Body, accepted)
			}
			if strings.Contains(w.Body.String(), "disk") {
				t.Error("the sender is shown an inner error")
			}
			if line := log.String(); (c.logged == "") != (line == "") || !strings.Contains(line, c.logged) ||
				line != "" && (!strings.Contains(line, "a test's request was refused") || !strings.Contains(line, "path=/hook")) {
				t.Errorf("log %q", line)
			}
		})
	}
}

func TestAFloodOfRejectionsLeavesFewLines(t *testing.T) {
	var log bytes.Buffer
	s := Signature{Header: "X-Sig", Secret: []byte("s"), BodyLimit: 10}
	h := Endpoint{Name: "a request", Log: slog.New(slog.NewTextHandler(&log, nil)), Limit: s.Limit, Verify: s.Verify}.Handler(NewSampler())
	for range 1000 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
	}
	if n := strings.Count(log.String(), "\n"); n == 0 || n > 11 {
		t.Errorf("%d lines", n)
	}
}

// Without a secret nothing is verified, whoever signs with none.
func TestAnEmptySecretVerifiesNothing(t *testing.T) {
	h := http.Header{"X-Sig": {Sign(nil, []byte("hello"))}}
	if _, refused := (Signature{Header: "X-Sig"}).Verify(h, []byte("hello")); refused == nil {
		t.Error("an empty secret verified a body")
	}
}
