package policy

import (
	"cmp"
	"slices"
	"strings"
)

// Bridge says what a bridge to CodePipeline is to look at and to act on.
type Bridge struct {
	Name      string
	Partition string   // aws when empty
	Region    string   //
	Account   string   // twelve digits; empty: not known
	Pipelines []string // their names in AWS
	Act       bool     // false: looking only
	Role      string   // ARN of the bridge's role; empty: the base credentials do it all
	Caller    string   // ARN of who assumes it; empty: not known
	// ExternalID and SourceIdentity say what the configuration sends with AssumeRole.
	ExternalID, SourceIdentity bool
	Queue                      string // ARN of the queue of hints; empty: none
	// Hooks has it be about pause hooks of ECS instead of pipelines; nil: it is not.
	Hooks *Hooks
}

// Hooks are services of ECS, by name; * stands for any text.
type Hooks struct{ Cluster, Service string }

// Policies are what the bridge needs, and what keeps others from approving.
func (b Bridge) Policies() Set {
	b.Partition = cmp.Or(b.Partition, "aws")
	s := Set{Comment: "What the bridge " + b.Name + " needs"}
	if b.Hooks != nil {
		s.Comment = "What the ECS gate " + b.Name + " needs"
	}
	if b.Account == "" {
		b.Account = "*"
		s.Warnings = append(s.Warnings, "the account of the bridge "+b.Name+" is not in the configuration, and * stands for it in the ARNs: write the account there")
	}
	if base := b.base(); len(base.Statements) > 0 {
		s.Documents = append(s.Documents, base)
	}
	s.Documents = append(s.Documents, b.read())
	if b.Act {
		s.Documents = append(s.Documents, b.act())
	}
	if b.Role != "" {
		s.Documents = append(s.Documents, b.trust())
		if b.Caller == "" {
			s.Warnings = append(s.Warnings, "who assumes "+b.Role+" is not in the configuration (aws.roleArn): put the ARN behind rollcall's own credentials in the place of "+anyCaller)
		}
		if b.ExternalID {
			s.Warnings = append(s.Warnings, "put the external ID of "+b.Role+" (aws.roles in the configuration) in the place of "+externalID)
		}
	}
	if b.Act {
		s.Documents = append(s.Documents, b.deny())
	}
	return s
}

