package main

import (
	"net/http"
	"os"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// smallWorld is a team that has a repository and nothing else yet: no pipeline,
// and a service that is not started. settings are what its configuration says
// beside the address.
func smallWorld(t *testing.T, settings string) *fixture {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	w := &fixture{t: t, dir: folder(t), addr: freeAddr(t), pipeline: "webshop", slack: slackfake.New(slackfake.Options{}), github: githubfake.New(githubfake.Options{})}
	t.Cleanup(w.slack.Close)
	w.api = &client.Client{URL: "http://" + w.addr, Token: token, HTTP: &http.Client{Timeout: testTimeout}}
	w.repository()
	w.write("rollcall.yaml", "listen: "+w.addr+"\nsources: {allowFileURLs: true, pollInterval: 1h}\n"+settings)
	logs, err := os.Create(w.path("service.log"))
	if err != nil {
		t.Fatal(err)
	}
	w.logs = logs
	return w
}

// begins starts the service, which ends with the test.
func (w *fixture) begins() *fixture {
	w.t.Helper()
	w.t.Cleanup(w.end)
	w.start()
	return w
}
