package say

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Execution is how an execution stands and where, to follow its name: "waiting
// for approval in Production", "blocked: Production is locked". The state is
// the same in one word.
func (f *Format) Execution(e *workflows.Execution) (State, string) {
	at := Current(e)
	stage, in := "", ""
	if at != nil {
		stage = f.Clean(at.Name)
		in = " in " + stage
	}
	if s, text := rollbackOf(e, at, stage); text != "" {
		return s, text
	}
	switch e.Status {
	case workflows.StatusSucceeded, workflows.StatusSuperseded, workflows.StatusCancelled, "":
		return Status(e.Status), string(Status(e.Status))
	case workflows.StatusFailed:
		switch {
		case notApproved(e.StatusReason) && e.StatusReason.Code == codeExpired:
			return Expired, "approval expired" + in
		case notApproved(e.StatusReason):
			return NotApproved, string(NotApproved) + in
		}
	case workflows.StatusInProgress:
		switch {
		case e.WaitsFor != nil && at == nil:
			return Blocked, f.Wait(e.WaitsFor)
		case at == nil:
			return Starting, string(Starting)
		}
		switch s := Stage(e, at); s {
		case Waiting, Blocked:
			return s, f.Wait(e.WaitsFor)
		case Succeeded:
			return Running, "running, done with " + stage
		case Skipped:
			return Running, "running, skipped " + stage
		default:
			return s, string(s) + in
		}
	}
	return Status(e.Status), string(Status(e.Status)) + in
}

// rollbackOf says to what a stage goes back; empty while something more pressing
// is to be said: a gate, a wait, a result that is unknown.
func rollbackOf(e *workflows.Execution, at *workflows.StageExecution, stage string) (State, string) {
	if e.Rollback == nil {
		return "", ""
	}
	to := fmt.Sprintf("to #%d", e.Rollback.TargetNumber)
	switch e.Status {
	case workflows.StatusSucceeded:
		return RolledBack, "rolled back " + stage + " " + to
	case workflows.StatusFailed:
		return Failed, "rollback of " + stage + " " + to + " failed"
	case workflows.StatusInProgress:
		if at == nil || Stage(e, at) == Running {
			return Running, "rolling back " + stage + " " + to
		}
	}
	return "", ""
}

// StatusText is an execution in one sentence: where it stands, or how it ended and why.
func (f *Format) StatusText(e *workflows.Execution) string {
	state, text := f.Execution(e)
	if e.Status.Final() && state != RolledBack {
		return f.Ended(e)
	}
	return text
}

// StageText is an execution in one of its stages: "waiting for approval: 1 of 2
// approvals, 1 more needed", "succeeded".
func (f *Format) StageText(e *workflows.Execution, s *workflows.StageExecution) string {
	state := Stage(e, s)
	text := string(state)
	switch c := s.Condition(workflows.BeforeEntry); {
	case state == Blocked || state == Waiting:
		text = f.Wait(e.WaitsFor)
	case state == WaitingForApproval:
		for i := range s.Actions {
			if a := &s.Actions[i]; a.Needs == workflows.NeedsApproval && a.Approval != nil {
				return text + ": " + f.Quorum(a.Approval)
			}
		}
	case state == Skipped && c != nil:
		text = f.because(text, Unmet(c))
	}
	if by := Retried(s); by != "" {
		text += ", " + by
	}
	return strings.Join(append([]string{text}, f.Overrides(s)...), "; ")
}

// Ended is [Format.Execution] for what has ended, with the reason: "failed:
// Deploy in Production: exit status 1", "stopped by Ana: wrong branch".
func (f *Format) Ended(e *workflows.Execution) string {
	word := string(Status(e.Status))
	if e.Status == workflows.StatusFailed && notApproved(e.StatusReason) {
		word = string(NotApproved)
	}
	switch {
	case e.Status == workflows.StatusStopped && e.Stop != nil && e.Stop.Code != "":
		return f.Clean(e.Stop.Reason)
	case e.Status == workflows.StatusStopped && e.Stop != nil && e.Stop.By.Called() != "":
		return f.because(word+" by "+f.Who(e.Stop.By), e.Stop.Reason)
	case e.StatusReason == nil || e.StatusReason.Message == "" || e.Status == workflows.StatusSucceeded:
		return word
	case strings.HasPrefix(e.StatusReason.Message, word+" "), strings.HasPrefix(e.StatusReason.Message, word+": "):
		return f.Clean(e.StatusReason.Message)
	}
	return f.because(word, e.StatusReason.Message)
}

// Failure says what failed where, without its reason, which may be for fewer
// eyes: "Deploy failed in Production", "not approved by Cho".
func (f *Format) Failure(e *workflows.Execution) string {
	for i := range e.Stages {
		st := &e.Stages[i]
		for _, a := range Actions(st) {
			switch {
			case a.Status != workflows.StatusFailed && a.Status != workflows.StatusAbandoned:
			case notApproved(e.StatusReason) && a.Approval != nil:
				if by := rejecter(a.Approval); by != nil && e.StatusReason.Code == codeNotApproved {
					return "not approved by " + f.Who(*by)
				}
				return "approval expired in " + f.Clean(st.Name)
			case !notApproved(e.StatusReason) && a.Approval == nil && st.Status == workflows.StatusFailed:
				return f.FailedIn(a.Name, st.Name)
			}
		}
	}
	_, text := f.Execution(e)
	return text
}

