package awsfake

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/protocol"
)

// principal is who a call comes from.
type principal struct {
	arn, account, token        string
	role, session              string // of a session
	externalID, sourceIdentity string
	expires                    time.Time // zero: never
}

// authorization is what a signed request says of itself.
type authorization struct {
	key, region, service string
}

// parseAuthorization reads the credential scope of a signature: KEY/20260302/eu-west-1/codepipeline/aws4_request.
func parseAuthorization(header string) authorization {
	m := regexp.MustCompile(`Credential=([^/,]+)/\d{8}/([^/]+)/([^/]+)/aws4_request`).FindStringSubmatch(header)
	if m == nil {
		return authorization{}
	}
	return authorization{m[1], m[2], m[3]}
}

func expired(c *protocol.Call) *api.Error {
	switch {
	case c.Service == "s3":
		return refuse(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
	case c.Query():
		return refuse(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	}
	return refuse(http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired")
}

// identify tells whose access key it is. The signature itself is not checked.
func (s *Server) identify(signed authorization, token string, c *protocol.Call) (*principal, *api.Error) {
	if signed.key == "" {
		return nil, refuse(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	s.mu.Lock()
	who := s.keys[signed.key]
	s.mu.Unlock()
	switch {
	case who == nil && !strings.HasPrefix(signed.key, "ASIA"):
		return &principal{arn: s.options.User, account: s.options.Account}, nil
	case who == nil || who.token != token:
		if c.Service == "s3" {
			return nil, refuse(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
		}
		if c.Query() {
			return nil, refuse(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
		}
		return nil, refuse(http.StatusBadRequest, "UnrecognizedClientException", "The security token included in the request is invalid.")
	case !who.expires.IsZero() && !s.options.Now().Before(who.expires):
		return who, expired(c)
	}
	return who, nil
}

// User gives an access key to a user, by ARN. Any secret goes with it.
func (s *Server) User(accessKeyID, arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[accessKeyID] = &principal{arn: arn, account: accountOf(arn)}
}

// accountOf is the account in an ARN.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// Role is a role that may be assumed. Without any every role may be, by everybody.
type Role struct {
	ARN            string
	ExternalID     string   // that AssumeRole must give; empty: none is asked for
	SourceIdentity bool     // the trust policy allows sts:SetSourceIdentity
	Trusts         []string // ARNs of users and roles, globs; empty: everybody
	Services       []string // of AWS's that may assume it: cloudformation.amazonaws.com
	Longest        time.Duration
}

// Roles adds roles.
func (s *Server) Roles(roles ...Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range roles {
		s.roles[r.ARN] = r
	}
}

// identity is the user or role behind a principal, whose policies count.
func (p *principal) identity() string {
	if p.role != "" {
		return p.role
	}
	return p.arn
}
