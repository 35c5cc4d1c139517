package spec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

func (r reader) pipeline(n *node) *workflows.Pipeline {
	o := r.object(n, "pipeline")
	p := &workflows.Pipeline{
		Name:          o.must("name"),
		ExecutionMode: o.oneOf("executionMode"),
		Channel:       o.text("channel"),
		Owners:        o.texts("owners"),
	}
	if o.has("logTail") {
		lines := o.number("logTail", 10)
		p.LogTail = &lines
	}
	o.unused("pipelineType")
	p.RoleArn = o.checked("roleArn")
	r.stores(o, p)
	if t := o.get("ticket"); t != nil {
		p.Ticket = r.ticket(t)
	}
	if j := o.get("jira"); j != nil {
		o := r.object(j, "jira")
		p.Jira = &workflows.Released{Stages: o.texts("stages"), Status: o.text("status"), FixVersion: o.text("fixVersion")}
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
	t := &workflows.Ticket{
		Project: o.text("project"), IssueType: o.text("issueType"), Labels: o.texts("labels"), Components: o.texts("components"), Priority: o.text("priority"),
		Stages: o.texts("stages"), CloseOnSuccess: o.text("closeOnSuccess"), ReopenWithin: o.text("reopenWithin"), LogTail: o.number("logTail", 10),
	}
	if o.has("maxPerHour") {
		if t.MaxPerHour = o.number("maxPerHour", 10); t.MaxPerHour < 1 || t.MaxPerHour > maxTicketsPerHour {
			r.add(o.at("maxPerHour"), fmt.Sprintf("maxPerHour must be from 1 to %d", maxTicketsPerHour), "10 without the key")
		}
	}
	for _, e := range o.pairs("fields") {
		r.ticketField(t, e)
	}
	return t
}

// maxTicketsPerHour is the most that a file may allow.
const maxTicketsPerHour = 1000

// ticketField reads one more field of new tickets.
func (r reader) ticketField(t *workflows.Ticket, e entry) {
	for key, hint := range map[string]string{
		"project": "use ticket.project", "issuetype": "use ticket.issueType", "labels": "use ticket.labels", "components": "use ticket.components", "priority": "use ticket.priority",
		"summary": "rollcall writes it", "description": "rollcall writes it",
	} {
		if strings.EqualFold(e.key, key) {
			r.add(e.pos, "fields cannot set "+words.Quoted(e.key), hint)
			return
		}
	}
	if e.value.kind == null || e.value.kind == scalar && e.value.text == "" {
		r.add(e.value.pos, "the field "+words.Quoted(e.key)+" has no value", "remove the key, or give it a value")
		return
	}
	text, err := json.Marshal(e.value.document())
	if err != nil {
		panic("spec: what a file holds always marshals: " + err.Error())
	}
	if t.Fields == nil {
		t.Fields = map[string]json.RawMessage{}
	}
	t.Fields[e.key] = text
}

func (r reader) variable(n *node) workflows.Variable {
	o := r.object(n, "variable")
	v := workflows.Variable{Name: o.must("name"), Description: o.text("description"), Pattern: o.text("pattern")}
	if d := o.scalar("defaultValue"); d != nil {
		v.DefaultValue = &d.text
	}
	return v
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
	policy := object{r, &node{pos: n.pos, kind: mapping}, "rollback", r.shapes.part("rollback")}
	if b := o.get("rollback"); b != nil {
		policy = r.object(b, "rollback")
	}
	s.Rollback = workflows.RollbackPolicy{Lock: policy.oneOf("lock"), Eligible: policy.oneOf("eligible"), Approval: policy.oneOf("approval")}
	if n := policy.get("onAlarm"); n != nil {
		on := r.object(n, "onAlarm")
		to := &s.Rollback.OnAlarm
		to.Alarms, to.For, to.Region, to.RoleArn = on.texts("alarms"), cmp.Or(on.text("for"), "10m"), on.checked("region"), on.checked("roleArn")
	}
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
		r.add(c.at("result"), fmt.Sprintf("the result of %s cannot be %s", o.conditionOf(key), words.Quoted(out.Result)), meant(out.Result, known))
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
	rule := workflows.Rule{
		Region:         o.checked("region"),
		RoleArn:        o.checked("roleArn"),
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
	case f.Result == workflows.ResultRetry && f.Condition != nil && f.Condition.Result != workflows.ResultRetry:
		r.add(o.at("condition"), "the result is RETRY and that of the condition is "+words.Quoted(f.Condition.Result), "write the same for both, or only that of the condition, which decides")
	case f.Result == workflows.ResultRetry || f.Condition != nil && f.Condition.Result == workflows.ResultRetry:
		f.RetryMode = mode.oneOf("retryMode")
	case o.has("retryMode") || o.has("retryConfiguration"):
		r.add(mode.pos, orThe(map[bool]string{true: "retryMode"}[o.has("retryMode")], "retryConfiguration")+" belongs to result RETRY", "remove it")
	case f.Result == "" && f.Condition == nil && n.kind == mapping && !o.has("conditions"):
		r.add(n.pos, "onFailure says nothing", "such as onFailure: {result: ROLLBACK}")
	}
	return f
}

func (r reader) action(n *node, restartable bool) workflows.Action {
	o := r.object(n, "action")
	a := workflows.Action{
		Region:          o.checked("region"),
		RoleArn:         o.checked("roleArn"),
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
	if kind := o.oneOf("type"); kind != "PLAINTEXT" {
		v.Type = kind
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
	if j := o.get("jira"); j != nil {
		p.Jira = r.approvalJira(j)
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

func (r reader) approvalJira(n *node) *workflows.JiraApproval {
	o := r.object(n, "approvalJira")
	return &workflows.JiraApproval{
		Issue:          o.text("issue"),
		Status:         cmp.Or(o.text("status"), "Approved"),
		RejectedStatus: cmp.Or(o.text("rejectedStatus"), "Declined"),
		Change:         o.flag("change", false),
	}
}
