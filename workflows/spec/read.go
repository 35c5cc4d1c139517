package spec

import (
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
)

func (r reader) pipeline(n *node) *workflows.Pipeline {
	o := r.object(n, "pipeline")
	p := &workflows.Pipeline{
		Name:          o.must("name"),
		ExecutionMode: workflows.Mode(o.oneOf("executionMode")),
		Channel:       o.text("channel"),
		Owners:        o.texts("owners"),
	}
	o.unused("artifactStore", "artifactStores", "roleArn", "pipelineType")
	if o.has("artifactStore") && o.has("artifactStores") {
		r.add(o.get("artifactStores").pos, "artifactStore and artifactStores are both given", "keep one, or neither: artifacts are stored by rollcall itself")
	}
	if t := o.get("ticket"); t != nil {
		p.Ticket = r.ticket(t)
	}
	for _, v := range o.each("variables") {
		p.Variables = append(p.Variables, r.variable(v))
	}
	for _, t := range o.each("triggers") {
		p.Triggers = append(p.Triggers, r.trigger(t))
	}
	for _, s := range o.each("stages") {
		p.Stages = append(p.Stages, r.stage(s))
	}
	return p
}

func (r reader) ticket(n *node) *workflows.Ticket {
	o := r.object(n, "ticket")
	return &workflows.Ticket{
		Project: o.text("project"), IssueType: o.text("issueType"), Labels: o.texts("labels"), Stages: o.texts("stages"),
		CloseOnSuccess: o.text("closeOnSuccess"), ReopenWithin: o.text("reopenWithin"), LogTail: o.number("logTail", 10),
	}
}

func (r reader) variable(n *node) workflows.Variable {
	o := r.object(n, "variable")
	v := workflows.Variable{Name: o.must("name"), Description: o.text("description"), Pattern: o.text("pattern")}
	if d := o.scalar("defaultValue"); d != nil {
		v.DefaultValue = &d.text
	}
	return v
}

func (r reader) trigger(n *node) workflows.Trigger {
	o := r.object(n, "trigger")
	t := workflows.Trigger{ProviderType: o.text("providerType")}
	g, s := o.get("gitConfiguration"), o.get("schedule")
	switch {
	case g != nil && s != nil:
		r.add(s.pos, "the trigger has a schedule and filters of changes", "make two triggers of it")
	case s != nil && o.has("providerType"):
		r.add(o.at("providerType"), "a schedule has no providerType", "remove it")
	case g == nil && s == nil && n.kind == mapping:
		r.add(n.pos, "the trigger says nothing", "give it push: {branches: […]}, or schedule: {cron: …}")
	}
	if s != nil {
		c := r.object(s, "schedule")
		t.Schedule = &workflows.Schedule{Cron: c.must("cron"), Timezone: "UTC"}
		if c.has("timezone") {
			t.Schedule.Timezone = c.must("timezone")
		}
	}
	if g != nil {
		c := r.object(g, "git")
		t.Git = &workflows.GitConfiguration{SourceActionName: c.must("sourceActionName")}
		for _, f := range c.each("push") {
			t.Git.Push = append(t.Git.Push, r.filter(f, "push"))
		}
		for _, f := range c.each("pullRequest") {
			t.Git.PullRequest = append(t.Git.PullRequest, r.filter(f, "pullRequest"))
		}
	}
	return t
}

func (r reader) filter(n *node, part string) workflows.GitFilter {
	o := r.object(n, part)
	return workflows.GitFilter{Events: o.texts("events"), Branches: o.patterns("branches"), FilePaths: o.patterns("filePaths"), Tags: o.patterns("tags")}
}

func (o object) patterns(key string) *workflows.Patterns {
	n := o.get(key)
	if n == nil {
		return nil
	}
	p := o.object(n, "patterns")
	return &workflows.Patterns{Includes: p.texts("includes"), Excludes: p.texts("excludes")}
}

