package checkup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/kms"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/checkup"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	baseAccount = "111122223333"
	artKey      = "0aeb1c2d-3e4f-5a6b-7c8d-9e0f1a2b3c4d"
)

// withStore is a cloud whose artifacts are in a bucket of the base account, encrypted
// with a key, and read by an action of another account.
func withStore(t *testing.T) (*cloud, *s3.Bucket, *kms.Key) {
	c := newCloud(t)
	store := policy.Store{Region: region, Bucket: "acme-art", Prefix: "rollcall", Key: "alias/art", Account: baseAccount}
	c.o.Bridges, c.o.QueueURL, c.o.Stores, c.o.Retention = nil, "", []policy.Store{store}, 90*24*time.Hour
	c.o.Actions = []checkup.Action{{Name: "webshop: Build/App", Roles: []string{role}, Region: region, Kind: &runner.Kind{Category: "Build", Provider: "CodeBuild"},
		Action: workflows.Action{Name: "App", InputArtifacts: []string{"app"}}}}
	return c, &s3.Bucket{Name: "acme-art", Owner: baseAccount, Region: region, Policy: `{"Statement":[{"Principal":{"AWS":"arn:aws:iam::` + account + `:root"}}]}`}, &kms.Key{ID: artKey, Alias: "alias/art"}
}

