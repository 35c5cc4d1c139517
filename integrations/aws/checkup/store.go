package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// store looks at a bucket for artifacts, with the credentials that artifacts are kept with.
func (c *checker) store(ctx context.Context, store policy.Store) {
	about := "artifacts in " + store.Bucket
	config, err := c.all.Config(ctx, accounts.Place{Region: store.Region, Session: "doctor"})
	if err != nil {
		c.add(selftest.Result{About: about, Status: selftest.Failed, Message: err.Error()})
		return
	}
	api := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = c.o.Accounts.EndpointURL != "" })
	resource := policy.Place{}.Bucket(store.Bucket, "")
	in := &s3.HeadBucketInput{Bucket: &store.Bucket}
	if store.Account != "" {
		in.ExpectedBucketOwner = &store.Account
	}
	if _, err := api.HeadBucket(ctx, in); err != nil {
		c.unusable(about, store, err)
		return
	}
	versioning, err := api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &store.Bucket})
	switch {
	case err != nil:
		c.failed(about, "whether the bucket keeps versions is not known", err, resource)
		c.checks[len(c.checks)-1].Status = selftest.Warning
	case versioning.Status != types.BucketVersioningStatusEnabled:
		c.add(selftest.Result{About: about, Status: selftest.Failed, Message: "the bucket keeps no versions, and AWS's services read artifacts by version",
			Fix: []string{"aws s3api put-bucket-versioning --bucket " + store.Bucket + " --versioning-configuration Status=Enabled"}})
	default:
		c.ok(about, "the bucket is there, in %s, and keeps versions", config.Region)
	}
	b := &bucketCheck{checker: c, about: about, store: store, api: api}
	b.encryption(ctx)
	b.public(ctx)
	b.lifecycle(ctx)
	b.sharing(ctx)
	b.listPermissions()
	if store.Key != "" {
		c.key(ctx, config, store)
	}
}

// unusable says why a bucket cannot be used. S3 answers HeadBucket without words.
func (c *checker) unusable(about string, store policy.Store, err error) {
	f := failure(err, "")
	check := selftest.Result{About: about, Status: selftest.Failed}
	switch f.Status {
	case 301, 400:
		check.Message, check.Fix = "the bucket is not in "+store.Region, []string{"correct aws.region or aws.artifacts.regions: artifacts of a Region are kept there"}
	case 404:
		check.Message, check.Fix = "there is no such bucket", []string{"create it in " + store.Region + " with versioning, or correct aws.artifacts"}
	case 403:
		check.Message = "the bucket may not be used, or belongs to another account than " + store.Account
		check.Fix = []string{"allow s3:ListBucket on " + policy.Place{}.Bucket(store.Bucket, "") + "; rollcall iam-policy prints all that artifacts need"}
	default:
		c.failed(about, "the bucket cannot be looked at", err, "")
		return
	}
	c.add(check)
}

// bucketCheck looks at how a bucket for artifacts is set up.
type bucketCheck struct {
	*checker
	about   string
	store   policy.Store
	api     *s3.Client
	unknown []string // actions that could not be asked
}

// warn adds a line about the bucket.
func (b *bucketCheck) warn(fix, format string, args ...any) {
	b.add(selftest.Result{About: b.about, Status: selftest.Warning, Message: fmt.Sprintf(format, args...), Fix: []string{fix}})
}

// answer says whether AWS answered: with what there is, or with the code that says that
// there is none. What it did not tell is said once for all.
func (b *bucketCheck) answer(err error, none, action string) (there, known bool) {
	switch {
	case err == nil:
		return true, true
	case codeOf(err) == none:
		return false, true
	}
	b.unknown = append(b.unknown, action)
	return false, false
}

// listPermissions says what is not known of the bucket, and what would have to be allowed.
func (b *bucketCheck) listPermissions() {
	if len(b.unknown) == 0 {
		return
	}
	b.add(selftest.Result{About: b.about, Status: selftest.Unknown, Message: "not all of how the bucket is set up can be read; keeping artifacts does not need it",
		Fix: []string{"allow " + words.List(b.unknown, "and") + " on " + policy.Place{}.Bucket(b.store.Bucket, "") + "; rollcall iam-policy prints it as optional"}})
}

// encryption looks whether the bucket encrypts with a key that the configuration does
// not name: the printed policies would lack it.
func (b *bucketCheck) encryption(ctx context.Context) {
	out, err := b.api.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &b.store.Bucket})
	there, known := b.answer(err, "ServerSideEncryptionConfigurationNotFoundError", "s3:GetEncryptionConfiguration")
	if !known {
		return
	}
	if !there || out.ServerSideEncryptionConfiguration == nil {
		b.warn("aws s3api put-bucket-encryption --bucket "+b.store.Bucket+" with AES256 or aws:kms", "the bucket does not encrypt by itself what services of AWS write there")
		return
	}
	for _, r := range out.ServerSideEncryptionConfiguration.Rules {
		d := r.ApplyServerSideEncryptionByDefault
		if d == nil || d.SSEAlgorithm != types.ServerSideEncryptionAwsKms && d.SSEAlgorithm != types.ServerSideEncryptionAwsKmsDsse {
			continue
		}
		if key := aws.ToString(d.KMSMasterKeyID); key != "" && b.store.Key == "" {
			b.warn("set kmsKey of aws.artifacts to it, and run rollcall iam-policy again", "the bucket encrypts with the key %s, which aws.artifacts does not name: roles that read artifacts lack the right to use it", key)
		}
	}
}

