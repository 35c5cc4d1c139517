package card_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	awsID = "7cf7f7cb-3137-539g-j458-d7eu3EXAMPLE"
	bob   = "arn:aws:sts::444455556666:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/bob@acme.example"
)

// inAWS is the shop in AWS CodePipeline.
func inAWS(mode string) workflows.PipelineView {
	p := shop()
	p.ManagedBy, p.File = "bridge", ""
	p.Bridge = &workflows.Bridge{Name: "prod-eu", Account: "444455556666", Region: "eu-west-1", ARN: "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline", Mode: mode, Type: "V2", SeenAt: when(10)}
	return p
}

// lostInAWS is the shop when AWS cannot be asked.
func lostInAWS() workflows.PipelineView {
	p := inAWS("act")
	p.Bridge.Error = &workflows.Reason{Code: "AccessDenied", Message: "the role arn:aws:iam::444455556666:role/rollcall-bridge cannot be assumed"}
	return p
}

func there(e workflows.Execution) workflows.Execution {
	e.ExternalID = awsID
	return e
}

// asked is an execution with requests to AWS: an earlier one that was done, one
// that was refused and asked again, one refused, one open.
func asked() workflows.Execution {
	e := there(broken())
	refused := workflows.Reason{Code: "UnableToRollbackStage", Message: "the stage is running <!channel>"}
	e.Requests = []workflows.Request{
		{ID: "r1", Verb: workflows.Approve, Stage: "Production", Action: "SignOff", By: ana(), At: at(12), State: "done", EndedAt: when(12)},
		{ID: "r2", Verb: workflows.Retry, Stage: "Production", By: cho(), At: at(20), State: "refused", Error: &refused, EndedAt: when(20)},
		{ID: "r3", Verb: workflows.Retry, Stage: "Production", By: cho(), At: at(21), State: "done", EndedAt: when(21)},
		{ID: "r4", Verb: workflows.RollBack, Stage: "Production", By: ana(), At: at(25), State: "refused", Error: &refused, EndedAt: when(25)},
		{ID: "r5", Verb: workflows.StopExecution, By: ana(), At: at(26), State: "open"},
	}
	return e
}

// past is a vote that was given in AWS.
func past(answer, comment string) workflows.Vote {
	return workflows.Vote{By: workflows.Principal{ID: "aws:" + bob, Name: bob, Via: "outside"}, Answer: answer, Comment: comment, At: at(30), Via: "outside"}
}

func askingInAWS(p workflows.PipelineView, a workflows.ActionExecution) card.Asking {
	q := asking(there(waiting()), a)
	q.Pipeline = p
	return q
}

// hooks is the shop as a pipeline of pause hooks of ECS.
func hooks() workflows.PipelineView {
	p := inAWS("act")
	p.Bridge.Type, p.Bridge.ARN, p.Bridge.External = "ECS", "", "prod/*"
	return p
}

// askingOfHook is the gate of a hook that a canary waits at.
func askingOfHook(a workflows.ActionExecution) card.Asking {
	a.ExternalURL = "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/prod/services/web/deployments/d1?region=eu-west-1"
	q := askingInAWS(hooks(), a)
	q.Approval.Text = "The service web in the cluster prod waits at PRE_PRODUCTION_TRAFFIC_SHIFT (before production traffic moves), step 2 of 2.\nProduction traffic now: 90 % on web:42, 10 % on web:43 (new)."
	q.Execution.Variables = map[string]string{"cluster": "prod", "service": "web", "lifecycleStage": "PRE_PRODUCTION_TRAFFIC_SHIFT", "step": "2 of 2", "onTimeout": "CONTINUE"}
	q.Execution.Stages[2] = stage("Production", workflows.StatusInProgress, a)
	return q
}

