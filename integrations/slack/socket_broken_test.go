package slack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// spoken is Slack's side of Socket Mode, spoken by hand over pipes in memory:
// the test decides what each connection does, and time is synthetic.
type spoken struct {
	*desk
	pipes    chan net.Conn
	done     chan struct{} // closed when the story ends
	commands chan string   // frames for the connection that is attended
	acked    chan string   // IDs of what it acknowledged
	control  chan string   // a frame about the connection itself

	serve func(n int, c *websocket.Conn)                 // what the n-th connection does; it is closed when serve returns
	open  func(n int, w http.ResponseWriter) (done bool) // answers the n-th apps.connections.open; nil: well
	greet func(n int, w http.ResponseWriter) (done bool) // answers the n-th handshake; nil: well
	who   func()                                         // comes before the answer to auth.test; nil: at once
	app   string                                         // the bot token's

	mu       sync.Mutex
	opens    []time.Time
	dials    int
	attended int
}

// talk runs a receiver against such a Slack.
func talk(t *testing.T, prepare func(s *spoken), story func(t *testing.T, s *spoken)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &spoken{pipes: make(chan net.Conn), done: make(chan struct{}), commands: make(chan string, 20_000), acked: make(chan string, 20_000), control: make(chan string, 1), app: "A1",
			desk: &desk{inbox: &inbox{}, bot: &robot{handled: make(chan bot.Request, 100_000)}, log: &logbook{}}}
		prepare(s)
		server := http.Server{Handler: http.HandlerFunc(s.link)}
		// Unpaced: 40 people over and over are near the limit of users.info, which is not what is tried here.
		s.client = slack.New(slack.Options{APIURL: "http://slack.test/api/", BotToken: botToken, AppToken: appToken, Unpaced: true,
			Transport: wirefake.Direct(http.HandlerFunc(s.api)), Log: slog.New(slog.NewTextHandler(s.log, nil))})
		s.client.DialBy(func(ctx context.Context, _, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			select {
			case s.pipes <- theirs:
				return ours, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		s.receiver = s.client.Receive(s.inbox, s.bot)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = server.Serve(s) })
		running.Go(func() { _ = s.receiver.Run(ctx) })
		defer func() {
			cancel()
			close(s.done)
			_ = server.Close()
			running.Wait()
			if t.Failed() {
				t.Log(s.log)
			}
		}()
		story(t, s)
	})
}

// Accept, Close and Addr make it a listener.
func (s *spoken) Accept() (net.Conn, error) {
	select {
	case c := <-s.pipes:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}
func (s *spoken) Close() error   { return nil }
func (s *spoken) Addr() net.Addr { return &net.TCPAddr{} }

func (s *spoken) api(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	say := func(v map[string]any) { v["ok"] = true; _ = json.NewEncoder(w).Encode(v) }
	switch strings.TrimPrefix(r.URL.Path, "/api/") {
	case "auth.test":
		if s.who != nil {
			s.who()
		}
		say(map[string]any{"team_id": "T1", "team": "Acme", "user_id": "UBOT", "bot_id": "B1"})
	case "bots.info":
		say(map[string]any{"bot": map[string]any{"id": "B1", "app_id": s.app}})
	case "users.info":
		say(map[string]any{"user": map[string]any{"id": "U1", "team_id": "T1", "name": "ana", "profile": map[string]any{"email": "ana@acme.example"}}})
	case "apps.connections.open":
		s.mu.Lock()
		s.opens = append(s.opens, time.Now())
		n := len(s.opens)
		s.mu.Unlock()
		s.nap(20 * time.Millisecond) // so that who asks without a pause asks often, and not for ever at one moment
		if s.open == nil || !s.open(n, w) {
			say(map[string]any{"url": fmt.Sprintf("ws://slack.test/link?ticket=very-secret-%d", n)})
		}
	default:
		say(map[string]any{})
	}
}

func (s *spoken) link(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.dials++
	n := s.dials
	s.mu.Unlock()
	if s.greet != nil && s.greet(n, w) {
		return
	}
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	s.serve(n, c)
}

func (s *spoken) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opens)
}

// nap waits, but not beyond the story.
func (s *spoken) nap(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.done:
	}
}

const greeting = `{"type":"hello","num_connections":1,"connection_info":{"app_id":"A1"},"debug_info":{"host":"local"}}`

// send sends frames and says whether all went out.
func send(c *websocket.Conn, frames ...string) bool {
	for _, f := range frames {
		if c.WriteMessage(websocket.TextMessage, []byte(f)) != nil {
			return false
		}
	}
	return true
}

// typed is the envelope of somebody's command.
func typed(id, user, text string) string {
	return fmt.Sprintf(`{"type":"slash_commands","envelope_id":%q,"accepts_response_payload":true,"payload":{"team_id":"T1","api_app_id":"A1","user_id":%q,"channel_id":"C1","command":"/rollcall","text":%q}}`, id, user, text)
}

