package rehearsal

import (
	"encoding/json"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// gitHubActs are the acts of GitHub that have a trigger of their own.
func gitHubActs() []act {
	payload := field{"payload", jsonText(), "what GitHub sends, for the trigger's variables; made up from the other keys if not given"}
	happens := func(kind string) func(*simulation, *node) error {
		return func(w *simulation, n *node) error { return w.changed(n, kind) }
	}
	return []act{
		{"release", "tag", "a release is published on GitHub", revisionKeys(field{"tag!", text("a tag"), "its tag"},
			field{"prerelease", yesNo(), "it is a prerelease"}, payload), happens("release")},
		{"workflowRun", "workflow", "a run of a GitHub Actions workflow completes", revisionKeys(field{"workflow!", text("text"), "name of the workflow"},
			field{"path", text("a path"), "of its file"}, field{"conclusion", text("text"), "how it ended; success if not given"},
			field{"startedBy", text("text"), "the event that started the run; push if not given"},
			field{"branch", text("a branch"), "where it ran; the source action's if not given"}, field{"fork", yesNo(), "it ran for a fork"}, payload), happens("workflow_run")},
		{"deployment", "environment", "somebody creates a deployment on GitHub", revisionKeys(field{"environment!", text("text"), "for which environment"},
			field{"branch", text("text"), "the branch, tag or commit; the source action's branch if not given"}, payload), happens("deployment")},
		{"mergeGroup", "into", "GitHub's merge queue asks for checks", revisionKeys(field{"into", text("a branch"), "the target branch; the source action's if not given"}, payload), happens("merge_group")},
	}
}

// onGitHub fills in what only these acts say.
func onGitHub(n *node, c *work.Change) {
	switch c.Event {
	case "release":
		c.Prerelease = n.str("prerelease") == "true"
	case "workflow_run":
		c.Workflow, c.Conclusion, c.Cause = []string{n.str("workflow")}, "success", "push"
		if path := n.str("path"); path != "" {
			c.Workflow = append(c.Workflow, path)
		}
		if as := n.str("conclusion"); as != "" {
			c.Conclusion = as
		}
		if by := n.str("startedBy"); by != "" {
			c.Cause = by
		}
	case "deployment":
		c.Environment = n.str("environment")
	}
	payload := map[string]any{
		"release":      map[string]any{"tag_name": c.Tag, "prerelease": c.Prerelease},
		"workflow_run": map[string]any{"name": n.str("workflow"), "path": n.str("path"), "conclusion": c.Conclusion, "event": c.Cause, "head_branch": c.Branch, "head_sha": c.Commit},
		"deployment":   map[string]any{"environment": c.Environment, "ref": c.Branch, "sha": c.Commit},
		"merge_group":  map[string]any{"base_ref": "refs/heads/" + c.Branch, "head_sha": c.Commit},
	}[c.Event]
	raw, err := json.Marshal(map[string]any{c.Event: payload})
	if given := n.str("payload"); given != "" || err != nil {
		raw = json.RawMessage(given)
	}
	c.Payload = raw
}
