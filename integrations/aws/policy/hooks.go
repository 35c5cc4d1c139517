package policy

import (
	"cmp"
	"strings"
)

// service is the ARN of the services; deployments are those of what ECS keeps of their
// deployments. AWS asks for the right on the service and on its deployment.
func (b Bridge) service() string {
	return b.of("ecs", "service/"+b.Hooks.Cluster+"/"+b.Hooks.Service)
}

func (b Bridge) deployments(kind string) []string {
	return []string{b.service(), b.of("ecs", kind+"/"+b.Hooks.Cluster+"/"+b.Hooks.Service+"/*")}
}

func (b Bridge) readHooks() Document {
	d := Document{Kind: read, Name: b.name(read), Role: b.Role, Comment: "For " + b.holder() + ": looking at deployments of ECS. Nothing in it changes anything.", Statements: []Statement{
		{Sid: "ListDeployments", Comment: "which deployments are on their way, and by doctor which hooks a service has", Actions: []string{"ecs:ListServiceDeployments", "ecs:DescribeServices"}, Resources: []string{b.service()}},
		{Sid: "ReadDeployments", Comment: "at which hook a deployment waits", Actions: []string{"ecs:DescribeServiceDeployments"}, Resources: b.deployments("service-deployment")},
		{Sid: "ReadRevisions", Comment: "what the revisions run; leave it out to show them by their IDs", Actions: []string{"ecs:DescribeServiceRevisions"}, Resources: b.deployments("service-revision")},
	}}
	var lists []string
	if strings.Contains(b.Hooks.Cluster, "*") {
		lists = append(lists, "ecs:ListClusters")
	}
	if strings.Contains(b.Hooks.Service, "*") {
		lists = append(lists, "ecs:ListServices")
	}
	if len(lists) > 0 {
		d.Statements = append(d.Statements, Statement{Sid: "FindServices", Comment: "what the patterns name; AWS grants it on all or none", Actions: lists, Resources: []string{"*"}})
	}
	return d
}

func (b Bridge) actHooks() Document {
	return Document{Kind: act, Name: b.name(act), Role: b.Role, Comment: "For " + b.holder() + ": what people decide in Slack.", Statements: []Statement{
		{Sid: "AnswerHooks", Comment: "continue a deployment that waits, or have it rolled back", Actions: []string{"ecs:ContinueServiceDeployment"}, Resources: b.deployments("service-deployment")},
	}}
}

func (b Bridge) denyHooks() Document {
	allowed := cmp.Or(b.Role, b.Caller, anyCaller)
	return Document{Kind: deny, Name: b.name(deny), Comment: "Makes rollcall the only way to answer these hooks. Add the statement to a service control policy of the account, or to the permissions boundary of everybody else. " +
		"Whoever may change a service (ecs:UpdateService) can still take a hook out of it.", Statements: []Statement{
		{Sid: "OnlyRollcallContinues", Comment: "nobody but rollcall's role answers", Deny: true, Actions: []string{"ecs:ContinueServiceDeployment"}, Resources: b.deployments("service-deployment"),
			Conditions: []Condition{{"ArnNotEquals", "aws:PrincipalArn", []string{RoleOf(allowed)}}}},
	}}
}
