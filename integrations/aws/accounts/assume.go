package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	sessionTakes = time.Hour       // the most that AWS allows where a role assumes another one
	renewBefore  = 5 * time.Minute // its end; a quarter of a session that is shorter than 20 minutes
	longestName  = 64              // of a session and of a source identity
)

// assumed yields the credentials of a role.
type assumed struct {
	client interface {
		AssumeRole(context.Context, *sts.AssumeRoleInput, ...func(*sts.Options)) (*sts.AssumeRoleOutput, error)
	}
	arn, session, externalID, identity string
}

// Retrieve implements aws.CredentialsProvider.
func (r *assumed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	in := &sts.AssumeRoleInput{RoleArn: &r.arn, RoleSessionName: &r.session, DurationSeconds: aws.Int32(int32(sessionTakes.Seconds()))}
	if r.externalID != "" {
		in.ExternalId = &r.externalID
	}
	if r.identity != "" {
		in.SourceIdentity = &r.identity
	}
	asked := time.Now()
	out, err := r.client.AssumeRole(ctx, in)
	if err != nil {
		return aws.Credentials{}, &AssumeError{Role: r.arn, Err: err}
	}
	got := out.Credentials
	if got == nil || got.AccessKeyId == nil || got.SecretAccessKey == nil || got.SessionToken == nil {
		return aws.Credentials{}, &AssumeError{Role: r.arn, Err: errors.New("the answer holds no credentials")}
	}
	expires := aws.ToTime(got.Expiration)
	return aws.Credentials{AccessKeyID: *got.AccessKeyId, SecretAccessKey: *got.SecretAccessKey, SessionToken: *got.SessionToken,
		Source: "AssumeRole", CanExpire: true, Expires: expires.Add(-min(renewBefore, expires.Sub(asked)/4)), AccountID: AccountOf(r.arn)}, nil
}

// AssumeError says which role could not be assumed.
type AssumeError struct {
	Role string // ARN
	Err  error
}

// Error names the role.
func (e *AssumeError) Error() string {
	return "the role " + e.Role + " cannot be assumed: " + e.Err.Error()
}

// Unwrap is why.
func (e *AssumeError) Unwrap() error { return e.Err }

// SessionName makes a name legal for a session: 2 to 64 of letters, digits and
// _=,.@-, beginning with "rc-".
func SessionName(name string) string { return legal("rc-" + strings.TrimPrefix(name, "rc-")) }

// SourceIdentity makes a person's name legal for STS; what does not fit is cut
// and ends in a hash of the whole, so that two people stay two.
func SourceIdentity(person string) string {
	if person == "" {
		return ""
	}
	return legal(person)
}

func legal(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_=,.@-", r)) {
			return r
		}
		return '-'
	}, name)
	if clean == name && len(name) >= 2 && len(name) <= longestName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return clean[:min(len(clean), longestName-13)] + "-" + hex.EncodeToString(sum[:6])
}
