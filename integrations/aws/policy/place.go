package policy

import (
	"cmp"
	"strings"
)

// Place is where something is in AWS.
type Place struct {
	Partition string // aws, aws-cn, aws-us-gov
	Region    string
	Account   string // twelve digits; empty: not known, and * stands for it
	// Artifacts is where the Region's artifacts are; zero: not in S3.
	Artifacts Store
}

// Store is a bucket for artifacts.
type Store struct {
	Region, Bucket string
	Prefix         string // of all keys, without slashes around it; empty: the whole bucket
	Key            string // of KMS: ID, ARN or alias; empty: as S3 encrypts by itself
	Account        string // of bucket and key; empty: not known
}

// ARN is the ARN of a resource there: ARN("codebuild", "project/webshop").
func (p Place) ARN(service, resource string) string {
	return "arn:" + cmp.Or(p.Partition, "aws") + ":" + service + ":" + p.Region + ":" + cmp.Or(p.Account, "*") + ":" + resource
}

// Bucket is the ARN of a bucket, or of what is below it: Bucket("acme-art", "webshop/*").
func (p Place) Bucket(name, below string) string {
	arn := "arn:" + cmp.Or(p.Partition, "aws") + ":s3:::" + name
	if below != "" {
		arn += "/" + below
	}
	return arn
}

// ReadArtifacts are the permissions of a role that has a service of AWS read an
// action's input artifacts in its name. Artifacts that are not in S3 need none.
func (p Place) ReadArtifacts(comment string) []Statement {
	if p.Artifacts.Bucket == "" {
		return nil
	}
	all := []Statement{{Sid: "ReadArtifacts", Comment: comment, Actions: []string{"s3:GetObject", "s3:GetObjectVersion"}, Resources: []string{p.objects()}}}
	return append(all, p.key("ReadKeyOfArtifacts", "decrypt artifacts", "kms:Decrypt")...)
}

// objects is the ARN of all artifacts of the place.
func (p Place) objects() string {
	below := "*"
	if p.Artifacts.Prefix != "" {
		below = p.Artifacts.Prefix + "/*"
	}
	return p.Bucket(p.Artifacts.Bucket, below)
}

// key is the statement that lets use the key of the artifacts; none where S3
// encrypts by itself. IAM knows an alias as a property of the key only.
func (p Place) key(sid, comment string, actions ...string) []Statement {
	k := p.Artifacts.Key
	if k == "" {
		return nil
	}
	s := Statement{Sid: sid, Comment: comment, Actions: actions}
	at := Place{Partition: p.Partition, Region: cmp.Or(p.Artifacts.Region, p.Region), Account: p.Artifacts.Account}
	isARN := strings.HasPrefix(k, "arn:")
	alias := k
	if isARN {
		alias = strings.SplitN(k, ":", 6)[5]
		at.Account = part(k, 4)
	}
	switch {
	case strings.HasPrefix(alias, "alias/"):
		s.Resources = []string{at.ARN("kms", "key/*")}
		s.Conditions = []Condition{{"ForAnyValue:StringEquals", "kms:ResourceAliases", []string{alias}}}
	case isARN:
		s.Resources = []string{k}
	default:
		s.Resources = []string{at.ARN("kms", "key/"+k)}
	}
	return []Statement{s}
}

// KeyARN is the ARN of the store's key, as far as its name says it; empty: it has none.
func (s Store) KeyARN() string {
	at := Place{Region: s.Region, Account: s.Account}
	switch {
	case s.Key == "" || strings.HasPrefix(s.Key, "arn:"):
		return s.Key
	case strings.HasPrefix(s.Key, "alias/"):
		return at.ARN("kms", s.Key)
	}
	return at.ARN("kms", "key/"+s.Key)
}

// part is one of the six parts of an ARN; empty: it is none.
func part(arn string, n int) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[n]
	}
	return ""
}

// PassRole is the statement by which a role may be given to a service, and to no other.
func PassRole(sid, comment, role, service string) Statement {
	return Statement{Sid: sid, Comment: comment, Actions: []string{"iam:PassRole"}, Resources: []string{role},
		Conditions: []Condition{{"StringEquals", "iam:PassedToService", []string{service}}}}
}
