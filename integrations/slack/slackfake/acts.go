package slackfake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Command is a user's slash command in a channel (name with "#", or ID). When
// the app does not answer, the error says what Slack tells the user, who also
// sees it in the channel.
func (w *Server) Command(ctx context.Context, user, channel, text string) (Ack, error) {
	w.mu.Lock()
	u, r, err := w.person(user, channel)
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	fields := map[string]string{
		"token": "verification-token", "team_id": w.o.Team, "team_domain": w.domain(), "channel_id": r.ID, "channel_name": r.Name,
		"user_id": u.ID, "user_name": u.Name, "command": w.o.Command, "text": text, "api_app_id": w.o.App, "is_enterprise_install": "false",
		"response_url": w.newHook(hook{user: u.ID, channel: r.ID}), "trigger_id": w.newTrigger(u.ID),
	}
	if r.Direct != "" {
		fields["channel_name"] = "directmessage"
	}
	w.mu.Unlock()

	form := url.Values{}
	for k, v := range fields {
		form.Set(k, v)
	}
	ack, err := w.send(ctx, request{kind: "slash_commands", path: "/slack/commands", form: form, payload: fields, answers: true})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.postEphemeral(u.ID, Message{Channel: r.ID, Text: userText(err)})
		return ack, err
	}
	from := len(w.violations)
	err = w.showAck(u.ID, r, ack.Body)
	w.attributeViolations(from, w.o.Command, args{"channel": r.ID, "user": u.ID})
	if err != nil {
		err = fmt.Errorf("slack does not take what %s answered to %s: %w", w.o.BotName, w.o.Command, err)
	}
	return ack, err
}

// showAck shows what the app put into its acknowledgement of a command. The caller holds mu.
func (w *Server) showAck(user string, r *room, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	var m hookMessage
	if json.Unmarshal(body, &m) != nil {
		m = hookMessage{Text: string(body)}
	}
	if m.Text == "" && len(m.Blocks) == 0 {
		return nil
	}
	return w.respond(&hook{user: user, channel: r.ID}, m)
}

// person finds who acts and where. The caller holds mu.
func (w *Server) person(user, channel string) (*User, *room, error) {
	u, r := w.users[user], w.find(channel)
	switch {
	case u == nil:
		return nil, nil, fmt.Errorf("there is no user %q in the workspace", user)
	case r == nil || !w.sees(user, r):
		return nil, nil, fmt.Errorf("%s sees no channel %q", u.Name, channel)
	}
	return u, r, nil
}

// Click presses the button of that action_id, in a message that the user can
// see, in a form, or on their home tab. Confirmations are taken as given.
func (w *Server) Click(ctx context.Context, user string, at Target, actionID string) (Ack, error) {
	return w.act(ctx, user, at, actionID, nil)
}

// Choose picks an option by its value in a menu, or enters a value in a picker.
// Where the app only hears at Submit, the value is kept in the form and the Ack is empty.
func (w *Server) Choose(ctx context.Context, user string, at Target, actionID, value string) (Ack, error) {
	return w.act(ctx, user, at, actionID, &value)
}

func (w *Server) act(ctx context.Context, user string, at Target, actionID string, value *string) (Ack, error) {
	w.mu.Lock()
	s, err := w.findClicked(user, at)
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	c, ok := lookup(s.blocks, at.Block, actionID)
	if !ok {
		w.mu.Unlock()
		return Ack{}, fmt.Errorf("there is nothing with the action_id %q to use there", actionID)
	}
	action, err := w.use(s, c, value)
	if err != nil || action == nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	payload := w.interaction("block_actions", s)
	payload["actions"] = []object{action}
	w.mu.Unlock()

	ack, err := w.send(ctx, interactive(payload, false))
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if s.view != nil {
			s.view.showError("", "Something went wrong: "+userText(err))
			w.touchUser(user)
		} else {
			w.postEphemeral(user, Message{Channel: s.room.ID, Thread: s.message.Thread, Text: "Something went wrong: " + userText(err)})
		}
	}
	return ack, err
}

// use enters what was chosen and returns the action to send to the app, nil when
// it is not sent yet. The caller holds mu.
func (w *Server) use(s clicked, c control, value *string) (object, error) {
	action := object{"type": c.kind(), "action_id": c.id(), "block_id": c.blockID(), "action_ts": w.stamp()}
	if value == nil {
		if c.kind() != "button" {
			return nil, fmt.Errorf("%q is a %s; choose a value", c.id(), c.kind())
		}
		for _, key := range []string{"text", "value", "style", "url", "confirm"} {
			if v, ok := c.element[key]; ok {
				action[key] = v
			}
		}
		return action, nil
	}
	state, err := entered(c.element, *value, s.loaded()[c.id()])
	if err != nil {
		return nil, err
	}
	if s.view != nil && c.kind() != "overflow" {
		s.view.enter(c, state)
		s.view.clearError(c.blockID())
		w.touchUser(s.user.ID)
	}
	if !c.dispatches() {
		return nil, nil
	}
	for k, v := range state {
		action[k] = v
	}
	return action, nil
}

// clicked is where somebody acts: a message or a view.
type clicked struct {
	user    *User
	room    *room
	message *Message
	view    *View
	blocks  json.RawMessage
}

// loaded are the options that the app gave for menus there, by action_id.
func (s clicked) loaded() map[string][]Option {
	if s.view != nil {
		return s.view.loaded
	}
	return s.message.loaded
}

