package spec

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
)

const notYet = "not supported yet"

func (r reader) pipeline(n *node) *workflows.Pipeline {
	o := r.object(n, "the pipeline", "name", "executionMode", "stages", "variables", "triggers", "channel", "owners", "ticket",
		"roleArn", "version", "pipelineType", "artifactStore", "artifactStores")
	p := &workflows.Pipeline{
		Name:          o.must("name"),
		ExecutionMode: workflows.Mode(o.oneOf("executionMode", string(workflows.ModeSuperseded), string(workflows.ModeQueued), string(workflows.ModeParallel))),
		Channel:       o.text("channel"),
		Owners:        o.texts("owners"),
	}
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
	o := r.object(n, "ticket", "project", "issueType", "labels", "stages", "closeOnSuccess", "reopenWithin", "logTail")
	return &workflows.Ticket{
		Project: o.text("project"), IssueType: o.text("issueType"), Labels: o.texts("labels"), Stages: o.texts("stages"),
		CloseOnSuccess: o.text("closeOnSuccess"), ReopenWithin: o.text("reopenWithin"), LogTail: o.number("logTail", 10),
	}
}

func (r reader) variable(n *node) workflows.Variable {
	o := r.object(n, "the variable", "name", "defaultValue", "description", "pattern")
	v := workflows.Variable{Name: o.must("name"), Description: o.text("description"), Pattern: o.text("pattern")}
	if d := o.scalar("defaultValue"); d != nil {
		v.DefaultValue = &d.text
	}
	return v
}

func (r reader) trigger(n *node) workflows.Trigger {
	o := r.object(n, "the trigger", "providerType", "gitConfiguration", "schedule", "sourceActionName", "push", "pullRequest")
	t := workflows.Trigger{ProviderType: o.text("providerType")}
	if s := o.get("schedule"); s != nil {
		r.add(s.pos, "schedules are "+notYet, "start the pipeline over the API from a scheduler of yours")
		return t
	}
	g := o.get("gitConfiguration")
	if g == nil {
		if n.kind == mapping {
			r.add(n.pos, "the trigger says nothing", "give it push: {branches: […]}")
		}
		return t
	}
	c := r.object(g, "gitConfiguration", "sourceActionName", "push", "pullRequest")
	t.Git = &workflows.GitConfiguration{SourceActionName: c.must("sourceActionName")}
	for _, f := range c.each("push") {
		t.Git.Push = append(t.Git.Push, r.filter(f, "branches", "filePaths", "tags"))
	}
	for _, f := range c.each("pullRequest") {
		t.Git.PullRequest = append(t.Git.PullRequest, r.filter(f, "events", "branches", "filePaths"))
	}
	return t
}

func (r reader) filter(n *node, known ...string) workflows.GitFilter {
	o := r.object(n, "the filter", known...)
	return workflows.GitFilter{Events: o.texts("events"), Branches: o.patterns("branches"), FilePaths: o.patterns("filePaths"), Tags: o.patterns("tags")}
}

func (o object) patterns(key string) *workflows.Patterns {
	n := o.get(key)
	if n == nil {
		return nil
	}
	p := o.object(n, key, "includes", "excludes")
	return &workflows.Patterns{Includes: p.texts("includes"), Excludes: p.texts("excludes")}
}

func (r reader) stage(n *node) workflows.Stage {
	o := r.object(n, "the stage", "name", "actions", "environment", "onFailure", "rollback", "announce", "beforeEntry", "onSuccess", "blockers")
	s := workflows.Stage{Name: o.must("name"), Environment: o.text("environment")}
	for _, key := range []string{"beforeEntry", "onSuccess", "blockers"} {
		if c := o.get(key); c != nil && (key != "blockers" || len(c.items) > 0) {
			r.add(c.pos, key+" is "+notYet, "remove it; a Commands action before the deployment can check a condition")
		}
	}
	if f := o.get("onFailure"); f != nil {
		s.OnFailure = r.onFailure(f)
	}
	if s.Announce = "never"; s.Environment != "" {
		s.Announce = "success"
	}
	if o.has("announce") {
		s.Announce = o.oneOf("announce", "success", "never")
	}
	policy := object{r, &node{pos: n.pos, kind: mapping}, "rollback"}
	if b := o.get("rollback"); b != nil {
		policy = r.object(b, "rollback", "hold", "eligible", "approval")
	}
	s.Rollback = workflows.RollbackPolicy{
		Hold:     policy.oneOf("hold", "always", "manual", "never"),
		Eligible: policy.oneOf("eligible", "any", "sameVersion"),
		Approval: policy.oneOf("approval", "skipRecent", "skip", "require"),
	}
	for _, a := range o.each("actions") {
		s.Actions = append(s.Actions, r.action(a, s.Environment == ""))
	}
	return s
}

