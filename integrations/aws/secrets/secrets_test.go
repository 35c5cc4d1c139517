package secrets_test

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/secretsmanager"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ssm"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/secrets"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	role    = "arn:aws:iam::111122223333:role/rollcall"
)

// in runs a test with an AWS that keeps a few secrets, as a role.
func in(t *testing.T, test func(t *testing.T, fake *awsfake.Server, config aws.Config)) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	synctest.Test(t, func(t *testing.T) {
		fake := awsfake.New(awsfake.Options{Now: time.Now})
		fake.Roles(awsfake.Role{ARN: role})
		awsfake.At[*ssm.Service](fake, account, region).Put("/rollcall/slack", "xoxb-very-secret")
		vault := awsfake.At[*secretsmanager.Service](fake, account, region)
		vault.Put("rollcall/jira", `{"token":"jira-very-secret","port":7,"empty":""}`)
		vault.Put("plain", "plain-very-secret")
		vault.Put("gone", "gone-very-secret")
		vault.Delete("gone")
		a := accounts.Open(accounts.Options{Region: region, RoleARN: role, Calls: 1000, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(fake) }})
		config, err := a.Config(t.Context(), accounts.Place{Session: "secrets"})
		if err != nil {
			t.Fatal(err)
		}
		test(t, fake, config)
	})
}

func TestSecretsAreRead(t *testing.T) {
	in(t, func(t *testing.T, _ *awsfake.Server, config aws.Config) {
		for _, c := range []struct {
			ref  secrets.Ref
			want string
		}{
			{secrets.Parse("ssm", "/rollcall/slack"), "xoxb-very-secret"},
			{secrets.Parse("ssm", "arn:aws:ssm:eu-west-1:111122223333:parameter/rollcall/slack"), "xoxb-very-secret"},
			{secrets.Parse("secretsManager", "plain"), "plain-very-secret"},
			{secrets.Parse("secretsManager", "rollcall/jira#token"), "jira-very-secret"},
		} {
			if got, err := secrets.Get(t.Context(), config, c.ref); err != nil || got != c.want {
				t.Errorf("%v: %q, %v", c.ref, got, err)
			}
		}
	})
}

// What cannot be read says which secret it is, as whom it was asked for and which
// permission is missing, and never what a secret holds.
func TestASecretThatCannotBeReadSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name, want string
		ref        secrets.Ref
		fault      awsfake.Fault
		passes     bool
	}{
		{name: "no parameter", ref: secrets.Parse("ssm", "/nowhere"), want: "the parameter /nowhere cannot be read: there is none"},
		{name: "no secret", ref: secrets.Parse("secretsManager", "nowhere"), want: "the secret nowhere cannot be read: |can't find the specified secret"},
		{name: "a deleted secret", ref: secrets.Parse("secretsManager", "gone"), want: "the secret gone cannot be read: |marked for deletion"},
		{name: "no such key", ref: secrets.Parse("secretsManager", "rollcall/jira#user"), want: "the secret rollcall/jira cannot be read: its JSON has no key user"},
		{name: "no text", ref: secrets.Parse("secretsManager", "rollcall/jira#port"), want: "the value of its key port is no text"},
		{name: "empty", ref: secrets.Parse("secretsManager", "rollcall/jira#empty"), want: "it is empty"},
		{name: "no JSON", ref: secrets.Parse("secretsManager", "plain#token"), want: "it is no JSON object"},
		{name: "AWS away", ref: secrets.Parse("ssm", "/rollcall/slack"), fault: awsfake.Fault{Operation: "ssm:GetParameter", Trouble: awsfake.ServerError}, want: "the parameter /rollcall/slack cannot be read: ", passes: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, func(t *testing.T, fake *awsfake.Server, config aws.Config) {
				if c.fault.Operation != "" {
					fake.Faults(c.fault)
				}
				fails(t, config, c.ref, c.want, c.passes)
			})
		})
	}
}

// The permission that iam-policy prints is the one that reading takes.
func TestReadingTakesWhatIAMPolicyPrints(t *testing.T) {
	for _, c := range []struct {
		ref  secrets.Ref
		want string
	}{
		{secrets.Parse("ssm", "/rollcall/slack"), "assumed-role/rollcall/|may not ssm:GetParameter on arn:aws:ssm:eu-west-1:111122223333:parameter/rollcall/slack"},
		{secrets.Parse("secretsManager", "rollcall/jira#token"), "may not secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-west-1:111122223333:secret:rollcall/jira-a1B2c3"},
	} {
		in(t, func(t *testing.T, fake *awsfake.Server, config aws.Config) {
			may := func(s policy.Statement) {
				text, err := policy.Document{Statements: []policy.Statement{s}}.MarshalJSON()
				if err := errors.Join(err, fake.Policies(role, string(text))); err != nil {
					t.Fatal(err)
				}
			}
			needs := c.ref.Needs(policy.Place{Region: region, Account: account})
			may(needs)
			if _, err := secrets.Get(t.Context(), config, c.ref); err != nil {
				t.Error(err)
			}
			needs.Resources = []string{"arn:aws:s3:::other"}
			may(needs)
			fails(t, config, c.ref, c.want, false)
		})
	}
}

func fails(t *testing.T, config aws.Config, ref secrets.Ref, want string, passes bool) {
	t.Helper()
	_, err := secrets.Get(t.Context(), config, ref)
	var said *secrets.Error
	if !errors.As(err, &said) || said.Passes != passes {
		t.Fatalf("%#v", err)
	}
	for part := range strings.SplitSeq(want, "|") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\ndoes not say %s", err, part)
		}
	}
	if strings.Contains(err.Error(), "very-secret") {
		t.Errorf("it shows a secret: %v", err)
	}
}

// The environment variable of an action names a secret as CodeBuild does.
func TestVariablesNameSecrets(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/db-a1b2c3"
	for text, want := range map[string]secrets.Ref{
		"shop/db":                {Secret: "shop/db"},
		"shop/db:password":       {Secret: "shop/db", Key: "password"},
		"shop/db::AWSPREVIOUS":   {Secret: "shop/db", Stage: "AWSPREVIOUS"},
		"shop/db:password::v-1":  {Secret: "shop/db", Key: "password", Version: "v-1"},
		arn:                      {Secret: arn},
		arn + ":password":        {Secret: arn, Key: "password"},
		arn + ":password:STAGED": {Secret: arn, Key: "password", Stage: "STAGED"},
		"arn:aws:x":              {Secret: "arn:aws:x"},
	} {
		if got := secrets.ParseVariable("SECRETS_MANAGER", text); got != want {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
	}
	if got := secrets.ParseVariable("PARAMETER_STORE", "/shop/token:3"); got != (secrets.Ref{Parameter: "/shop/token:3"}) {
		t.Errorf("a parameter is %+v", got)
	}
}
