package vault_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/vault"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/secretsmanager"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ssm"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	role    = "arn:aws:iam::111122223333:role/rollcall"
)

// load reads a configuration whose secrets the fake keeps.
func load(t *testing.T, text string) (*config.Config, *awsfake.Server) {
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
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key-very-secret")
	fake := awsfake.New(awsfake.Options{Now: time.Now})
	fake.Roles(awsfake.Role{ARN: role})
	awsfake.At[*ssm.Service](fake, account, region).Put("/rollcall/slack", "xoxb-very-secret-1")
	awsfake.At[*secretsmanager.Service](fake, account, region).Put("rollcall/jira", `{"token":"jira-very-secret"}`)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "rollcall.yaml")
	head := fmt.Sprintf("admins: [ana@acme.example]\naws: {region: %s, roleArn: %q, endpointURL: %q}\n", region, role, server.URL)
	if err := os.WriteFile(file, []byte(head+text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c, fake
}

const both = "slack: {botToken: {ssm: /rollcall/slack}, signingSecret: {ssm: /rollcall/slack}}\njira: {url: \"https://acme.atlassian.example\", project: OPS, token: {secretsManager: \"rollcall/jira#token\"}}\n"

// Secrets that AWS keeps are where any secret is, and are known as secrets.
func TestSecretsThatAWSKeeps(t *testing.T) {
	c, fake := load(t, both)
	if c.Slack.BotToken.Set() || len(fake.Calls()) > 0 {
		t.Error("reading the file has asked AWS")
	}
	c, err := vault.Fill(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Slack.BotToken.Reveal() != "xoxb-very-secret-1" || c.Jira.Token.Reveal() != "jira-very-secret" || len(c.Secrets()) != 3 {
		t.Errorf("%q %q %d", c.Slack.BotToken.Reveal(), c.Jira.Token.Reveal(), len(c.Secrets()))
	}
	if n := len(fake.Calls()); n != 3 { // one AssumeRole, and each secret once
		t.Errorf("%d calls", n)
	}
}

// A secret that cannot be fetched stops the start with its key, its name, who asked and what is missing.
func TestASecretThatCannotBeFetched(t *testing.T) {
	c, fake := load(t, both+"github: {webhookSecret: {ssm: /nowhere}}\n")
	if err := fake.Policies(role, `{"Statement":[{"Effect":"Allow","Action":"ssm:GetParameter","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	_, err := vault.Fill(t.Context(), c)
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{
		"rollcall.yaml:4:", "jira.token: the secret rollcall/jira cannot be read: arn:aws:sts::111122223333:assumed-role/rollcall/", "may not secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-west-1:111122223333:secret:rollcall/jira",
		"github.webhookSecret: the parameter /nowhere cannot be read: there is none",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "very-secret") {
		t.Errorf("it shows a secret: %v", err)
	}
}

// A value that AWS keeps is checked as any other.
func TestAFetchedSecretIsChecked(t *testing.T) {
	c, fake := load(t, both)
	awsfake.At[*ssm.Service](fake, account, region).Put("/rollcall/slack", "xapp-very-secret")
	_, err := vault.Fill(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "slack.botToken") || strings.Contains(err.Error(), "very-secret") {
		t.Error(err)
	}
}