// FailedIn is "Deploy failed in Production"; without an action the stage itself.
func (f *Format) FailedIn(action, stage string) string {
	if action == "" {
		return f.Clean(stage) + " failed"
	}
	return f.Clean(ActionName(action)) + " failed in " + f.Clean(stage)
}

func rejecter(g *workflows.Approval) *workflows.Principal {
	for i := range g.Votes {
		if g.Votes[i].Answer == "reject" {
			return &g.Votes[i].By
		}
	}
	return nil
}

// Retried says what an automatic retry made of a stage; empty: there was none,
// or people retried it since.
func Retried(s *workflows.StageExecution) string {
	if s.Retries == nil || s.Retries.Latest != "AutomatedStageRetry" {
		return ""
	}
	switch s.Status {
	case workflows.StatusInProgress, workflows.StatusStopping:
		return "retrying automatically (1 of 1)"
	case workflows.StatusSucceeded:
		return "succeeded after an automatic retry"
	case workflows.StatusFailed:
		return "failed again after an automatic retry"
	}
	return ""
}

// ResultUnknownOf says that nobody can know what became of an action, and what
// a person has to do about it.
func (f *Format) ResultUnknownOf(stage string, a *workflows.ActionExecution) string {
	text := f.Clean(a.Name) + " in " + f.Clean(stage) + ": the result is unknown"
	if a.Error != nil && a.Error.Message != "" {
		text += " (" + f.Clean(a.Error.Message) + ")"
	}
	return text + ". Check it, then mark it as succeeded or failed, or run it again"
}

// Trigger says who started an execution and how: "started by Ana", "rollback by Ana".
func (f *Format) Trigger(e *workflows.Execution) string {
	by, t := f.Who(e.Trigger.By), &e.Trigger
	switch t.Type {
	case workflows.TriggerStart:
		switch via, nobody := t.By.Via, t.By.ID == "" && t.By.Name == ""; {
		case t.Execution != "" && nobody:
			return "started by " + f.Clean(t.Detail)
		case t.Execution != "":
			return "started by " + f.Clean(t.Detail) + ", which " + by + " started"
		case nobody:
			return "started in AWS"
		case via == workflows.ViaOutside:
			return "started by " + by + " in AWS"
		case via != "" && via != "slack" && via != "hook":
			return "started by " + by + " (" + f.Clean(via) + ")"
		}
		return "started by " + by
	case workflows.TriggerWebhook, workflows.TriggerPoll:
		text := "started by a push from " + by
		if t.Type == workflows.TriggerPoll {
			text = "started by " + polled(e)
		}
		_, note, _ := strings.Cut(t.Detail, "; ")
		return f.because(text, note)
	case workflows.TriggerProtected:
		return "requested by " + by + ", run " + f.Clean(e.Variables["run"]) + " of GitHub Actions"
	case workflows.TriggerSchedule:
		return "started by its schedule"
	case workflows.TriggerRollback:
		return "rollback by " + by
	case workflows.TriggerAutomated:
		return "automatic rollback"
	}
	return f.startedInAWS(t, by)
}

// polled is what polling found. The trigger names it by what was looked at.
func polled(e *workflows.Execution) string {
	at, _, _ := strings.Cut(e.Trigger.Detail, "; ")
	for _, r := range e.SourceRevisions {
		switch {
		case strings.TrimSpace(r.Repository+" "+r.Branch) != at:
		case r.Type == "IMAGE_DIGEST":
			return "a new image"
		case r.Type != "":
			return "a new object"
		}
	}
	return "a new commit"
}

// startedInAWS says how an execution started by means that only AWS has.
func (f *Format) startedInAWS(t *workflows.StartedBy, by string) string {
	switch t.Type {
	case "WebhookV2":
		return strings.TrimSuffix("started by a push from "+by, " from ")
	case "CloudWatchEvent":
		if t.Detail == "" || strings.HasPrefix(t.Detail, "arn:") { // AWS names its rule
			return "started by an event"
		}
		detail, note, _ := strings.Cut(t.Detail, "; ")
		return f.because("started by an event: "+f.Clean(detail), note)
	case "CreatePipeline":
		return "started by the creation of the pipeline"
	case "PutActionRevision":
		return "started by a new revision"
	}
	return f.Clean("started by " + t.Type)
}

// TooLong says why an action ends that has passed its deadline.
func TooLong(a *workflows.ActionExecution) string {
	text := "it took longer than " + words.Span(a.Deadline.Sub(*a.StartedAt))
	if a.Retrying() {
		text = words.Because(text, a.Error.Message)
	}
	return text
}

// StoppedBy says by whom an execution was stopped, and why: "stopped by Ana: wrong
// branch"; an edit of the stages cancels.
func StoppedBy(s *workflows.Stop) string {
	if s.Code != "" {
		return s.Reason
	}
	text := "stopped by " + s.By.Called()
	if s.Cancel {
		text = "cancelled by an edit of " + s.By.Called()
	}
	return words.Because(text, s.Reason)
}
