package codepipeline

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// aside notes the properties of the resource that are no part of a definition.
func (i *importer) aside(r *cloudformation.Resource, properties *cloudformation.Value) {
	if made, known := r.Made(); known && !made {
		i.note(&cloudformation.Value{Line: r.Line, Col: r.Col}, r.ID, Needs, "with these parameters the template does not make it: its condition "+r.Condition+" does not hold", "give the parameters that are meant with --parameter NAME=VALUE")
	}
	for _, t := range list(properties, "DisableInboundStageTransitions") {
		stage := t.Get("StageName").String()
		i.note(t, "DisableInboundStageTransitions", NoMatch, "a file does not lock a stage, people do: "+stage+" is open here", "rollcall lock "+words.Cut(properties.Get("Name").String(), 100)+" "+stage+" -m "+words.Quoted(t.Get("Reason").String()))
	}
	if v := properties.Get("RestartExecutionOnUpdate"); strings.EqualFold(v.String(), "true") {
		i.note(v, "RestartExecutionOnUpdate", NoMatch, "a changed definition starts nothing by itself", "rollcall apply --start FILE")
	}
	if v := properties.Get("PipelineType"); v.String() == "V1" {
		i.note(v, "PipelineType", Same, "it is of type V1; here it runs as V2 does", "")
	}
	if v := properties.Get("Tags"); v != nil && len(v.Items) > 0 {
		i.note(v, "Tags", NoMatch, "pipelines have no tags here", "")
	}
}

// beside notes the other resources of a template that have to do with the
// pipeline. Those that start it by the clock become triggers.
func (i *importer) beside(t *cloudformation.Template, pipeline *cloudformation.Resource, p *workflows.Pipeline) {
	name := pipeline.Ref().Text
	for _, r := range t.Resources {
		at := &cloudformation.Value{Line: r.Line, Col: r.Col}
		switch r.Type {
		case "AWS::Events::Rule":
			i.eventRule(r, at, name, p)
		case "AWS::Scheduler::Schedule":
			target := r.Property("Target")
			if isARN(target.Get("Arn").String(), name) || strings.Contains(target.Get("Input").String(), quoted(name)) && strings.Contains(target.Get("Arn").String(), "startPipelineExecution") {
				i.scheduled(at, r.ID, r.Property("ScheduleExpression").String(), r.Property("ScheduleExpressionTimezone").String(), r.Property("State").String(), p)
			}
		case "AWS::CodePipeline::Webhook":
			if r.Property("TargetPipeline").String() == name {
				i.note(at, r.ID, NoMatch, "the webhook starts the pipeline in AWS only", "GitHub's webhook does it here: docs/github.md")
			}
		case "AWS::CodeStarNotifications::NotificationRule":
			if isARN(r.Property("Resource").String(), name) {
				i.note(at, r.ID, NoMatch, "its notifications are not sent: the pipeline's channel gets rollcall's", `channel: "#name" in the pipeline file`)
			}
		case "AWS::Chatbot::SlackChannelConfiguration":
			if id := r.Property("SlackChannelId").String(); id != "" && p.Channel == "" {
				i.note(at, r.ID, Needs, "Amazon Q posts to the Slack channel "+id, "channel: "+id+" in the pipeline file posts there from here")
			}
		}
	}
}

// isARN says whether a text is the ARN of the pipeline of that name.
func isARN(text, name string) bool {
	return strings.Contains(text, ":codepipeline:") && strings.HasSuffix(text, ":"+name)
}

func (i *importer) eventRule(r *cloudformation.Resource, at *cloudformation.Value, name string, p *workflows.Pipeline) {
	starts := false
	if targets := r.Property("Targets"); targets != nil {
		for _, target := range targets.Items {
			starts = starts || isARN(target.Get("Arn").String(), name)
		}
	}
	pattern := r.Property("EventPattern")
	switch {
	case starts && r.Property("ScheduleExpression") != nil:
		i.scheduled(at, r.ID, r.Property("ScheduleExpression").String(), "UTC", r.Property("State").String(), p)
	case starts:
		var from []string
		for _, source := range list(pattern, "source") {
			from = append(from, source.Text)
		}
		i.note(at, r.ID, NoMatch, "events of "+strings.Join(from, ", ")+" start the pipeline in AWS only", "a push starts it here (docs/github.md), or rollcall start "+p.Name)
	case pattern != nil && strings.Contains(pattern.JSON(), quoted(name)):
		i.note(at, r.ID, NoMatch, "its messages about the pipeline are not sent: the pipeline's channel gets rollcall's", `channel: "#name" in the pipeline file`)
	}
}

// scheduled adds a trigger for what starts the pipeline by the clock.
func (i *importer) scheduled(at *cloudformation.Value, id, expression, zone, state string, p *workflows.Pipeline) {
	cron := expression
	if inner, ok := strings.CutPrefix(expression, "cron("); ok {
		cron = strings.TrimSuffix(inner, ")")
	}
	if zone == "" {
		zone = "UTC"
	}
	_, known := clock.Zone(zone)
	switch {
	case state == "DISABLED":
		i.note(at, id, NoMatch, "the schedule "+words.Quoted(expression)+" is switched off and left out", "")
	case !fires(cron) || known != nil || len(p.Triggers) == 50:
		i.note(at, id, NoMatch, "the schedule "+words.Quoted(expression)+" has no match here", "triggers: [{schedule: {cron: \"0 6 * * 1-5\", timezone: Europe/Berlin}}]")
	default:
		s := workflows.Schedule{Cron: cron, Timezone: zone}
		for _, t := range p.Triggers {
			if t.Schedule != nil && *t.Schedule == s {
				return
			}
		}
		p.Triggers = append(p.Triggers, workflows.Trigger{Schedule: &s})
		i.note(at, id, Same, "the schedule "+words.Quoted(expression)+" is a trigger of the pipeline now", "switch it off in AWS, or both start it")
	}
}

// fires says whether a schedule can be read and ever comes.
func fires(cron string) bool {
	c, err := clock.ParseCron(cron)
	if err != nil {
		return false
	}
	_, ever := c.LastYear()
	return ever
}
