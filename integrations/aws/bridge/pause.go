package bridge

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// pause is a hook that a deployment waits at, as it was when it was first seen. What
// is reported of it stays: the next step of the traffic is another hook.
type pause struct {
	id         string // ARN of the deployment, "/", ID of the hook
	started    time.Time
	expires    time.Time
	text, link string
	variables  map[string]string
	trigger    workflows.StartedBy // who deployed, where it was done here
	revisions  []workflows.SourceRevision
}

// onTimeout is the variable that says what ECS does when nobody answers.
const onTimeout = "onTimeout"

// isHook says whether an execution is a hook by its ID: those of CodePipeline are no ARNs.
// A row may have shown the other kind before.
func isHook(id string) bool { return strings.HasPrefix(id, "arn:") && strings.Contains(id, "/") }

// deployment is the ARN of its deployment, hook its own ID.
func (p *pause) deployment() string { return p.id[:max(0, strings.LastIndexByte(p.id, '/'))] }
func (p *pause) hook() string       { return lastPart(p.id) }

// newPause describes a hook that waits. names are what the revisions run, by ARN.
func newPause(id string, d *types.ServiceDeployment, h *types.DeploymentLifecycleHookDetail, names map[string]string, at time.Time) *pause {
	p := &pause{id: id, expires: aws.ToTime(h.ExpiresAt), started: at, trigger: workflows.StartedBy{Type: workflows.TriggerStart}, link: deploymentPage(aws.ToString(d.ServiceDeploymentArn))}
	if since := p.expires.Add(-timeoutAt(d)); !p.expires.IsZero() && !since.After(at) && since.After(aws.ToTime(d.CreatedAt).Add(-time.Minute)) {
		p.started = since
	}
	action := cmp.Or(h.TimeoutAction, types.DeploymentLifecycleHookActionRollback)
	p.variables = map[string]string{"cluster": lastPart(aws.ToString(d.ClusterArn)), "service": lastPart(aws.ToString(d.ServiceArn)), onTimeout: string(action)}
	if d.LifecycleStage != "" {
		p.variables["lifecycleStage"] = string(d.LifecycleStage)
	}
	if step, of, _ := stepOf(d); of > 1 {
		p.variables["step"] = fmt.Sprintf("%d of %d", step, of)
	}
	p.text = pauseText(p.variables, d, names)
	return p
}

// restored is a hook that an earlier process showed.
func restored(row *workflows.Execution) *pause {
	p := &pause{id: row.ExternalID, started: row.StartedAt, variables: row.Variables, trigger: row.Trigger, revisions: row.SourceRevisions}
	if s, ok := row.Stage(hookStage); ok {
		if a, ok := s.Action(hookAction); ok {
			p.link = a.ExternalURL
			if a.Approval != nil {
				p.text, p.expires = a.Approval.Text, a.Approval.ExpiresAt
			}
		}
	}
	return p
}

// timeoutAt is how long the hooks wait of the stage at which a deployment is, where they agree.
func timeoutAt(d *types.ServiceDeployment) time.Duration {
	const usual = 24 * 60 // minutes, where the hook says nothing
	minutes := 0
	if d.DeploymentConfiguration == nil {
		return usual * time.Minute
	}
	for _, h := range d.DeploymentConfiguration.LifecycleHooks {
		if h.TargetType != types.DeploymentLifecycleHookTargetTypePause || !slices.Contains(h.LifecycleStages, types.DeploymentLifecycleHookStage(d.LifecycleStage)) {
			continue
		}
		own := usual
		if h.TimeoutConfiguration != nil && h.TimeoutConfiguration.TimeoutInMinutes != nil {
			own = int(*h.TimeoutConfiguration.TimeoutInMinutes)
		}
		if minutes != 0 && minutes != own {
			return 0
		}
		minutes = own
	}
	return time.Duration(cmp.Or(minutes, usual)) * time.Minute
}

