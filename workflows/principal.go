package workflows

import "strings"

// Principal is who acts, as a verified source says: a signed Slack request, a
// console session, an API token, a signed webhook, or the engine itself.
//
// Rules name people by who-expressions: an e-mail address, "group:NAME" (a
// group of the configuration), "slack-group:S…", "github-team:ORG/TEAM",
// "token:NAME", "everyone". Package access decides what matches.
type Principal struct {
	ID    string `json:"id"`              // slack:U…, token:NAME, github:LOGIN, git:EMAIL, console:EMAIL, engine
	Name  string `json:"name"`            // for people to read
	Email string `json:"email,omitempty"` // only where the surface confirms it
	Via   string `json:"via"`             // slack|api|console|github|git|jira|schedule|engine
	// Stranger is why this principal has no rights at all: guest, bot,
	// connect (Slack Connect), deactivated, unknown. Empty for everybody else.
	Stranger string `json:"stranger,omitempty"`
}

// Engine is the principal of what rollcall does by itself.
var engine = Principal{ID: "engine", Name: "rollcall", Via: "engine"}

// EnginePrincipal is who acts when rollcall does something by itself: an
// automatic rollback, a schedule, reading pipeline files.
func EnginePrincipal() Principal { return engine }

// Key says who is the same person across surfaces: the confirmed e-mail
// address, else the ID. Votes are counted by key.
func (p Principal) Key() string {
	if p.Email != "" {
		return strings.ToLower(p.Email)
	}
	return p.ID
}

// Machine returns the token's name when the principal is an API token.
func (p Principal) Machine() (name string, ok bool) { return strings.CutPrefix(p.ID, "token:") }

// IsEngine says whether rollcall acts by itself.
func (p Principal) IsEngine() bool { return p.ID == engine.ID }
