package rule_test

import (
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What iam-policy prints for a rule is enough, and nothing of it is too much.
func TestRightsOfAlarms(t *testing.T) {
	runnertest.Rights(t, runnertest.Case{Kind: alarmKind, Given: func(w *runnertest.World) work.Task {
		alarmsOf(w).Set(cloudwatch.Metric, "shop-5xx", cloudwatch.OK, "")
		return w.Task(map[string]string{"AlarmName": "shop-5xx"})
	}})
}