func (r reader) stage(n *node) workflows.Stage {
	o := r.object(n, "stage")
	s := workflows.Stage{Name: o.must("name"), Environment: o.text("environment")}
	if b := o.each("blockers"); len(b) > 0 {
		r.add(o.at("blockers"), "blockers are reserved by CodePipeline and mean nothing", "remove them; beforeEntry can keep executions out")
	}
	s.BeforeEntry = r.condition(o, "beforeEntry", "entryCondition")
	s.OnSuccess = r.condition(o, "onSuccess", "successCondition")
	if f := o.get("onFailure"); f != nil {
		s.OnFailure = r.onFailure(f)
	}
	if s.Announce = "never"; s.Environment != "" {
		s.Announce = "success"
	}
	if o.has("announce") {
		s.Announce = o.oneOf("announce")
	}
	policy := object{r, &node{pos: n.pos, kind: mapping}, "rollback", r.shapes["rollback"]}
	if b := o.get("rollback"); b != nil {
		policy = r.object(b, "rollback")
	}
	s.Rollback = workflows.RollbackPolicy{Hold: policy.oneOf("hold"), Eligible: policy.oneOf("eligible"), Approval: policy.oneOf("approval")}
	for _, a := range o.each("actions") {
		s.Actions = append(s.Actions, r.action(a, s.Environment == ""))
	}
	return s
}

// condition reads the condition behind a key; nil without the key.
func (r reader) condition(o object, key, part string) *workflows.Condition {
	n := o.get(key)
	if n == nil {
		return nil
	}
	if wrapped := n.get("conditions"); wrapped != nil { // a single one has been unwrapped
		r.add(wrapped.pos, fmt.Sprintf("%s has %s", key, count(len(wrapped.items), "condition")), "it has exactly one; put all rules into it")
		return nil
	}
	c := r.object(n, part)
	out := &workflows.Condition{Result: c.must("result")}
	if known := c.part.words("result"); out.Result != "" && !slices.Contains(known, out.Result) {
		hint := meant(out.Result, known)
		if key == "condition" && out.Result == workflows.ResultRetry {
			hint = "RETRY cannot have a condition; write onFailure: {result: RETRY}"
		}
		r.add(c.at("result"), fmt.Sprintf("the result of %s cannot be %s", o.conditionOf(key), quoted(out.Result)), hint)
	}
	for _, rule := range c.each("rules") {
		out.Rules = append(out.Rules, r.rule(rule))
	}
	if n := len(out.Rules); c.kind == mapping && (n < 1 || n > 5) {
		r.add(c.at("rules"), "the condition has "+count(n, "rule"), "it has from 1 to 5")
	}
	return out
}

func (o object) conditionOf(key string) string {
	if key == "condition" {
		return "a condition of onFailure"
	}
	return key
}

func (r reader) rule(n *node) workflows.Rule {
	o := r.object(n, "rule")
	o.unused("roleArn", "region")
	rule := workflows.Rule{
		Name:           o.must("name"),
		Configuration:  o.table("configuration"),
		Commands:       o.texts("commands"),
		InputArtifacts: r.inputs(o),
		TimeoutMinutes: o.number("timeoutInMinutes", 0),
	}
	switch t := o.get("ruleTypeId"); {
	case t != nil:
		c := r.object(t, "ruleType")
		rule.RuleType = workflows.ActionType{Category: c.oneOf("category"), Owner: c.oneOf("owner"), Provider: c.must("provider"), Version: c.version()}
		if o.has("provider") {
			r.add(o.at("provider"), "provider and ruleTypeId are both given", "keep one of them")
		}
	case o.kind == mapping:
		r.add(o.pos, "the rule has no provider", "such as provider: VariableCheck")
	}
	return rule
}

func (r reader) onFailure(n *node) *workflows.OnFailure {
	o := r.object(n, "onFailure")
	f := &workflows.OnFailure{Condition: r.condition(o, "condition", "failureCondition")}
	if o.has("result") {
		f.Result = o.oneOf("result")
	}
	if c := o.get("conditions"); c != nil && f.Condition != nil {
		r.add(c.pos, "condition and conditions are both given", "keep one of them")
	} else if c != nil && len(o.each("conditions")) > 0 {
		r.add(c.pos, "onFailure has "+count(len(c.items), "condition"), "it has at most one; put all rules into it")
	}
	mode := o
	if c := o.get("retryConfiguration"); c != nil {
		mode = r.object(c, "retry")
		if o.has("retryMode") {
			r.add(c.pos, "retryMode and retryConfiguration are both given", "keep one of them")
		}
	}
	switch {
	case f.Result == workflows.ResultRetry:
		f.RetryMode = mode.oneOf("retryMode")
		if f.Condition != nil {
			r.add(o.at("condition"), "RETRY cannot have a condition", "remove the condition, or use ROLLBACK")
		}
	case o.has("retryMode") || o.has("retryConfiguration"):
		r.add(mode.pos, orThe(map[bool]string{true: "retryMode"}[o.has("retryMode")], "retryConfiguration")+" belongs to result RETRY", "remove it")
	case f.Result == "" && f.Condition == nil && n.kind == mapping && !o.has("conditions"):
		r.add(n.pos, "onFailure says nothing", "such as onFailure: {result: ROLLBACK}")
	}
	return f
}