// load keeps options that the app gave for a menu. The caller holds mu.
func (s clicked) load(actionID string, options []Option) {
	loaded := map[string][]Option{}
	maps.Copy(loaded, s.loaded())
	for _, o := range options {
		if !slices.Contains(loaded[actionID], o) {
			loaded[actionID] = append(slices.Clip(loaded[actionID]), o)
		}
	}
	if s.view != nil {
		s.view.loaded = loaded
	} else {
		s.message.loaded = loaded
	}
}

// findClicked finds the message or view. The caller holds mu.
func (w *Server) findClicked(user string, at Target) (clicked, error) {
	u := w.users[user]
	if u == nil {
		return clicked{}, fmt.Errorf("there is no user %q in the workspace", user)
	}
	if at.View != "" {
		v := w.views[at.View]
		if home := w.homes[user]; v == nil && home != nil && home.ID == at.View {
			v = home
		}
		if v == nil || v.User != user {
			return clicked{}, fmt.Errorf("%s has no view %q open", u.Name, at.View)
		}
		return clicked{user: u, view: v, blocks: v.Blocks}, nil
	}
	_, r, err := w.person(user, at.Channel)
	if err != nil {
		return clicked{}, err
	}
	m := r.message(at.TS)
	if i := slices.IndexFunc(w.ephemeral[user], func(m Message) bool { return m.TS == at.TS && m.Channel == r.ID }); m == nil && i >= 0 {
		m = &w.ephemeral[user][i]
	}
	if m == nil {
		return clicked{}, fmt.Errorf("%s sees no message %s there", u.Name, at.TS)
	}
	return clicked{user: u, room: r, message: m, blocks: m.Blocks}, nil
}

// interaction is what all interaction payloads have in common. The caller holds mu.
func (w *Server) interaction(kind string, s clicked) object {
	p := object{
		"type": kind, "api_app_id": w.o.App, "token": "verification-token", "trigger_id": w.newTrigger(s.user.ID), "is_enterprise_install": false, "enterprise": nil,
		"team": object{"id": w.o.Team, "domain": w.domain()},
		"user": object{"id": s.user.ID, "username": s.user.Name, "name": s.user.Name, "team_id": s.user.Team},
	}
	if s.view != nil {
		p["container"] = object{"type": "view", "view_id": s.view.ID}
		p["view"] = w.wireView(s.view)
		return p
	}
	m := s.message
	container := object{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.Only != ""}
	if m.Thread != "" {
		container["thread_ts"] = m.Thread
	}
	p["container"], p["channel"] = container, object{"id": s.room.ID, "name": s.room.Name}
	p["message"], p["state"] = w.wireMessage(m, true), object{"values": object{}}
	p["response_url"] = w.newHook(hook{user: s.user.ID, channel: m.Channel, ts: m.TS, thread: m.Thread})
	return p
}

// Say posts a message of a user, in a thread when it is given (the TS of a
// message). An app that is mentioned hears of it.
func (w *Server) Say(ctx context.Context, user, channel, thread, text string) (Message, error) {
	w.mu.Lock()
	_, r, err := w.person(user, channel)
	if err != nil {
		w.mu.Unlock()
		return Message{}, err
	}
	if thread, err = checkText(r, thread, text); err != nil {
		w.mu.Unlock()
		return Message{}, err
	}
	m := w.put(r, Message{User: user, Text: text, Thread: thread}).clone()
	event := object{"type": "app_mention", "user": user, "text": text, "ts": m.TS, "channel": r.ID, "event_ts": m.TS}
	if thread != "" {
		event["thread_ts"] = thread
	}
	w.mu.Unlock()
	if strings.Contains(text, "<@"+botUser+">") {
		_, err = w.event(ctx, event)
	}
	return m, errors.Join(err, w.shareLinks(ctx, m))
}

// checkText checks what a user says, and gives the thread that they answer in.
func checkText(r *room, thread, text string) (string, error) {
	parent := r.message(thread)
	switch {
	case strings.TrimSpace(text) == "":
		return "", errors.New("there is nothing to say: the text is empty")
	case utf8.RuneCountInString(text) > textLimit:
		return "", fmt.Errorf("the text is too long, Slack takes %d characters", textLimit)
	case r.Archived:
		return "", fmt.Errorf("#%s is archived", r.Name)
	case thread == "":
		return "", nil
	case parent == nil:
		return "", fmt.Errorf("there is no message %s to answer", thread)
	case parent.Thread != "":
		return parent.Thread, nil
	}
	return thread, nil
}

// Emit sends the app an event of any shape ("type", "user", …), as the Events
// API does.
func (w *Server) Emit(ctx context.Context, event map[string]any) (Ack, error) {
	return w.event(ctx, event)
}

// OpenHome opens the app's home tab: the app hears app_home_opened. An event
// that the app does not take is sent three more times: at once, after one
// minute, after five.
func (w *Server) OpenHome(ctx context.Context, user string) (Ack, error) {
	w.mu.Lock()
	if w.users[user] == nil {
		w.mu.Unlock()
		return Ack{}, fmt.Errorf("there is no user %q in the workspace", user)
	}
	event := object{"type": "app_home_opened", "user": user, "channel": w.direct(user).ID, "tab": "home", "event_ts": w.stamp()}
	if v := w.homes[user]; v != nil {
		event["view"] = w.wireView(v)
	}
	w.mu.Unlock()
	return w.event(ctx, event)
}
