package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// looking is one bridge while it is looked at.
type looking struct {
	*checker
	b         Bridge
	about     string
	config    aws.Config
	who       string // ARN
	api       *codepipeline.Client
	pipelines []*types.PipelineDeclaration
	projects  []string // of CodeBuild, that the pipelines name
	there     []string // names of all pipelines in AWS; nil: they could not be listed
}

// bridge looks at the role of a bridge, at its pipelines, and at what it may do.
func (c *checker) bridge(ctx context.Context, b Bridge) {
	l := &looking{checker: c, b: b, about: "bridge " + b.Name}
	if !l.enter(ctx, "its pipelines were not looked at") {
		return
	}
	l.api = codepipeline.NewFromConfig(l.config)
	if !l.list(ctx) {
		return
	}
	for _, p := range b.Pipelines {
		l.pipeline(ctx, p)
	}
	l.logs(ctx)
	if b.Act {
		l.acting(ctx)
	}
	l.others(ctx)
}

// enter takes on the role; false: it cannot be used, and the rest, as left says, is not looked at.
func (l *looking) enter(ctx context.Context, left string) bool {
	var err error
	if l.config, err = l.all.Config(ctx, accounts.Place{Roles: []string{l.b.Role}, Region: l.b.Region, Session: "doctor"}); err != nil {
		l.add(selftest.Result{About: l.about, Status: selftest.Failed, Message: err.Error()})
		return false
	}
	if l.who, _, err = identity(ctx, l.config); err != nil {
		l.failed(l.about, "its role cannot be used", err, l.b.Role)
		l.add(selftest.Result{About: l.about, Status: selftest.Skipped, Message: left, Fix: []string{"mend the role first"}})
		return false
	}
	l.ok(l.about, "%s in %s", l.who, l.b.Region)
	return true
}

// list asks which pipelines there are; false: AWS cannot be asked at all.
func (l *looking) list(ctx context.Context) bool {
	pages := pagesOfPipelines(ctx, l.api)
	names := []string{}
	for page, err := range pages {
		switch {
		case err == nil:
		case denied(err):
			l.optional("init --aws cannot list the pipelines; the bridge itself does not need it", err, "")
			return true
		default:
			l.failed(l.about, "CodePipeline cannot be asked", err, "")
			return false
		}
		for _, p := range page.Pipelines {
			names = append(names, aws.ToString(p.Name))
		}
	}
	l.there = names
	return true
}

// mostNames are told of pipelines that are there.
const mostNames = 10

// gone adds that there is no such pipeline, as far as that is known.
func (l *looking) gone(about, name string) bool {
	if l.there == nil || slices.Contains(l.there, name) {
		return false
	}
	fix := "there is none at all: check account and Region"
	if len(l.there) > 0 {
		fix = "there are: " + strings.Join(l.there[:min(len(l.there), mostNames)], ", ")
	}
	l.add(selftest.Result{About: about, Status: selftest.Failed, Message: "there is no such pipeline in account " + account(l.who) + ", " + l.b.Region, Fix: []string{fix}})
	return true
}

// account is the account of an ARN.
func account(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return "?"
}

// optional adds a missing permission without which less is shown.
func (l *looking) optional(what string, err error, resource string) {
	l.failed(l.about, what, err, resource)
	l.checks[len(l.checks)-1].Status = selftest.Warning
}

// pipeline looks at one pipeline with every call that watching it makes.
func (l *looking) pipeline(ctx context.Context, p Pipeline) {
	about, resource := l.about+", "+p.Name, arn(l.who, l.b, p.Name)
	if l.gone(about, p.Name) {
		return
	}
	out, err := l.api.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: &p.Name})
	if err != nil {
		l.failed(about, "the pipeline cannot be read", err, resource)
		if !denied(err) {
			return
		}
	}
	good := l.reads(ctx, about, p.Name, resource) && err == nil
	if err != nil {
		return
	}
	d := out.Pipeline
	l.pipelines = append(l.pipelines, d)
	good = l.named(about, p, d) && good
	if good {
		kind := "V1"
		if d.PipelineType != "" {
			kind = string(d.PipelineType)
		}
		mode := d.ExecutionMode
		if mode == "" {
			mode = types.ExecutionModeSuperseded
		}
		l.ok(about, "type %s, %s, version %d, %d stages", kind, mode, aws.ToInt32(d.Version), len(d.Stages))
	}
	if l.b.Act && d.PipelineType != types.PipelineTypeV2 {
		l.add(selftest.Result{About: about, Status: selftest.Warning, Message: "AWS rolls stages of type V2 pipelines back only, and this one is V1",
			Fix: []string{"change its type to V2 in AWS to roll back from Slack; everything else works"}})
	}
	l.remember(d)
}

