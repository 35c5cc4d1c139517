package slackfake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// violationsShown is how many of the newest violations the page gets.
const violationsShown = 20

// pageState is what one person sees.
type pageState struct {
	Version    uint64               `json:"version"` // rises with every change that the person could see
	Team       reply                `json:"team"`
	App        reply                `json:"app"`
	Me         string               `json:"me"`
	Users      []pageUser           `json:"users"`
	Groups     []pageGroup          `json:"groups"`
	Channels   []pageChannel        `json:"channels"`
	Messages   map[string][]Message `json:"messages"` // by channel, oldest first, with the answers in threads
	Ephemerals []Message            `json:"ephemerals"`
	Views      []pageOpen           `json:"views"` // the one on top last
	Home       *pageOpen            `json:"home"`
	Violations []pageViolation      `json:"violations"`
}

type pageUser struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Real  string `json:"real"`
	Kind  Kind   `json:"kind"`
	Email string `json:"email"` // empty for people of another workspace
}

type pageGroup struct {
	ID     string `json:"id"`
	Handle string `json:"handle"`
	Name   string `json:"name"`
}

type pageChannel struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Private bool   `json:"private"`
	Direct  string `json:"direct"` // the user, for their messages with the app
}

// pageOpen is a form or home tab.
type pageOpen struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	CallbackID string            `json:"callbackId"`
	Title      string            `json:"title"`
	Submit     string            `json:"submit"`
	Close      string            `json:"close"`
	Blocks     json.RawMessage   `json:"blocks"`
	Errors     map[string]string `json:"errors"` // by block_id; of the whole form under ""
	Values     object            `json:"values"` // block_id -> action_id -> state, also of what nobody touched
	Hash       string            `json:"hash"`
}

type pageViolation struct {
	Where   string `json:"where"`
	Channel string `json:"channel"` // where it would have been seen; empty when it is not known
	Message string `json:"message"`
}

func (w *Server) pageState(rw http.ResponseWriter, r *http.Request) {
	state, err := w.viewed(r.URL.Query().Get("as"))
	if err != nil {
		refusePage(rw, http.StatusNotFound, err)
		return
	}
	pageAnswer(rw, http.StatusOK, state)
}

// viewed is what a person sees now.
func (w *Server) viewed(user string) (*pageState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.mayAct(user); err != nil {
		return nil, err
	}
	s := &pageState{
		Version: w.seen(user), Me: user, Team: reply{"id": w.o.Team, "name": w.o.TeamName},
		App:   reply{"name": w.o.BotName, "command": w.o.Command, "user": botUser, "shortcuts": append([]Shortcut{}, w.o.Shortcuts...)},
		Users: []pageUser{}, Groups: []pageGroup{}, Channels: []pageChannel{}, Messages: map[string][]Message{}, Ephemerals: []Message{}, Views: []pageOpen{},
	}
	for _, id := range w.people {
		u := w.users[id]
		seen := pageUser{ID: u.ID, Name: u.Name, Real: u.Real, Kind: u.Kind, Email: u.Email}
		if u.Kind == Connect && id != user {
			seen.Email = ""
		}
		s.Users = append(s.Users, seen)
	}
	for _, id := range w.teams {
		g := w.groups[id]
		s.Groups = append(s.Groups, pageGroup{ID: g.ID, Handle: g.Handle, Name: g.Name})
	}
	for _, id := range w.rooms {
		r := w.channels[id]
		if r.Archived || !w.sees(user, r) {
			continue
		}
		s.Channels = append(s.Channels, pageChannel{ID: r.ID, Name: r.Name, Private: r.Private, Direct: r.Direct})
		shown := []Message{}
		for _, m := range r.messages {
			shown = append(shown, m.shown())
		}
		s.Messages[id] = shown
	}
	for i := range w.ephemeral[user] {
		s.Ephemerals = append(s.Ephemerals, w.ephemeral[user][i].shown())
	}
	for _, id := range w.stacks[user] {
		s.Views = append(s.Views, w.shownView(w.views[id]))
	}
	if v := w.homes[user]; v != nil {
		home := w.shownView(v)
		s.Home = &home
	}
	s.Violations = w.shownViolations(user)
	return s, nil
}

// shown is a copy for the page, where nothing is null that is a list or an object.
func (m *Message) shown() Message {
	c := m.clone()
	if c.Blocks == nil {
		c.Blocks = json.RawMessage("[]")
	}
	if c.Reactions == nil {
		c.Reactions = map[string][]string{}
	}
	return c
}

func (w *Server) shownView(v *View) pageOpen {
	p := pageOpen{
		ID: v.ID, Type: v.Type, CallbackID: v.CallbackID, Title: v.Title, Submit: v.Submit, Close: v.Close,
		Blocks: v.Blocks, Errors: v.clone().Errors, Values: w.state(v), Hash: v.Hash,
	}
	if p.Blocks == nil {
		p.Blocks = json.RawMessage("[]")
	}
	if p.Errors == nil {
		p.Errors = map[string]string{}
	}
	return p
}

// shownViolations are the newest ones, the newest last. An app that tries again
// and again does not fill the list.
func (w *Server) shownViolations(user string) []pageViolation {
	all := []pageViolation{}
	for _, v := range slices.Backward(w.violations) {
		if !v.seenBy(w, user) {
			continue
		}
		where := []string{v.Method, v.Path}
		if r := w.channels[v.Channel]; r != nil && r.Name != "" {
			where = slices.Insert(where, 1, "#"+r.Name)
		}
		p := pageViolation{Where: strings.TrimSpace(strings.Join(where, " ")), Channel: v.Channel, Message: v.Message}
		if !slices.Contains(all, p) && len(all) < violationsShown {
			all = append(all, p)
		}
	}
	slices.Reverse(all)
	return all
}
