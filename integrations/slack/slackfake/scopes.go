package slackfake

import (
	"net/http"
	"slices"
	"strings"
)

// everyScope is what the bot token may do when Options do not say: whatever
// the workspace's methods ask for.
func everyScope() []string {
	return []string{
		"commands", "chat:write", "chat:write.public", "channels:read", "groups:read", "im:read", "channels:history", "groups:history", "im:history",
		"channels:join", "im:write", "users:read", "users:read.email", "usergroups:read", "reactions:write", "team:read", "links:read", "links:write",
	}
}

// Grant installs the app anew with these scopes of the bot token, and no others.
func (w *Server) Grant(scopes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.o.Scopes = slices.Clone(scopes)
}

// SwitchSocketMode switches Socket Mode off or on in the app's settings. While
// it is off, Slack closes every connection at once.
func (w *Server) SwitchSocketMode(on bool) {
	w.mu.Lock()
	w.socketOff = !on
	w.mu.Unlock()
	if !on {
		w.Refresh(linkDisabled)
	}
}

// linkDisabled is Slack's reason for a disconnect when Socket Mode is off.
const linkDisabled = "link_disabled"

// refuseLink closes a new connection while Socket Mode is off, and says whether it did.
func (w *Server) refuseLink(l *link) bool {
	w.mu.Lock()
	off := w.socketOff
	w.mu.Unlock()
	if off {
		_ = l.write(object{"type": "disconnect", "reason": linkDisabled, "debug_info": object{"host": "local"}})
	}
	return off
}

// scopesOf are what a token may do, nil for a token that is not the app's. The caller holds mu.
func (w *Server) scopesOf(token string) []string {
	switch token {
	case w.o.BotToken:
		return w.o.Scopes
	case w.o.AppToken:
		return w.o.AppScopes
	}
	return nil
}

// setScopeHeader puts Slack's header about the token's scopes into an answer.
func (w *Server) setScopeHeader(h http.Header, a args) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if scopes := w.scopesOf(a.str("token")); scopes != nil {
		h.Set("X-Oauth-Scopes", strings.Join(scopes, ","))
	}
}

// lacks is the error for a call whose token has not the scope that the method
// needs. The caller holds mu.
func (w *Server) lacks(name string, a args) error {
	have := w.scopesOf(a.str("token"))
	for _, need := range w.needs(name, a) {
		if !slices.Contains(have, need) {
			return &apiError{Code: "missing_scope", Needed: need, Provided: strings.Join(have, ",")}
		}
	}
	if r := w.find(a.str("channel")); name == "chat.postMessage" && r != nil && !r.Private && !w.in(botUser, r) && !slices.Contains(have, "chat:write.public") {
		return &apiError{Code: "not_in_channel"}
	}
	return nil
}

// needs lists the scopes of a method. The caller holds mu.
func (w *Server) needs(name string, a args) []string {
	switch name {
	case "users.info", "users.list", "bots.info":
		return []string{"users:read"}
	case "users.lookupByEmail":
		return []string{"users:read.email"}
	case "usergroups.list", "usergroups.users.list":
		return []string{"usergroups:read"}
	case "team.info":
		return []string{"team:read"}
	case "conversations.list":
		return listScopes(a.str("types"))
	case "conversations.info", "conversations.members":
		return []string{w.family(a) + ":read"}
	case "conversations.history", "conversations.replies":
		return []string{w.family(a) + ":history"}
	case "conversations.open":
		return []string{"im:write"}
	case "conversations.join":
		return []string{"channels:join"}
	case "chat.postMessage", "chat.update", "chat.postEphemeral", "chat.delete":
		return []string{"chat:write"}
	case "chat.unfurl":
		return []string{"links:write"}
	case "reactions.add", "reactions.remove":
		return []string{"reactions:write"}
	case "apps.connections.open":
		return []string{"connections:write"}
	}
	return nil // auth.test, views.*, chat.getPermalink
}

// listScopes are the scopes for listing conversations of these types.
func listScopes(types string) []string {
	if types == "" {
		types = "public_channel"
	}
	var scopes []string
	for kind := range strings.SplitSeq(types, ",") {
		scope := map[string]string{"public_channel": "channels:read", "private_channel": "groups:read", "im": "im:read", "mpim": "mpim:read"}[kind]
		if scope != "" {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// family is the first half of the scopes about a call's channel.
func (w *Server) family(a args) string {
	switch r := w.find(a.str("channel")); {
	case r == nil:
		return "channels"
	case r.Direct != "":
		return "im"
	case r.Private:
		return "groups"
	}
	return "channels"
}

// withhold takes out of an answer what the token may not see: addresses without users:read.email.
func (w *Server) withhold(res reply, a args) {
	if slices.Contains(w.scopesOf(a.str("token")), "users:read.email") {
		return
	}
	users, _ := res["members"].([]reply)
	if u, ok := res["user"].(reply); ok {
		users = append(users, u)
	}
	for _, u := range users {
		if profile, ok := u["profile"].(reply); ok {
			delete(profile, "email")
		}
	}
}

// asUser answers a user token: it is somebody, and may do nothing that a bot does.
func (w *Server) asUser(name string) (reply, error) {
	if name != "auth.test" {
		return fail("not_allowed_token_type")
	}
	return reply{"url": w.public + "/", "team": w.o.TeamName, "team_id": w.o.Team, "user": "ana", "user_id": "U0ANA", "is_enterprise_install": false}, nil
}
