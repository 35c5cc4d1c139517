package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/socketmode"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

const (
	reconnectAfter = 30 * time.Second // longest pause between two tries, unless Slack asks for more
	helloWithin    = 15 * time.Second // from the handshake to Slack's hello
	silenceLimit   = 60 * time.Second // without any frame, a ping included: Slack sends one every few seconds
	minLifetime    = 10 * time.Second // a connection that ended sooner counts as a failure
	overlap        = 30 * time.Second // how long a connection that Slack wants replaced is still read beside the new one
	enqueueWithin  = 10 * time.Second // of a request whose queue is full
	socketWorkers  = 16               // requests that are made durable side by side; those of one person one after the other
	ackLimit       = 20 << 10         // Slack drops larger acknowledgements
	ackWithin      = 5 * time.Second  // of writing one
	frameLimit     = 4 << 20
)

// openSocket is the method that asks for a Socket Mode connection.
const openSocket = "apps.connections.open"

// listen keeps a Socket Mode connection until ctx ends: whatever ends one, and
// whatever keeps one from working, opens another. A connection that Slack wants
// replaced is still read beside the new one, so that nothing falls in between;
// what arrives twice is done once.
func (r *Receiver) listen(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	for i := range r.socket.queues {
		work.Go(func() { r.acceptQueued(ctx, r.socket.queues[i]) })
	}
	pause := time.Duration(0)
	for ctx.Err() == nil {
		l := &connection{r: r, ended: make(chan error, 1), writing: make(chan struct{}, 1)}
		work.Go(func() { l.run(ctx) })
		err := <-l.ended
		if ctx.Err() != nil {
			return
		}
		if lived := time.Since(l.greeted); !l.greeted.IsZero() && lived >= minLifetime {
			pause = 0
		} else {
			pause = min(max(2*pause, time.Second), reconnectAfter)
			if cause := new(connectionLost); errors.As(err, &cause) && cause.fix == "" {
				err = &connectionLost{"brief", "lasted only " + lived.Round(time.Millisecond).String() + ": it " + cause.why, "nothing, if it passes; else look at the proxy between rollcall and Slack"}
			}
		}
		wait := pause
		if later := new(wire.Later); errors.As(err, &later) {
			wait = max(wait, later.After)
		}
		r.socket.noteEnd(err)
		r.logNoConnection(err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// connectionLost is why a connection was given up.
type connectionLost struct {
	code string
	why  string // goes on from "the connection"
	fix  string // empty where nobody has to do anything
}

// Error says what happened to the connection.
func (l *connectionLost) Error() string { return "the connection " + l.why }

// logNoConnection says, once per minute and cause, why there is no connection and what to do.
func (r *Receiver) logNoConnection(err error) {
	var refused *bot.Refusal
	var cause *connectionLost
	what, code, fix := "", "", ""
	switch {
	case errors.As(err, &cause):
		if what, code, fix = "The connection "+cause.why+".", cause.code, cause.fix; fix == "" {
			return // the line about the next connection says why
		}
	case errors.As(err, &refused):
		what, code, fix = "Slack does not take slack.appToken ("+refused.Code+").", refused.Code, refused.Hint
		if kind, better := token.AppFault(r.c.o.AppToken); kind != "" {
			what, fix = "slack.appToken "+kind+".", better
		}
	default:
		r.c.logUnreachable(err)
		return
	}
	if r.c.logLimit.allow("socket "+code, r.c.now()) {
		r.c.log.Error("slack: "+what+" Nobody can reach rollcall from Slack until there is one that works; trying again.", "code", code, "fix", fix)
	}
}

// connection is one Socket Mode connection.
type connection struct {
	r       *Receiver
	conn    *websocket.Conn
	ended   chan error // why another connection is needed; said once
	greeted time.Time  // zero until Slack said hello
	retired bool       // another one is taking its place

	writing chan struct{} // holds one while somebody writes
}

// run opens the connection and reads it to its end.
func (l *connection) run(ctx context.Context) {
	err := l.open(ctx)
	if err == nil {
		err = l.read(ctx)
	}
	if !l.greeted.IsZero() {
		l.r.socket.noteClosed(l.r.c.now())
	}
	l.replace(err)
}

// replace asks for another connection, unless that has been asked for.
func (l *connection) replace(err error) {
	select {
	case l.ended <- err:
	default:
	}
}

// open gets an address from Slack, which works once, and calls it.
func (l *connection) open(ctx context.Context) error {
	c := l.r.c
	ctx, cancel := context.WithTimeout(ctx, helloWithin)
	defer cancel()
	var address string
	err := c.do(ctx, openSocket, "", func(ctx context.Context) (err error) {
		_, address, err = c.api.StartSocketModeContext(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if strings.HasPrefix(address, "ws:") && !strings.HasPrefix(c.o.APIURL, "http:") {
		return errors.New("slack names an address for Socket Mode that is not encrypted")
	}
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, NetDialContext: c.dial, HandshakeTimeout: helloWithin}
	conn, resp, err := dialer.DialContext(ctx, address, nil)
	if resp != nil {
		_ = resp.Body.Close()
	}
	switch {
	case resp != nil && resp.StatusCode == http.StatusTooManyRequests:
		after, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s")
		if err != nil {
			after = reconnectAfter
		}
		return &wire.Later{After: after}
	case err != nil && resp != nil:
		return fmt.Errorf("slack answered the handshake of Socket Mode with HTTP status %d", resp.StatusCode)
	case err != nil:
		return fmt.Errorf("slack's Socket Mode could not be called: %w", withoutAddress(err))
	}
	l.conn = conn
	return nil
}

// read takes frames until the connection ends, and says why it did. Nothing in
// it waits without a limit: a read for the next frame, a request for a place in
// its person's queue. Acknowledgements are written elsewhere.
func (l *connection) read(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = l.conn.Close() })()
	defer func() { _ = l.conn.Close() }()
	l.conn.SetReadLimit(frameLimit)
	l.conn.SetPingHandler(func(data string) error {
		_ = l.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(ackWithin)) // a link that cannot be written to is noticed by Slack, and by the next acknowledgement
		return l.extendDeadline()
	})
	err := l.conn.SetReadDeadline(time.Now().Add(helloWithin))
	for err == nil {
		var data []byte
		if _, data, err = l.conn.ReadMessage(); err == nil {
			err = l.handleFrame(ctx, data)
		}
	}
	closed, timeout := "connection_closed", net.Error(nil)
	switch cause := new(connectionLost); {
	case errors.As(err, &cause):
		return cause
	case l.retired:
		return nil // said when it was
	case errors.As(err, &timeout) && timeout.Timeout() && l.greeted.IsZero():
		return &connectionLost{"no_hello", "was opened, but Slack did not greet within " + helloWithin.String(), "look at the proxy between rollcall and Slack: it may hold WebSocket frames back"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &connectionLost{"silent", "was open, but nothing came for " + silenceLimit.String(), "nothing, if it stays at once; else look at the network and proxies between rollcall and Slack"}
	case l.greeted.IsZero():
		return &connectionLost{closed, "ended before Slack had greeted: " + endCause(err), "nothing, if it stays at once; else look at the proxy between rollcall and Slack"}
	}
	return &connectionLost{code: closed, why: "ended: " + endCause(err)}
}

// endCause is what ended a connection, in words that hold no address.
func endCause(err error) string {
	closed := new(websocket.CloseError)
	switch {
	case errors.As(err, &closed):
		return strings.TrimSpace(fmt.Sprintf("it was closed with %d %s", closed.Code, closed.Text))
	case errors.Is(err, websocket.ErrReadLimit):
		return fmt.Sprintf("a frame has more than %d MiB", frameLimit>>20)
	}
	return "it broke"
}

// extendDeadline gives the connection time until the next frame.
func (l *connection) extendDeadline() error {
	if l.greeted.IsZero() || l.retired {
		return nil // the limit for Slack's hello, or for the overlap, stays
	}
	return l.conn.SetReadDeadline(time.Now().Add(silenceLimit))
}

// handleFrame takes one frame. An error ends the connection.
func (l *connection) handleFrame(ctx context.Context, data []byte) error {
	var env envelope
	if err := json.Unmarshal(data, &env); err != nil {
		l.r.c.log.Warn("a frame of Socket Mode cannot be read", "error", err)
		return l.extendDeadline()
	}
	switch {
	case env.Type == socketmode.RequestTypeHello && l.greeted.IsZero() && !l.retired:
		l.greeted = time.Now()
		l.r.onHello(env.Info.App)
	case env.Type == socketmode.RequestTypeDisconnect:
		return l.onDisconnect(env.Reason)
	case env.ID != "":
		env.link = l
		if err := l.r.socket.enqueue(ctx, &env); err != nil {
			return err
		}
	}
	return l.extendDeadline()
}

// onDisconnect is that Slack wants the connection to end.
func (l *connection) onDisconnect(reason string) error {
	cause := &connectionLost{code: reason, why: "was to be replaced, Slack asked (" + reason + ")"}
	switch reason {
	case "link_disabled":
		cause.why = "was ended by Slack: Socket Mode is switched off for the app"
		cause.fix = "switch it on under Socket Mode at " + l.r.c.settings("socket-mode") + "; or give slack.signingSecret instead of slack.appToken to be called over HTTP"
		return cause
	case "too_many_websockets":
		cause.why = "was ended by Slack: the app has too many of them"
		cause.fix = "stop the other processes that use the same slack.appToken"
		return cause
	}
	l.retired = true
	l.replace(cause)
	return l.conn.SetReadDeadline(time.Now().Add(overlap))
}

// ack acknowledges an envelope. What cannot be written ends the connection:
// Slack then sends again what it takes for lost.
func (l *connection) ack(env *envelope, answer []byte) {
	if len(answer) >= ackLimit-len(env.ID)-100 {
		l.r.c.log.Error("an answer is too large for socket mode", "type", env.Type, "bytes", len(answer))
		answer = nil
	}
	said := socketmode.Response{EnvelopeID: env.ID}
	if len(answer) > 0 {
		said.Payload = json.RawMessage(answer)
	}
	ack, err := json.Marshal(said)
	if err != nil {
		l.r.c.log.Error("an envelope could not be acknowledged", "type", env.Type, "error", err)
		return
	}
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	_ = l.conn.SetWriteDeadline(time.Now().Add(ackWithin))
	if err := l.conn.WriteMessage(websocket.TextMessage, ack); err != nil {
		_ = l.conn.Close()
	}
}