func bridged() []drawing {
	approved := there(ended(workflows.StatusInProgress, "", ""))
	approved.EndedAt = nil
	gate := closed("approved", past("approve", "lgtm"))
	gate.Status = workflows.StatusSucceeded
	approved.Stages[2] = stage("Production", workflows.StatusInProgress, gate, action("Deploy", workflows.StatusInProgress))
	told, again := askingInAWS(inAWS("act"), signOff(yes(ana(), 10), yes(cho(), 12))), askingInAWS(inAWS("act"), signOff(yes(ana(), 10), yes(cho(), 12)))
	told.Approval.Missing, again.Approval.Missing = nil, nil
	told.Execution.Requests = []workflows.Request{{ID: "r1", Verb: workflows.Approve, Stage: "Production", Action: "SignOff", By: cho(), At: at(12), State: workflows.RequestOpen}}
	again.Execution.Requests = []workflows.Request{{ID: "r1", Verb: workflows.Approve, Stage: "Production", Action: "SignOff", By: cho(), At: at(12), State: workflows.RequestRefused,
		Error: &workflows.Reason{Code: "AccessDenied", Message: "not authorized to perform: codepipeline:PutApprovalResult"}}}
	never := inAWS("watch")
	never.Bridge.SeenAt, never.Bridge.Error = nil, lostInAWS().Bridge.Error
	return []drawing{
		message("aws-execution-gate", card.Execution(view(there(waiting(yes(ana(), 10))), inAWS("act")))),
		message("aws-execution-watched", card.Execution(view(there(waiting(yes(ana(), 10))), inAWS("watch")))),
		message("aws-execution-lost", card.Execution(view(there(waiting()), lostInAWS()))),
		message("aws-execution-approved-outside", card.Execution(view(approved, inAWS("act")))),
		message("aws-execution-requests", card.Execution(view(asked(), inAWS("act")))),
		message("aws-details-requests", card.Details(view(asked(), inAWS("act")))),
		message("aws-gate", card.Gate(askingInAWS(inAWS("act"), signOff(yes(ana(), 10))))),
		message("aws-gate-told", card.Gate(told)),
		message("aws-gate-refused", card.Gate(again)),
		message("aws-gate-watched", card.Gate(askingInAWS(inAWS("watch"), signOff()))),
		message("aws-gate-lost", card.Gate(askingInAWS(lostInAWS(), signOff()))),
		message("aws-gate-approved-outside", card.Gate(askingInAWS(inAWS("act"), closed("approved", yes(ana(), 10), past("approve", "lgtm"))))),
		message("aws-gate-rejected-outside", card.Gate(askingInAWS(inAWS("act"), closed("rejected", past("reject", ""))))),
		message("ecs-gate", card.Gate(askingOfHook(signOff(yes(ana(), 10))))),
		message("ecs-gate-approved", card.Gate(askingOfHook(closed("approved", yes(ana(), 10), yes(cho(), 12))))),
		message("ecs-gate-expired", card.Gate(askingOfHook(closed("expired", yes(ana(), 10))))),
		message("ecs-pipelines", home.Pipelines("Pipelines", []workflows.PipelineView{hooks()}, at(40), url)),
		message("aws-status-watched", home.Status(inAWS("watch"), nil, at(40), url)),
		message("aws-pipelines", home.Pipelines("Pipelines", []workflows.PipelineView{inAWS("act"), lostInAWS(), never}, at(40), url)),
		message("aws-announcement-watched", card.Announcement(view(there(ended(workflows.StatusSucceeded, "", "")), inAWS("watch")), "Production")),
	}
}

// acting are the buttons by which something could be changed.
func acting(d drawing) []string {
	var all []string
	for _, block := range d.Blocks() {
		row, ok := block.(*slack.ActionBlock)
		if !ok {
			continue
		}
		for _, e := range row.Elements.ElementSet {
			if b, ok := e.(*slack.ButtonBlockElement); !ok {
				all = append(all, card.ActMore)
			} else if act, _, _ := strings.Cut(b.ActionID, "."); act != card.ActDetails && act != card.ActLogs {
				all = append(all, b.ActionID)
			}
		}
	}
	return all
}

