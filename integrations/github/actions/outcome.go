package actions

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	completed = "completed" // status of a run that has ended
	// unseen is the handle of a dispatch whose run is not known yet; otherwise it is the run's ID.
	unseen = "unseen"
)

func runOf(handle string) (int64, error) {
	id, err := strconv.ParseInt(handle, 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("%s names no run of GitHub Actions", words.Quoted(handle))
	}
	return id, nil
}

// running is the outcome of a run that has not ended.
func running(t *work.Task, run int64, url, status string) work.Outcome {
	id := strconv.FormatInt(run, 10)
	return work.Outcome{Task: t.ID, State: work.Running, Handle: id, ExternalID: id, ExternalURL: url, Summary: standing(status), PollAfter: shortestPoll}
}

// standing says in words what a run does.
func standing(status string) string {
	switch status {
	case "queued", "requested", "pending":
		return "waits for a runner in GitHub Actions"
	case "waiting", "action_required":
		return "waits for a review in GitHub Actions"
	}
	return "runs in GitHub Actions"
}

// lost is the outcome of a run of which nobody can know how it ended.
func lost(t *work.Task, why string) work.Outcome {
	return work.Outcome{Task: t.ID, State: work.InDoubt, Error: &workflows.Reason{Code: "InDoubt", Message: why}}
}

// refusedStart is the outcome of a start that cannot work: its settings are wrong, or
// GitHub has refused it.
func refusedStart(t *work.Task, err error) work.Outcome {
	why := &workflows.Reason{Code: "ConfigurationInvalid", Message: err.Error()}
	if status := api.Status(err); status != 0 {
		f := explainRefusal(status, api.Said(err), dispatchOf(t))
		f.Retry = "afterFix"
		why.Message, why.Finding = api.Said(err), &f
		if f.Class == "AccessDenied" {
			why.Code = "AccessDenied"
		}
	}
	return work.Outcome{Task: t.ID, State: work.Failed, Error: why}
}

// explainRefusal is what is known of a dispatch that GitHub has refused.
func explainRefusal(status int, text string, d dispatch) workflows.Finding {
	f := workflows.Finding{Class: "Validation", Title: "GitHub does not dispatch " + d.workflow, Cause: words.Cut(clean.Line(text), 300)}
	low := strings.ToLower(text)
	switch {
	case status == 403 && strings.Contains(low, "saml"):
		f.Class, f.Fix = "AccessDenied", []string{"authorize the token for the organization's single sign-on, under Settings, Developer settings on GitHub"}
	case strings.Contains(low, "disabled"):
		f.Fix = []string{"enable the workflow under Actions of " + d.repository()}
	case status == 403:
		f.Class, f.Title = "AccessDenied", "the token may not dispatch workflows of "+d.repository()
		f.Fix = []string{"give the token or the app the permission Actions: read and write on " + d.repository() + " (a classic token: the scope repo)"}
	case status == 404:
		f.Class, f.Title = "NotFound", "GitHub has no workflow "+d.workflow+" in "+d.repository()
		f.Fix = []string{"check Workflow and FullRepositoryId: the file stands in .github/workflows of the default branch", "give the token or app access to " + d.repository() + ", with Actions: read and write"}
	case strings.Contains(low, "workflow_dispatch") && strings.Contains(low, "trigger"):
		f.Fix = []string{"add workflow_dispatch under on: in " + d.workflow + ", on " + d.ref + " and on the default branch"}
	case strings.Contains(low, "no ref found"):
		f.Class, f.Fix = "NotFound", []string{"set Ref to a branch or a tag of " + d.repository() + "; GitHub takes no commit there"}
	case strings.Contains(low, "input"):
		f.Fix = []string{"compare Inputs with the inputs under workflow_dispatch in " + d.workflow + " on " + d.ref}
	}
	return f
}

// outputs are what a run leaves behind; [source.Outputs] knows their names.
func outputs(run *github.WorkflowRun) map[string]string {
	return map[string]string{
		"RunId": strconv.FormatInt(run.GetID(), 10), "RunNumber": strconv.Itoa(run.GetRunNumber()), "RunUrl": run.GetHTMLURL(),
		"Conclusion": run.GetConclusion(), "CommitId": run.GetHeadSHA(), "BranchName": run.GetHeadBranch(),
	}
}

// outcomeOf is the outcome of a run that has ended, without the cause of a failure.
func outcomeOf(t *work.Task, run *github.WorkflowRun) work.Outcome {
	id := strconv.FormatInt(run.GetID(), 10)
	o := work.Outcome{Task: t.ID, State: work.Failed, Handle: id, ExternalID: id, ExternalURL: run.GetHTMLURL(), Outputs: outputs(run), EndedAt: endOf(run)}
	name := cmp.Or(run.GetName(), "the workflow") + " #" + strconv.Itoa(run.GetRunNumber())
	switch run.GetConclusion() {
	case "success", "neutral":
		o.State, o.Summary = work.Succeeded, name+" succeeded"
		if r := t.Revision; r != nil && r.RevisionID != "" && run.GetHeadSHA() != "" && r.RevisionID != run.GetHeadSHA() {
			o.Summary += fmt.Sprintf("; it ran on %.7s, the execution brings %.7s", run.GetHeadSHA(), r.RevisionID)
		}
		return o
	case "cancelled":
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: name + " was cancelled on GitHub"}
	case "timed_out":
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: name + " reached its time limit on GitHub"}
	case "startup_failure":
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: name + " could not start: GitHub cannot use the workflow file, or may not use an action in it"}
	case "action_required":
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: name + " needs an approval on GitHub before it runs"}
	case "skipped":
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: name + " did nothing: all of its jobs were skipped"}
	case "stale":
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: name + " was given up by GitHub, which had not heard from it for too long"}
	default:
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: name + " failed"}
	}
	return o
}

// endOf is when a run that has ended was changed last: then.
func endOf(run *github.WorkflowRun) time.Time {
	if run.UpdatedAt == nil {
		return time.Time{}
	}
	return run.UpdatedAt.Time
}
