package slack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// S3: what Slack asks to wait is waited, wherever it says so, and it is not
// called an outage.
func TestRetryAfterOfSocketModeIsHonoured(t *testing.T) {
	limited := func(n int, w http.ResponseWriter) bool {
		if n != 1 {
			return false
		}
		w.Header().Set("Retry-After", "40")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	for name, prepare := range map[string]func(s *spoken){
		"of the call":      func(s *spoken) { s.open = limited },
		"of the handshake": func(s *spoken) { s.greet = limited },
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *spoken) {
				prepare(s)
				s.serve = func(_ int, c *websocket.Conn) { s.attend(c) }
			}, func(t *testing.T, s *spoken) {
				time.Sleep(time.Minute)
				synctest.Wait()
				if len(s.opens) != 2 || s.opens[1].Sub(s.opens[0]) < 40*time.Second || s.opens[1].Sub(s.opens[0]) > 41*time.Second {
					t.Errorf("asked at %v", s.opens)
				}
				log := s.log.String()
				if strings.Contains(log, "cannot be reached") || strings.Count(log, "limits how often it may be asked") != 1 || !strings.Contains(log, "in=40s") {
					t.Error("the words are not those of a limit")
				}
			})
		})
	}
}

// S6: while a connection is being replaced, however long that takes, the old
// one is heard.
func TestARefreshLeavesNoGap(t *testing.T) {
	var old chan struct{}
	talk(t, func(s *spoken) {
		old, s.commands = make(chan struct{}), make(chan string) // a command that nobody takes is noticed
		s.open = func(n int, _ http.ResponseWriter) bool {
			if n > 1 {
				time.Sleep(3 * time.Second)
			}
			return false
		}
		s.serve = func(n int, c *websocket.Conn) {
			if n == 1 {
				go func() {
					time.Sleep(time.Minute)
					s.control <- `{"type":"disconnect","reason":"refresh_requested"}`
					time.Sleep(10 * time.Second) // Slack's timeout
					_ = c.Close()
					close(old)
				}()
			}
			s.attend(c)
		}
	}, func(t *testing.T, s *spoken) {
		time.Sleep(59 * time.Second)
		for i := range 150 {
			select {
			case s.commands <- typed(fmt.Sprint(i), "U1", "status"):
			case <-time.After(time.Millisecond):
				t.Fatalf("command %d found nobody", i)
			}
			select {
			case <-s.acked:
			case <-time.After(time.Second):
				t.Fatalf("command %d was not acknowledged", i)
			}
			time.Sleep(100 * time.Millisecond)
		}
		<-old
		time.Sleep(time.Second)
		if log := s.log.String(); s.opened() != 2 || strings.Count(log, "listening by Socket Mode") != 2 || !strings.Contains(log, "Slack asked (refresh_requested)") || strings.Contains(log, "level=ERROR") {
			t.Errorf("%d connections", s.opened())
		}
	})
}

// S4: while Slack does not say who we are, that is waited for once, and not
// once per envelope.
func TestAcknowledgementsDoNotWaitForASlowStart(t *testing.T) {
	talk(t, func(s *spoken) {
		s.who = func() { s.nap(8 * time.Second) }
		s.serve = func(_ int, c *websocket.Conn) { s.attend(c) }
	}, func(t *testing.T, s *spoken) {
		for i := range 20 {
			s.commands <- typed(fmt.Sprint(i), "U1", "status")
		}
		time.Sleep(time.Second)
		if synctest.Wait(); len(s.acked) != 20 {
			t.Errorf("%d of 20 acknowledged in time", len(s.acked))
		}
		time.Sleep(10 * time.Second)
		if synctest.Wait(); len(s.bot.handled) != 20 {
			t.Errorf("%d of 20 handled", len(s.bot.handled))
		}
	})
}

// S7: two tokens of two apps are said whichever Slack answers first.
func TestTokensOfTwoAppsAreSaid(t *testing.T) {
	for name, slow := range map[string]time.Duration{"hello first": 5 * time.Second, "auth.test first": 0} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *spoken) {
				s.app = "A2"
				s.who = func() { s.nap(slow) }
				s.serve = func(_ int, c *websocket.Conn) { time.Sleep(time.Second); s.attend(c) }
			}, func(t *testing.T, s *spoken) {
				time.Sleep(20 * time.Second)
				if !strings.Contains(s.log.String(), "belong to different apps") {
					t.Error("not said")
				}
			})
		})
	}
}

// What one person asks for keeps its order, also when it arrives in one burst.
func TestSocketModeKeepsAPersonsOrder(t *testing.T) {
	talk(t, func(s *spoken) {
		s.inbox.slow = 20 * time.Millisecond
		s.serve = func(_ int, c *websocket.Conn) { s.attend(c) }
	}, func(t *testing.T, s *spoken) {
		for i := range 30 {
			s.commands <- typed(fmt.Sprint(i), "U1", fmt.Sprint(i))
		}
		for i := range 30 {
			if r := s.next(t); r.Command.Text != fmt.Sprint(i) {
				t.Fatalf("%s came as number %d", r.Command.Text, i)
			}
		}
	})
}
