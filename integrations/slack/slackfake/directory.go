package slackfake

import (
	"slices"
	"strings"
)

func (w *Server) authTest(args) (reply, error) {
	return reply{"url": w.public + "/", "team": w.o.TeamName, "team_id": w.o.Team, "user": w.o.BotName, "user_id": botUser, "bot_id": botID, "is_enterprise_install": false}, nil
}

func (w *Server) teamInfo(args) (reply, error) {
	return reply{"team": reply{"id": w.o.Team, "name": w.o.TeamName, "domain": w.domain(), "email_domain": ""}}, nil
}

// domain is the workspace's name in addresses.
func (w *Server) domain() string {
	return strings.ReplaceAll(strings.ToLower(w.o.TeamName), " ", "-")
}

func (w *Server) botsInfo(a args) (reply, error) {
	if bot := a.str("bot"); bot != "" && bot != botID {
		return fail("bot_not_found")
	}
	return reply{"bot": reply{"id": botID, "deleted": false, "name": w.o.BotName, "app_id": w.o.App, "user_id": botUser, "updated": 0, "icons": reply{}}}, nil
}

func (w *Server) usersInfo(a args) (reply, error) {
	u := w.users[a.str("user")]
	if u == nil {
		return fail("user_not_found")
	}
	return reply{"user": u.wire(u.Kind != Connect)}, nil
}

func (w *Server) usersList(a args) (reply, error) {
	ids, meta := page(a, w.people, 1000)
	members := []reply{}
	for _, id := range ids {
		u := w.users[id]
		members = append(members, u.wire(u.Kind != Connect))
	}
	return reply{"members": members, "cache_ts": 0, "response_metadata": meta}, nil
}

func (w *Server) usersByEmail(a args) (reply, error) {
	for _, id := range w.people {
		u := w.users[id]
		if u.Email != "" && strings.EqualFold(u.Email, a.str("email")) && u.Kind != Deactivated && u.Kind != Connect {
			return reply{"user": u.wire(true)}, nil
		}
	}
	return fail("users_not_found")
}

func (w *Server) groupsList(a args) (reply, error) {
	groups := []reply{}
	for _, id := range w.teams {
		g := w.groups[id]
		out := reply{
			"id": g.ID, "team_id": w.o.Team, "is_usergroup": true, "name": g.Name, "description": "", "handle": g.Handle, "is_external": false,
			"date_create": 0, "date_update": 0, "date_delete": 0, "auto_type": nil, "created_by": botUser, "updated_by": botUser, "deleted_by": nil,
			"prefs": reply{"channels": []string{}, "groups": []string{}}, "user_count": len(g.Members),
		}
		if a.yes("include_users") {
			out["users"] = nonNil(g.Members)
		}
		groups = append(groups, out)
	}
	return reply{"usergroups": groups}, nil
}

func (w *Server) groupMembers(a args) (reply, error) {
	g := w.groups[a.str("usergroup")]
	if g == nil {
		return fail("no_such_subteam")
	}
	return reply{"users": nonNil(g.Members)}, nil
}

func (w *Server) conversationsList(a args) (reply, error) {
	types := a.str("types")
	if types == "" {
		types = "public_channel"
	}
	kinds := strings.Split(types, ",")
	var fit []*room
	for _, id := range w.rooms {
		r := w.channels[id]
		kind := "public_channel"
		switch {
		case r.Direct != "":
			kind = "im"
		case r.Private:
			kind = "private_channel"
		}
		if slices.Contains(kinds, kind) && (!r.Private || w.in(botUser, r)) && !(r.Archived && a.yes("exclude_archived")) {
			fit = append(fit, r)
		}
	}
	part, meta := page(a, fit, 100)
	channels := []reply{}
	for _, r := range part {
		channels = append(channels, w.wire(r))
	}
	return reply{"channels": channels, "response_metadata": meta}, nil
}

