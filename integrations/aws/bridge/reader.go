package bridge

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

type options = func(*codepipeline.Options)

// reader looks at pipelines. It holds these six calls of CodePipeline and nothing
// else of the client, so that what only watches cannot change anything.
type reader struct {
	getPipeline            func(context.Context, *codepipeline.GetPipelineInput, ...options) (*codepipeline.GetPipelineOutput, error)
	getPipelineState       func(context.Context, *codepipeline.GetPipelineStateInput, ...options) (*codepipeline.GetPipelineStateOutput, error)
	getPipelineExecution   func(context.Context, *codepipeline.GetPipelineExecutionInput, ...options) (*codepipeline.GetPipelineExecutionOutput, error)
	listPipelineExecutions func(context.Context, *codepipeline.ListPipelineExecutionsInput, ...options) (*codepipeline.ListPipelineExecutionsOutput, error)
	listActionExecutions   func(context.Context, *codepipeline.ListActionExecutionsInput, ...options) (*codepipeline.ListActionExecutionsOutput, error)
	listRuleExecutions     func(context.Context, *codepipeline.ListRuleExecutionsInput, ...options) (*codepipeline.ListRuleExecutionsOutput, error)
}

func newReader(c aws.Config) reader {
	api := codepipeline.NewFromConfig(c)
	return reader{api.GetPipeline, api.GetPipelineState, api.GetPipelineExecution, api.ListPipelineExecutions, api.ListActionExecutions, api.ListRuleExecutions}
}

const (
	pageSize    = 100 // the most that AWS gives at once
	mostHistory = 100 // executions that the first look tells of
	mostPages   = 20  // of actions, or of executions that are looked for: more is given up
)

// summaries are the newest executions, newest first, at least n where there are as many.
// more asks for another page.
func (r reader) summaries(ctx context.Context, name string, n int32, more func([]types.PipelineExecutionSummary) bool) (all []types.PipelineExecutionSummary, err error) {
	in := &codepipeline.ListPipelineExecutionsInput{PipelineName: &name, MaxResults: &n}
	for range mostPages {
		out, err := r.listPipelineExecutions(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.PipelineExecutionSummaries...)
		if out.NextToken == nil || !more(all) {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
	return all, nil
}

// actions are details of actions, newest first: of one execution, or of all. more
// asks for another page; complete says whether there is none.
func (r reader) actions(ctx context.Context, name, execution string, more func([]types.ActionExecutionDetail) bool) (all []types.ActionExecutionDetail, complete bool, err error) {
	in := &codepipeline.ListActionExecutionsInput{PipelineName: &name, MaxResults: aws.Int32(pageSize)}
	if execution != "" {
		in.Filter = &types.ActionExecutionFilter{PipelineExecutionId: &execution}
	}
	for range mostPages {
		out, err := r.listActionExecutions(ctx, in)
		if err != nil {
			return nil, false, err
		}
		all = append(all, out.ActionExecutionDetails...)
		if out.NextToken == nil {
			return all, true, nil
		}
		if !more(all) {
			return all, false, nil
		}
		in.NextToken = out.NextToken
	}
	return all, false, nil
}

// rules are details of the rules of one execution.
func (r reader) rules(ctx context.Context, name, execution string) (all []types.RuleExecutionDetail, err error) {
	in := &codepipeline.ListRuleExecutionsInput{PipelineName: &name, MaxResults: aws.Int32(pageSize), Filter: &types.RuleExecutionFilter{PipelineExecutionId: &execution}}
	for range mostPages {
		out, err := r.listRuleExecutions(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.RuleExecutionDetails...)
		if out.NextToken == nil {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
	return all, nil
}
