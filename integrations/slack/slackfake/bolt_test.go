package slackfake_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// bolt is an app made with an unmodified @slack/bolt, in a process of its own, and its workspace.
type bolt struct {
	*slackfake.Server
	said     chan map[string]any // what the app prints
	ana, ben slackfake.User
	deploys  slackfake.Channel
}

// startBolt starts the app; the test is skipped where it is not installed.
func startBolt(t *testing.T, socket bool) *bolt {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed; .ci/run runs this")
	}
	dir := filepath.Join("testdata", "bolt")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@slack", "bolt")); err != nil {
		t.Skip("@slack/bolt is not installed: npm ci in integrations/slack/slackfake/testdata/bolt; .ci/run does that")
	}
	b := &bolt{said: make(chan map[string]any, 100)}
	o := slackfake.Options{Command: "/bolt", AnswerWithin: time.Minute, Shortcuts: []slackfake.Shortcut{{Name: "Global", CallbackID: "global"}, {Name: "Message", CallbackID: "message", Message: true}}}
	port := "0"
	if !socket {
		port = freePort(t)
		o.BaseURL = "http://127.0.0.1:" + port
	}
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { b.ServeHTTP(rw, r) }))
	t.Cleanup(api.Close)
	o.PublicURL = api.URL // Bolt may not call the Web API before the first command
	b.Server = slackfake.New(o)
	t.Cleanup(b.Close)
	b.ana, b.ben, b.deploys = b.AddUser(slackfake.User{Name: "ana"}), b.AddUser(slackfake.User{Name: "ben"}), b.AddChannel(slackfake.Channel{Name: "#deploys"})

	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, node, "app.mjs", api.URL+"/api/", port)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	go func() {
		defer close(b.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var said map[string]any
			if json.Unmarshal(lines.Bytes(), &said) == nil {
				b.said <- said
			}
		}
	}()
	b.hears(t, "started")
	return b
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// hears waits for the next thing that the app says, which is what.
func (b *bolt) hears(t *testing.T, what string) map[string]any {
	t.Helper()
	select {
	case said, ok := <-b.said:
		if !ok || said["what"] != what {
			t.Fatalf("the app said %v, wanted %s", said, what)
		}
		return said
	case <-time.After(time.Minute):
		t.Fatalf("the app never said %s", what)
		return nil
	}
}

// does fails the test when an act of a person did not work.
func does(t *testing.T, ack slackfake.Ack, err error) slackfake.Ack {
	t.Helper()
	if err != nil || ack.Status != http.StatusOK {
		t.Fatalf("the app answered %d %s: %v", ack.Status, ack.Body, err)
	}
	return ack
}

// An unmodified app of another maker works against the local Slack, both ways.
func TestBolt(t *testing.T) {
	for name, socket := range map[string]bool{"over HTTP": false, "by Socket Mode": true} {
		t.Run(name, func(t *testing.T) {
			b := startBolt(t, socket)
			b.story(t)
			if !socket {
				return
			}
			// Slack replaces the connection: the app comes back, and nothing is lost.
			b.Refresh("refresh_requested")
			if err := b.Until(t.Context(), func() bool { return b.Connected() > 0 && b.Calls("apps.connections.open") > 1 }); err != nil {
				t.Fatal(err)
			}
			ack, err := b.Command(t.Context(), b.ana.ID, "#deploys", "again")
			does(t, ack, err)
			if said := b.hears(t, "command"); said["text"] != "again" {
				t.Errorf("after a new connection the app heard %v", said)
			}
		})
	}
}

// story is everything that a person does with the app.
func (b *bolt) story(t *testing.T) {
	ctx, ana := t.Context(), b.ana.ID
	ack, err := b.Command(ctx, ana, "#deploys", "hello")
	does(t, ack, err)
	b.hears(t, "command")
	var private []string
	for _, m := range b.Ephemerals(ana) {
		private = append(private, m.Text)
	}
	if len(private) != 2 || !strings.Contains(strings.Join(private, "\n"), "you said hello") || !strings.Contains(strings.Join(private, "\n"), "response URL") {
		t.Errorf("the command was answered with %q", private)
	}
	card := b.Messages("#deploys")[0]
	if b.Rendered(card) != "*card*\n[Press]" || card.Metadata == nil || card.Metadata.Type != "bolt_card" {
		t.Errorf("the card reads %q, %v", b.Rendered(card), card.Metadata)
	}

	ack, err = b.Click(ctx, ana, card.At(), "press")
	does(t, ack, err)
	if said := b.hears(t, "button"); said["value"] != "42" {
		t.Errorf("the button said %v", said)
	}
	b.fills(t, "Form")

	ack, err = b.Shortcut(ctx, ana, "global")
	does(t, ack, err)
	b.hears(t, "shortcut")
	if views := b.Views(ana); len(views) != 1 || views[0].Title != "Shortcut" {
		t.Errorf("the shortcut opened %+v", views)
	}
	ack, err = b.MessageShortcut(ctx, ana, card.At(), "message")
	does(t, ack, err)
	if said := b.hears(t, "message shortcut"); said["ts"] != card.TS {
		t.Errorf("the message's shortcut said %v", said)
	}
	ack, err = b.OpenHome(ctx, ana)
	does(t, ack, err)
	b.hears(t, "home")
	said, err := b.Say(ctx, ana, "#deploys", "", "<@U0BOT> are you there?")
	if err != nil {
		t.Fatal(err)
	}
	b.hears(t, "mention")
	if thread := b.Thread("#deploys", said.TS); len(thread) != 2 || thread[1].Text != "yes?" {
		t.Errorf("the thread is %q", texts(thread))
	}
}

// fills sends the form that is open: with an error, changed by the app, and at last as it should be.
func (b *bolt) fills(t *testing.T, title string) {
	t.Helper()
	ctx, ana := t.Context(), b.ana.ID
	view := b.Views(ana)[0]
	if view.Title != title {
		t.Fatalf("the form is %q", view.Title)
	}
	at := slackfake.Target{View: view.ID}
	options, err := b.Suggest(ctx, ana, at, "target", "tar")
	if err != nil || len(options) != 2 || options[0].Text != "tar one" {
		t.Fatalf("the menu has %v, %v", options, err)
	}
	ack, err := b.Choose(ctx, ana, at, "target", "2")
	does(t, ack, err)
	b.hears(t, "picked")
	for _, c := range []struct{ reason, title, fault string }{{"wrong", title, "not that one"}, {"update", "Again", ""}} {
		ack, err := b.Submit(ctx, ana, view.ID, map[string]string{"reason": c.reason})
		does(t, ack, err)
		b.hears(t, "submit")
		if now := b.Views(ana); len(now) != 1 || now[0].Title != c.title || now[0].Errors["reason"] != c.fault {
			t.Errorf("%s: the form is now %+v", c.reason, now)
		}
	}
	ack, err = b.Submit(ctx, ana, view.ID, map[string]string{"reason": "done"})
	does(t, ack, err)
	if said := b.hears(t, "submit"); said["picked"] != "2" {
		t.Errorf("the form said %v", said)
	}
	home, ok := b.Home(ana)
	if len(b.Views(ana)) != 0 || !ok || b.RenderedView(home) != "home: done" {
		t.Errorf("open: %d, home: %q", len(b.Views(ana)), b.RenderedView(home))
	}
}