// conversation finds a channel by ID, as the conversations methods want it.
func (w *Server) conversation(a args) (*room, error) {
	r := w.channels[a.str("channel")]
	if r == nil || r.Private && !w.in(botUser, r) {
		return nil, &apiError{Code: "channel_not_found"}
	}
	return r, nil
}

func (w *Server) conversationsInfo(a args) (reply, error) {
	r, err := w.conversation(a)
	if err != nil {
		return nil, err
	}
	return reply{"channel": w.wire(r)}, nil
}

func (w *Server) conversationsMembers(a args) (reply, error) {
	r, err := w.conversation(a)
	if err != nil {
		return nil, err
	}
	var members []string
	for _, id := range w.people {
		if w.in(id, r) {
			members = append(members, id)
		}
	}
	part, meta := page(a, members, 100)
	return reply{"members": nonNil(part), "response_metadata": meta}, nil
}

// readable is a channel whose messages the app may read.
func (w *Server) readable(a args) (*room, error) {
	r, err := w.conversation(a)
	if err != nil {
		return nil, err
	}
	if !w.in(botUser, r) {
		return nil, &apiError{Code: "not_in_channel"}
	}
	return r, nil
}

// within says whether a message lies between oldest and latest.
func within(a args, ts string) bool {
	oldest, latest, inclusive := a.str("oldest"), a.str("latest"), a.yes("inclusive")
	if oldest != "" && (ts < oldest || ts == oldest && !inclusive) {
		return false
	}
	return latest == "" || ts < latest || ts == latest && inclusive
}

func (w *Server) conversationsHistory(a args) (reply, error) {
	r, err := w.readable(a)
	if err != nil {
		return nil, err
	}
	var fit []*Message
	for _, m := range slices.Backward(r.messages) {
		if (m.Thread == "" || m.Broadcast) && within(a, m.TS) {
			fit = append(fit, m)
		}
	}
	return w.messages(a, r, fit)
}

func (w *Server) conversationsReplies(a args) (reply, error) {
	r, err := w.readable(a)
	if err != nil {
		return nil, err
	}
	root := r.message(a.str("ts"))
	if root == nil {
		return fail("thread_not_found")
	}
	var fit []*Message
	for _, m := range r.messages {
		if m == root || m.Thread == root.TS && within(a, m.TS) {
			fit = append(fit, m)
		}
	}
	return w.messages(a, r, fit)
}

func (w *Server) messages(a args, r *room, fit []*Message) (reply, error) {
	part, meta := page(a, fit, 100)
	messages := []reply{}
	for _, m := range part {
		messages = append(messages, w.wireThread(r, m, a.yes("include_all_metadata")))
	}
	return reply{"messages": messages, "has_more": meta["next_cursor"] != "", "response_metadata": meta}, nil
}

func (w *Server) conversationsOpen(a args) (reply, error) {
	if id := a.str("channel"); id != "" {
		r, err := w.conversation(a)
		if err != nil {
			return nil, err
		}
		return reply{"channel": w.wire(r)}, nil
	}
	user := a.str("users")
	switch u := w.users[user]; {
	case strings.Contains(user, ","):
		return fail("method_not_supported_for_channel_type")
	case u == nil:
		return fail("user_not_found")
	case u.Kind == Deactivated:
		return fail("user_disabled")
	case u.Kind == Bot:
		return fail("cannot_dm_bot")
	}
	return reply{"channel": w.wire(w.direct(user))}, nil
}

func (w *Server) conversationsJoin(a args) (reply, error) {
	r, err := w.conversation(a)
	switch {
	case err != nil:
		return nil, err
	case r.Archived:
		return fail("is_archived")
	case r.Private:
		return fail("method_not_supported_for_channel_type")
	}
	if !w.in(botUser, r) {
		r.Members = append(slices.Clone(r.Members), botUser)
		w.touchRoom(r)
	}
	return reply{"channel": w.wire(r)}, nil
}

// nonNil is a list that is [] in JSON when it is empty.
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
