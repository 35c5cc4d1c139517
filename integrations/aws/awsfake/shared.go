package awsfake

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// shared is a bucket or a key with a policy of its own.
type shared struct {
	owner    string // an account
	policies []policy
}

// ResourcePolicy says what the policy of a bucket or key allows other accounts, by its ARN, in place of what was said
// before: nothing where there is no document. One of which nothing was said is open to whom its service lets at it.
func (s *Server) ResourcePolicy(arn, owner string, documents ...string) error {
	all, err := parsed(arn, documents)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resources[arn] = shared{owner, all}
	return nil
}

// TrustPolicy makes a role with the trust policy that a document is.
func (s *Server) TrustPolicy(role, document string) error {
	all, err := parsed(role, []string{document})
	if err != nil {
		return err
	}
	r := Role{ARN: role, Trusts: []string{"nobody"}}
	for _, st := range all[0].Statement {
		if slices.Contains(st.Action, "sts:AssumeRole") {
			r.Trusts = append(r.Trusts, st.Principal.AWS...)
		}
		r.SourceIdentity = r.SourceIdentity || slices.Contains(st.Action, "sts:SetSourceIdentity")
		for _, id := range st.Condition["StringEquals"]["sts:ExternalId"] {
			r.ExternalID = id
		}
	}
	s.Roles(r)
	return nil
}

// allows says whether the resource's policy gives somebody of another account a right.
func (r shared) allows(who *principal, right api.Right) bool {
	return slices.ContainsFunc(r.policies, func(p policy) bool {
		return slices.ContainsFunc(p.Statement, func(st statement) bool {
			return st.Effect == "Allow" && slices.ContainsFunc(st.Principal.AWS, who.is) && slices.ContainsFunc(st.Action, func(a string) bool { return glob(a, right.Action) }) &&
				slices.ContainsFunc(st.Resource, func(pattern string) bool { return glob(pattern, right.Resource) }) && st.applies(right)
		})
	})
}

// is says whether a principal of a policy means them: their account, or their user or role.
func (p *principal) is(named string) bool {
	return named == p.identity() || named == "arn:aws:iam::"+p.account+":root"
}

// asRole is the session of a role that a service has assumed.
func asRole(role string) *principal {
	return &principal{arn: "arn:aws:sts::" + accountOf(role) + ":assumed-role/" + role[strings.LastIndex(role, "/")+1:] + "/service", account: accountOf(role), role: role}
}

// may says whether a role has rights, in the words of a service that acts as it.
func (s *Server) may(role string, rights []api.Right) *api.Error {
	who := asRole(role)
	for _, right := range rights {
		if why := s.denied(who, right); why != "" {
			return api.Refuse("AccessDenied", "User: %s is not authorized to perform: %s on resource: %s %s", who.arn, right.Action, right.Resource, why)
		}
	}
	return nil
}

// readsObject are the rights on the key of an object that a service reads in its caller's name.
func (s *Server) readsObject(at place, bucket, key, version string) (all []api.Right) {
	a, ok := s.opened("s3", at).(api.Authorizer)
	if !ok {
		return nil
	}
	in := api.Input{"Bucket": bucket, "Key": key}
	if version != "" {
		in["VersionId"] = version
	}
	for _, right := range a.Rights(&api.Request{Service: "s3", Operation: "GetObject", Account: at.account, Region: at.region, Input: in}) {
		if strings.HasPrefix(right.Action, "kms:") {
			all = append(all, right)
		}
	}
	return all
}
