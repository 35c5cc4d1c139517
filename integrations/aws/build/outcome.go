package build

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	repeated   = 8         // lines of the phase that failed
	endOfBuild = 256 << 10 // bytes of the log in which they are looked for
)

// repeatLines writes the last lines of the phase that failed once more. CodeBuild goes on writing about the phases that
// follow, and people are shown the end of a log.
func repeatLines(a *runner.Attempt, build types.Build) error {
	phase := failedPhase(build)
	if phase == nil {
		return nil
	}
	text, err := a.LogEnd(endOfBuild)
	if err != nil {
		return err
	}
	name, heading := string(phase.PhaseType), "the phase "+string(phase.PhaseType)+" ended with:"
	end := strings.LastIndex(text, "Phase complete: "+name+" State: ")
	if end < 0 || strings.Contains(text[end:], heading) {
		return nil
	}
	entered := "Entering phase " + name + "\n"
	begin := strings.LastIndex(text[:end], entered)
	if begin < 0 {
		return nil
	}
	lines := strings.Split(text[begin+len(entered):end], "\n")
	lines = lines[:len(lines)-1] // what stands before "Phase complete" in its own line
	if len(lines) == 0 {
		return nil
	}
	for _, line := range append([]string{heading}, lines[max(0, len(lines)-repeated):]...) {
		if err := a.Logf("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// failedPhase is the first phase that did not succeed; nil: all that are over did.
func failedPhase(build types.Build) *types.BuildPhase {
	for i, p := range build.Phases {
		if p.PhaseStatus != types.StatusTypeSucceeded && p.PhaseStatus != types.StatusTypeInProgress && p.PhaseStatus != "" {
			return &build.Phases[i]
		}
	}
	return nil
}

// whyFailed is the first phase of a build that did not succeed, and what it means.
func whyFailed(a *runner.Attempt, build types.Build, reports string) *workflows.Reason {
	why := &workflows.Reason{Code: "BuildFailed", Message: "the build ended " + string(build.BuildStatus)}
	if build.BuildStatus == types.StatusTypeStopped {
		why.Code, why.Message = "ExternallyStopped", "somebody stopped the build in CodeBuild"
		return why
	}
	if p := failedPhase(build); p != nil {
		phase := diagnose.Phase{Name: string(p.PhaseType), Status: string(p.PhaseStatus)}
		if len(p.Contexts) > 0 {
			phase.Code, phase.Message = aws.ToString(p.Contexts[0].StatusCode), aws.ToString(p.Contexts[0].Message)
		}
		if build.BuildStatus == types.StatusTypeFault || build.BuildStatus == types.StatusTypeTimedOut {
			phase.Status = string(build.BuildStatus)
		}
		why.Message = fmt.Sprintf("the phase %s of the build failed: %s", phase.Name, cmp.Or(phase.Message, phase.Code, phase.Status))
		if f, ok := diagnose.Build(phase); ok {
			link(&f, page(a, aws.ToString(build.Id)))
			why.Finding = &f
		}
	}
	if reports != "" {
		why.Message += "; " + reports
	}
	return why
}

// batchFailed says which builds of a batch failed, or which phase before them.
func batchFailed(a *runner.Attempt, batch types.BuildBatch) *workflows.Reason {
	for _, p := range batch.Phases {
		if len(p.Contexts) == 0 || aws.ToString(p.Contexts[0].Message) == "" || p.PhaseStatus == types.StatusTypeSucceeded {
			continue
		}
		phase := diagnose.Phase{Name: string(p.PhaseType), Status: string(p.PhaseStatus), Code: aws.ToString(p.Contexts[0].StatusCode), Message: aws.ToString(p.Contexts[0].Message)}
		why := &workflows.Reason{Code: "BuildFailed", Message: fmt.Sprintf("the phase %s of the batch failed: %s", phase.Name, phase.Message)}
		if f, ok := diagnose.Build(phase); ok {
			link(&f, page(a, batchMark+aws.ToString(batch.Id)))
			why.Finding = &f
		}
		return why
	}
	var failed []string
	for _, g := range batch.BuildGroups {
		if s := g.CurrentBuildSummary; s != nil && s.BuildStatus != types.StatusTypeSucceeded && !g.IgnoreFailure {
			failed = append(failed, aws.ToString(g.Identifier)+" "+string(s.BuildStatus))
		}
	}
	slices.Sort(failed)
	return &workflows.Reason{Code: "BuildFailed", Message: "the batch ended " + string(batch.BuildBatchStatus) + ": " + strings.Join(failed, ", ")}
}

func link(f *workflows.Finding, url string) {
	f.Links = append(f.Links, struct {
		Title string `json:"title"`
		URL   string `json:"url"`
	}{"the build", url})
}

// mostReports is how many reports of one build are looked at.
const mostReports = 100

// reportLine says what the build's test reports hold: "128 passed, 2 failed".
// Without the right to read them there is nothing to say.
func reportLine(ctx context.Context, a *runner.Attempt, arns []string) (string, error) {
	if len(arns) == 0 {
		return "", nil
	}
	out, err := codebuild.NewFromConfig(a.Config).BatchGetReports(ctx, &codebuild.BatchGetReportsInput{ReportArns: arns[:min(len(arns), mostReports)]})
	if err != nil {
		return "", a.Unread(err, "the build's reports")
	}
	counts := map[string]int32{}
	for _, r := range out.Reports {
		if r.TestSummary != nil {
			for status, n := range r.TestSummary.StatusCounts {
				counts[status] += n
			}
		}
	}
	var parts []string
	for _, s := range []struct{ status, word string }{{"SUCCEEDED", "passed"}, {"FAILED", "failed"}, {"ERROR", "broken"}, {"SKIPPED", "skipped"}} {
		if n := counts[s.status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.word))
		}
	}
	return strings.Join(parts, ", "), nil
}
