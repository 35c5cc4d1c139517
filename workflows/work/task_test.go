package work_test

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// A workflow runs on the branch of what the execution brings of its own repository.
func TestAWorkflowGetsTheRevisionOfItsRepository(t *testing.T) {
	e := &workflows.Execution{SourceRevisions: []workflows.SourceRevision{
		{ActionName: "Docs", Repository: "acme/docs", RevisionID: "d"}, {ActionName: "App", Repository: "acme/Webshop", RevisionID: "a"}, {ActionName: "Other", Repository: "acme/webshop", RevisionID: "o"},
		{ActionName: "Lib", Repository: "https://github.com/acme/lib.git", RevisionID: "l"},
	}}
	for _, c := range []struct{ provider, repository, want string }{
		{"GitHubWorkflow", "acme/webshop", "a"}, {"GitHubWorkflow", "acme/lib", "l"}, {"GitHubWorkflow", "acme/shop", ""}, {"GitHubWorkflow", "", ""}, {"Commands", "acme/webshop", ""},
	} {
		task := work.Task{Action: workflows.Action{Name: "Deploy", ActionType: workflows.ActionType{Category: "Deploy", Provider: c.provider}, Configuration: map[string]string{"FullRepositoryId": c.repository}}}
		if missing := task.Supply(e); missing != "" {
			t.Error(missing)
		}
		got := ""
		if task.Revision != nil {
			got = task.Revision.RevisionID
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.provider, c.repository, got, c.want)
		}
	}
}
