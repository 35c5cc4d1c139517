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
	Via   string `json:"via"`             // slack|api|console|hook|github|git|jira|schedule|engine
	// Stranger is why this principal has no rights at all: guest, bot,
	// connect (Slack Connect), deactivated, unknown. Empty for everybody else.
	Stranger string `json:"stranger,omitempty"`
}

// changeRequest is the ID of what answers for a change request in Jira: see [JiraApproval.Principal].
const changeRequest = "token:jira:change"

// hookPrefix begins the name of a machine that is a hook of the configuration.
const hookPrefix = "hook:"

// engine is the principal of what rollcall does by itself.
var engine = Principal{ID: "engine", Name: "rollcall", Via: "engine"}

// EnginePrincipal is who acts when rollcall does something by itself: an
// automatic rollback, a schedule, reading pipeline files.
func EnginePrincipal() Principal { return engine }

// Key says who is the same person across surfaces: the confirmed e-mail
// address, in the one form that HasMail compares, else the ID. Votes are
// counted by key.
func (p Principal) Key() string {
	if p.Email != "" {
		return foldMail(p.Email)
	}
	return p.ID
}

// HasMail says whether an e-mail address is the principal's. Nobody has the empty one.
func (p Principal) HasMail(mail string) bool {
	return mail != "" && foldMail(p.Email) == foldMail(mail)
}

// Is says whether two principals are one: by their ID, or across surfaces by
// their Key. Somebody whose address has changed meanwhile is still the same.
func (p Principal) Is(q Principal) bool { return p.ID == q.ID || p.Key() == q.Key() }

// Called is how a sentence names the principal: a machine as one, "token ci", "hook nightly".
func (p Principal) Called() string {
	if name, machine := p.Machine(); machine {
		if hook, is := strings.CutPrefix(name, hookPrefix); is {
			return "hook " + hook
		}
		if p.ID == changeRequest {
			return p.Name
		}
		return "token " + name
	}
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// foldMail is the form in which e-mail addresses are compared. Only ASCII is
// folded: to Unicode the Kelvin sign is a k and a long s is an s, to a mail
// server they are other people.
func foldMail(mail string) string {
	folded := []byte(mail)
	for i, c := range folded {
		if 'A' <= c && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return string(folded)
}

// Machine returns the token's name when the principal is an API token.
func (p Principal) Machine() (name string, ok bool) { return strings.CutPrefix(p.ID, "token:") }

// IsEngine says whether rollcall acts by itself.
func (p Principal) IsEngine() bool { return p.ID == engine.ID }