// stageSays is a lifecycle stage in words; empty: it has none.
func stageSays(stage string) string {
	switch types.DeploymentLifecycleHookStage(stage) {
	case types.DeploymentLifecycleHookStageReconcileService:
		return "several revisions ran when it began"
	case types.DeploymentLifecycleHookStagePreScaleUp:
		return "before new tasks start"
	case types.DeploymentLifecycleHookStagePostScaleUp:
		return "new tasks run and get no traffic yet"
	case types.DeploymentLifecycleHookStagePostTestTrafficShift:
		return "new tasks get all test traffic"
	case types.DeploymentLifecycleHookStagePreProductionTrafficShift:
		return "before production traffic moves"
	case types.DeploymentLifecycleHookStagePostProductionTrafficShift:
		return "new tasks get all production traffic"
	}
	return ""
}

// pauseText is what people are shown who decide: where the deployment stands, which
// traffic runs on what, and what the answers and no answer mean.
func pauseText(of map[string]string, d *types.ServiceDeployment, names map[string]string) string {
	text := fmt.Sprintf("The service %s in the cluster %s waits", of["service"], of["cluster"])
	if stage := string(d.LifecycleStage); stage != "" {
		text += " at " + stage
		if says := stageSays(stage); says != "" {
			text += " (" + says + ")"
		}
	}
	if step := of["step"]; step != "" {
		text += ", step " + step
	}
	lines := []string{text + "."}
	if now := traffic(d, names); now != "" {
		lines = append(lines, now)
	}
	end := "rolls the deployment back"
	if of[onTimeout] == string(types.DeploymentLifecycleHookActionContinue) {
		end = "goes on with the deployment"
	}
	return clean.Text(strings.Join(append(lines, "Approve: it goes on. Reject: ECS rolls it back. If nobody answers in time, ECS "+end+"."), "\n"))
}

// revisionsOf are the revisions that a deployment leads from and to, that one last.
func revisionsOf(d *types.ServiceDeployment) []types.ServiceRevisionSummary {
	all := slices.Clone(d.SourceServiceRevisions)
	if d.TargetServiceRevision != nil {
		all = append(all, *d.TargetServiceRevision)
	}
	return all
}

// traffic is what runs on which share of the production traffic, as far as ECS says it,
// and what the step makes of it.
func traffic(d *types.ServiceDeployment, names map[string]string) string {
	var shares []string
	for _, r := range revisionsOf(d) {
		name := names[aws.ToString(r.Arn)]
		if d.TargetServiceRevision != nil && aws.ToString(r.Arn) == aws.ToString(d.TargetServiceRevision.Arn) {
			name += " (new)"
		}
		if w := r.RequestedProductionTrafficWeight; w != nil {
			shares = append(shares, percent(*w)+" on "+name)
		}
	}
	if len(shares) == 0 {
		if len(names) == 0 {
			return ""
		}
		var runs []string
		for _, r := range d.SourceServiceRevisions {
			runs = append(runs, names[aws.ToString(r.Arn)])
		}
		to := ""
		if d.TargetServiceRevision != nil {
			to = names[aws.ToString(d.TargetServiceRevision.Arn)]
		}
		return strings.TrimSpace("From " + cmp.Or(strings.Join(runs, ", "), "nothing") + " to " + to + ".")
	}
	text := "Production traffic now: " + strings.Join(shares, ", ") + "."
	if _, _, next := stepOf(d); next > 0 {
		text += " This step: " + percent(next) + " on the new one."
	}
	return text
}

func percent(w float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", w), ".0") + " %"
}