// Each fault of the bucket for artifacts and of its key is planted alone, and is
// said in one line that says what to do. Only calls that read are sent, but for a dry run.
func TestFaultsOfTheArtifactStore(t *testing.T) {
	allowed := func(c *cloud, but string) {
		var documents []string
		p := policy.Pipelines{Name: "shop", Stores: c.o.Stores, Uses: []policy.Use{{Roles: []string{role}}}}
		for _, d := range p.Policies().Documents {
			if d.Kind == "base" || d.Kind == "optional" && d.Role == "" {
				for i := range d.Statements {
					for k, action := range d.Statements[i].Actions {
						if action == but || but == "optional" && d.Kind == "optional" {
							d.Statements[i].Actions[k] = "s3:ListAllMyBuckets"
						}
					}
				}
				text, err := d.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				documents = append(documents, string(text))
			}
		}
		c.may(base, documents...)
	}
	for name, f := range map[string]struct {
		plant func(c *cloud, b *s3.Bucket, k *kms.Key)
		want  []string // a line each that is not ok, by its parts with | between
	}{
		"nothing":                          {func(*cloud, *s3.Bucket, *kms.Key) {}, nil},
		"what iam-policy prints is enough": {func(c *cloud, _ *s3.Bucket, _ *kms.Key) { allowed(c, "") }, nil},
		"no bucket":                        {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Name = "other" }, []string{"failed artifacts in acme-art: there is no such bucket|create it in eu-west-1"}},
		"another Region":                   {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Region = "us-east-1" }, []string{"failed artifacts in acme-art: the bucket is not in eu-west-1"}},
		"another owner":                    {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Owner = account }, []string{"failed artifacts in acme-art: the bucket may not be used, or belongs to another account"}},
		"no versions":                      {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Unversioned = true }, []string{"failed artifacts in acme-art: the bucket keeps no versions|put-bucket-versioning"}},
		"it can become public":             {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Open = true }, []string{"warning artifacts in acme-art: the bucket does not block public access|put-public-access-block"}},
		"a key that nobody names": {func(c *cloud, b *s3.Bucket, _ *kms.Key) {
			b.Key, c.o.Stores[0].Key = "arn:aws:kms:eu-west-1:111122223333:key/x", ""
		}, []string{"warning artifacts in acme-art: the bucket encrypts with the key arn:aws:kms:eu-west-1:111122223333:key/x|set kmsKey"}},
		"a rule that removes too soon": {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Rules = []s3.Rule{{ID: "tidy", Prefix: "", Days: 30}} }, []string{"warning artifacts in acme-art: the lifecycle rule tidy removes objects after 30 days|keeps artifacts for 90 days (retention.artifacts)"}},
		"a rule that freezes": {func(_ *cloud, b *s3.Bucket, _ *kms.Key) {
			b.Rules = []s3.Rule{{ID: "cold", Prefix: "rollcall/web", Days: 7, To: "GLACIER"}}
		}, []string{"the lifecycle rule cold moves objects to GLACIER after 7 days"}},
		"a rule that freezes before it removes": {func(_ *cloud, b *s3.Bucket, _ *kms.Key) {
			b.Rules = []s3.Rule{{ID: "cold", Days: 7, To: "DEEP_ARCHIVE", Ends: 365}}
		}, []string{"the lifecycle rule cold moves objects to DEEP_ARCHIVE after 7 days"}},
		"rules that do no harm": {func(_ *cloud, b *s3.Bucket, _ *kms.Key) {
			b.Rules = []s3.Rule{{ID: "later", Days: 90}, {ID: "off", Days: 1, Off: true}, {ID: "elsewhere", Prefix: "logs/", Days: 1}, {ID: "tagged", Tag: "tmp", Days: 1}, {ID: "warm", Days: 1, To: "STANDARD_IA"}}
		}, nil},
		"kept for ever, and a rule": {func(c *cloud, b *s3.Bucket, _ *kms.Key) {
			c.o.Retention, b.Rules = 0, []s3.Rule{{ID: "later", Days: 365}}
		}, []string{"after 365 days|for ever (retention.artifacts is not set)"}},
		"another account is not named": {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Policy = `{"Statement":[]}` }, []string{"warning artifacts in acme-art: the policy of the bucket does not name account " + account + "|with the kind bucket"}},
		"there is no policy at all":    {func(_ *cloud, b *s3.Bucket, _ *kms.Key) { b.Policy = "" }, []string{"does not name account " + account}},
		"an account that nobody knows yet": {func(c *cloud, b *s3.Bucket, _ *kms.Key) {
			b.Policy, c.o.Actions[0].Roles, c.o.Actions[0].Kind = "", []string{"arn:aws:iam::#{variables.ACCOUNT}:role/deploy"}, nil
		}, []string{"warning webshop: Build/App"}},
		"nobody of another account": {func(c *cloud, b *s3.Bucket, _ *kms.Key) { b.Policy, c.o.Actions = "", nil }, nil},
		"it may not be looked at": {func(c *cloud, _ *s3.Bucket, _ *kms.Key) { allowed(c, "optional") },
			[]string{"unknown artifacts in acme-art: not all of how the bucket is set up can be read|allow s3:GetEncryptionConfiguration, s3:GetBucketPublicAccessBlock, s3:GetLifecycleConfiguration and s3:GetBucketPolicy on arn:aws:s3:::acme-art"}},
		"no key":                 {func(_ *cloud, _ *s3.Bucket, k *kms.Key) { k.Alias = "alias/other" }, []string{"failed key of artifacts in eu-west-1: there is no key alias/art in eu-west-1|correct kmsKey"}},
		"a key that is disabled": {func(_ *cloud, _ *s3.Bucket, k *kms.Key) { k.State = "Disabled" }, []string{"failed key of artifacts in eu-west-1: the key alias/art is disabled|aws kms enable-key --key-id " + artKey}},
		"a key that is deleted":  {func(_ *cloud, _ *s3.Bucket, k *kms.Key) { k.State = "PendingDeletion" }, []string{"the key alias/art is to be deleted|cancel-key-deletion"}},
		"a key for signing":      {func(_ *cloud, _ *s3.Bucket, k *kms.Key) { k.Spec = "RSA_2048" }, []string{"the key alias/art is of the kind RSA_2048|name a symmetric key"}},
		"a key that may not be used": {func(c *cloud, _ *s3.Bucket, _ *kms.Key) { allowed(c, "kms:GenerateDataKey") },
			[]string{"failed key of artifacts in eu-west-1: the key may not be used|kms:GenerateDataKey|the key's own policy must allow it too"}},
		"KMS away": {func(c *cloud, _ *s3.Bucket, _ *kms.Key) {
			c.Faults(awsfake.Fault{Operation: "kms:GenerateDataKey", Trouble: awsfake.ServerError})
		}, []string{"unknown key of artifacts in eu-west-1: whether the key may be used is not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, b, k := withStore(t)
			f.plant(c, b, k)
			awsfake.At[*s3.Service](c.Server, "", "").Create(*b)
			awsfake.At[*kms.Service](c.Server, baseAccount, region).Create(*k)
			checks := checkup.Run(t.Context(), c.o)
			var bad []selftest.Result
			for _, check := range checks {
				if check.Status != selftest.OK {
					bad = append(bad, check)
				}
			}
			if len(bad) != len(f.want) {
				t.Fatalf("%d lines are not ok, want %d:\n%s", len(bad), len(f.want), lines(checks))
			}
			for i, want := range f.want {
				for part := range strings.SplitSeq(want, "|") {
					if got := lines(bad[i : i+1]); !strings.Contains(got, part) {
						t.Errorf("%s\ndoes not say %s", got, part)
					}
				}
				if len(bad[i].Fix) == 0 {
					t.Errorf("%s says not what to do", lines(bad[i:i+1]))
				}
			}
			for _, call := range c.Calls() {
				reads := strings.HasPrefix(call.Operation, "Get") || strings.HasPrefix(call.Operation, "Describe") || strings.HasPrefix(call.Operation, "Head") || call.Name() == "sts:AssumeRole" || call.Operation == "CreatePipeline"
				if dry := call.Name() == "kms:GenerateDataKey" && strings.Contains(string(call.Input), `"DryRun":true`); !reads && !dry {
					t.Errorf("%s reads nothing: %s", call.Name(), call.Input)
				}
			}
		})
	}
}
