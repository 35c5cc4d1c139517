package slackfake

import (
	"context"
	"fmt"
	"slices"
)

// Shortcut is a shortcut of the app, as its manifest has it.
type Shortcut struct {
	Name       string `json:"name"`
	CallbackID string `json:"callback"`
	Message    bool   `json:"message"` // stands under "More actions" of messages; else it is global
}

// Shortcut uses a global shortcut.
func (w *Server) Shortcut(ctx context.Context, user, callbackID string) (Ack, error) {
	w.mu.Lock()
	u := w.users[user]
	if u == nil {
		w.mu.Unlock()
		return Ack{}, fmt.Errorf("there is no user %q in the workspace", user)
	}
	if err := w.hasShortcut(callbackID, false); err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	payload := object{
		"type": "shortcut", "callback_id": callbackID, "trigger_id": w.newTrigger(user), "action_ts": w.stamp(), "token": "verification-token",
		"is_enterprise_install": false, "enterprise": nil, "team": object{"id": w.o.Team, "domain": w.domain()},
		"user": object{"id": u.ID, "username": u.Name, "team_id": u.Team},
	}
	w.mu.Unlock()
	return w.useShortcut(ctx, user, "", payload)
}

// MessageShortcut uses a shortcut on a message that the user sees.
func (w *Server) MessageShortcut(ctx context.Context, user string, at Target, callbackID string) (Ack, error) {
	w.mu.Lock()
	s, err := w.findClicked(user, at)
	if err == nil && s.message == nil {
		err = fmt.Errorf("a shortcut is used on a message, not on a form")
	}
	if err == nil {
		err = w.hasShortcut(callbackID, true)
	}
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	payload := w.interaction("message_action", s)
	for _, key := range []string{"container", "state", "api_app_id"} {
		delete(payload, key)
	}
	payload["callback_id"], payload["message_ts"], payload["action_ts"] = callbackID, s.message.TS, w.stamp()
	channel := s.room.ID
	w.mu.Unlock()
	return w.useShortcut(ctx, user, channel, payload)
}

// hasShortcut is an error when the app has no such shortcut. The caller holds mu.
func (w *Server) hasShortcut(callbackID string, message bool) error {
	if slices.ContainsFunc(w.o.Shortcuts, func(s Shortcut) bool { return s.CallbackID == callbackID && s.Message == message }) {
		return nil
	}
	return fmt.Errorf("the app has no such shortcut: %q", callbackID)
}

// useShortcut sends it to the app; when the app does not take it, the user sees that.
func (w *Server) useShortcut(ctx context.Context, user, channel string, payload object) (Ack, error) {
	ack, err := w.send(ctx, interactive(payload, false))
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.postEphemeral(user, Message{Channel: channel, Text: "Something went wrong: " + userText(err)})
	}
	return ack, err
}

type pageShortcut struct {
	actor
	Callback string `json:"callback"`
	Channel  string `json:"channel"`
	TS       string `json:"ts"`
}

// pageShortcut uses a shortcut: on a message where one is named.
func (w *Server) pageShortcut(ctx context.Context, in pageShortcut) (reply, error) {
	if in.TS != "" {
		_, err := w.MessageShortcut(ctx, in.As, Target{Channel: in.Channel, TS: in.TS}, in.Callback)
		return nil, err
	}
	_, err := w.Shortcut(ctx, in.As, in.Callback)
	return nil, err
}