// What is only watched, or not seen at present, has no button that changes
// anything, whatever is offered for it; the card says how that is turned on.
func TestNoButtonActsOnWhatIsOnlyWatchedOrNotSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyView(t)
		v.Execution.ExternalID, v.Pipeline.Bridge = awsID, rapid.SampledFrom([]*workflows.Bridge{inAWS("watch").Bridge, lostInAWS().Bridge}).Draw(t, "bridge")
		a := card.Asking{View: v, Stage: name(t), Action: name(t), Approval: anyApproval(t)}
		for _, d := range []drawing{message("execution", card.Execution(v)), message("details", card.Details(v)), message("gate", card.Gate(a)), message("status", home.Status(v.Pipeline, nil, at(0), url)),
			message("announcement", card.Announcement(v, a.Stage)), message("failure", card.Failure(v)), message("reminder", a.Reminder())} {
			if ids := acting(d); len(ids) > 0 {
				t.Errorf("%s has the buttons %v", d.Name, ids)
			}
		}
	})
	for _, d := range bridged() {
		text := rendered(d)
		switch {
		case strings.HasSuffix(d.Name, "-watched") && !strings.Contains(d.Name, "announcement") && !strings.Contains(text, "set mode: act for the bridge prod-eu"):
			t.Errorf("%s does not say how to act from here:\n%s", d.Name, text)
		case strings.HasSuffix(d.Name, "-lost") && (!strings.Contains(text, "Not seen since") || !strings.Contains(text, "cannot be assumed")):
			t.Errorf("%s does not say that it is not seen:\n%s", d.Name, text)
		case strings.HasPrefix(d.Name, "aws-execution") && !strings.Contains(text, " in AWS · "):
			t.Errorf("%s does not say where it is:\n%s", d.Name, text)
		}
	}
	if ids := acting(message("", card.Execution(view(there(waiting()), inAWS("act"))))); !slices.Contains(ids, card.ActApprove) {
		t.Error("the buttons are gone where rollcall may act", ids)
	}
}

// The link goes to the page of AWS's own console, in the partition of the ARN.
func TestLinkToTheConsoleOfAWS(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline":            "<https://eu-west-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/webshop-pipeline/executions/" + awsID + "/visualization?region=eu-west-1|AWS console>",
		"arn:aws-cn:codepipeline:cn-north-1:444455556666:webshop-pipeline":        "<https://eu-west-1.console.amazonaws.cn/",
		"arn:aws-us-gov:codepipeline:us-gov-west-1:444455556666:webshop-pipeline": "<https://eu-west-1.console.amazonaws-us-gov.com/",
	} {
		p := inAWS("act")
		p.Bridge.ARN = arn
		if text := rendered(message("", card.Execution(view(there(fresh()), p)))); !strings.Contains(text, want) {
			t.Errorf("%s: no %s in\n%s", arn, want, text)
		}
	}
	if text := rendered(message("", card.Execution(view(fresh(), shop())))); strings.Contains(text, "AWS") {
		t.Errorf("what runs here is said to be in AWS:\n%s", text)
	}
}

// anyBridge puts a pipeline and its execution into AWS, or leaves them here.
func anyBridge(t *rapid.T, e *workflows.Execution, p *workflows.PipelineView) {
	if rapid.Bool().Draw(t, "here") {
		return
	}
	e.ExternalID = text().Draw(t, "external id")
	p.Bridge = &workflows.Bridge{Name: text().Draw(t, "bridge"), Account: text().Draw(t, "account"), Region: text().Draw(t, "region"), ARN: text().Draw(t, "arn"), External: text().Draw(t, "named in AWS"),
		Mode: rapid.SampledFrom([]string{"watch", "act"}).Draw(t, "acts"), Type: "V2", SeenAt: anyTime(t)}
	if rapid.Bool().Draw(t, "lost") {
		p.Bridge.Error = &workflows.Reason{Code: text().Draw(t, "lost by"), Message: text().Draw(t, "lost because")}
	}
	for range rapid.SampledFrom([]int{0, 1, 5, 60}).Draw(t, "requests") {
		r := workflows.Request{ID: "r", Verb: rapid.SampledFrom([]workflows.Verb{workflows.Start, workflows.RollBack, workflows.Approve, workflows.Lock}).Draw(t, "asked for"), Stage: name(t), Action: name(t),
			By: anyPrincipal(t), At: at(5), State: rapid.SampledFrom([]string{"open", "done", "refused"}).Draw(t, "answered")}
		if rapid.Bool().Draw(t, "refused because") {
			r.Error = &workflows.Reason{Code: text().Draw(t, "refused by"), Message: text().Draw(t, "says AWS")}
		}
		e.Requests = append(e.Requests, r)
	}
}
