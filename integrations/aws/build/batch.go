package build

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// batchMark stands before the ID of a batch in its handle.
const batchMark = "batch/"

func getBatches(ctx context.Context, c aws.Config, ids []string) (map[string]types.BuildBatch, error) {
	out, err := codebuild.NewFromConfig(c).BatchGetBuildBatches(ctx, &codebuild.BatchGetBuildBatchesInput{Ids: ids})
	if err != nil {
		return nil, err
	}
	all := make(map[string]types.BuildBatch, len(out.BuildBatches))
	for _, b := range out.BuildBatches {
		all[aws.ToString(b.Id)] = b
	}
	return all, nil
}

// startBatch begins a batch of builds.
func startBatch(ctx context.Context, a *runner.Attempt, in *codebuild.StartBuildInput) (work.Outcome, error) {
	batch := &codebuild.StartBuildBatchInput{ProjectName: in.ProjectName, IdempotencyToken: in.IdempotencyToken, SourceTypeOverride: in.SourceTypeOverride, SourceLocationOverride: in.SourceLocationOverride,
		SourceVersion: in.SourceVersion, SecondarySourcesOverride: in.SecondarySourcesOverride, SecondarySourcesVersionOverride: in.SecondarySourcesVersionOverride, ArtifactsOverride: in.ArtifactsOverride,
		SecondaryArtifactsOverride: in.SecondaryArtifactsOverride, EnvironmentVariablesOverride: in.EnvironmentVariablesOverride, EncryptionKeyOverride: in.EncryptionKeyOverride}
	if a.Setting("CombineArtifacts") == "true" {
		batch.BuildBatchConfigOverride = &types.ProjectBuildBatchConfig{CombineArtifacts: aws.Bool(true)}
	}
	out, err := codebuild.NewFromConfig(a.Config).StartBuildBatch(ctx, batch)
	if err != nil {
		return work.Outcome{}, limited(err)
	}
	return batchRunning(a, aws.ToString(out.BuildBatch.Id)), a.Logf("CodeBuild began the batch %s", aws.ToString(out.BuildBatch.Id))
}

func batchRunning(a *runner.Attempt, id string) work.Outcome {
	return work.Outcome{State: work.Running, Handle: batchMark + id, ExternalID: id, ExternalURL: page(a, batchMark+id)}
}

// pollBatch says how a batch stands. Its log is that of its builds, one after the other.
func (b *builds) pollBatch(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	id := a.Handle()[len(batchMark):]
	batch, known, err := b.batches.Look(ctx, a, id)
	if err != nil || !known || batch.BuildBatchStatus == types.StatusTypeInProgress || batch.BuildBatchStatus == "" {
		return batchRunning(a, id), err
	}
	o := work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: page(a, a.Handle()), Outputs: map[string]string{"BuildBatchId": id}}
	if batch.EndTime != nil {
		o.EndedAt = *batch.EndTime
	}
	if batch.BuildBatchStatus != types.StatusTypeSucceeded {
		o.State, o.Error = work.Failed, batchFailed(a, batch)
		return o, nil
	}
	for _, g := range batch.BuildGroups {
		if s := g.CurrentBuildSummary; s != nil && s.PrimaryArtifact != nil {
			o.Outputs["BuildId"] = arnTail(aws.ToString(s.Arn))
		}
	}
	stored := types.Build{Artifacts: batch.Artifacts, SecondaryArtifacts: batch.SecondaryArtifacts}
	for i, out := range a.Task.Action.OutputArtifacts {
		one, err := written(ctx, a, stored, i, out.Name)
		if err != nil {
			return work.Outcome{}, err
		}
		o.Artifacts = append(o.Artifacts, one)
	}
	return o, nil
}

func stopBatch(ctx context.Context, a *runner.Attempt) error {
	_, err := codebuild.NewFromConfig(a.Config).StopBuildBatch(ctx, &codebuild.StopBuildBatchInput{Id: aws.String(a.Handle()[len(batchMark):])})
	return err
}

// hasToken says whether a build was started for the attempt.
func hasToken(vars []types.EnvironmentVariable, token string) bool {
	return slices.ContainsFunc(vars, func(v types.EnvironmentVariable) bool {
		return aws.ToString(v.Name) == taskVariable && aws.ToString(v.Value) == token
	})
}
