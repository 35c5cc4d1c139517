package slackfake_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// listen opens the event stream of a user and returns the versions that come.
func listen(t *testing.T, server *httptest.Server, user, last string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+slackfake.PagePath+"events?as="+user, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := server.Client().Do(r)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp, err)
	}
	versions, ended := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(ended)
		defer resp.Body.Close()
		id := ""
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if v, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = v
			} else if lines.Text() == `data: {"version":`+id+`}` {
				versions <- id
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return versions
}

// expect is the next version; it must be that of the user's state.
func expect(t *testing.T, versions <-chan string, b browser, why string) string {
	t.Helper()
	select {
	case v := <-versions:
		if now := fmt.Sprint(b.state().Version); v != now {
			t.Errorf("%s: told %s has version %s, the state has %s", why, b.as, v, now)
		}
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s: %s is not told", why, b.as)
	}
	return ""
}

func TestThePageHearsOfWhatItsPersonCouldSee(t *testing.T) {
	o := open(t)
	secret := o.AddChannel(slackfake.Channel{Name: "secret", Private: true, Members: []string{o.ben.ID, "U0BOT"}})
	server := httptest.NewServer(o.Page())
	defer server.Close()
	defer o.Close() // ends the streams
	ana, ben := o.browser(t, o.ana), o.browser(t, o.ben)
	toAna, toBen := listen(t, server, o.ana.ID, ""), listen(t, server, o.ben.ID, "")
	first := expect(t, toAna, ana, "at the beginning")
	expect(t, toBen, ben, "at the beginning")

	// Each of these concerns one of them. The other one's next event is that of the next public message.
	before := ben.state().Version
	post := func(channel string) {
		t.Helper()
		if _, _, err := o.api.PostMessage(channel, slack.MsgOptionText("x", false)); err != nil {
			t.Fatal(err)
		}
	}
	showOnly := func(user string) {
		t.Helper()
		if _, err := o.api.PostEphemeral(o.deploys.ID, user, slack.MsgOptionText("x", false)); err != nil {
			t.Fatal(err)
		}
	}
	showOnly(o.ana.ID)
	expect(t, toAna, ana, "an ephemeral answer")
	o.opened(t)
	expect(t, toAna, ana, "a form")
	post(o.ana.ID)
	expect(t, toAna, ana, "a direct message")
	if _, err := o.api.PostEphemeral(o.deploys.ID, o.ana.ID, slack.MsgOptionText("x", false), slack.MsgOptionBlocks(buttonRow("retry"))); err != nil {
		t.Fatal(err)
	}
	expect(t, toAna, ana, "an ephemeral answer with a button")
	shown := o.Ephemerals(o.ana.ID)
	for len(o.app.heard) > 0 {
		<-o.app.heard
	}
	ana.do("click", body{"channel": o.deploys.ID, "ts": shown[len(shown)-1].TS, "action": "retry"})
	hook := (<-o.app.heard).payload(t).ResponseURL
	if err := slack.PostWebhookCustomHTTPContext(t.Context(), hook, httpClient(o.Server), &slack.WebhookMessage{Text: "again", ReplaceOriginal: true}); err != nil {
		t.Fatal(err)
	}
	expect(t, toAna, ana, "an ephemeral answer that is replaced")
	if ben.state().Version != before {
		t.Error("the version of ben's state rose with what only ana sees")
	}
	post(secret.ID)
	if ben.state().Version == before || ana.state().Version >= ben.state().Version {
		t.Error("the version of ana's state rose with what only ben sees, or that of ben's did not")
	}
	expect(t, toBen, ben, "a private channel")
	post(o.deploys.ID)
	last := expect(t, toAna, ana, "a message for all")
	if got := expect(t, toBen, ben, "a message for all"); got != last || len(toAna)+len(toBen) > 0 || last == first {
		t.Error("ana and ben heard of different changes")
	}

	// Who comes back hears at once, unless nothing happened.
	again := listen(t, server, o.ana.ID, last)
	post(o.deploys.ID)
	expect(t, again, ana, "the next one after coming back")
	expect(t, listen(t, server, o.ana.ID, last), ana, "coming back late")
}

// pipe is a page's connection: what was written, or trouble once it is stuck.
type pipe struct {
	mu       sync.Mutex
	written  strings.Builder
	header   http.Header
	deadline time.Time
	stuck    bool
}

func (p *pipe) Header() http.Header { return p.header }
func (p *pipe) WriteHeader(int)     {}
func (p *pipe) Flush()              {}
func (p *pipe) SetWriteDeadline(at time.Time) error {
	p.deadline = at
	return nil
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	stuck := p.stuck
	p.mu.Unlock()
	if stuck {
		time.Sleep(time.Until(p.deadline)) // the bubble's clock
		return 0, os.ErrDeadlineExceeded
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written.Write(b)
}

func (p *pipe) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written.String()
}

func TestAQuietStreamBeatsAndASlowPageIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		defer o.Close()
		conn, ended := &pipe{header: http.Header{}}, make(chan struct{})
		go func() {
			defer close(ended)
			o.Page().ServeHTTP(conn, httptest.NewRequest(http.MethodGet, slackfake.PagePath+"events?as="+o.ana.ID, nil))
		}()
		time.Sleep(46 * time.Second)
		if got := strings.Count(conn.text(), ": still here\n\n"); got != 3 || strings.Count(conn.text(), "data:") != 1 {
			t.Errorf("in 46 quiet seconds: %q", conn.text())
		}
		conn.mu.Lock()
		conn.stuck = true
		conn.mu.Unlock()
		start := time.Now()
		if _, err := o.Say(t.Context(), o.ben.ID, "deploys", "", "hello"); err != nil {
			t.Fatal(err)
		}
		<-ended
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("a page that does not read was dropped after %v", took)
		}
	})
}
