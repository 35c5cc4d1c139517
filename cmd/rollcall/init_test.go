package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// The first ten minutes, as docs/slack.md tells them: init, the tokens, serve,
// /rollcall start, Approve. Slack is the local one, by Socket Mode; nothing
// else of what init wrote is changed.
func TestTheFirstTenMinutes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real processes")
	}
	w := &fixture{t: t, dir: folder(t), addr: freeAddr(t)}
	w.slack = slackfake.New(slackfake.Options{BotToken: "xoxb-first", AppToken: "xapp-first"})
	w.slack.Grant(scopesOfTheManifest()...)
	t.Cleanup(w.slack.Close)
	w.ana = w.slack.AddUser(slackfake.User{ID: "UANA", Name: "ana", Email: "ana@acme.example"})
	w.slack.AddChannel(slackfake.Channel{ID: "CDEPLOYS", Name: "deploys"})
	w.git("", "init", "-q", "-b", "main", w.path("shop"))
	w.write("shop/page", "hello\n")
	w.git("shop", "add", ".")
	w.git("shop", "commit", "-qm", "Open the shop")

	var said, wrong bytes.Buffer
	if code := run([]string{"init", w.path("releases"), "--admin", "ana@acme.example", "--repository", w.path("shop"), "--listen", w.addr}, &said, &wrong); code != 0 {
		t.Fatal(code, wrong.String())
	}
	// What is local here: the address of Slack, and a repository on this disk.
	text := strings.Replace(w.read("releases/rollcall.yaml"), "slack:\n", "sources: {allowFileURLs: true}\nslack:\n  apiURL: "+serve(t, w.slack)+"/api/\n", 1)
	w.write("releases/rollcall.yaml", text)

	logs, err := os.Create(w.path("service.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "serve", "--config", w.path("releases", "rollcall.yaml"))
	cmd.Env = append(os.Environ(), "ROLLCALL_TEST_AS_SERVICE=1", "SLACK_BOT_TOKEN=xoxb-first", "SLACK_APP_TOKEN=xapp-first")
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.service, w.logs = cmd, logs
	t.Cleanup(w.end)
	w.until("the log says that all is well", func() bool { return strings.Contains(w.read("service.log"), "set up as it should be") })

	w.types(w.ana, "start "+filepath.Base(w.path("shop")))
	w.until("the gate asks in the channel, and Ana approves", func() bool { return w.click("approve") })
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	if err := w.slack.Until(ctx, func() bool { return strings.Contains(w.everythingSaid(), "is in Production") }); err != nil {
		t.Fatal(err)
	}
	if log := w.read("service.log"); strings.Contains(log, "xoxb-first") || strings.Contains(log, "xapp-first") {
		t.Error("the log holds a token")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error("the service did not end well:", err)
		}
	case <-time.After(testTimeout):
		t.Error("the service does not end")
	}
}

// click presses the first button of that action in #deploys, when it is there.
func (w *fixture) click(action string) bool {
	for _, top := range w.slack.Messages("#deploys") {
		for _, m := range append([]slackfake.Message{top}, w.slack.Thread("CDEPLOYS", top.TS)...) {
			for _, b := range m.Buttons() {
				if b.ActionID == action || strings.HasPrefix(b.ActionID, action+".") {
					_, err := w.slack.Click(w.t.Context(), w.ana.ID, m.At(), b.ActionID)
					return err == nil
				}
			}
		}
	}
	return false
}

// scopesOfTheManifest are what the app of a team has that followed the documentation.
func scopesOfTheManifest() []string {
	var scopes []string
	for _, s := range slack.Scopes() {
		scopes = append(scopes, s.Name)
	}
	return scopes
}
