package app

import (
	"fmt"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/limit"
)

// T5: 200 connections to every route that takes a body send all of it but the
// last byte, and wait. What the service holds for them stays small, and it goes
// on answering others.
func TestStalledBodiesHoldLittle(t *testing.T) {
	const stalled, mostMiB = 200, 128
	in := &inbound{t: t, dir: t.TempDir()}
	in.clock.Store(time.Now().UnixNano())
	in.boot()
	defer in.stop()
	server := httptest.NewServer(limit.New(in.mux))
	defer server.Close()
	hub, chat, api := "X-Hub-Signature-256: sha256=00\r\nX-Hub-Signature: sha256=00\r\n",
		fmt.Sprintf("X-Slack-Signature: v0=00\r\nX-Slack-Request-Timestamp: %d\r\n", time.Now().Unix()), "Authorization: Bearer "+hookSecret+"\r\n"
	for _, c := range []struct {
		route, header string
		size          int
	}{
		{"POST /github/webhook", hub, 5 << 20},
		{"POST /jira/webhook", hub, 5 << 20},
		{"POST /slack/commands", chat, 1 << 20},
		{"POST /slack/interactions", chat, 1 << 20},
		{"POST /slack/options", chat, 1 << 20},
		{"POST /slack/events", chat, 1 << 20},
		{"PUT /api/v1/pipelines/shop", api, 1 << 20},
		{"POST /api/v1/pipelines/shop/executions", api, 1 << 20},
		{"POST /api/v1/pipelines/shop/stages/Deploy/rollback", api, 1 << 20},
		{"POST /api/v1/pipelines/shop/stages/Deploy/transition", api, 1 << 20},
		{"POST /api/v1/executions/shop/stop", api, 1 << 20},
		{"POST /api/v1/executions/shop/retry", api, 1 << 20},
		{"POST /api/v1/executions/shop/override", api, 1 << 20},
		{"POST /api/v1/executions/shop/resolve", api, 1 << 20},
		{"POST /api/v1/approvals/token", api, 1 << 20},
	} {
		t.Run(c.route, func(t *testing.T) {
			before := heap()
			conns := make([]net.Conn, stalled)
			var all sync.WaitGroup
			for i := range conns {
				conn, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conns[i] = conn
				all.Go(func() { stall(conn, c.route, c.header, c.size) })
			}
			all.Wait()
			if now := heap(); now > before+mostMiB<<20 {
				t.Errorf("%d stalled bodies of %d bytes hold %d MiB", stalled, c.size, (now-before)>>20)
			}
			w := httptest.NewRecorder()
			in.mux.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
			if w.Code != 200 {
				t.Errorf("meanwhile: %d", w.Code)
			}
		})
	}
}

// T5: who brings no signature and no token is turned away before the body is read.
func TestTheUnsignedAreTurnedAwayUnread(t *testing.T) {
	in := &inbound{t: t, dir: t.TempDir()}
	in.boot()
	defer in.stop()
	for _, route := range []string{"/github/webhook", "/jira/webhook", "/api/v1/pipelines/shop/executions", "/slack/commands"} {
		body := &counted{left: 10 << 20}
		w := httptest.NewRecorder()
		in.mux.ServeHTTP(w, httptest.NewRequest("POST", route, body))
		want, most := 401, 0
		if strings.HasPrefix(route, "/slack/") { // Slack's ssl_check is not signed
			want, most = 413, 8<<10
		}
		if w.Code != want || body.read > most {
			t.Errorf("%s: %d after %d bytes", route, w.Code, body.read)
		}
	}
}

// T5: of a body that says itself that it is too large not a byte is read, on every
// route that takes one, whoever sends it.
func TestWhatSaysThatItIsTooLargeIsNotRead(t *testing.T) {
	in := &inbound{t: t, dir: t.TempDir()}
	in.boot()
	defer in.stop()
	for _, route := range []string{"POST /github/webhook", "POST /jira/webhook", "POST /slack/commands", "POST /slack/interactions", "PUT /api/v1/pipelines/shop",
		"POST /api/v1/pipelines/shop/executions", "POST /api/v1/executions/shop/stop", "POST /api/v1/approvals/token"} {
		method, path, _ := strings.Cut(route, " ")
		body := &counted{left: 10 << 20}
		r, w := httptest.NewRequest(method, path, body), httptest.NewRecorder()
		r.ContentLength = int64(body.left)
		for name, value := range map[string]string{"Authorization": "Bearer " + hookSecret, "X-Hub-Signature-256": "sha256=00", "X-Hub-Signature": "sha256=00",
			"X-Slack-Signature": "v0=00", "X-Slack-Request-Timestamp": fmt.Sprint(time.Now().Unix())} {
			r.Header.Set(name, value)
		}
		if in.mux.ServeHTTP(w, r); w.Code != 413 || body.read > 0 {
			t.Errorf("%s: %d after %d bytes", route, w.Code, body.read)
		}
	}
}

// counted is a body of so many bytes.
type counted struct{ left, read int }

func (c *counted) Read(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	c.read += n
	return n, nil
}

// stall sends all but the last byte, as far as somebody takes it.
func stall(conn net.Conn, route, header string, size int) {
	method, path, _ := strings.Cut(route, " ")
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n{\"reason\":\"", method, path, header, size); err != nil {
		return
	}
	chunk := []byte(strings.Repeat("x", 32<<10))
	for left := size - 12; left > 0; left -= len(chunk) {
		if _, err := conn.Write(chunk[:min(left, len(chunk))]); err != nil {
			return
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
