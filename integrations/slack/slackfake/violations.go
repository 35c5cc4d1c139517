package slackfake

import (
	"slices"
)

// Violation is something in blocks that Slack would not take.
type Violation struct {
	Path    string `json:"path"` // JSON pointer: "/blocks/2/text"
	Message string `json:"message"`

	// What the blocks were for, in Violations: the method ("chat.postMessage",
	// ResponseURLs, "view_submission" or the command), and where it would have
	// been seen, as far as that is known: the channel's ID, the only user.
	Method  string `json:"method"`
	Channel string `json:"channel"`
	User    string `json:"user"`

	code string // Slack's for this one, where it has its own
}

// String is the message with its place.
func (v Violation) String() string { return v.Path + ": " + v.Message }

// Violations lists what was refused because of its blocks since the start.
func (w *Server) Violations() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// attributeViolations says of the violations from that one on what the blocks were for. The caller holds mu.
func (w *Server) attributeViolations(from int, method string, a args) {
	if from == len(w.violations) {
		return
	}
	user, channel := a.str("user")+a.str("user_id"), ""
	r := w.find(a.str("channel"))
	if r != nil {
		channel = r.ID
	} else if w.users[a.str("channel")] != nil {
		user = a.str("channel")
	}
	if t := w.triggers[a.str("trigger_id")]; t != nil {
		user = t.user
	}
	if v := w.views[a.str("view_id")]; v != nil {
		user = v.User
	}
	for i := range w.violations[from:] {
		v := &w.violations[from+i]
		v.Method, v.Channel, v.User = method, channel, user
	}
	switch {
	case user != "":
		w.touchUser(user)
	case r != nil:
		w.touchRoom(r)
	default:
		w.touch()
	}
}

// seenBy says whether the user would have seen the blocks that were refused. The caller holds mu.
func (v Violation) seenBy(w *Server, user string) bool {
	r := w.channels[v.Channel]
	return (v.User == "" || v.User == user) && (r == nil || w.sees(user, r))
}
