package config

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
)

// A bridge takes its Region from AWS, its pipelines their names from there, and
// its approvals the defaults of a pipeline file.
func TestBridgesTakeTheirDefaults(t *testing.T) {
	t.Setenv("ROLLCALL_EXTERNAL_ID", "an external ID of ours")
	c, err := Load(write(t, 0o644, `
admins: [ana@acme.example]
aws:
  region: eu-west-1
  roles: {"arn:aws:iam::444455556666:role/bridge": {externalId: {env: ROLLCALL_EXTERNAL_ID}, sourceIdentity: true}}
  events: {queueURL: "https://sqs.eu-west-1.amazonaws.com/111122223333/rollcall"}
bridges:
  - name: prod-eu
    roleArn: arn:aws:iam::444455556666:role/bridge
    pipelines: [{name: webshop-pipeline, approvals: {Production/SignOff: {from: [ana@acme.example]}}}]
  - name: prod-us
    region: us-east-1
    mode: act
    poll: 3s
    pipelines: [{name: webshop-pipeline, as: webshop-us, ticket: {labels: [deploy]}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	eu, us := c.Bridges[0], c.Bridges[1]
	if eu.Region != "eu-west-1" || eu.Mode != "watch" || eu.OutsideApprovals != "tell" || eu.Poll != time.Minute || eu.Pipelines[0].As != "webshop-pipeline" || eu.Pipelines[0].Rollback.Lock != "always" {
		t.Errorf("the first bridge: %+v", eu)
	}
	if us.Region != "us-east-1" || us.Mode != "act" || us.Poll != 3*time.Second || us.Pipelines[0].As != "webshop-us" || us.Pipelines[0].Ticket.Labels[0] != "deploy" {
		t.Errorf("the second bridge: %+v", us)
	}
	want := &workflows.ApprovalPolicy{From: []string{"ana@acme.example"}, Ask: []string{"ana@acme.example"}, Required: 1, Comment: "optional"}
	if diff := cmp.Diff(want, eu.Pipelines[0].Approvals["Production/SignOff"].Policy()); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(c.Secrets(), "an external ID of ours") {
		t.Error("the external ID is not known as a secret")
	}
}

// A gate of ECS takes its Region from AWS, its name from cluster and service, and its
// approval the defaults of a pipeline file.
func TestECSGatesTakeTheirDefaults(t *testing.T) {
	c, err := Load(write(t, 0o644, `
aws:
  region: eu-west-1
  roleArn: arn:aws:iam::111122223333:role/rollcall
  ecsGates:
    - {cluster: prod, service: web, channel: "#releases", approval: {from: [ana@acme.example], required: 2}}
    - {name: the-rest, cluster: "pr*", service: "*", channel: "#releases", region: us-east-1, poll: 1m}
    - {cluster: test, service: "*"}
`))
	if err != nil {
		t.Fatal(err)
	}
	web, rest, test := c.AWS.ECSGates[0], c.AWS.ECSGates[1], c.AWS.ECSGates[2]
	if web.Name != "ecs-prod-web" || web.Region != "eu-west-1" || web.Poll != 15*time.Second || rest.Name != "the-rest" || rest.Region != "us-east-1" || rest.Poll != time.Minute || test.Name != "ecs-test-all" {
		t.Errorf("%+v\n%+v\n%+v", web, rest, test)
	}
	want := &workflows.ApprovalPolicy{From: []string{"ana@acme.example"}, Ask: []string{"ana@acme.example"}, Required: 2, Comment: "optional"}
	if diff := cmp.Diff(want, web.Approval.Policy()); diff != "" {
		t.Error(diff)
	}
	if p := c.ECSGatePolicy(web); p.Hooks.Cluster != "prod" || p.Hooks.Service != "web" || !p.Act || p.Account != "111122223333" {
		t.Errorf("it needs %+v", p)
	}
}