// acks hands out the IDs of what is acknowledged, until the connection ends.
func acks(c *websocket.Conn) <-chan string {
	ids := make(chan string, 100_000)
	go func() {
		defer close(ids)
		for {
			_, data, err := c.ReadMessage()
			var ack struct {
				ID string `json:"envelope_id"`
			}
			if err != nil || json.Unmarshal(data, &ack) != nil {
				return
			}
			ids <- ack.ID
		}
	}()
	return ids
}

// attend keeps a connection as Slack does: it pings, and sends what comes from
// commands, each until it is acknowledged.
func (s *spoken) attend(c *websocket.Conn) {
	if !send(c, greeting) {
		return
	}
	ids := acks(c)
	ping := time.NewTicker(10 * time.Second)
	defer ping.Stop()
	s.mu.Lock()
	s.attended++
	mine := s.attended
	s.mu.Unlock()
	for {
		s.mu.Lock()
		commands := s.commands
		if s.attended != mine { // a newer connection gets them
			commands = nil
		}
		s.mu.Unlock()
		select {
		case frame := <-s.control:
			send(c, frame)
		case frame := <-commands:
			send(c, frame)
		case id, open := <-ids:
			if !open {
				return
			}
			s.acked <- id
		case <-ping.C:
			if c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
				return
			}
		case <-s.done:
			return
		}
	}
}

// S1: whatever is in flight when a connection breaks, 50 times in a row, with
// acknowledgements that nobody reads and with a slow disk: every envelope is
// made durable and handled once, and the connection after them hears.
func TestABurstOverABrokenConnectionLeavesNobodyDeaf(t *testing.T) {
	const rounds, burst = 50, 200
	for name, c := range map[string]struct {
		disk  time.Duration
		reads bool // whether Slack's side reads acknowledgements while it sends
	}{
		"quick disk": {0, true}, "slow disk": {300 * time.Millisecond, true},
		"quick disk, acks jam": {0, false}, "slow disk, acks jam": {300 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			var sent, again atomic.Int64 // counted by connections, one of which may still end while the next begins
			talk(t, func(s *spoken) {
				s.inbox.slow = c.disk
				s.serve = func(n int, conn *websocket.Conn) {
					if n > rounds {
						s.attend(conn)
						return
					}
					if !send(conn, greeting) {
						return
					}
					known := closedChan()
					if c.reads {
						known = acks(conn)
					}
					open := map[string]string{}
					for i := range burst {
						id := fmt.Sprintf("e%d-%d", n, i)
						open[id] = typed(id, fmt.Sprintf("U%d", i%40), id)
						_ = conn.SetWriteDeadline(time.Now().Add(3 * time.Second))
						if !send(conn, open[id]) {
							delete(open, id) // it never left
							break
						}
						sent.Add(1)
					}
					_ = conn.Close()
					for id := range known {
						delete(open, id)
					}
					for _, frame := range open { // not acknowledged: Slack sends it again
						again.Add(1)
						s.commands <- frame
					}
				}
			}, func(t *testing.T, s *spoken) {
				for last := 0; s.opened() <= rounds || int(again.Load()) != len(s.acked) || last != len(s.acked); {
					last = len(s.acked)
					time.Sleep(10 * time.Second)
				}
				synctest.Wait()
				sent := int(sent.Load())
				if all, open := s.inbox.count(); all != sent || open != 0 || len(s.bot.handled) != sent || sent < rounds*50 {
					t.Errorf("%d envelopes were sent, %d made durable, %d not finished, %d handled", sent, all, open, len(s.bot.handled))
				}
			})
		})
	}
}

func closedChan() <-chan string {
	c := make(chan string)
	close(c)
	return c
}