func (r reader) action(n *node, restartable bool) workflows.Action {
	o := r.object(n, "action")
	o.unused("roleArn", "region")
	a := workflows.Action{
		Name:            o.must("name"),
		RunOrder:        o.number("runOrder", 1),
		Namespace:       o.text("namespace"),
		Configuration:   o.table("configuration"),
		InputArtifacts:  r.inputs(o),
		Commands:        o.texts("commands"),
		OutputVariables: o.texts("outputVariables"),
		TimeoutMinutes:  o.number("timeoutInMinutes", 0),
		Restartable:     o.flag("restartable", restartable),
	}
	switch t := o.get("actionTypeId"); {
	case t != nil:
		a.ActionType = r.actionType(t)
		if o.has("provider") {
			r.add(o.at("provider"), "provider and actionTypeId are both given", "keep one of them")
		}
	case o.kind == mapping:
		r.add(o.pos, "the action has no provider", "such as provider: Commands")
	}
	for _, out := range o.each("outputArtifacts") {
		c := r.object(out, "output")
		a.OutputArtifacts = append(a.OutputArtifacts, workflows.OutputArtifact{Name: c.must("name"), Files: c.texts("files")})
	}
	for _, v := range o.each("environmentVariables") {
		a.EnvironmentVariables = append(a.EnvironmentVariables, r.environmentVariable(v))
	}
	if p := o.get("approval"); p != nil {
		a.Approval = r.approval(p)
	}
	return a
}

// inputs reads the names of input artifacts.
func (r reader) inputs(o object) (names []string) {
	for _, in := range o.each("inputArtifacts") {
		names = append(names, r.object(in, "input").must("name"))
	}
	return names
}

// version is that of an action type or a rule type.
func (o object) version() string {
	if !o.has("version") {
		return "1"
	}
	o.unused("version")
	return o.text("version")
}

func (r reader) actionType(n *node) workflows.ActionType {
	o := r.object(n, "actionType")
	t := workflows.ActionType{Provider: o.must("provider"), Version: o.version()}
	if o.has("category") {
		t.Category = o.must("category")
	}
	if o.has("owner") {
		t.Owner = o.must("owner")
	}
	if row, ok := lookup(t.Provider, t.Category, t.Owner); ok {
		t.Category, t.Owner = row.category, row.owner
	}
	return t
}

func (r reader) environmentVariable(n *node) workflows.EnvironmentVar {
	o := r.object(n, "environmentVariable")
	v := workflows.EnvironmentVar{Name: o.must("name"), Value: o.text("value")}
	if !o.has("value") && o.kind == mapping {
		r.add(o.pos, "the environment variable has no value", "add value: …")
	}
	switch kind := o.text("type"); kind {
	case "", "PLAINTEXT":
	case "SECRETS_MANAGER", "PARAMETER_STORE":
		r.add(o.at("type"), "a value of type "+kind+" is not fetched here", "secrets do not pass through rollcall: let the command fetch it itself")
	default:
		r.add(o.at("type"), "type cannot be "+quoted(kind), meant(kind, o.part.words("type")))
	}
	return v
}

func (r reader) approval(n *node) *workflows.ApprovalPolicy {
	o := r.object(n, "approval")
	p := &workflows.ApprovalPolicy{
		From:                o.texts("from"),
		Ask:                 o.texts("ask"),
		Required:            o.number("required", 1),
		RequesterMayApprove: o.flag("requesterMayApprove", false),
		Comment:             o.oneOf("comment"),
		RemindAt:            o.texts("remindAt"),
	}
	table := object{reader: r, node: o.get("atLeast")}
	for _, e := range o.pairs("atLeast") {
		if p.AtLeast == nil {
			p.AtLeast = map[string]int{}
		}
		if p.AtLeast[e.key] = table.number(e.key, 1); p.AtLeast[e.key] < 1 {
			r.add(e.value.pos, fmt.Sprintf("atLeast for %s must be 1 or more", e.key), "remove it, or raise it")
		}
	}
	return p
}