// arns are the pipelines' ARNs, each with something behind it.
func (b Bridge) arns(behind string) []string {
	var all []string
	for _, name := range b.Pipelines {
		all = append(all, "arn:"+b.Partition+":codepipeline:"+b.Region+":"+b.Account+":"+name+behind)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// of is an ARN in the bridge's region and account.
func (b Bridge) of(service, resource string) string {
	return "arn:" + b.Partition + ":" + service + ":" + b.Region + ":" + b.Account + ":" + resource
}

func (b Bridge) name(kind string) string { return "rollcall-" + b.Name + "-" + kind }

// base is what the credentials need that rollcall starts with: the way into the
// role, and the queue, which is read with them.
func (b Bridge) base() Document {
	d := Document{Kind: base, Name: b.name(base), Comment: "For the credentials that rollcall starts with (the user or role of the machine or container); attach it in their account."}
	if b.Role != "" {
		d.Statements = append(d.Statements, Statement{Sid: "AssumeTheBridgeRole", Comment: "act as the role of the bridge", Actions: b.assume(), Resources: []string{b.Role}})
	}
	if b.Queue != "" {
		d.Statements = append(d.Statements, ReadQueue(b.Queue))
	}
	return d
}

// ReadQueue is what reading a queue of events takes.
func ReadQueue(arn string) Statement {
	return Statement{Sid: "ReadHints", Comment: "receive what EventBridge says has changed; doctor looks whether the queue is there",
		Actions: []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, Resources: []string{arn}}
}

func (b Bridge) assume() []string {
	if b.SourceIdentity {
		return []string{"sts:AssumeRole", "sts:SetSourceIdentity"}
	}
	return []string{"sts:AssumeRole"}
}

func (b Bridge) read() Document {
	if b.Hooks != nil {
		return b.readHooks()
	}
	return Document{Kind: read, Name: b.name(read), Role: b.Role, Comment: "For " + b.holder() + ": looking at the pipelines. Nothing in it changes anything; mode: watch needs no more.", Statements: []Statement{
		{Sid: "ListPipelines", Comment: "find the pipelines when a bridge is set up; AWS grants it on all or none", Actions: []string{"codepipeline:ListPipelines"}, Resources: []string{"*"}},
		{Sid: "ReadPipelines", Comment: "definition, state and history", Actions: []string{
			"codepipeline:GetPipeline", "codepipeline:GetPipelineState", "codepipeline:GetPipelineExecution", "codepipeline:ListPipelineExecutions",
			"codepipeline:ListActionExecutions", "codepipeline:ListRuleExecutions"}, Resources: b.arns("")},
		{Sid: "ReadBuilds", Comment: "which log a failed build has written, and why it failed; leave it out to show failures without it",
			Actions: []string{"codebuild:BatchGetBuilds"}, Resources: []string{b.of("codebuild", "project/*")}},
		{Sid: "ReadLogsOfBuilds", Comment: "the last lines of a failed build; a project with a log group of its own needs that one here",
			Actions: []string{"logs:GetLogEvents"}, Resources: []string{b.of("logs", "log-group:/aws/codebuild/*:log-stream:*")}},
		{Sid: "ReadLogsOfFunctions", Comment: "the last lines of a failed function; leave it out to show failures without them",
			Actions: []string{"logs:FilterLogEvents"}, Resources: []string{b.of("logs", "log-group:/aws/lambda/*")}},
	}}
}

func (b Bridge) holder() string {
	if b.Role == "" {
		return "the credentials that rollcall starts with"
	}
	return b.Role
}

func (b Bridge) act() Document {
	if b.Hooks != nil {
		return b.actHooks()
	}
	return Document{Kind: act, Name: b.name(act), Role: b.Role, Comment: "For " + b.holder() + ": what people ask for in Slack. Only mode: act needs it.", Statements: []Statement{
		{Sid: "StartAndStop", Comment: "start and stop executions", Actions: []string{"codepipeline:StartPipelineExecution", "codepipeline:StopPipelineExecution"}, Resources: b.arns("")},
		{Sid: "ChangeStages", Comment: "roll back, retry, override, lock and unlock; AWS grants these on stages, and a statement on the pipeline grants none of them",
			Actions: []string{"codepipeline:RollbackStage", "codepipeline:RetryStageExecution", "codepipeline:OverrideStageCondition",
				"codepipeline:EnableStageTransition", "codepipeline:DisableStageTransition"}, Resources: b.arns("/*")},
		{Sid: "AnswerApprovals", Comment: "approve and reject; AWS grants it on actions", Actions: []string{"codepipeline:PutApprovalResult"}, Resources: b.arns("/*/*")},
	}}
}

func (b Bridge) trust() Document {
	s := Statement{Sid: "LetRollcallAssume", Comment: "rollcall acts as this role", Actions: b.assume(), Principals: []string{cmp.Or(b.Caller, anyCaller)}}
	if b.ExternalID {
		s.Conditions = append(s.Conditions, Condition{"StringEquals", "sts:ExternalId", []string{externalID}})
	}
	d := Document{Kind: trust, Name: b.name(trust), Role: b.Role, Comment: "The trust policy of " + b.Role + ".", Statements: []Statement{s}}
	if s.Principals[0] != anyCaller && strings.Contains(s.Principals[0], ":assumed-role/") {
		d.Statements[0].Principals = []string{RoleOf(s.Principals[0])}
	}
	return d
}

func (b Bridge) deny() Document {
	if b.Hooks != nil {
		return b.denyHooks()
	}
	allowed := cmp.Or(b.Role, b.Caller, anyCaller)
	return Document{Kind: deny, Name: b.name(deny), Comment: "Makes rollcall the only way to answer approvals of these pipelines. Add the statement to a service control policy of the account, or to the permissions boundary of everybody else. " +
		"Whoever may change a pipeline (codepipeline:UpdatePipeline) can still take an approval out of it.", Statements: []Statement{
		{Sid: "OnlyRollcallApproves", Comment: "nobody but rollcall's role answers", Deny: true, Actions: []string{"codepipeline:PutApprovalResult"}, Resources: b.arns("/*/*"),
			Conditions: []Condition{{"ArnNotEquals", "aws:PrincipalArn", []string{RoleOf(allowed)}}}},
	}}
}
