package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// A comment on a pull request reaches the engine with the rights of the person whom
// the configuration links, and is answered there; without the setting nothing happens.
func TestCommentsOnPullRequests(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) { commented(t, on) })
	}
}

func commented(t *testing.T, on bool) {
	hub := githubfake.New(githubfake.Options{Token: "t"})
	api := httptest.NewServer(hub)
	defer api.Close()
	hub.Keep(githubfake.Pull{Repository: "acme/shop", Number: 7, Base: "main", Head: "cart", Commit: strings.Repeat("a", 40), Author: "dan"})
	dir := t.TempDir()
	setting := ""
	if on {
		setting = ", comments: [acme/*]"
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "pipelines"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("rollcall.yaml", fmt.Sprintf(`admins: [root@acme.example]
listen: 127.0.0.1:0
github: {apiURL: %q, cloneURL: %q, token: t, webhookSecret: a-long-secret, deployments: false%s}
people: [{email: ana@acme.example, github: ana-dev}, {email: ben@acme.example, github: ben-dev}]
access: {rules: [{allow: [view], to: [ben@acme.example]}, {allow: [view, start], to: [ana@acme.example]}]}
`, api.URL, api.URL+"/", setting))
	write("pipelines/shop.yaml", `name: shop
triggers: [{release: {}}]
stages:
- name: Source
  actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/shop, BranchName: main}, outputArtifacts: [app]}]
- name: Rest
  actions: [{name: Pause, provider: Wait, configuration: {seconds: "0"}}]
`)
	c, err := config.Load(filepath.Join(dir, "rollcall.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	said := &log{}
	a, err := New(c, slog.New(slog.NewTextHandler(said, nil)), Extras{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(running, said) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	<-a.engine.Ready()
	service := httptest.NewServer(a.mux)
	defer service.Close()
	hub.Connect(service.URL+"/github/webhook", "a-long-secret")
	says := func(id int, login, text string) int {
		t.Helper()
		d, err := hub.Type(ctx, githubfake.TypedComment{Repository: "acme/shop", Number: 7, ID: id, Login: login, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return d.Status
	}
	if !on {
		if status := says(1, "ana-dev", "/rollcall start shop"); status != 200 {
			t.Errorf("answered %d", status)
		}
		return
	}
	for i, one := range []struct{ login, text, answer string }{
		{"ben-dev", "/rollcall start shop", "Not done: "},
		{"mallory", "/rollcall start shop", "does not know who mallory is"},
		{"ana-dev", "Ship it!\n/rollcall start shop", "shop#1 has started."},
		{"ben-dev", "/rollcall status shop#1", "shop#1: "},
	} {
		if status := says(i+1, one.login, one.text); status != 202 {
			t.Errorf("answered %d", status)
		}
		all, err := hub.WaitComments(ctx, "acme/shop", 7, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(all[i].Body, one.answer) {
			t.Errorf("%s said %q and heard %q, want %q", one.login, one.text, all[i].Body, one.answer)
		}
	}
	all, err := a.engine.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: "shop", Limit: 10})
	if err != nil || len(all) != 1 || all[0].Trigger.By.Email != "ana@acme.example" || all[0].Trigger.By.Via != "github" {
		t.Errorf("executions %+v %v", all, err)
	}
}