// reads tries the other calls that a look makes, each for as little as it can give.
func (l *looking) reads(ctx context.Context, about, name, resource string) (good bool) {
	good = true
	try := func(what string, err error) {
		if err != nil {
			l.failed(about, what, err, resource)
			good = false
		}
	}
	_, err := l.api.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: &name})
	try("its state cannot be read", err)
	newest, err := l.api.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: &name, MaxResults: aws.Int32(1)})
	try("its executions cannot be listed", err)
	if err == nil && len(newest.PipelineExecutionSummaries) > 0 {
		_, err = l.api.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &name, PipelineExecutionId: newest.PipelineExecutionSummaries[0].PipelineExecutionId})
		try("its executions cannot be read", err)
	}
	_, err = l.api.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: &name, MaxResults: aws.Int32(1)})
	try("its actions cannot be listed", err)
	_, err = l.api.ListRuleExecutions(ctx, &codepipeline.ListRuleExecutionsInput{PipelineName: &name, MaxResults: aws.Int32(1)})
	try("its rules cannot be listed", err)
	return good
}

// named holds what the configuration says of a pipeline against the pipeline.
func (l *looking) named(about string, p Pipeline, d *types.PipelineDeclaration) (good bool) {
	var stages, approvals []string
	for _, s := range d.Stages {
		stages = append(stages, aws.ToString(s.Name))
		for _, a := range s.Actions {
			if a.ActionTypeId != nil && a.ActionTypeId.Category == types.ActionCategoryApproval {
				approvals = append(approvals, aws.ToString(s.Name)+"/"+aws.ToString(a.Name))
			}
		}
	}
	good = true
	missing := func(key, name, what string, there []string) {
		if slices.Contains(there, name) {
			return
		}
		good = false
		fix := "it has none"
		if len(there) > 0 {
			fix = "it has " + strings.Join(there, ", ")
		}
		l.add(selftest.Result{About: about, Status: selftest.Failed, Message: fmt.Sprintf("%s names %s, and the pipeline has no such %s", key, name, what), Fix: []string{fix}})
	}
	for _, s := range p.Stages {
		missing("environments", s, "stage", stages)
	}
	for _, a := range p.Approvals {
		missing("approvals", a, "manual approval", approvals)
	}
	return good
}

// remember notes what a pipeline's builds are, for the permission to read their logs.
func (l *looking) remember(d *types.PipelineDeclaration) {
	for _, s := range d.Stages {
		for _, a := range s.Actions {
			project := a.Configuration["ProjectName"]
			if a.ActionTypeId != nil && aws.ToString(a.ActionTypeId.Provider) == "CodeBuild" && project != "" && !slices.Contains(l.projects, project) {
				l.projects = append(l.projects, project)
			}
		}
	}
}

// nothing is a build and a stream that are never there: asking for them shows
// whether it may be asked.
const nothing = "00000000-0000-0000-0000-000000000000"

// logs tries to read logs of builds. Without it failures are shown without them.
func (l *looking) logs(ctx context.Context) {
	if len(l.projects) == 0 {
		return
	}
	project := l.projects[0]
	if _, err := codebuild.NewFromConfig(l.config).BatchGetBuilds(ctx, &codebuild.BatchGetBuildsInput{Ids: []string{project + ":" + nothing}}); denied(err) {
		l.optional("failed builds are shown without their log", err, "")
		return
	}
	group := "/aws/codebuild/" + project
	_, err := cloudwatchlogs.NewFromConfig(l.config).GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: aws.String(nothing), Limit: aws.Int32(1)})
	if denied(err) {
		l.optional("failed builds are shown without their log", err, "")
		return
	}
	l.ok(l.about, "may read the logs of builds")
}
