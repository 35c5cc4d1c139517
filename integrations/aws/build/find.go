package build

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	// tokenLasts is how long a repeated StartBuild gives back the first one's
	// build, with room for the call: CodeBuild forgets a token after 5 minutes.
	tokenLasts = 4 * time.Minute
	mostPages  = 20 // of a project's newest builds that are looked through
)

// find looks a build up by the variable it was started with. While CodeBuild still
// knows the token, repeating the start is safe and finds it sooner.
func (b *builds) find(ctx context.Context, a *runner.Attempt) (work.Outcome, bool, error) {
	began := a.Began()
	if !began.IsZero() && a.Now().Sub(began) < tokenLasts {
		return work.Outcome{}, false, nil
	}
	p, err := b.plan(a)
	if err != nil {
		return work.Outcome{}, false, err
	}
	if p.batch {
		return findBatch(ctx, a, p.project)
	}
	api := codebuild.NewFromConfig(a.Config)
	in := &codebuild.ListBuildsForProjectInput{ProjectName: &p.project, SortOrder: types.SortOrderTypeDescending}
	pages := accounts.Pages(func(token *string) (*codebuild.ListBuildsForProjectOutput, error) {
		in.NextToken = token
		return api.ListBuildsForProject(ctx, in)
	}, func(out *codebuild.ListBuildsForProjectOutput) *string { return out.NextToken })
	looked := 0
	for newest, err := range pages {
		if err != nil {
			return work.Outcome{}, false, err
		}
		if len(newest.Ids) == 0 {
			break
		}
		all, err := getBuilds(ctx, a.Config, newest.Ids)
		if err != nil {
			return work.Outcome{}, false, err
		}
		older := false
		for id, build := range all {
			if build.Environment != nil && hasToken(build.Environment.EnvironmentVariables, a.Token) {
				return work.Outcome{State: work.Running, Handle: id, ExternalID: id, ExternalURL: page(a, id)}, true, nil
			}
			older = older || build.StartTime != nil && build.StartTime.Before(began.Add(-time.Minute))
		}
		if looked++; older || looked == mostPages {
			break
		}
	}
	return work.Outcome{}, false, nil
}

func findBatch(ctx context.Context, a *runner.Attempt, project string) (work.Outcome, bool, error) {
	api := codebuild.NewFromConfig(a.Config)
	out, err := api.ListBuildBatchesForProject(ctx, &codebuild.ListBuildBatchesForProjectInput{ProjectName: &project, SortOrder: types.SortOrderTypeDescending})
	if err != nil || len(out.Ids) == 0 {
		return work.Outcome{}, false, err
	}
	all, err := getBatches(ctx, a.Config, out.Ids)
	if err != nil {
		return work.Outcome{}, false, err
	}
	for id, batch := range all {
		if batch.Environment != nil && hasToken(batch.Environment.EnvironmentVariables, a.Token) {
			return batchRunning(a, id), true, nil
		}
	}
	return work.Outcome{}, false, nil
}

// arnTail is what stands behind the last slash of an ARN.
func arnTail(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
