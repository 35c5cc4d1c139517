package slackfake

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// textLimit is the longest text of a message, in code points.
const textLimit = 40000

// content reads text, blocks and metadata of a message. The caller holds mu.
func (w *Server) content(a args) (Message, error) {
	m := Message{Text: a.str("text"), User: botUser}
	if a.has("blocks") {
		if err := w.refuse(checkMessage([]byte(a.str("blocks")), w.refusedKinds), "invalid_blocks"); err != nil {
			return m, err
		}
		blocks, err := named(a.str("blocks"))
		if err != nil {
			return m, err
		}
		m.Blocks = blocks
	}
	if a.has("metadata") {
		var md Metadata
		if err := json.Unmarshal([]byte(a.str("metadata")), &md); err != nil {
			return m, &apiError{Code: "invalid_metadata_format"}
		}
		if payload := strings.TrimSpace(string(md.Payload)); md.Type != "" {
			if !strings.HasPrefix(payload, "{") {
				return m, &apiError{Code: "invalid_metadata_schema"}
			}
			m.Metadata = &md
		}
	}
	if utf8.RuneCountInString(m.Text) > textLimit {
		return m, &apiError{Code: "msg_too_long"}
	}
	return m, nil
}

// refuse notes what is wrong with blocks and returns the error for it, nil for
// nothing. Whoever knows what the blocks were for says so with attributeViolations. The caller holds mu.
func (w *Server) refuse(found []Violation, code string) error {
	if len(found) == 0 {
		return nil
	}
	w.violations = append(w.violations, found...)
	e := &apiError{Code: code}
	if len(found) == 1 && found[0].code != "" {
		e.Code = found[0].code
	}
	for _, v := range found {
		e.Messages = append(e.Messages, "[ERROR] "+v.Message+" [json-pointer:"+v.Path+"]")
	}
	return e
}

// named fills in the block IDs that are missing. The blocks have been checked.
func named(blocks string) (json.RawMessage, error) {
	var list []map[string]any
	if err := json.Unmarshal([]byte(blocks), &list); err != nil {
		return nil, &apiError{Code: "invalid_blocks_format"}
	}
	if len(list) == 0 {
		return nil, nil
	}
	for _, b := range list {
		name(b)
	}
	return json.Marshal(list)
}

// name fills in the ID of a block, and of those inside it.
func name(b object) {
	if b != nil && str(b, "block_id") == "" {
		b["block_id"] = newID("")[:5]
	}
	for _, inner := range inside(b) {
		name(inner)
	}
}

// target finds the channel of a call: by ID, by name, or a user's direct messages.
func (w *Server) target(channel string) (*room, error) {
	r := w.find(channel)
	if r == nil && w.users[channel] != nil && channel != botUser {
		r = w.direct(channel)
	}
	switch {
	case r == nil || r.Private && !w.in(botUser, r):
		return nil, &apiError{Code: "channel_not_found"}
	case r.Archived:
		return nil, &apiError{Code: "is_archived"}
	}
	return r, nil
}

func (w *Server) chatPost(a args) (reply, error) {
	r, err := w.target(a.str("channel"))
	if err != nil {
		return nil, err
	}
	m, err := w.content(a)
	if err != nil {
		return nil, err
	}
	if m.Text == "" && len(m.Blocks) == 0 {
		return fail("no_text")
	}
	m.Thread = a.str("thread_ts")
	if m.Thread != "" {
		parent := r.message(m.Thread)
		if parent == nil && !slices.ContainsFunc(r.messages, func(o *Message) bool { return o.Thread == m.Thread }) {
			return fail("thread_not_found") // of a deleted message with answers the thread stays
		}
		if parent != nil && parent.Thread != "" {
			m.Thread = parent.Thread
		}
		m.Broadcast = a.yes("reply_broadcast")
	}
	posted := w.put(r, m)
	return reply{"channel": r.ID, "ts": posted.TS, "message": w.wireMessage(posted, true)}, nil
}

// own finds a message of the app's, for changing it.
func (w *Server) own(a args, denied string) (*room, *Message, error) {
	r, err := w.target(a.str("channel"))
	if err != nil {
		return nil, nil, err
	}
	m := r.message(a.str("ts"))
	switch {
	case m == nil:
		return nil, nil, &apiError{Code: "message_not_found"}
	case m.User != botUser:
		return nil, nil, &apiError{Code: denied}
	}
	return r, m, nil
}

func (w *Server) chatUpdate(a args) (reply, error) {
	r, m, err := w.own(a, "cant_update_message")
	if err != nil {
		return nil, err
	}
	next, err := w.content(a)
	if err != nil {
		return nil, err
	}
	if next.Text == "" && len(next.Blocks) == 0 {
		return fail("no_text")
	}
	m.Text = next.Text
	if a.has("blocks") {
		m.Blocks = next.Blocks
	}
	if next.Metadata != nil {
		m.Metadata = next.Metadata
	}
	m.Edits++
	w.touchRoom(r)
	return reply{"channel": r.ID, "ts": m.TS, "text": m.Text, "message": w.wireMessage(m, true)}, nil
}

func (w *Server) chatEphemeral(a args) (reply, error) {
	r, err := w.target(a.str("channel"))
	if err != nil {
		return nil, err
	}
	user := a.str("user")
	if !w.in(user, r) || w.users[user] == nil {
		return fail("user_not_in_channel")
	}
	m, err := w.content(a)
	if err != nil {
		return nil, err
	}
	if m.Text == "" && len(m.Blocks) == 0 {
		return fail("no_text")
	}
	m.Channel, m.Thread = r.ID, a.str("thread_ts")
	return reply{"message_ts": w.postEphemeral(user, m).TS}, nil
}

func (w *Server) chatDelete(a args) (reply, error) {
	r, m, err := w.own(a, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	r.messages = slices.DeleteFunc(r.messages, func(o *Message) bool { return o == m })
	w.touchRoom(r)
	return reply{"channel": r.ID, "ts": m.TS}, nil
}

func (w *Server) chatPermalink(a args) (reply, error) {
	r, err := w.target(a.str("channel"))
	if err != nil {
		return nil, err
	}
	m := r.message(a.str("message_ts"))
	if m == nil {
		return fail("message_not_found")
	}
	return reply{"channel": r.ID, "permalink": w.public + "/archives/" + r.ID + "/p" + strings.ReplaceAll(m.TS, ".", "")}, nil
}

func (w *Server) reactionsAdd(a args) (reply, error) {
	return w.react(a, func(users []string) ([]string, error) {
		if slices.Contains(users, botUser) {
			return nil, &apiError{Code: "already_reacted"}
		}
		return append(users, botUser), nil
	})
}

func (w *Server) reactionsRemove(a args) (reply, error) {
	return w.react(a, func(users []string) ([]string, error) {
		i := slices.Index(users, botUser)
		if i < 0 {
			return nil, &apiError{Code: "no_reaction"}
		}
		return slices.Delete(users, i, i+1), nil
	})
}

func (w *Server) react(a args, change func([]string) ([]string, error)) (reply, error) {
	r, err := w.target(a.str("channel"))
	if err != nil {
		return nil, err
	}
	m, name := r.message(a.str("timestamp")), a.str("name")
	switch {
	case m == nil:
		return fail("message_not_found")
	case name == "":
		return fail("invalid_name")
	}
	users, err := change(m.Reactions[name])
	if err != nil {
		return nil, err
	}
	if m.Reactions == nil {
		m.Reactions = map[string][]string{}
	}
	if m.Reactions[name] = users; len(users) == 0 {
		delete(m.Reactions, name)
	}
	w.touchRoom(r)
	return reply{}, nil
}