// stepOf is which step of the traffic a deployment waits before, of how many, and the
// share of the new revision behind it; 0 where ECS does not say it, or it is no such stage.
func stepOf(d *types.ServiceDeployment) (step, of int, next float64) {
	c, target := d.DeploymentConfiguration, d.TargetServiceRevision
	if !strings.HasSuffix(string(d.LifecycleStage), "PRODUCTION_TRAFFIC_SHIFT") || strings.HasPrefix(string(d.LifecycleStage), "POST_") || c == nil || target == nil || target.RequestedProductionTrafficWeight == nil {
		return 0, 0, 0
	}
	now := *target.RequestedProductionTrafficWeight
	if now >= 100 {
		return 0, 0, 0
	}
	switch {
	case c.Strategy == types.DeploymentStrategyCanary && c.CanaryConfiguration != nil && c.CanaryConfiguration.CanaryPercent != nil:
		if first := *c.CanaryConfiguration.CanaryPercent; now < first {
			return 1, 2, first
		}
		return 2, 2, 100
	case c.Strategy == types.DeploymentStrategyLinear && c.LinearConfiguration != nil && c.LinearConfiguration.StepPercent != nil && *c.LinearConfiguration.StepPercent > 0:
		each := *c.LinearConfiguration.StepPercent
		return int(math.Round(now/each)) + 1, int(math.Ceil(100/each - 1e-9)), math.Min(100, now+each)
	}
	return 1, 1, 100
}

// deploymentPage is a deployment in the console.
func deploymentPage(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return ""
	}
	names := strings.Split(parts[5], "/")
	if len(names) != 4 {
		return ""
	}
	host := map[string]string{"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}[parts[1]]
	return "https://" + parts[3] + "." + cmp.Or(host, "console.aws.amazon.com") + "/ecs/v2/clusters/" + url.PathEscape(names[1]) + "/services/" + url.PathEscape(names[2]) +
		"/deployments/" + url.PathEscape(names[3]) + "?region=" + url.QueryEscape(parts[3])
}

// end is how a hook ended.
type end struct {
	status  workflows.Status // of the action: Succeeded, Failed, Abandoned
	vote    string           // approve, reject; empty: nobody answered
	expired bool
	why     string // Abandoned
	at      time.Time
	guessed bool // ECS does not show the hook any more
}

// ended is how a hook ended; nil: it still waits. row is what the engine knows, where
// that is needed: ECS shows the hooks of the stage at which a deployment is, so one of an
// earlier stage is gone, and how the deployment went on, and what was asked for here, tells how.
func ended(p *pause, d *types.ServiceDeployment, row *workflows.Execution, at time.Time) *end {
	backwards := strings.HasPrefix(string(d.Status), "ROLLBACK")
	forwards := d.Status == types.ServiceDeploymentStatusInProgress || d.Status == types.ServiceDeploymentStatusSuccessful || d.Status == types.ServiceDeploymentStatusPending
	late := !p.expires.IsZero() && !at.Before(p.expires)
	onTime := types.DeploymentLifecycleHookAction(p.variables[onTimeout])
	over := &end{status: workflows.StatusAbandoned, at: at, why: clean.Line(cmp.Or(aws.ToString(d.StatusReason), "the deployment is "+strings.ToLower(strings.ReplaceAll(string(d.Status), "_", " "))))}
	i := slices.IndexFunc(d.LifecycleHookDetails, func(h types.DeploymentLifecycleHookDetail) bool { return aws.ToString(h.HookId) == p.hook() })
	if i >= 0 {
		h := &d.LifecycleHookDetails[i]
		switch h.Status {
		case types.DeploymentLifecycleHookStatusSucceeded:
			return &end{status: workflows.StatusSucceeded, vote: "approve", at: at}
		case types.DeploymentLifecycleHookStatusFailed:
			return &end{status: workflows.StatusFailed, vote: "reject", at: at}
		case types.DeploymentLifecycleHookStatusTimedOut:
			return timedOut(p, cmp.Or(h.TimeoutAction, onTime))
		}
		if forwards && d.Status != types.ServiceDeploymentStatusSuccessful {
			return nil
		}
	}
	asked := answerAsked(row)
	switch {
	case forwards && (asked == "approve" || !late || onTime != types.DeploymentLifecycleHookActionContinue):
		return &end{status: workflows.StatusSucceeded, vote: "approve", at: at, guessed: true}
	case backwards && asked == "reject":
		return &end{status: workflows.StatusFailed, vote: "reject", at: at, guessed: true}
	case forwards, backwards && late && onTime == types.DeploymentLifecycleHookActionRollback:
		e := timedOut(p, onTime)
		e.guessed = true
		return e
	}
	over.guessed = true
	return over
}

