package workflows

import "testing"

// A rule works where its pipeline file says, as an action does.
func TestRulesKeepTheirPlace(t *testing.T) {
	c := &Condition{Rules: []Rule{{Name: "Quiet", Region: "us-east-1", RoleArn: "arn:aws:iam::444455556666:role/look"}}}
	if a := c.Action(OnSuccess, "Quiet"); a == nil || a.Region != "us-east-1" || a.RoleArn != "arn:aws:iam::444455556666:role/look" {
		t.Errorf("the rule works as %+v", a)
	}
}