// S2, S5, S7: however a connection disappoints, it is given up within a limit,
// another one is asked for at a bearable rate, people hear the true reason
// once a minute at most, and as soon as Slack behaves it is heard.
func TestNoConnectionIsTrustedThatDoesNotHear(t *testing.T) {
	pinged := func(s *spoken, c *websocket.Conn, first ...string) {
		_ = send(c, first...)
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
					return
				}
			case <-s.done:
				return
			}
		}
	}
	disconnect := func(reason string) string { return `{"type":"disconnect","reason":"` + reason + `"}` }
	for name, c := range map[string]struct {
		serve   func(s *spoken, c *websocket.Conn)
		says    string
		opens   int           // at most so many in ten minutes
		healsIn time.Duration // once Slack behaves
		readyz  string
		accuses bool
	}{
		"closes after hello":         {func(_ *spoken, c *websocket.Conn) { send(c, greeting) }, "lasted only 0s", 30, 31 * time.Second, "lasted only", false},
		"asks to be replaced always": {func(s *spoken, c *websocket.Conn) { send(c, greeting, disconnect("refresh_requested")) }, "was to be replaced", 30, 31 * time.Second, "refresh_requested", false},
		"closes before hello":        {func(*spoken, *websocket.Conn) {}, "ended before Slack had greeted", 30, 31 * time.Second, "before Slack had greeted", false},
		"pings, and never greets":    {func(s *spoken, c *websocket.Conn) { pinged(s, c) }, "Slack did not greet within 15s", 20, 46 * time.Second, "did not greet", false},
		"says nothing at all":        {func(s *spoken, _ *websocket.Conn) { <-s.done }, "Slack did not greet within 15s", 20, 46 * time.Second, "did not greet", false},
		"greets, then falls silent":  {func(s *spoken, c *websocket.Conn) { send(c, greeting); <-s.done }, "nothing came for 1m0s", 11, 61 * time.Second, "nothing came for 1m0s", false},
		"is switched off":            {func(_ *spoken, c *websocket.Conn) { send(c, disconnect("link_disabled")) }, "Socket Mode is switched off for the app", 30, 31 * time.Second, "switched off", true},
		"is switched off later":      {func(_ *spoken, c *websocket.Conn) { send(c, greeting, disconnect("link_disabled")) }, "Socket Mode is switched off for the app", 30, 31 * time.Second, "switched off", true},
		"has too many":               {func(_ *spoken, c *websocket.Conn) { send(c, disconnect("too_many_websockets")) }, "the app has too many of them", 30, 31 * time.Second, "too many", false},
	} {
		t.Run(name, func(t *testing.T) {
			var healed time.Time
			talk(t, func(s *spoken) {
				s.serve = func(_ int, conn *websocket.Conn) {
					if healed.IsZero() || time.Now().Before(healed) {
						c.serve(s, conn)
						return
					}
					s.attend(conn)
				}
				healed = time.Now().Add(10 * time.Minute)
			}, func(t *testing.T, s *spoken) {
				time.Sleep(10*time.Minute - time.Second)
				synctest.Wait()
				if n := s.opened(); n > c.opens || n < 5 {
					t.Errorf("%d connections were asked for in ten minutes, want 5 to %d", n, c.opens)
				}
				said := 0
				for line := range strings.Lines(s.log.String()) {
					if strings.Contains(line, "level=ERROR") && strings.Contains(line, c.says) {
						said++
					}
				}
				if said < 1 || said > 11 {
					t.Errorf("%q is said %d times in ten minutes", c.says, said)
				}
				if accuses := strings.Contains(s.log.String(), "Socket Mode is switched off"); accuses != c.accuses {
					t.Errorf("that Socket Mode is switched off is said: %t", accuses)
				}
				if got := s.receiver.Status(); !strings.Contains(got, c.readyz) || !strings.Contains(got, "connections lost: ") {
					t.Errorf("/readyz: %q", got)
				}
				time.Sleep(c.healsIn + time.Second)
				s.commands <- typed("again", "U1", "hello")
				select {
				case <-s.acked:
				case <-time.After(2500 * time.Millisecond):
					t.Error("slack behaves again, and is not heard")
				}
				if got := s.receiver.Status(); !strings.HasPrefix(got, "slack: listening") {
					t.Errorf("/readyz: %q", got)
				}
				if strings.Contains(s.log.String(), "very-secret") {
					t.Error("the log holds a secret")
				}
			})
		})
	}
}

// S1: requests that the store does not take for a while hold the connection
// up; that is noticed, said, and does not last longer than the store's trouble.
func TestAStuckStoreIsSaid(t *testing.T) {
	talk(t, func(s *spoken) {
		s.inbox.gate, s.inbox.deaf = make(chan struct{}), true
		s.serve = func(_ int, c *websocket.Conn) { s.attend(c) }
	}, func(t *testing.T, s *spoken) {
		for i := range 1000 {
			s.commands <- typed(fmt.Sprint(i), "U1", "status")
		}
		time.Sleep(time.Minute)
		if synctest.Wait(); s.opened() < 3 {
			t.Error("the connection is not given up")
		}
		if log := s.log.String(); !strings.Contains(log, "its requests have not been made durable for 10s") {
			t.Error("nobody is told")
		}
		close(s.inbox.gate)
		time.Sleep(10 * time.Minute)
		for len(s.acked) > 0 {
			<-s.acked
		}
		s.commands <- typed("after", "U2", "status")
		time.Sleep(time.Second)
		for id := ""; id != "after"; {
			select {
			case id = <-s.acked:
			default:
				t.Fatal("the store works again, and slack is not heard")
			}
		}
	})
}
