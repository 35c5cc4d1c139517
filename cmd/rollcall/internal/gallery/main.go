// Command gallery shows golden messages, forms and App Homes in the local Slack, a
// channel for each, so that people can look at them and docs/images has pictures of
// them (web/e2e/gallery.mjs). It is no part of rollcall.
//
// usage: go run ./cmd/rollcall/internal/gallery FILE.json…
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/web"
)

const (
	person   = "UDAN" // who looks
	botToken = "xoxb-gallery"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// gallery is a workspace with an app that does nothing but show what it is given.
type gallery struct {
	slack *slackfake.Server
	at    string // its address
	views map[string]json.RawMessage
}

func run(files []string) error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g := &gallery{at: "http://" + l.Addr().String(), views: map[string]json.RawMessage{}}
	g.slack = slackfake.New(slackfake.Options{BotToken: botToken, BaseURL: g.at, PublicURL: g.at})
	for id, name := range map[string]string{"U1": "Ana", "U2": "Ben", "U3": "Cho", person: "Dan"} {
		g.slack.AddUser(slackfake.User{ID: id, Name: strings.ToLower(name), Real: name, Email: strings.ToLower(name) + "@acme.example"})
	}
	g.slack.AddGroup(slackfake.Group{ID: "S1", Handle: "release-managers", Members: []string{"U1", "U2", "U3"}})
	server := &http.Server{Handler: g.handler(), ReadHeaderTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	for _, file := range files {
		if err := g.hang(file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	fmt.Println("the gallery is at " + g.at + "/")
	return <-failed
}

func (g *gallery) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(slackfake.PagePath, g.slack.Page())
	mux.Handle("GET /assets/", web.Assets())
	mux.Handle("/api/", g.slack)
	mux.HandleFunc("POST /slack/commands", func(w http.ResponseWriter, r *http.Request) {
		trigger, name := r.FormValue("trigger_id"), strings.TrimSpace(r.FormValue("text"))
		go func() { // a real app too opens a form beside its answer
			if err := g.call("views.open", map[string]any{"trigger_id": trigger, "view": g.views[name]}); err != nil {
				log.Print(name, ": ", err)
			}
		}()
	})
	mux.HandleFunc("POST /slack/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		page, _ := web.Page("workspace.html")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	return mux
}

// hang shows a golden file: a message in a channel of its name, an App Home as the
// viewer's own; a form opens at "/rollcall NAME".
func (g *gallery) hang(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	var golden struct {
		Type, Text string
		Blocks     json.RawMessage
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		return err
	}
	switch golden.Type {
	case "modal":
		g.views[name] = data
		return nil
	case "home":
		return g.call("views.publish", map[string]any{"user_id": person, "view": json.RawMessage(data)})
	}
	g.slack.AddChannel(slackfake.Channel{ID: "C" + strings.ToUpper(strings.ReplaceAll(name, "-", "")), Name: name})
	return g.call("chat.postMessage", map[string]any{"channel": "#" + name, "text": golden.Text, "blocks": golden.Blocks})
}

// call makes a call of Slack's Web API.
func (g *gallery) call(method string, args map[string]any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return err
	}
	to, err := url.JoinPath(g.at, "api", method)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+botToken)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		OK       bool
		Error    string
		Metadata struct{ Messages []string } `json:"response_metadata"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if !answer.OK {
		return errors.New(strings.Join(append([]string{answer.Error}, answer.Metadata.Messages...), "; "))
	}
	return nil
}