// timedOut is the end of a hook that nobody answered.
func timedOut(p *pause, action types.DeploymentLifecycleHookAction) *end {
	e := &end{status: workflows.StatusFailed, expired: true, at: p.expires}
	if action == types.DeploymentLifecycleHookActionContinue {
		e.status = workflows.StatusSucceeded
	}
	return e
}

// answerAsked is the answer that ECS was asked to take for people here, and has not refused.
func answerAsked(row *workflows.Execution) string {
	if row == nil {
		return ""
	}
	for _, r := range slices.Backward(row.Requests) {
		if r.State != workflows.RequestRefused && (r.Verb == workflows.Approve || r.Verb == workflows.Reject) {
			return string(r.Verb)
		}
	}
	return ""
}

// execution is a hook as an execution of its pipeline; end nil: it waits.
func (p *pause) execution(pipeline string, over *end) workflows.Execution {
	started := p.started
	a := workflows.ActionExecution{Name: hookAction, RunOrder: 1, Provider: "Manual", Status: workflows.StatusInProgress, Attempt: 1, StartedAt: &started, ExternalID: p.hook(), ExternalURL: p.link,
		Approval: &workflows.Approval{Required: 1, Comment: "optional", Votes: []workflows.Vote{}, Missing: []string{}, OpenedAt: started, ExpiresAt: p.expires, Text: p.text, Link: p.link}}
	e := workflows.Execution{ExternalID: p.id, Pipeline: pipeline, Version: 1, Mode: workflows.ModeParallel, Type: workflows.TypeStandard, Status: workflows.StatusInProgress, Attempt: 1,
		Trigger: p.trigger, SourceRevisions: p.revisions, Variables: p.variables, StartedAt: started, UpdatedAt: started, Outputs: map[string]map[string]string{}}
	s := workflows.StageExecution{Name: hookStage, Status: workflows.StatusInProgress, Attempt: 1, Since: &started}
	if over == nil {
		a.Handle, a.Needs = p.hook(), workflows.NeedsApproval
	} else {
		p.finish(&e, &s, &a, over)
	}
	s.Actions = []workflows.ActionExecution{a}
	e.Stages = []workflows.StageExecution{s}
	return e
}

// finish fills in how the hook ended.
func (p *pause) finish(e *workflows.Execution, s *workflows.StageExecution, a *workflows.ActionExecution, over *end) {
	at := over.at
	a.Status, a.EndedAt, s.Since, e.EndedAt, e.UpdatedAt = over.status, &at, &at, &at, at
	e.Status, s.Status = over.status, over.status
	if over.vote != "" {
		by := workflows.Principal{ID: "aws", Name: "somebody in AWS", Via: workflows.ViaOutside}
		a.Approval.Votes = []workflows.Vote{{By: by, Answer: over.vote, At: at, Via: workflows.ViaOutside}}
	}
	switch {
	case over.expired && over.status == workflows.StatusSucceeded:
		a.Approval.Closed, a.Summary = "expired", "nobody answered in time, and ECS went on with the deployment"
	case over.expired:
		e.StatusReason = &workflows.Reason{Code: "ApprovalExpired", Message: "nobody answered in time, and ECS rolls the deployment back"}
	case over.status == workflows.StatusFailed:
		e.StatusReason = nil // whoever rejected says it
	case over.status == workflows.StatusAbandoned:
		s.Status, e.Status = workflows.StatusStopped, workflows.StatusStopped
		a.Error = &workflows.Reason{Code: "Stopped", Message: over.why}
		e.StatusReason = a.Error
	}
}
