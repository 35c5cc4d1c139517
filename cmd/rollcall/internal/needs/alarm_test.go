package needs

import (
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Alarms that a stage watches after a success are looked at as the role beside
// them: that one needs the right, and a bare stage nothing.
func TestWatchedAlarmsNeedTheRightToLook(t *testing.T) {
	p := &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{{Name: "Build"}, {Name: "Production"}}}
	on := &p.Stages[1].Rollback.OnAlarm
	on.Alarms, on.For, on.Region, on.RoleArn = []string{"shop-5xx"}, "10m", "eu-west-1", "arn:aws:iam::444455556666:role/look"
	uses, said := Uses(p, policy.Pipelines{Region: "eu-central-1"}, "", aws.Kinds(""))
	if len(uses) != 1 || len(said) != 0 {
		t.Fatalf("got %+v, %q", uses, said)
	}
	u := uses[0]
	if u.Action != "webshop: Production/onAlarm" || !slices.Equal(u.Roles, []string{on.RoleArn}) || u.At.Region != "eu-west-1" || u.At.Account != "444455556666" ||
		len(u.Statements) != 1 || !slices.Equal(u.Statements[0].Actions, []string{"cloudwatch:DescribeAlarms"}) || !slices.Equal(u.Statements[0].Resources, []string{"*"}) {
		t.Errorf("got %+v", u)
	}
}
