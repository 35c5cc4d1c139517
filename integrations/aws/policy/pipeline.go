package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/roles"
)

// Use is what one action or rule needs of AWS.
type Use struct {
	Action string   // "webshop: Production/Deploy"
	Roles  []string // ARNs that are assumed one after the other; the last one makes the calls. None: the base credentials
	At     Place
	// Statements are of the role that makes the calls.
	Statements []Statement
	// Optional are of the same role: it works without them.
	Optional []Statement
	// Service says whose role reads and writes artifacts on the way, such as "the
	// CodeBuild project webshop"; empty: nobody's.
	Service string
	// OfService are the statements that this role needs besides.
	OfService []Statement
}

// Trust is what the configuration sends with AssumeRole.
type Trust struct{ ExternalID, SourceIdentity bool }

// Pipelines are pipelines whose actions run here, and what they need of AWS.
type Pipelines struct {
	Name      string           // of the pipeline, or of all together
	Partition string           // aws when empty
	Region    string           // of actions that name none; empty: not known
	Caller    string           // ARN of the base role; empty: not known
	Roles     map[string]Trust // by ARN, or by a pattern of package roles
	Uses      []Use
	Base      []Statement // what the base credentials need besides
	Stores    []Store     // of artifacts, by Region; empty: they are not in S3
}

// Policies are what the pipelines' roles need, by role.
func (p Pipelines) Policies() Set {
	s := Set{Comment: "What " + p.Name + " needs"}
	s.Documents = p.base()
	for _, role := range p.roles() {
		s.Documents = append(s.Documents, p.role(role)...)
		if p.trust(role).ExternalID {
			s.Warnings = append(s.Warnings, "put the external ID of "+role+" (aws.roles in the configuration) in the place of "+externalID)
		}
	}
	s.Documents = append(append(s.Documents, p.services()...), p.shared()...)
	if slices.ContainsFunc(s.Documents, func(d Document) bool { return d.Kind == trust && d.Statements[0].Principals[0] == anyCaller }) {
		s.Warnings = append(s.Warnings, "who assumes the first role is not in the configuration (aws.roleArn): put the ARN behind rollcall's own credentials in the place of "+anyCaller)
	}
	for _, d := range s.Documents {
		s.Warnings = append(s.Warnings, wide(d)...)
	}
	return s
}