// public looks whether the bucket can become public.
func (b *bucketCheck) public(ctx context.Context) {
	out, err := b.api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &b.store.Bucket})
	there, known := b.answer(err, "NoSuchPublicAccessBlockConfiguration", "s3:GetBucketPublicAccessBlock")
	if !known {
		return
	}
	if there && out.PublicAccessBlockConfiguration != nil {
		p := out.PublicAccessBlockConfiguration
		if aws.ToBool(p.BlockPublicAcls) && aws.ToBool(p.BlockPublicPolicy) && aws.ToBool(p.IgnorePublicAcls) && aws.ToBool(p.RestrictPublicBuckets) {
			return
		}
	}
	b.warn("aws s3api put-public-access-block --bucket "+b.store.Bucket+" --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
		"the bucket does not block public access, so a policy or an ACL can show artifacts to everybody")
}

const day = 24 * time.Hour

// lifecycle looks for rules that remove artifacts before their time, or move them to
// where no service reads them.
func (b *bucketCheck) lifecycle(ctx context.Context) {
	out, err := b.api.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.store.Bucket})
	if there, _ := b.answer(err, "NoSuchLifecycleConfiguration", "s3:GetLifecycleConfiguration"); !there {
		return
	}
	for _, r := range out.Rules {
		days, what := removes(r)
		if r.Status != types.ExpirationStatusEnabled || what == "" || !b.concerns(r) {
			continue
		}
		keeps := "for ever (retention.artifacts is not set)"
		if b.o.Retention > 0 {
			keeps = "for " + words.Count(int(b.o.Retention/day), "day") + " (retention.artifacts)"
		}
		if b.o.Retention == 0 || time.Duration(days)*day < b.o.Retention {
			b.warn("take the rule away, or leave the artifacts out of it: rollcall removes what nothing needs any more, by retention.artifacts",
				"the lifecycle rule %s %s after %s, and rollcall keeps artifacts %s: a rollback to an older success would find none", aws.ToString(r.ID), what, words.Count(int(days), "day"), keeps)
		}
	}
}

// removes says after how many days a rule takes objects away or out of reach, whichever
// comes first, and how; empty: it does not.
func removes(r types.LifecycleRule) (days int32, how string) {
	if e := r.Expiration; e != nil && (aws.ToInt32(e.Days) > 0 || e.Date != nil) {
		days, how = aws.ToInt32(e.Days), "removes objects"
	}
	for _, t := range r.Transitions {
		cold := t.StorageClass == types.TransitionStorageClassGlacier || t.StorageClass == types.TransitionStorageClassDeepArchive
		if cold && (how == "" || aws.ToInt32(t.Days) < days) {
			days, how = aws.ToInt32(t.Days), "moves objects to "+string(t.StorageClass)
		}
	}
	return days, how
}

// concerns says whether a rule is about objects that may be artifacts: they have no tags.
func (b *bucketCheck) concerns(r types.LifecycleRule) bool {
	prefix := aws.ToString(r.Prefix) //nolint:staticcheck // rules of old buckets have it
	if f := r.Filter; f != nil {
		if f.Tag != nil || f.And != nil && len(f.And.Tags) > 0 {
			return false
		}
		prefix += aws.ToString(f.Prefix)
		if f.And != nil {
			prefix += aws.ToString(f.And.Prefix)
		}
	}
	ours := ""
	if b.store.Prefix != "" {
		ours = b.store.Prefix + "/"
	}
	return strings.HasPrefix(ours, prefix) || strings.HasPrefix(prefix, ours)
}

// isAccount says whether it is an account: in a role's ARN a variable may stand for it.
func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// sharing looks whether the bucket's policy names the accounts whose actions read artifacts there.
func (b *bucketCheck) sharing(ctx context.Context) {
	var others []string
	for _, a := range b.o.Actions {
		if len(a.Roles) == 0 || len(a.Action.InputArtifacts)+len(a.Action.OutputArtifacts) == 0 || a.Region != b.store.Region {
			continue
		}
		if of := accounts.AccountOf(a.Roles[len(a.Roles)-1]); isAccount(of) && isAccount(b.store.Account) && of != b.store.Account && !slices.Contains(others, of) {
			others = append(others, of)
		}
	}
	if len(others) == 0 {
		return
	}
	out, err := b.api.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.store.Bucket})
	there, known := b.answer(err, "NoSuchBucketPolicy", "s3:GetBucketPolicy")
	if !known {
		return
	}
	for _, one := range others {
		if !there || !strings.Contains(aws.ToString(out.Policy), one) && !strings.Contains(aws.ToString(out.Policy), "aws:PrincipalOrg") {
			b.warn("add the statements to the bucket's policy that rollcall iam-policy prints with the kind bucket", "the policy of the bucket does not name account %s, whose actions read and write artifacts there", one)
		}
	}
}
