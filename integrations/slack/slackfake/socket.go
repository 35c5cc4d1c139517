package slackfake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pingEvery    = 10 * time.Second
	writeTimeout = 5 * time.Second
	ackLimit     = 20 << 10 // larger acknowledgements are dropped, as Slack does
)

// link is one Socket Mode connection of the app.
type link struct {
	conn *websocket.Conn
	done chan struct{} // closed when the connection has ended

	mu    sync.Mutex // of writing, and of waits
	waits map[string]chan []byte
}

func (w *Server) connectionsOpen(args) (reply, error) {
	if w.public == "" {
		return fail("internal_error")
	}
	ticket := newID("") + newID("")
	w.tickets[ticket] = true
	scheme, rest, _ := strings.Cut(w.public, "://")
	return reply{"url": map[string]string{"http": "ws", "https": "wss"}[scheme] + "://" + rest + "/link?ticket=" + ticket}, nil
}

// serveLink turns a connection with a ticket into Socket Mode.
func (w *Server) serveLink(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	valid := w.tickets[ticket]
	delete(w.tickets, ticket)
	w.mu.Unlock()
	if !valid {
		http.Error(rw, "no such ticket", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(rw, r, nil)
	if err != nil {
		w.o.Log.Debug("socket mode handshake failed", "error", err)
		return
	}
	l := &link{conn: conn, done: make(chan struct{}), waits: map[string]chan []byte{}}
	w.work.Go(func() { l.ping(w.ctx) })
	w.mu.Lock()
	count := len(w.links) + 1
	w.mu.Unlock()
	if w.refuseLink(l) {
		close(l.done)
		_ = conn.Close()
		return
	}
	hello := object{"type": "hello", "num_connections": count, "connection_info": object{"app_id": w.o.App}, "debug_info": object{"host": "local", "approximate_connection_time": 3600}}
	if err := l.write(hello); err == nil {
		w.mu.Lock()
		w.links = append(w.links, l)
		w.notifyAll()
		w.mu.Unlock()
		l.read()
	}
	close(l.done)
	w.unlink(l)
	_ = conn.Close()
}

// unlink sends nothing more over that connection.
func (w *Server) unlink(l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links = slices.DeleteFunc(slices.Clone(w.links), func(o *link) bool { return o == l })
	w.notifyAll()
}

// Connected says how many Socket Mode connections the app has.
func (w *Server) Connected() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.links)
}

// Refresh asks the app to connect anew, as Slack does every few hours. Reason is
// Slack's word: "warning", "refresh_requested", "link_disabled".
func (w *Server) Refresh(reason string) {
	w.mu.Lock()
	links := w.links
	w.links = nil
	w.notifyAll()
	w.mu.Unlock()
	for _, l := range links {
		if err := l.write(object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "local"}}); err != nil {
			l.disconnect()
		}
	}
}

// Cut breaks all Socket Mode connections without a word.
func (w *Server) Cut() {
	w.mu.Lock()
	links := w.links
	w.links = nil // nothing is sent over them any more
	w.notifyAll()
	w.mu.Unlock()
	for _, l := range links {
		l.disconnect()
	}
}

func (l *link) disconnect() { _ = l.conn.Close() }

// ping keeps the connection alive: an app hangs up when it hears nothing.
func (l *link) ping(ctx context.Context) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		if l.conn.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(writeTimeout)) != nil {
			l.disconnect()
			return
		}
		select {
		case <-tick.C:
		case <-l.done:
			return
		case <-ctx.Done():
			l.disconnect()
			return
		}
	}
}

func (l *link) write(v any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("writing to the app: %w", err)
	}
	if err := l.conn.WriteJSON(v); err != nil {
		return fmt.Errorf("writing to the app: %w", err)
	}
	return nil
}

// read hands acknowledgements to those who wait for them, until the connection ends.
func (l *link) read() {
	for {
		_, data, err := l.conn.ReadMessage()
		if err != nil {
			return
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if len(data) >= ackLimit || json.Unmarshal(data, &ack) != nil {
			continue
		}
		l.mu.Lock()
		if wait, ok := l.waits[ack.EnvelopeID]; ok {
			delete(l.waits, ack.EnvelopeID)
			wait <- ack.Payload
		}
		l.mu.Unlock()
	}
}

// deliver sends an envelope and waits for its acknowledgement.
func (l *link) deliver(ctx context.Context, r request) (Ack, error) {
	id := newID("")
	wait := make(chan []byte, 1)
	l.mu.Lock()
	l.waits[id] = wait
	l.mu.Unlock()
	envelope := object{"envelope_id": id, "type": r.kind, "payload": r.payload, "accepts_response_payload": r.answers}
	if r.kind == "events_api" {
		envelope["retry_attempt"], envelope["retry_reason"] = r.retry, r.reason
	}
	defer func() {
		l.mu.Lock()
		delete(l.waits, id)
		l.mu.Unlock()
	}()
	if err := l.write(envelope); err != nil {
		return Ack{}, err
	}
	select {
	case payload := <-wait:
		if string(payload) == "{}" || string(payload) == "null" || !r.answers {
			payload = nil
		}
		return Ack{Status: http.StatusOK, Body: payload}, nil
	case <-l.done:
		return Ack{}, errors.New("the app hung up without acknowledging")
	case <-ctx.Done():
		return Ack{}, fmt.Errorf("the app did not acknowledge: %w", ctx.Err())
	}
}
