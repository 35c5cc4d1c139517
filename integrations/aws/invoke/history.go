package invoke

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

// mostEvents is how many of an execution's newest events are looked through.
const mostEvents = 1000

// lastFailed is the name of the last state of an execution that failed; empty: it
// is not known. Without the right to read the history that is so.
func lastFailed(ctx context.Context, a *runner.Attempt, arn string) (string, error) {
	out, err := sfn.NewFromConfig(a.Config).GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn, ReverseOrder: true, MaxResults: mostEvents, IncludeExecutionData: aws.Bool(false)})
	if err != nil {
		return "", a.Unread(err, "which state failed")
	}
	return failedState(out.Events), nil
}

// failedState goes from the newest event that tells of a failure back along the
// events that led to it, to the state that was entered.
func failedState(newestFirst []types.HistoryEvent) string {
	byID := make(map[int64]types.HistoryEvent, len(newestFirst))
	for _, e := range newestFirst {
		byID[e.Id] = e
	}
	for _, e := range newestFirst {
		kind := string(e.Type)
		if strings.HasPrefix(kind, "Execution") || !strings.HasSuffix(kind, "Failed") && !strings.HasSuffix(kind, "TimedOut") {
			continue
		}
		return enteredBefore(e, byID)
	}
	// a Fail state, or a time limit of the whole: it failed where it stood
	for _, e := range newestFirst {
		if strings.HasPrefix(string(e.Type), "Execution") {
			return enteredBefore(e, byID)
		}
	}
	return ""
}

func enteredBefore(e types.HistoryEvent, byID map[int64]types.HistoryEvent) string {
	for range len(byID) {
		if e.StateEnteredEventDetails != nil {
			return aws.ToString(e.StateEnteredEventDetails.Name)
		}
		before, ok := byID[e.PreviousEventId]
		if !ok {
			return ""
		}
		e = before
	}
	return ""
}
