package checkup

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Pipelines are the names of the pipelines that a role sees in a Region. The error
// is a *workflows.Problem that says what to do.
func Pipelines(ctx context.Context, region, role string) (names []string, err error) {
	c, err := accounts.Open(accounts.Options{Calls: callsPerSecond}).Config(ctx, accounts.Place{Region: region, Roles: []string{role}, Session: "init"})
	if err != nil {
		return nil, err //nolint:wrapcheck // says what is missing
	}
	pages := pagesOfPipelines(ctx, codepipeline.NewFromConfig(c))
	for page, err := range pages {
		if err != nil {
			found := diagnose.Explain(failure(err, ""))
			p := &workflows.Problem{Code: workflows.CodeUnavailable, Message: "the pipelines cannot be listed: " + found.Title + ": " + found.Cause}
			if len(found.Fix) > 0 {
				p.Hint = found.Fix[0]
			}
			return nil, p
		}
		for _, p := range page.Pipelines {
			names = append(names, aws.ToString(p.Name))
		}
	}
	return names, nil
}

func pagesOfPipelines(ctx context.Context, api *codepipeline.Client) iter.Seq2[*codepipeline.ListPipelinesOutput, error] {
	in := &codepipeline.ListPipelinesInput{}
	return accounts.Pages(func(token *string) (*codepipeline.ListPipelinesOutput, error) {
		in.NextToken = token
		return api.ListPipelines(ctx, in)
	}, func(out *codepipeline.ListPipelinesOutput) *string { return out.NextToken })
}