func (r reader) onFailure(n *node) *workflows.OnFailure {
	o := r.object(n, "onFailure", "result", "conditions", "retryConfiguration")
	if c := o.get("conditions"); c != nil && len(c.items) > 0 {
		r.add(c.pos, "conditions are "+notYet, "result: ROLLBACK alone rolls back after every failure")
		return nil
	}
	f := &workflows.OnFailure{Result: o.must("result")}
	switch f.Result {
	case "", "ROLLBACK":
		if c := o.get("retryConfiguration"); c != nil && f.Result != "" {
			r.add(c.pos, "retryConfiguration belongs to result RETRY", "remove it")
		}
	case "RETRY":
		r.add(o.at("result"), "onFailure RETRY is "+notYet, "people can retry a failed stage, or use ROLLBACK")
	default:
		r.add(o.at("result"), "result cannot be "+quoted(f.Result), meant(f.Result, []string{"ROLLBACK"}))
	}
	return f
}

func (r reader) action(n *node, restartable bool) workflows.Action {
	o := r.object(n, "the action", "name", "provider", "actionTypeId", "runOrder", "configuration", "inputArtifacts", "outputArtifacts", "namespace",
		"commands", "outputVariables", "environmentVariables", "timeoutInMinutes", "approval", "restartable", "region", "roleArn")
	a := workflows.Action{
		Name:            o.must("name"),
		RunOrder:        o.number("runOrder", 1),
		Namespace:       o.text("namespace"),
		Configuration:   o.table("configuration"),
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
	for _, in := range o.each("inputArtifacts") {
		a.InputArtifacts = append(a.InputArtifacts, r.object(in, "the input artifact", "name").must("name"))
	}
	for _, out := range o.each("outputArtifacts") {
		c := r.object(out, "the output artifact", "name", "files")
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

func (r reader) actionType(n *node) workflows.ActionType {
	o := r.object(n, "actionTypeId", "category", "owner", "provider", "version")
	t := workflows.ActionType{Category: o.text("category"), Owner: o.text("owner"), Provider: o.must("provider"), Version: "1"}
	if o.has("version") {
		t.Version = o.text("version")
	}
	if row, ok := lookup(t.Provider, t.Category, t.Owner); ok {
		t.Category, t.Owner = row.category, row.owner
	}
	return t
}

func (r reader) environmentVariable(n *node) workflows.EnvironmentVar {
	o := r.object(n, "the environment variable", "name", "value", "type")
	v := workflows.EnvironmentVar{Name: o.must("name"), Value: o.text("value")}
	if !o.has("value") && o.kind == mapping {
		r.add(o.pos, "the environment variable has no value", "add value: …")
	}
	if kind := o.oneOf("type", "PLAINTEXT", "SECRETS_MANAGER", "PARAMETER_STORE"); kind == "SECRETS_MANAGER" || kind == "PARAMETER_STORE" {
		r.add(o.at("type"), kind+" is "+notYet, "let the command fetch the secret itself")
	}
	return v
}

func (r reader) approval(n *node) *workflows.ApprovalPolicy {
	o := r.object(n, "approval", "from", "ask", "required", "atLeast", "requesterMayApprove", "comment", "remindAt")
	p := &workflows.ApprovalPolicy{
		From:                o.texts("from"),
		Ask:                 o.texts("ask"),
		Required:            o.number("required", 1),
		RequesterMayApprove: o.flag("requesterMayApprove", false),
		Comment:             o.oneOf("comment", "optional", "required"),
		RemindAt:            o.texts("remindAt"),
	}
	table := object{r, o.get("atLeast"), "atLeast"}
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
