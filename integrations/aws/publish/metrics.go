package publish

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// oldest is how far back CloudWatch takes a datum, with a day to spare.
const oldest = 13 * 24 * time.Hour

// metrics tells CloudWatch how long things took and how they ended.
type metrics struct{ o *Options }

func (*metrics) most() int { return 500 }

func (*metrics) concerns(e *event.Event) bool {
	switch e.Kind {
	case event.ExecutionStarted:
		return e.Started != nil && e.Started.Rollback != nil
	case event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionWaiting, event.StageEntered, event.GateClosed:
		return true
	case event.ActionSucceeded, event.ActionFailed, event.ActionAbandoned:
		return !strings.Contains(e.Action, ":")
	}
	return false
}

// datum is a value at a moment.
func datum(name string, unit types.StandardUnit, value float64, at time.Time, dimensions ...string) types.MetricDatum {
	d := types.MetricDatum{MetricName: &name, Unit: unit, Value: &value, Timestamp: &at}
	for i, of := range []string{"Pipeline", "Stage", "Action"} {
		if i < len(dimensions) {
			d.Dimensions = append(d.Dimensions, types.Dimension{Name: aws.String(of), Value: aws.String(dimensions[i])})
		}
	}
	return d
}

func (m *metrics) items(f *facts, e *event.Event) (all []any) {
	x := f.execution(e.Execution)
	if x == nil || m.o.Now().Sub(e.At) > oldest {
		return nil
	}
	one := func(name string, of ...string) {
		all = append(all, datum(name, types.StandardUnitCount, 1, e.At, append([]string{x.Pipeline}, of...)...))
	}
	took := func(name string, d time.Duration, of ...string) {
		all = append(all, datum(name, types.StandardUnitSeconds, max(0, d.Seconds()), e.At, append([]string{x.Pipeline}, of...)...))
	}
	switch e.Kind {
	case event.ExecutionStarted:
		if len(x.Stages) > 0 {
			one("RollbackCount", x.Stages[0].Name)
		}
	case event.ExecutionSucceeded, event.ExecutionFailed:
		took("ExecutionDuration", e.At.Sub(x.StartedAt))
		if e.Kind == event.ExecutionFailed {
			one("ExecutionFailed")
		}
	case event.ExecutionWaiting, event.StageEntered:
		if n, stage, ok := f.waiting(e); ok {
			all = append(all, datum("QueueDepth", types.StandardUnitCount, float64(n), e.At, x.Pipeline, stage))
		}
	case event.GateClosed:
		if a := attemptOf(x, e); a != nil && a.Approval != nil && !a.Approval.OpenedAt.IsZero() {
			took("ApprovalWait", e.At.Sub(a.Approval.OpenedAt), e.Stage, e.Action)
		}
	case event.ActionSucceeded, event.ActionFailed, event.ActionAbandoned:
		a := attemptOf(x, e)
		if a != nil && a.Approval != nil {
			break // how long people took is ApprovalWait
		}
		if a != nil && a.StartedAt != nil {
			took("ActionDuration", e.At.Sub(*a.StartedAt), e.Stage, e.Action)
		}
		if e.Kind == event.ActionFailed {
			one("ActionFailed", e.Stage, e.Action)
		}
	}
	return all
}

// waiting is how many executions wait before the stage of an event now.
func (f *facts) waiting(e *event.Event) (n int, stage string, ok bool) {
	stage = e.Stage
	if e.Wait != nil {
		stage = e.Wait.Stage
	}
	view, err := f.o.Reader.Pipeline(f.ctx, workflows.EnginePrincipal(), f.pipeline, 0)
	if err != nil {
		if !gone(err) {
			f.err = err
		}
		return 0, stage, false
	}
	s, ok := view.Stage(stage)
	if !ok {
		return 0, stage, false
	}
	return len(s.Inbound), stage, true
}

func (m *metrics) send(ctx context.Context, _ *facts, all []item) (again []int, err error) {
	config, err := m.o.Accounts.Config(ctx, m.o.place(""))
	if err != nil {
		return nil, err
	}
	in := &cloudwatch.PutMetricDataInput{Namespace: &m.o.Metrics}
	for _, one := range all {
		in.MetricData = append(in.MetricData, one.what.(types.MetricDatum))
	}
	_, err = cloudwatch.NewFromConfig(config).PutMetricData(ctx, in)
	if err != nil && accounts.Classify(err) == accounts.Refused {
		code, why := accounts.Words(err)
		m.o.Log.Warn("CloudWatch does not take metrics; they are left out", "first", all[0].ID, "count", len(all), "code", code, "error", why)
		return nil, nil
	}
	return nil, err
}
