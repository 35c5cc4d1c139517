package slackfake

import (
	"encoding/json"
	"maps"
	"slices"
)

// Target names a message (Channel and TS) or a form or home tab (View), and the
// block in it where an action_id is there more than once; the first without Block.
type Target struct{ Channel, TS, View, Block string }

// Metadata is what an app hid in a message.
type Metadata struct {
	Type    string          `json:"event_type"`
	Payload json.RawMessage `json:"event_payload"`
}

// Message is what somebody said. Its JSON is that of the page.
type Message struct {
	Channel   string              `json:"channel"` // ID; empty for what concerns no channel
	TS        string              `json:"ts"`
	Thread    string              `json:"thread"`    // TS of the message it answers; empty for others
	Broadcast bool                `json:"broadcast"` // an answer that the channel sees too
	User      string              `json:"user"`      // who said it; empty for Slack itself
	Only      string              `json:"only"`      // ephemeral: the user who sees it
	Text      string              `json:"text"`
	Blocks    json.RawMessage     `json:"blocks,omitempty"` // Block Kit as the app sent it, with every block_id filled in
	Metadata  *Metadata           `json:"metadata"`
	Edits     int                 `json:"edits"`               // how often it was edited
	Reactions map[string][]string `json:"reactions,omitempty"` // emoji name -> user IDs
	Unfurls   []Unfurl            `json:"unfurls,omitempty"`   // what the app shows of its links

	loaded map[string][]Option // options the app gave for a menu, by action_id
}

// At is the message's place, for Click.
func (m Message) At() Target { return Target{Channel: m.Channel, TS: m.TS} }

// Messages returns what a channel (name with "#", or ID) shows: messages and
// broadcast answers, oldest first, without ephemeral ones.
func (w *Server) Messages(channel string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.find(channel)
	if r == nil {
		return nil
	}
	return r.pick(func(m *Message) bool { return m.Thread == "" || m.Broadcast })
}

// Thread returns a message and its answers, oldest first.
func (w *Server) Thread(channel, ts string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.find(channel)
	if r == nil {
		return nil
	}
	return r.pick(func(m *Message) bool { return m.TS == ts || m.Thread == ts })
}

// Direct returns what the app and a user said to each other, oldest first.
func (w *Server) Direct(user string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.rooms {
		if r := w.channels[id]; r.Direct == user {
			return r.pick(func(*Message) bool { return true })
		}
	}
	return nil
}

// Ephemerals returns what only that user sees, oldest first; also what Slack itself writes to them.
func (w *Server) Ephemerals(user string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := make([]Message, len(w.ephemeral[user]))
	for i := range seen {
		seen[i] = w.ephemeral[user][i].clone()
	}
	return seen
}

// clone is a copy that later changes do not reach: blocks and metadata are
// replaced as a whole, never written to.
func (m *Message) clone() Message {
	c := *m
	c.Reactions, c.loaded = maps.Clone(m.Reactions), nil
	for name, users := range c.Reactions {
		c.Reactions[name] = slices.Clone(users)
	}
	return c
}

// pick returns copies of the messages that fit.
func (r *room) pick(fits func(*Message) bool) []Message {
	var picked []Message
	for _, m := range r.messages {
		if fits(m) {
			picked = append(picked, m.clone())
		}
	}
	return picked
}

// message finds a message by its timestamp. The caller holds mu.
func (r *room) message(ts string) *Message {
	i := slices.IndexFunc(r.messages, func(m *Message) bool { return m.TS == ts })
	if i < 0 {
		return nil
	}
	return r.messages[i]
}

// put adds a message to a channel. The caller holds mu.
func (w *Server) put(r *room, m Message) *Message {
	m.Channel, m.TS = r.ID, w.stamp()
	r.messages = append(r.messages, &m)
	w.touchRoom(r)
	return &m
}

// postEphemeral shows a message to one user only. The caller holds mu.
func (w *Server) postEphemeral(user string, m Message) Message {
	m.TS, m.Only = w.stamp(), user
	w.ephemeral[user] = append(w.ephemeral[user], m)
	w.touchUser(user)
	return m
}

// wire is the message as the Web API and interaction payloads show it.
func (w *Server) wireMessage(m *Message, metadata bool) reply {
	out := reply{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text}
	if m.User == botUser {
		out["bot_id"], out["app_id"], out["team"] = botID, w.o.App, w.o.Team
	}
	if len(m.Blocks) > 0 {
		out["blocks"] = m.Blocks
	}
	if m.Thread != "" {
		out["thread_ts"] = m.Thread
		if m.Broadcast {
			out["subtype"] = "thread_broadcast"
		}
	}
	if m.Edits > 0 {
		out["edited"] = reply{"user": m.User, "ts": m.TS}
	}
	if m.Only != "" {
		out["is_ephemeral"] = true
	}
	if metadata && m.Metadata != nil {
		out["metadata"] = m.Metadata
	}
	if len(m.Reactions) > 0 {
		var all []reply
		for name, users := range m.Reactions {
			all = append(all, reply{"name": name, "users": users, "count": len(users)})
		}
		out["reactions"] = all
	}
	return out
}

// wireThread is a message with what Slack says about the answers to it.
func (w *Server) wireThread(r *room, m *Message, metadata bool) reply {
	out := w.wireMessage(m, metadata)
	answers, latest := 0, ""
	for _, o := range r.messages {
		if o.Thread == m.TS {
			answers, latest = answers+1, o.TS
		}
	}
	if answers > 0 {
		out["thread_ts"], out["reply_count"], out["latest_reply"] = m.TS, answers, latest
	}
	return out
}
