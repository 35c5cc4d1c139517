package workflows

// OnGitHub is the event of GitHub that the trigger waits for, as GitHub calls it
// (release, workflow_run, deployment, merge_group), and its filter; nil: it waits for none.
func (t *Trigger) OnGitHub() (event string, filter *GitFilter) {
	switch {
	case t.Release != nil:
		return "release", t.Release
	case t.WorkflowRun != nil:
		return "workflow_run", t.WorkflowRun
	case t.Deployment != nil:
		return "deployment", t.Deployment
	case t.MergeGroup != nil:
		return "merge_group", t.MergeGroup
	}
	return "", nil
}
