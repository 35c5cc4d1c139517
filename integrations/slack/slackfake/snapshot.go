package slackfake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// snapshotVersion is the form of snapshots that is written, and the only one that is read.
const snapshotVersion = 1

// versionGap is added to the version when a snapshot is restored: pages may have
// seen versions that came after the snapshot, and must take the restored state
// for newer.
const versionGap = 1_000_000

// snapshot is everything that people see and that the app may need again.
// Options, faults, counts of calls and connections are not in it.
type snapshot struct {
	Snapshot   int                       `json:"snapshot"`
	Team       string                    `json:"team"`
	Version    uint64                    `json:"version"`
	LastTS     int64                     `json:"lastTs"` // microseconds; timestamps only rise
	Public     string                    `json:"public"` // where the app reached the workspace last
	Users      []User                    `json:"users"`
	Groups     []Group                   `json:"groups"`
	Channels   []savedRoom               `json:"channels"`
	Ephemerals map[string][]savedMessage `json:"ephemerals"` // by user
	Forms      []savedView               `json:"forms"`      // open ones; each user's from bottom to top
	Homes      []savedView               `json:"homes"`
	Responses  []savedHook               `json:"responses"` // response URLs that still work
	Triggers   []savedTrigger            `json:"triggers"`  // that still open a form
	Violations []Violation               `json:"violations"`
}

type savedRoom struct {
	Channel
	Messages []savedMessage `json:"messages"`
}

type savedMessage struct {
	Message
	Loaded map[string][]Option `json:"loaded,omitempty"`
}

type savedView struct {
	ID              string                                `json:"id"`
	Type            string                                `json:"type"`
	User            string                                `json:"user"`
	CallbackID      string                                `json:"callbackId"`
	ExternalID      string                                `json:"externalId"`
	PrivateMetadata string                                `json:"privateMetadata"`
	Title           string                                `json:"title"`
	Submit          string                                `json:"submit"`
	Close           string                                `json:"close"`
	Blocks          json.RawMessage                       `json:"blocks,omitempty"`
	Errors          map[string]string                     `json:"errors"`
	Values          map[string]map[string]json.RawMessage `json:"values"`
	Hash            string                                `json:"hash"`
	Root            string                                `json:"root"`
	Previous        string                                `json:"previous"`
	Notify          bool                                  `json:"notify"`
	Loaded          map[string][]Option                   `json:"loaded"`
}

type savedHook struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Channel string    `json:"channel"`
	TS      string    `json:"ts"`
	Thread  string    `json:"thread"`
	At      time.Time `json:"at"`
	Uses    int       `json:"uses"`
}

type savedTrigger struct {
	ID   string    `json:"id"`
	User string    `json:"user"`
	At   time.Time `json:"at"`
}

// Snapshot is the workspace as JSON, for Restore: everything that people see,
// and what the app may need again (response URLs, trigger IDs, metadata of
// messages). It holds no tokens, but response URLs and trigger IDs are secrets.
func (w *Server) Snapshot() ([]byte, error) {
	return wirefake.WriteSnapshot("Slack", w.save())
}

