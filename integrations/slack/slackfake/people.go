package slackfake

import (
	"cmp"
	"slices"
	"strings"
)

// Kind is what Slack makes of a user.
type Kind string

// The kinds of users.
const (
	Member      Kind = "member"
	Guest       Kind = "guest"
	Bot         Kind = "bot"
	Deactivated Kind = "deactivated"
	Connect     Kind = "connect" // of another workspace, through Slack Connect
)

// User is somebody in the workspace.
type User struct {
	ID    string `json:"id"`   // made up when empty
	Name  string `json:"name"` // "ana"
	Real  string `json:"real"` // "Ana Ruiz"; Name when empty
	Email string `json:"email"`
	Kind  Kind   `json:"kind"`         // Member when empty
	Team  string `json:"team"`         // the workspace's own when empty; another for Connect
	TZ    string `json:"tz,omitempty"` // "Europe/Berlin"; "Etc/UTC" when empty
}

// Channel is a place to talk.
type Channel struct {
	ID       string `json:"id"`   // made up when empty
	Name     string `json:"name"` // without "#"; empty for direct messages
	Private  bool   `json:"private"`
	Archived bool   `json:"archived"`
	Direct   string `json:"direct"` // the user, for a direct message with the app
	// External: shared with another company (Slack Connect). Organisation: shared
	// with other workspaces of the same organisation.
	External     bool `json:"external,omitempty"`
	Organisation bool `json:"organisation,omitempty"`
	// Members are user IDs, with the app's bot user when the app is in it. Nil
	// means everybody, also who comes later, and the app.
	Members []string `json:"members"`
}

// Group is a user group: "@sre".
type Group struct {
	ID      string   `json:"id"`     // S…; made up when empty
	Handle  string   `json:"handle"` // without "@"
	Name    string   `json:"name"`   // Handle when empty
	Members []string `json:"members"`
}

// room is a channel and what was said in it.
type room struct {
	Channel
	messages []*Message // oldest first
	version  uint64     // of the last change in it
}

// AddUser adds somebody, or replaces the one of that ID, and returns them with everything filled in.
func (w *Server) AddUser(u User) User {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u.ID == "" {
		u.ID = newID("U")
	}
	if u.Kind == "" {
		u.Kind = Member
	}
	if u.Real == "" {
		u.Real = u.Name
	}
	if u.Team == "" {
		u.Team = w.o.Team
		if u.Kind == Connect {
			u.Team = "T0ELSEWHERE"
		}
	}
	if w.users[u.ID] == nil {
		w.people = append(w.people, u.ID)
	}
	w.users[u.ID] = &u
	w.touch()
	return u
}

// AddChannel adds a channel, or replaces the one of that ID and keeps what was
// said in it, and returns it with everything filled in.
func (w *Server) AddChannel(c Channel) Channel {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.touch()
	return w.addChannel(c)
}

func (w *Server) addChannel(c Channel) Channel {
	c.Name = strings.TrimPrefix(c.Name, "#")
	if c.ID == "" {
		c.ID = newID("C")
	}
	r := w.channels[c.ID]
	if r == nil {
		r = &room{}
		w.channels[c.ID] = r
		w.rooms = append(w.rooms, c.ID)
	}
	r.Channel = c
	return c
}

// AddGroup adds a user group, or replaces the one of that ID, and returns it with everything filled in.
func (w *Server) AddGroup(g Group) Group {
	w.mu.Lock()
	defer w.mu.Unlock()
	g.Handle = strings.TrimPrefix(g.Handle, "@")
	if g.ID == "" {
		g.ID = newID("S")
	}
	if g.Name == "" {
		g.Name = g.Handle
	}
	g.Members = slices.Clone(g.Members)
	if w.groups[g.ID] == nil {
		w.teams = append(w.teams, g.ID)
	}
	w.groups[g.ID] = &g
	w.touch()
	return g
}

// Users lists everybody, the app's bot user first, in the order they came.
func (w *Server) Users() []User {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []User
	for _, id := range w.people {
		all = append(all, *w.users[id])
	}
	return all
}

// Channels lists the channels that a user can see; all of them without a user.
func (w *Server) Channels(user string) []Channel {
	w.mu.Lock()
	defer w.mu.Unlock()
	var seen []Channel
	for _, id := range w.rooms {
		if r := w.channels[id]; user == "" || w.sees(user, r) {
			seen = append(seen, r.Channel)
		}
	}
	return seen
}

// find returns the channel of that ID or name ("#x" or "x"). The caller holds mu.
func (w *Server) find(channel string) *room {
	if r := w.channels[channel]; r != nil {
		return r
	}
	name := strings.TrimPrefix(channel, "#")
	for _, id := range w.rooms {
		if r := w.channels[id]; r.Name == name && name != "" {
			return r
		}
	}
	return nil
}

// in says whether the user is a member of the channel.
func (w *Server) in(user string, r *room) bool {
	if r.Direct != "" {
		return user == r.Direct || user == botUser
	}
	return r.Members == nil || slices.Contains(r.Members, user)
}

// sees says whether the user may read the channel. People from elsewhere and
// guests see only what they are in.
func (w *Server) sees(user string, r *room) bool {
	if w.in(user, r) {
		return true
	}
	u := w.users[user]
	return !r.Private && r.Direct == "" && u != nil && u.Kind == Member
}

// direct returns the conversation of a user with the app, and makes it at first. The caller holds mu.
func (w *Server) direct(user string) *room {
	for _, id := range w.rooms {
		if r := w.channels[id]; r.Direct == user {
			return r
		}
	}
	c := w.addChannel(Channel{ID: newID("D"), Direct: user, Private: true})
	w.touchRoom(w.channels[c.ID])
	return w.channels[c.ID]
}

// wire is the user as the Web API shows them.
func (u *User) wire(email bool) reply {
	profile := reply{"real_name": u.Real, "display_name": u.Name, "real_name_normalized": u.Real, "display_name_normalized": u.Name, "team": u.Team}
	if email && u.Email != "" {
		profile["email"] = u.Email
	}
	return reply{
		"id": u.ID, "team_id": u.Team, "name": u.Name, "real_name": u.Real, "profile": profile,
		"deleted": u.Kind == Deactivated, "is_bot": u.Kind == Bot, "is_restricted": u.Kind == Guest, "is_ultra_restricted": false,
		"is_stranger": u.Kind == Connect, "is_app_user": false, "is_admin": false, "is_owner": false, "is_email_confirmed": u.Email != "",
		"tz": cmp.Or(u.TZ, "Etc/UTC"), "tz_label": cmp.Or(u.TZ, "UTC"), "tz_offset": 0, "updated": 0,
	}
}

// wire is the channel as the Web API shows it.
func (w *Server) wire(r *room) reply {
	if r.Direct != "" {
		return reply{"id": r.ID, "is_im": true, "user": r.Direct, "is_archived": false, "created": 0}
	}
	members := len(r.Members)
	if r.Members == nil {
		members = len(w.people)
	}
	return reply{
		"id": r.ID, "name": r.Name, "name_normalized": r.Name, "is_channel": true, "is_im": false, "is_mpim": false, "is_group": false,
		"is_private": r.Private, "is_archived": r.Archived, "is_general": false, "is_member": w.in(botUser, r), "created": 0, "creator": botUser,
		"is_shared": r.External || r.Organisation, "is_ext_shared": r.External, "is_org_shared": r.Organisation, "is_pending_ext_shared": false,
		"num_members": members, "topic": reply{"value": ""}, "purpose": reply{"value": ""},
	}
}
