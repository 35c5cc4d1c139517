package checkup

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// key looks whether the key of artifacts is there, works, and may be used. Whether it
// may, KMS says without making anything: a dry run.
func (c *checker) key(ctx context.Context, config aws.Config, store policy.Store) {
	about := "key of artifacts in " + store.Region
	bad := func(fix, format string, args ...any) {
		c.add(selftest.Result{About: about, Status: selftest.Failed, Message: fmt.Sprintf(format, args...), Fix: []string{fix}})
	}
	api := kms.NewFromConfig(config)
	resource := store.KeyARN()
	out, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &store.Key})
	switch {
	case err == nil && out.KeyMetadata != nil:
		k, id := out.KeyMetadata, aws.ToString(out.KeyMetadata.KeyId)
		switch {
		case k.KeyState == types.KeyStateDisabled:
			bad("aws kms enable-key --key-id "+id, "the key %s is disabled: artifacts can be neither written nor read", store.Key)
			return
		case k.KeyState == types.KeyStatePendingDeletion:
			bad("aws kms cancel-key-deletion --key-id "+id+", then aws kms enable-key --key-id "+id, "the key %s is to be deleted: then no artifact can be read any more", store.Key)
			return
		case k.KeyState != types.KeyStateEnabled:
			bad("see the key in the console", "the key %s is %s, and cannot be used so", store.Key, k.KeyState)
			return
		case k.KeySpec != "" && k.KeySpec != types.KeySpecSymmetricDefault || k.KeyUsage != "" && k.KeyUsage != types.KeyUsageTypeEncryptDecrypt:
			bad("name a symmetric key for encryption in aws.artifacts", "the key %s is of the kind %s for %s, and S3 encrypts with symmetric keys only", store.Key, k.KeySpec, k.KeyUsage)
			return
		}
	case codeOf(err) == "NotFoundException":
		bad("correct kmsKey of aws.artifacts: S3 encrypts with keys of its own Region", "there is no key %s in %s", store.Key, store.Region)
		return
	case err != nil && !denied(err):
		c.failed(about, "the key cannot be looked at", err, resource)
		return
	}
	_, err = api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &store.Key, KeySpec: types.DataKeySpecAes256, DryRun: aws.Bool(true)})
	switch {
	case codeOf(err) == "DryRunOperationException":
		c.ok(about, "%s may be used", store.Key)
	case denied(err):
		c.failed(about, "the key may not be used", err, resource)
		c.checks[len(c.checks)-1].Fix = append(c.checks[len(c.checks)-1].Fix, "the key's own policy must allow it too")
	case err != nil && accounts.Classify(err) == accounts.Refused:
		c.failed(about, "the key cannot be used", err, resource)
	default:
		c.add(selftest.Result{About: about, Status: selftest.Unknown, Message: "whether the key may be used is not known: KMS did not say", Fix: []string{"run rollcall doctor again"}})
	}
}
