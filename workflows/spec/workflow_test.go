package spec

import (
	"strings"
	"testing"
)

func workflowFile(configuration string) []byte {
	return []byte("name: shop\nchannel: \"#shop\"\nstages:\n- name: Source\n  actions: [{name: App, provider: GitHub, namespace: App, configuration: {FullRepositoryId: acme/shop, BranchName: main}, outputArtifacts: [app]}]\n" +
		"- name: Prod\n  actions:\n  - {name: Deploy, namespace: D, provider: GitHubWorkflow, configuration: {" + configuration + "}}\n  - {name: Show, runOrder: 2, provider: Commands, commands: [\"echo #{D.RunUrl}\"]}\n")
}

func TestWorkflowActions(t *testing.T) {
	for _, c := range []struct{ configuration, says string }{
		{"FullRepositoryId: acme/shop, Workflow: deploy.yml", ""},
		{"FullRepositoryId: acme/shop, Workflow: 123, Ref: v1.0, CancelOnStop: false, CorrelationInput: id, Inputs: {sha: \"#{App.CommitId}\", dry: true, n: 3}", ""},
		{"FullRepositoryId: acme/shop, Workflow: .github/workflows/deploy.yaml, Inputs: '{\"sha\": \"#{App.CommitId}\"}'", ""},
		{"Workflow: deploy.yml", "needs the configuration key FullRepositoryId"},
		{"FullRepositoryId: acme/shop", "needs the configuration key Workflow"},
		{"FullRepositoryId: shop, Workflow: deploy.yml", "FullRepositoryId cannot be"},
		{"FullRepositoryId: acme/shop, Workflow: deploy", "Workflow cannot be"},
		{"FullRepositoryId: acme/shop, Workflow: a/../b.yml", "Workflow cannot be"},
		{"FullRepositoryId: acme/shop, Workflow: deploy.yml, Ref: " + strings.Repeat("a1", 20), "Ref is a commit"},
		{"FullRepositoryId: acme/shop, Workflow: deploy.yml, Inputs: sha", "Inputs is no object in JSON"},
		{"FullRepositoryId: acme/shop, Workflow: deploy.yml, Inputs: '{\"a\": [1]}'", "the input \"a\""},
		{"FullRepositoryId: acme/shop, Workflow: deploy.yml, CancelOnStop: maybe", "CancelOnStop must be"},
		{"FullRepositoryId: acme/shop, Workflow: deploy.yml, Input: x", "no configuration key"},
	} {
		p, faults := Parse("shop.yaml", workflowFile(c.configuration))
		switch {
		case c.says == "" && len(faults) > 0:
			t.Errorf("%s: %v", c.configuration, faults)
		case c.says != "" && (len(faults) == 0 || !strings.Contains(faults[0].String(), c.says)):
			t.Errorf("%s: %v, want %s", c.configuration, faults, c.says)
		case c.says == "" && strings.Contains(c.configuration, "dry"):
			if got := p.Stages[1].Actions[0].Configuration["Inputs"]; got != `{"dry":"true","n":"3","sha":"#{App.CommitId}"}` {
				t.Errorf("the inputs are %s", got)
			}
		}
	}
	if _, faults := Parse("shop.yaml", []byte(strings.Replace(string(workflowFile("FullRepositoryId: acme/shop, Workflow: deploy.yml")), "RunUrl", "RunURL", 1))); len(faults) == 0 || !strings.Contains(faults[0].String(), "RunUrl") {
		t.Errorf("an output that there is not: %v", faults)
	}
}
