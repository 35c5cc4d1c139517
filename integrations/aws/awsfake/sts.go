package awsfake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

func (s *Server) sts(q *request) (any, *api.Error) {
	if q.call.Operation == "GetCallerIdentity" {
		id := "AIDA" + fingerprint(q.who.arn)
		if q.who.role != "" {
			id = "AROA" + fingerprint(q.who.role) + ":" + q.who.session
		}
		return map[string]any{"Arn": q.who.arn, "UserId": id, "Account": q.who.account}, nil
	}
	return s.assumeRole(q)
}

func (s *Server) assumeRole(q *request) (any, *api.Error) {
	arn, session := q.Input.Text("RoleArn"), q.Input.Text("RoleSessionName")
	who := &principal{
		role: arn, session: session, account: accountOf(arn), externalID: q.Input.Text("ExternalId"), sourceIdentity: q.Input.Text("SourceIdentity"),
		arn: "arn:aws:sts::" + accountOf(arn) + ":assumed-role/" + arn[strings.LastIndex(arn, "/")+1:] + "/" + session, token: "session-" + s.newID(),
	}
	if who.sourceIdentity == "" {
		who.sourceIdentity = q.who.sourceIdentity
	}
	lasts := time.Hour
	if n, ok := q.Input["DurationSeconds"].(float64); ok {
		lasts = time.Duration(n) * time.Second
	}
	if bad := s.trusted(q, who, lasts); bad != nil {
		return nil, bad
	}
	who.expires = q.call.At.Add(lasts).Truncate(time.Second)
	key := "ASIA" + strings.ToUpper(strings.ReplaceAll(s.newID(), "-", ""))[:16]
	s.mu.Lock()
	s.keys[key] = who
	q.call.ExternalID, q.call.SourceIdentity = who.externalID, who.sourceIdentity
	s.mu.Unlock()
	out := map[string]any{
		"Credentials":     map[string]any{"AccessKeyId": key, "SecretAccessKey": "secret-of-" + key, "SessionToken": who.token, "Expiration": who.expires},
		"AssumedRoleUser": map[string]any{"AssumedRoleId": "AROA" + fingerprint(arn) + ":" + session, "Arn": who.arn},
	}
	if id := q.Input.Text("SourceIdentity"); id != "" {
		out["SourceIdentity"] = id
	}
	return out, nil
}

// trusted is the role's trust policy.
func (s *Server) trusted(q *request, who *principal, lasts time.Duration) *api.Error {
	s.mu.Lock()
	role, known := s.roles[who.role]
	any := len(s.roles) == 0
	s.mu.Unlock()
	denied := func(action string) *api.Error {
		return refuse(http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", q.who.arn, action, who.role))
	}
	longest := role.Longest
	if longest == 0 {
		longest = time.Hour
	}
	switch {
	case q.who.role != "" && lasts > time.Hour:
		return refuse(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case any:
		return nil
	case !known, role.ExternalID != "" && role.ExternalID != who.externalID:
		return denied("sts:AssumeRole")
	case len(role.Trusts) > 0 && !slices.ContainsFunc(role.Trusts, func(t string) bool { return glob(t, q.who.identity()) }):
		return denied("sts:AssumeRole")
	case q.Input.Text("SourceIdentity") != "" && !role.SourceIdentity:
		return denied("sts:SetSourceIdentity")
	case lasts > longest:
		return refuse(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return nil
}