// save copies the workspace; what it shares with it is never written to.
func (w *Server) save() snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := snapshot{
		Snapshot: snapshotVersion, Team: w.o.Team, Version: w.version, LastTS: w.lastTS, Public: w.public,
		Ephemerals: map[string][]savedMessage{}, Violations: slices.Clone(w.violations),
	}
	for _, id := range w.people {
		s.Users = append(s.Users, *w.users[id])
	}
	for _, id := range w.teams {
		s.Groups = append(s.Groups, *w.groups[id])
	}
	for _, id := range w.rooms {
		r := savedRoom{Channel: w.channels[id].Channel, Messages: []savedMessage{}}
		for _, m := range w.channels[id].messages {
			r.Messages = append(r.Messages, savedMessage{m.clone(), m.loaded})
		}
		s.Channels = append(s.Channels, r)
	}
	for user := range w.ephemeral {
		for i := range w.ephemeral[user] {
			m := &w.ephemeral[user][i]
			s.Ephemerals[user] = append(s.Ephemerals[user], savedMessage{m.clone(), m.loaded})
		}
	}
	for _, user := range slices.Sorted(maps.Keys(w.stacks)) {
		for _, id := range w.stacks[user] {
			s.Forms = append(s.Forms, w.views[id].save())
		}
	}
	for _, user := range slices.Sorted(maps.Keys(w.homes)) {
		s.Homes = append(s.Homes, w.homes[user].save())
	}
	now := w.o.Now()
	for id, h := range w.hooks {
		if now.Sub(h.at) <= hookLife && h.uses < hookUses {
			s.Responses = append(s.Responses, savedHook{ID: id, User: h.user, Channel: h.channel, TS: h.ts, Thread: h.thread, At: h.at.UTC(), Uses: h.uses})
		}
	}
	slices.SortFunc(s.Responses, func(a, b savedHook) int { return cmp.Compare(a.ID, b.ID) })
	for id, t := range w.triggers {
		if now.Sub(t.at) <= triggerLife && !t.used {
			s.Triggers = append(s.Triggers, savedTrigger{id, t.user, t.at.UTC()})
		}
	}
	slices.SortFunc(s.Triggers, func(a, b savedTrigger) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func (v *View) save() savedView {
	c := v.clone()
	return savedView{
		ID: c.ID, Type: c.Type, User: c.User, CallbackID: c.CallbackID, ExternalID: c.ExternalID, PrivateMetadata: c.PrivateMetadata,
		Title: c.Title, Submit: c.Submit, Close: c.Close, Blocks: c.Blocks, Errors: c.Errors, Values: c.Values, Hash: c.Hash,
		Root: c.root, Previous: c.previous, Notify: c.notify, Loaded: c.loaded,
	}
}

// Restore puts a snapshot in place of all that is in the workspace. The error
// says why the snapshot cannot be used; then nothing has changed.
func (w *Server) Restore(data []byte) error {
	var s snapshot
	if err := wirefake.ReadSnapshot("Slack", snapshotVersion, data, &s); err != nil {
		return err
	}
	if s.Team != w.o.Team {
		return fmt.Errorf("the snapshot is of the workspace %q, this is %q", s.Team, w.o.Team)
	}
	next := New(Options{Team: w.o.Team})
	defer next.Close()
	if err := next.load(s); err != nil {
		return fmt.Errorf("the workspace's snapshot is inconsistent: %w", err)
	}
	w.mu.Lock()
	w.users, w.people, w.groups, w.teams, w.channels, w.rooms = next.users, next.people, next.groups, next.teams, next.channels, next.rooms
	w.ephemeral, w.views, w.stacks, w.homes = next.ephemeral, next.views, next.stacks, next.homes
	w.triggers, w.hooks, w.violations = next.triggers, next.hooks, s.Violations
	w.lastTS, w.version = max(w.lastTS, s.LastTS), max(w.version, s.Version)+versionGap
	if w.o.PublicURL == "" {
		w.public = s.Public
	}
	w.touch()
	w.mu.Unlock()
	w.AddUser(User{ID: botUser, Name: w.o.BotName, Kind: Bot})
	return nil
}

// load fills a new workspace that nobody else has yet.
func (w *Server) load(s snapshot) error {
	w.users, w.people = map[string]*User{}, nil
	for _, u := range s.Users {
		if u.ID == "" || w.users[u.ID] != nil {
			return fmt.Errorf("the user %q is there twice, or has no ID", u.ID)
		}
		w.users[u.ID], w.people = &u, append(w.people, u.ID)
	}
	for _, g := range s.Groups {
		if g.ID == "" || w.groups[g.ID] != nil {
			return fmt.Errorf("the group %q is there twice, or has no ID", g.ID)
		}
		w.groups[g.ID], w.teams = &g, append(w.teams, g.ID)
	}
	for _, c := range s.Channels {
		if c.ID == "" || w.channels[c.ID] != nil {
			return fmt.Errorf("the channel %q is there twice, or has no ID", c.ID)
		}
		r := &room{Channel: c.Channel}
		for _, m := range c.Messages {
			m := m.load()
			r.messages = append(r.messages, &m)
		}
		w.channels[c.ID], w.rooms = r, append(w.rooms, c.ID)
	}
	for user, all := range s.Ephemerals {
		for _, m := range all {
			w.ephemeral[user] = append(w.ephemeral[user], m.load())
		}
	}
	for _, h := range s.Responses {
		w.hooks[h.ID] = &hook{user: h.User, channel: h.Channel, ts: h.TS, thread: h.Thread, at: h.At, uses: h.Uses}
	}
	for _, t := range s.Triggers {
		w.triggers[t.ID] = &trigger{user: t.User, at: t.At}
	}
	return w.loadViews(s)
}

func (w *Server) loadViews(s snapshot) error {
	for _, saved := range s.Forms {
		v := saved.load()
		if v.ID == "" || w.views[v.ID] != nil || w.users[v.User] == nil {
			return fmt.Errorf("the form %q is there twice, or has no ID or user", v.ID)
		}
		w.views[v.ID], w.stacks[v.User] = v, append(w.stacks[v.User], v.ID)
	}
	for _, saved := range s.Homes {
		v := saved.load()
		if v.ID == "" || w.homes[v.User] != nil || w.users[v.User] == nil {
			return errors.New("a home tab has no ID or user, or its user has two")
		}
		w.homes[v.User] = v
	}
	return nil
}

func (m savedMessage) load() Message {
	c := m.Message
	c.Blocks, c.loaded = present(m.Blocks), m.Loaded
	return c
}

// present is nil for a JSON null.
func present(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (v savedView) load() *View {
	loaded := &View{
		ID: v.ID, Type: v.Type, User: v.User, CallbackID: v.CallbackID, ExternalID: v.ExternalID, PrivateMetadata: v.PrivateMetadata,
		Title: v.Title, Submit: v.Submit, Close: v.Close, Blocks: present(v.Blocks), Errors: v.Errors, Values: v.Values, Hash: v.Hash,
		root: v.Root, previous: v.Previous, notify: v.Notify, loaded: v.Loaded,
	}
	if loaded.Values == nil {
		loaded.Values = map[string]map[string]json.RawMessage{}
	}
	if loaded.loaded == nil {
		loaded.loaded = map[string][]Option{}
	}
	return loaded
}
