package codepipeline

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// How a part of a pipeline fares on the other side.
const (
	Same    = "as it is" // it works the same
	Needs   = "needs"    // it is there, and something has to be done for it
	NoMatch = "no match" // there is no such thing on the other side
)

// Note says what becomes of one part of a pipeline.
type Note struct {
	Line, Col int    // in the file that was read; 0 in what is exported
	Where     string // "Build/Package", a key such as roleArn, or a resource of the template
	Fit       string // Same, Needs or NoMatch
	Text      string // what happens
	Todo      string // what to do about it; may be empty
}

func (i *importer) note(at *cloudformation.Value, where string, fit string, text, todo string) {
	n := Note{Where: where, Fit: fit, Text: text, Todo: todo}
	if at != nil {
		n.Line, n.Col = at.Line, at.Col
	}
	i.notes = append(i.notes, n)
}

// parts notes every action and every rule, and what stands beside the stages.
func (i *importer) parts(declaration *cloudformation.Value, p *workflows.Pipeline) {
	aws := len(spec.NeedsAWS(p)) > 0
	for _, key := range []string{"roleArn", "artifactStore", "artifactStores"} {
		if v := declaration.Get(key); v != nil && v.Kind != cloudformation.Null {
			i.store(v, key, aws)
		}
	}
	actions(declaration, func(stage, action *cloudformation.Value) {
		where := stage.Get("name").String() + "/" + action.Get("name").String()
		s, ok := p.Stage(stage.Get("name").String())
		if !ok {
			return
		}
		if a, ok := s.Action(action.Get("name").String()); ok {
			fit, text, todo := becomes(a)
			i.note(action, where, fit, text, todo)
			if arn := a.Configuration["NotificationArn"]; arn != "" && a.IsApproval() {
				i.note(action.Get("configuration").Get("NotificationArn"), where, NoMatch, "the topic "+arn+" hears of it only with aws.publish.approvals in the configuration: people are asked in the channel", "approval: {ask: […]} says who is mentioned")
			}
		}
	})
	rules(declaration, func(_, rule *cloudformation.Value, where string) {
		t := workflows.ActionType{Category: "Rule", Owner: "AWS", Provider: rule.Get("ruleTypeId").Get("provider").String()}
		if short := rule.Get("provider"); t.Provider == "" && short != nil {
			t.Provider = short.Text
		}
		switch {
		case t.Provider == "Commands" && spec.Runs(t):
			i.note(rule, where, Needs, "its commands run where rollcall runs, not in a container of AWS", "runners: {commands: {enabled: true}} in the configuration")
		case spec.Runs(t) && spec.InAWS(t):
			i.note(rule, where, Needs, t.Provider+": it is judged in AWS, as the role of the pipeline", "section aws of the configuration (docs/aws-actions.md)")
		case spec.Runs(t):
			i.note(rule, where, Same, t.Provider, "")
		default:
			i.note(rule, where, Needs, t.Provider+" rules are not judged here yet: the condition fails", "leave it out, or leave the pipeline in AWS and have it in Slack all the same (docs/aws.md)")
		}
	})
}

// keep is what to do where something only works in AWS.
const keep = "put a Commands action in its place, or leave the pipeline in AWS and have it in Slack all the same (docs/aws.md)"

func (i *importer) store(v *cloudformation.Value, key string, aws bool) {
	switch {
	case !aws:
		i.note(v, key, Same, "kept; no action of this pipeline needs it here", "")
	case key == "roleArn":
		i.note(v, key, Needs, "the actions in AWS assume this role", "let the service's own role assume it: section aws of the configuration")
	default:
		i.note(v, key, Needs, "kept as it is; the actions in AWS read and write their artifacts there", "the service's role needs the bucket, and its key where it has one")
	}
}

// becomes says what becomes of an action.
func becomes(a *workflows.Action) (fit, text, todo string) {
	t := a.ActionType
	never, instead, _ := spec.Never(t.Provider)
	switch {
	case t.Owner == "Custom":
		return NoMatch, "the custom action type " + words.Quoted(t.Provider) + " has no job worker here: an execution fails when it comes to it", keep
	case never != "":
		return NoMatch, t.Provider + " actions cannot run: " + never, instead + ", or leave the pipeline in AWS and have it in Slack all the same (docs/aws.md)"
	case !spec.Runs(t) && a.IsSource():
		return Needs, t.Provider + " sources are not read here yet: an execution fails when it comes to it", "a Git source reads any repository over https; or leave the pipeline in AWS and have it in Slack all the same (docs/aws.md)"
	case !spec.Runs(t):
		return Needs, t.Provider + " actions do not run here yet: an execution fails when it comes to it", keep
	case spec.InAWS(t):
		return Needs, t.Provider + ": it works in AWS, as the role of the pipeline", "section aws of the configuration, with artifacts (docs/aws-actions.md)"
	case t.Provider == "CodeStarSourceConnection":
		return Needs, "CodeStarSourceConnection: rollcall reads the repository itself, the connection is not used", "github.token or github.app in the configuration, and the webhook (docs/github.md)"
	case t.Provider == "GitHub":
		return Needs, "GitHub: rollcall reads the repository itself", "github.token or github.app in the configuration, and the webhook (docs/github.md)"
	case t.Provider == "Commands":
		return Needs, "Commands: they run where rollcall runs, not in a container of AWS", "runners: {commands: {enabled: true}} in the configuration"
	case t.Provider == "CodePipeline":
		return Needs, "CodePipeline: it starts " + words.Quoted(a.Configuration["PipelineName"]) + " here", "that pipeline must be here too"
	case a.IsApproval() && slices.Equal(a.Approval.From, nil) && a.Approval.Required == 1:
		return Same, "Manual: one person with the permission approve answers it", "approval: {from: [group:…], required: 2} asks for more"
	}
	return Same, t.Provider, ""
}

// String is the note in one line, without its place.
func (n Note) String() string {
	s := n.Fit + ": " + n.Where
	if n.Text != "" {
		s += ": " + n.Text
	}
	if n.Todo != "" {
		s += " (" + n.Todo + ")"
	}
	return strings.TrimSpace(s)
}
