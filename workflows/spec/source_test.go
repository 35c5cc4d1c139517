package spec

import (
	"fmt"
	"strings"
	"testing"
)

const sourced = `name: webshop
stages:
  - name: Source
    actions: [{name: App, provider: %s, namespace: App, configuration: {%s, BranchName: main}, outputArtifacts: [app]}]
  - name: Production
    actions: [{name: Deploy, provider: Commands, commands: ["echo #{App.%s}"], inputArtifacts: [app]}]
`

// D3: what a source action does not leave is found when the file is read; T11:
// so is an address with a secret, which no message repeats.
func TestSources(t *testing.T) {
	for _, c := range []struct{ provider, where, output, fault string }{
		{"GitHub", "FullRepositoryId: acme/webshop", "CommitUrl", ""},
		{"CodeStarSourceConnection", "ConnectionArn: 'arn:aws:codeconnections:eu-west-1:111122223333:connection/1', FullRepositoryId: acme/webshop", "ConnectionArn", ""},
		{"GitHub", "FullRepositoryId: acme/webshop", "ConnectionArn", `no output variable "ConnectionArn"`},
		{"Git", "Repository: https://git.example/acme/webshop", "CommitUrl", ""},
		{"Git", "Repository: /srv/git/webshop", "CommitId", ""},
		{"Git", "Repository: /srv/git/webshop", "CommitUrl", `no output variable "CommitUrl"`},
		{"Git", "Repository: git@git.example:acme/webshop.git", "CommitUrl", `no output variable "CommitUrl"`},
		{"Git", "Repository: https://bob:PASSWORD@git.example/acme/webshop", "CommitId", "holds a user name or password"},
		{"Git", "Repository: https://PASSWORD@git.example/acme/webshop", "CommitId", "holds a user name or password"},
		{"Git", `Repository: "bob:PASSWORD@git.example:acme/webshop"`, "CommitId", "holds a user name or password"},
		{"Git", `Repository: "https://bob:PASSWORD@git.example/#{variables.team}/webshop"`, "CommitId", "holds a user name or password"},
		{"Git", `Repository: "https://git.example/acme/webshop?token=PASSWORD"`, "CommitId", "has a query or a fragment"},
		{"Git", `Repository: "https://git.example/acme/webshop#PASSWORD"`, "CommitId", "has a query or a fragment"},
		{"Git", `Repository: "https://bob:PASSWORD @git.example/acme/webshop"`, "CommitId", "holds a user name or password"},
	} {
		_, faults := Parse("webshop.yaml", fmt.Appendf(nil, sourced, c.provider, c.where, c.output))
		said := fmt.Sprintf("%+v", faults)
		if (len(faults) > 0) != (c.fault != "") || !strings.Contains(said, c.fault) || strings.Contains(said, "PASSWORD") {
			t.Errorf("%s, %s, %s: %s", c.provider, c.where, c.output, said)
		}
	}
}