func (p Pipelines) name(kind string) string {
	return fmt.Sprintf("rollcall-%s-%s", strings.Join(strings.FieldsFunc(p.Name, func(r rune) bool { return !isLetter(r) }), "-"), kind)
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// roles are all roles that are assumed, those nearer to the base first.
func (p Pipelines) roles() (all []string) {
	for depth := range 2 {
		for _, u := range p.Uses {
			if len(u.Roles) > depth && !slices.Contains(all, u.Roles[depth]) {
				all = append(all, u.Roles[depth])
			}
		}
	}
	return all
}

// assumes is the statement by which from assumes other roles; "" is the base.
func (p Pipelines) assumes(from string) []Statement {
	s := Statement{Sid: "AssumeRoles", Comment: "act as the roles of the pipelines", Actions: []string{"sts:AssumeRole"}}
	for _, u := range p.Uses {
		for i, role := range u.Roles {
			before := ""
			if i > 0 {
				before = u.Roles[i-1]
			}
			if before == from {
				s.Resources = append(s.Resources, p.allowed(role))
				if p.identified(u.Roles[:i+1]) && len(s.Actions) == 1 {
					s.Actions = append(s.Actions, "sts:SetSourceIdentity")
				}
			}
		}
	}
	if len(s.Resources) == 0 {
		return nil
	}
	return []Statement{s}
}

// identified says whether a session at the end of a chain has a source identity: one
// that was set stays.
func (p Pipelines) identified(chain []string) bool {
	return slices.ContainsFunc(chain, func(role string) bool { return p.trust(role).SourceIdentity })
}

// trust is what the configuration says of a role.
func (p Pipelines) trust(role string) Trust {
	t, _ := roles.Of(p.Roles, role)
	return t
}

// allowed is how a role is named where others are let assume it: by the pattern that
// covers it, so that another account needs no change.
func (p Pipelines) allowed(role string) string {
	if _, key := roles.Of(p.Roles, role); key != "" {
		return key
	}
	return role
}

// base is what the base credentials need: the way into the roles, the artifacts,
// and what actions without a role do.
func (p Pipelines) base() []Document {
	all := append(p.assumes(""), p.Base...)
	for _, store := range p.Stores {
		all = append(all, p.keeps(store)...)
	}
	holder := cmp.Or(p.Caller, "the credentials that rollcall starts with (the user or role of the machine or container)")
	d := Document{Kind: base, Name: p.name(base), Comment: "For " + holder + "; attach it in their account.", Statements: merged(append(all, p.needs("")...))}
	if len(d.Statements) == 0 {
		return nil
	}
	return append([]Document{d}, p.optional("", p.name(base), holder)...)
}

// keeps is what keeping artifacts in a bucket takes.
func (p Pipelines) keeps(store Store) []Statement {
	at := Place{Partition: p.Partition, Region: store.Region, Account: store.Account, Artifacts: store}
	all := []Statement{
		{Sid: "KeepArtifacts", Comment: "store, read and copy artifacts, and remove those whose time is over",
			Actions: []string{"s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObjectVersion"}, Resources: []string{at.objects()}},
		{Sid: "ListArtifacts", Comment: "distinguish an artifact that is not there from one that may not be read, find those whose time is over; doctor looks whether the bucket keeps versions",
			Actions: []string{"s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning"}, Resources: []string{at.Bucket(store.Bucket, "")}},
	}
	return append(all, at.key("UseKeyOfArtifacts", "encrypt and decrypt artifacts", "kms:GenerateDataKey", "kms:Decrypt")...)
}

// sees is what doctor takes to look how a bucket and its key are set up.
func (p Pipelines) sees(store Store) []Statement {
	at := Place{Partition: p.Partition, Region: store.Region, Account: store.Account, Artifacts: store}
	all := []Statement{{Sid: "SeeArtifactBucket", Comment: "doctor looks whether the bucket encrypts, is private and keeps artifacts long enough, and which accounts its policy names",
		Actions: []string{"s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock", "s3:GetLifecycleConfiguration", "s3:GetBucketPolicy"}, Resources: []string{at.Bucket(store.Bucket, "")}}}
	return append(all, at.key("SeeKeyOfArtifacts", "doctor looks whether the key is enabled", "kms:DescribeKey")...)
}

// needs are the statements of all actions that role carries out.
func (p Pipelines) needs(role string) (all []Statement) {
	for _, u := range p.Uses {
		if u.makes() == role {
			all = append(all, u.Statements...)
		}
	}
	return all
}

// makes is the role that makes the calls; empty: the base credentials.
func (u Use) makes() string {
	if len(u.Roles) == 0 {
		return ""
	}
	return u.Roles[len(u.Roles)-1]
}

// role is what a role may do, and who may assume it.
func (p Pipelines) role(role string) []Document {
	name, _ := nameAndPath(role)
	name = p.name(part(role, 4) + "-" + name)
	var does []string
	for _, u := range p.Uses {
		if u.makes() == role {
			does = append(does, u.Action)
		}
	}
	comment := "For " + role + ": " + strings.Join(does, ", ") + "."
	if len(does) == 0 {
		comment = "For " + role + ": only the way to other roles."
	}
	t := p.trust(role)
	s := Statement{Sid: "LetRollcallAssume", Comment: "rollcall acts as this role", Actions: []string{"sts:AssumeRole"}, Principals: p.assumers(role)}
	if slices.ContainsFunc(p.Uses, func(u Use) bool { return p.identified(u.Roles[:slices.Index(u.Roles, role)+1]) }) {
		s.Actions = append(s.Actions, "sts:SetSourceIdentity")
	}
	if t.ExternalID {
		s.Conditions = []Condition{{"StringEquals", "sts:ExternalId", []string{externalID}}}
	}
	trusting := Document{Kind: trust, Name: name + "-trust", Role: role, Comment: "The trust policy of " + role + ".", Statements: []Statement{s}}
	acting := Document{Kind: act, Name: name, Role: role, Comment: comment, Statements: merged(append(p.assumes(role), p.needs(role)...))}
	if len(acting.Statements) == 0 {
		return []Document{trusting}
	}
	return append([]Document{acting, trusting}, p.optional(role, name, role)...)
}

// optional is what a role may be allowed besides: doctor sees more before an action
// runs, and a finding says more after it failed.
func (p Pipelines) optional(role, name, holder string) []Document {
	var all []Statement
	makes := false
	for _, u := range p.Uses {
		if u.makes() == role {
			all, makes = append(all, u.Optional...), true
		}
	}
	if makes {
		all = append(all, explaining()...)
	}
	if role == "" {
		for _, store := range p.Stores {
			all = append(all, p.sees(store)...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return []Document{{Kind: optional, Name: name + "-optional", Role: role, Comment: "Optional, for " + holder + ": every action runs without it. With it doctor sees more beforehand, and a finding says more afterwards.", Statements: merged(all)}}
}

// explaining are the permissions by which a finding names the quota that was reached,
// and who did what was not allowed or not expected. AWS grants them on all or none.
func explaining() []Statement {
	return []Statement{
		{Sid: "ReadQuotas", Comment: "a finding names the quota that was reached, its value and where to raise it", Actions: []string{"servicequotas:GetServiceQuota", "servicequotas:ListServiceQuotas"}, Resources: []string{"*"}},
		{Sid: "LookUpEvents", Comment: "a finding names the event of CloudTrail: who, when, which call", Actions: []string{"cloudtrail:LookupEvents"}, Resources: []string{"*"}},
	}
}

// assumers are who assumes a role: the role before it, or the base.
func (p Pipelines) assumers(role string) (all []string) {
	for _, u := range p.Uses {
		for i, one := range u.Roles {
			if one != role {
				continue
			}
			before := cmp.Or(p.Caller, anyCaller)
			if i > 0 {
				before = u.Roles[i-1]
			}
			all = append(all, before)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// services are what roles need that services of AWS's act as: nobody here knows
// their names, so they are told by what has them.
func (p Pipelines) services() (all []Document) {
	for _, u := range p.Uses {
		if u.Service == "" || u.At.Artifacts.Bucket == "" {
			continue
		}
		name := p.name("service-" + identifier(u.Service, "-"))
		if i := slices.IndexFunc(all, func(d Document) bool { return d.Name == name }); i >= 0 {
			all[i].Statements = merged(append(all[i].Statements, u.OfService...))
			continue
		}
		d := Document{Kind: service, Name: name, Comment: "For the service role of " + u.Service + ": reading input artifacts and writing output artifacts."}
		d.Statements = append(d.Statements, Statement{Sid: "ReadAndWriteArtifacts", Comment: "the action's artifacts",
			Actions: []string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}, Resources: []string{u.At.objects()}},
			Statement{Sid: "LookAtBucket", Comment: "whose bucket it is and where", Actions: []string{"s3:GetBucketAcl", "s3:GetBucketLocation"}, Resources: []string{u.At.Bucket(u.At.Artifacts.Bucket, "")}})
		d.Statements = append(d.Statements, u.At.key("UseKeyOfArtifacts", "decrypt and encrypt artifacts", "kms:Decrypt", "kms:GenerateDataKey")...)
		d.Statements = merged(append(d.Statements, u.OfService...))
		all = append(all, d)
	}
	return all
}

// shared are the statements of bucket and key policies that let other accounts at
// the artifacts. Within one account the policies of the roles are enough.
func (p Pipelines) shared() (all []Document) {
	for _, store := range p.Stores {
		var others []string
		for _, u := range p.Uses {
			account := u.At.Account
			reads := u.Service != "" || slices.ContainsFunc(u.Statements, func(s Statement) bool { return s.Sid == "ReadArtifacts" })
			if reads && u.At.Artifacts.Bucket == store.Bucket && account != "" && store.Account != "" && account != store.Account {
				others = append(others, "arn:"+cmp.Or(p.Partition, "aws")+":iam::"+account+":root")
			}
		}
		if slices.Sort(others); len(others) == 0 {
			continue
		}
		others = slices.Compact(others)
		at := Place{Partition: p.Partition, Region: store.Region, Account: store.Account, Artifacts: store}
		all = append(all, Document{Kind: bucket, Name: p.name("bucket-" + store.Bucket), Comment: "Add the statements to the policy of the bucket " + store.Bucket + ": the actions of other accounts read and write artifacts there.",
			Statements: []Statement{
				{Sid: "OtherAccountsUseArtifacts", Comment: "what the roles in these accounts are allowed besides", Actions: []string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}, Principals: others, Resources: []string{at.objects()}},
				{Sid: "OtherAccountsLook", Comment: "whose bucket it is and where", Actions: []string{"s3:GetBucketAcl", "s3:GetBucketLocation"}, Principals: others, Resources: []string{at.Bucket(store.Bucket, "")}},
			}})
		if store.Key != "" {
			all = append(all, Document{Kind: key, Name: p.name("key-of-" + store.Bucket), Comment: "Add the statement to the policy of the key " + store.Key + " in " + store.Region + ".",
				Statements: []Statement{{Sid: "OtherAccountsUseKey", Comment: "decrypt and encrypt artifacts", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Principals: others, Resources: []string{"*"},
					Conditions: []Condition{{"StringEquals", "kms:ViaService", []string{"s3." + store.Region + ".amazonaws.com"}}}}}})
		}
	}
	return all
}

// merged joins statements that differ in their resources only, and makes their
// Sids differ.
func merged(all []Statement) (out []Statement) {
	same := func(a, b Statement) bool {
		x, y := a, b
		x.Resources, y.Resources, x.Comment, y.Comment = nil, nil, "", ""
		left, _ := json.Marshal(x) // strings only
		right, _ := json.Marshal(y)
		return string(left) == string(right)
	}
	for _, s := range all {
		s.Actions, s.Resources = slices.Clone(s.Actions), slices.Clone(s.Resources)
		if i := slices.IndexFunc(out, func(o Statement) bool { return same(o, s) }); i >= 0 {
			out[i].Resources = append(out[i].Resources, s.Resources...)
			continue
		}
		out = append(out, s)
	}
	out = uncovered(out)
	taken := map[string]int{}
	for i := range out {
		slices.Sort(out[i].Resources)
		out[i].Resources = slices.Compact(out[i].Resources)
		sid := out[i].Sid
		if taken[sid]++; taken[sid] > 1 {
			out[i].Sid = fmt.Sprintf("%s%d", sid, taken[sid])
		}
	}
	return out
}

// uncovered leaves out what another statement grants already, which then says what
// that was for, too.
func uncovered(all []Statement) (out []Statement) {
	gone := make([]bool, len(all))
	for i, s := range all {
		for k := range all {
			if k != i && !gone[k] && all[k].covers(s) {
				gone[i], all[k].Comment = true, all[k].Comment+"; "+s.Comment
				break
			}
		}
	}
	for i, s := range all {
		if !gone[i] {
			out = append(out, s)
		}
	}
	return out
}

// covers says whether a statement grants all that another one does.
func (s Statement) covers(o Statement) bool {
	return !s.Deny && !o.Deny && slices.Equal(s.Principals, o.Principals) && !slices.ContainsFunc(s.Conditions, func(c Condition) bool { return !slices.ContainsFunc(o.Conditions, c.is) }) &&
		!slices.ContainsFunc(o.Actions, func(action string) bool { return !slices.Contains(s.Actions, action) }) &&
		!slices.ContainsFunc(o.Resources, func(narrow string) bool {
			return !slices.ContainsFunc(s.Resources, func(wide string) bool { return isWithin(narrow, wide) })
		})
}

func (c Condition) is(o Condition) bool {
	return c.Operator == o.Operator && c.Key == o.Key && slices.Equal(c.Values, o.Values)
}

// isWithin says whether everything that a pattern of IAM's means is meant by a wider one.
func isWithin(narrow, wide string) bool {
	before, after, wild := strings.Cut(wide, "*")
	if !wild {
		return narrow == wide
	}
	rest, ok := strings.CutPrefix(narrow, before)
	for i := 0; ok && i <= len(rest); i++ {
		if isWithin(rest[i:], after) {
			return true
		}
	}
	return false
}

// The sizes that IAM takes, in characters without white space.
const (
	mostInline  = 10240 // of a role's own policy
	mostManaged = 6144  // of a policy of its own
)

// wide says which statements of a document name no resource, and whether it is too long.
func wide(d Document) (warnings []string) {
	for _, s := range d.Statements {
		if d.Kind != key && d.Kind != optional && slices.Contains(s.Resources, "*") {
			warnings = append(warnings, fmt.Sprintf("%s (%s) is allowed on every resource in %s: AWS grants it on all or none, or the pipeline does not name it", strings.Join(s.Actions, ", "), s.Comment, d.Name))
		}
		for _, r := range s.Resources {
			if d.Kind != trust && roles.IsPattern(r) && roles.Valid(r) && slices.Contains(s.Actions, "sts:AssumeRole") {
				warnings = append(warnings, r+" is a pattern of aws.roles: every such role can be assumed whose trust policy allows it, in every account that the pattern names")
				continue
			}
			if r != "*" && r != "" && part(r, 4) == "*" {
				warnings = append(warnings, "the account of "+r+" is not known, and * stands for it: name roles with their ARN (roleArn of the pipeline or of the action, or aws.roleArn)")
			}
		}
	}
	text, _ := json.Marshal(d) // strings only
	most := mostManaged
	if d.Role != "" {
		most = mostInline
	}
	if len(text) > most && d.Kind != bucket && d.Kind != key {
		warnings = append(warnings, fmt.Sprintf("%s has %d characters, and IAM takes %d: split it, or let actions have roles of their own", d.Name, len(text), most))
	}
	return warnings
}
