package config

import (
	"slices"
	"testing"
)

func TestHostsOfRepositories(t *testing.T) {
	t.Setenv("GL", "a token of gitlab")
	t.Setenv("BB", "a token of bitbucket")
	c, err := Load(write(t, 0o644, `
admins: [ana@acme.example]
bitbucket: {token: {env: BB}, webhookSecret: {env: BB}, user: x-bitbucket-api-token-auth}
gitlab: {url: https://git.acme.example, token: {env: GL}}
people: [{email: ana@acme.example, gitlab: ana, bitbucket: "557058:1"}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Bitbucket.CloneURL != "https://bitbucket.org/" || c.GitLab.URL != "https://git.acme.example/" || c.GitLab.WebhookSecret.Set() || c.People[0].GitLab != "ana" || c.People[0].Bitbucket != "557058:1" {
		t.Errorf("%+v %+v", c.Bitbucket, c.GitLab)
	}
	for _, secret := range []string{"a token of gitlab", "a token of bitbucket"} {
		if !slices.Contains(c.Secrets(), secret) {
			t.Errorf("%q is not known as a secret", secret)
		}
	}
}
