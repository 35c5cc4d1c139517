package bridge

import (
	"bytes"
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"

	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	mostLog      = 1 << 20 // bytes of the end of a log
	mostLogPages = 10      // of at most 1 MiB each, read from the end
)

// Logs reads the log of an action where AWS keeps it, as it is now.
type Logs struct{ bridges *Bridges }

// NewLogs returns the logs of what these bridges show.
func NewLogs(b *Bridges) *Logs { return &Logs{b} }

// ActionLog is the end of the log of an action in CloudWatch Logs, its newest lines
// last; nil where the action has none that is known. A role that may not read it is
// an error that says so.
func (l *Logs) ActionLog(ctx context.Context, at workflows.Bridge, x *workflows.Execution, stage string, a *workflows.ActionExecution) ([]byte, error) {
	w := l.bridges.row(x.Pipeline)
	if w == nil || a.ExternalID == "" && a.Provider != "Lambda" {
		return nil, nil
	}
	p := w.bridge.place("")
	p.Region = at.Region
	config, err := l.bridges.o.Accounts.Config(ctx, p)
	if err != nil {
		return nil, quietly(err)
	}
	group, stream := "", ""
	switch a.Provider {
	case "CodeBuild", "Commands", "ECRBuildAndPublish", "EKS", "InspectorScan":
		group, stream, err = buildLog(ctx, config, a.ExternalID)
	case "Lambda":
		group = lambdaLog(w, stage, a.Name)
	}
	if err != nil {
		return nil, quietly(err)
	}
	if group == "" {
		return nil, nil
	}
	text, err := tail(ctx, cloudwatchlogs.NewFromConfig(config), group, stream, a)
	if err != nil {
		return nil, quietly(err)
	}
	return text, nil
}

// buildLog is where a build writes.
func buildLog(ctx context.Context, c aws.Config, build string) (group, stream string, err error) {
	out, err := codebuild.NewFromConfig(c).BatchGetBuilds(ctx, &codebuild.BatchGetBuildsInput{Ids: []string{build}})
	if err != nil || len(out.Builds) == 0 || out.Builds[0].Logs == nil {
		return "", "", err
	}
	logs := out.Builds[0].Logs
	return aws.ToString(logs.GroupName), aws.ToString(logs.StreamName), nil
}

// lambdaLog is where the function of an action writes, unless it was told otherwise.
func lambdaLog(w *watched, stage, action string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shown == nil {
		return ""
	}
	if s, ok := w.shown.Stage(stage); ok {
		if d, ok := s.Action(action); ok && d.Configuration["FunctionName"] != "" {
			name := d.Configuration["FunctionName"]
			if parts := strings.Split(name, ":"); len(parts) > 6 { // an ARN
				name = parts[6]
			}
			return "/aws/lambda/" + name
		}
	}
	return ""
}

// tail reads a stream from its end; without a stream, what the group holds of the
// time in which the action ran.
func tail(ctx context.Context, api *cloudwatchlogs.Client, group, stream string, a *workflows.ActionExecution) ([]byte, error) {
	if stream == "" {
		return filtered(ctx, api, group, a)
	}
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &stream, StartFromHead: aws.Bool(false)}
	var pages [][]byte
	for size := 0; len(pages) < mostLogPages && size < mostLog; {
		out, err := api.GetLogEvents(ctx, in)
		if err != nil {
			return nil, err
		}
		var page bytes.Buffer
		for _, e := range out.Events {
			page.WriteString(strings.TrimRight(aws.ToString(e.Message), "\r\n"))
			page.WriteByte('\n')
		}
		size += page.Len()
		pages = append(pages, page.Bytes())
		if out.NextBackwardToken == nil || aws.ToString(out.NextBackwardToken) == aws.ToString(in.NextToken) || page.Len() == 0 && len(pages) > 1 {
			break
		}
		in.NextToken = out.NextBackwardToken
	}
	var all []byte
	for i := len(pages) - 1; i >= 0; i-- {
		all = append(all, pages[i]...)
	}
	return ending(all), nil
}

func filtered(ctx context.Context, api *cloudwatchlogs.Client, group string, a *workflows.ActionExecution) ([]byte, error) {
	if a.StartedAt == nil {
		return nil, nil
	}
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group, StartTime: aws.Int64(a.StartedAt.UnixMilli())}
	if a.EndedAt != nil {
		in.EndTime = aws.Int64(a.EndedAt.UnixMilli() + 1000)
	}
	var all bytes.Buffer
	for range mostLogPages {
		out, err := api.FilterLogEvents(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, e := range out.Events {
			all.WriteString(strings.TrimRight(aws.ToString(e.Message), "\r\n"))
			all.WriteByte('\n')
		}
		if out.NextToken == nil {
			break
		}
		in.NextToken = out.NextToken
	}
	return ending(all.Bytes()), nil
}

// ending is the end of a log, from the beginning of a line.
func ending(all []byte) []byte {
	if len(all) <= mostLog {
		return all
	}
	all = all[len(all)-mostLog:]
	if i := bytes.IndexByte(all, '\n'); i >= 0 {
		all = all[i+1:]
	}
	return all
}
