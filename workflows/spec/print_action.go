package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

func (w *printer) action(a *workflows.Action, restartable bool) {
	w.item()
	w.text("name", a.Name)
	w.provider("actionTypeId", "", a.ActionType)
	if a.RunOrder != 1 {
		w.line("runOrder", strconv.Itoa(a.RunOrder))
	}
	w.text("namespace", a.Namespace)
	w.pairs("configuration", a.Configuration)
	w.texts("inputArtifacts", a.InputArtifacts)
	w.artifacts(a.OutputArtifacts)
	w.texts("commands", a.Commands)
	w.texts("outputVariables", a.OutputVariables)
	w.environment(a.EnvironmentVariables)
	if a.TimeoutMinutes != timeLimit(a) {
		w.line("timeoutInMinutes", strconv.Itoa(a.TimeoutMinutes))
	}
	if a.Restartable != restartable {
		w.line("restartable", strconv.FormatBool(a.Restartable))
	}
	w.text("region", a.Region)
	w.text("roleArn", a.RoleArn)
	w.approval(a.Approval)
	w.endItem()
}

// environment writes keys and values, or a list where a type is said.
func (w *printer) environment(all []workflows.EnvironmentVar) {
	if len(all) == 0 {
		return
	}
	w.section("environmentVariables")
	short := !slices.ContainsFunc(all, func(v workflows.EnvironmentVar) bool { return v.Type != "" })
	for _, v := range all {
		if short {
			w.line(v.Name, quote(v.Value))
			continue
		}
		w.item()
		w.line("name", quote(v.Name))
		w.line("value", quote(v.Value))
		w.text("type", v.Type)
		w.endItem()
	}
	w.end()
}

// provider writes the short form where that means the same.
func (w *printer) provider(key, category string, t workflows.ActionType) {
	if r, ok := lookup(t.Provider, category, ""); ok && r.category == t.Category && r.owner == t.Owner && t.Version == "1" {
		w.text("provider", t.Provider)
	} else {
		w.line(key, fmt.Sprintf("{category: %s, owner: %s, provider: %s, version: %s}", quote(t.Category), quote(t.Owner), quote(t.Provider), quote(t.Version)))
	}
}

func (w *printer) pairs(key string, values map[string]string) {
	if len(values) > 0 {
		w.section(key)
		for _, name := range words.Keys(values) {
			w.line(name, quote(values[name]))
		}
		w.end()
	}
}

func (w *printer) condition(key string, c *workflows.Condition) {
	if c == nil {
		return
	}
	w.section(key)
	w.text("result", c.Result)
	w.section("rules")
	for _, r := range c.Rules {
		w.item()
		w.text("name", r.Name)
		w.provider("ruleTypeId", rules, r.RuleType)
		w.pairs("configuration", r.Configuration)
		w.texts("commands", r.Commands)
		w.texts("inputArtifacts", r.InputArtifacts)
		if r.TimeoutMinutes != 0 {
			w.line("timeoutInMinutes", strconv.Itoa(r.TimeoutMinutes))
		}
		w.text("region", r.Region)
		w.text("roleArn", r.RoleArn)
		w.endItem()
	}
	w.end()
	w.end()
}

func (w *printer) artifacts(out []workflows.OutputArtifact) {
	if len(out) == 0 {
		return
	}
	each := make([]string, len(out))
	for i, o := range out {
		if each[i] = quote(o.Name); len(o.Files) > 0 {
			each[i] = "{name: " + quote(o.Name) + ", files: " + flow(o.Files) + "}"
		}
	}
	w.line("outputArtifacts", "["+strings.Join(each, ", ")+"]")
}

func (w *printer) approval(p *workflows.ApprovalPolicy) {
	usual := &workflows.ApprovalPolicy{Required: 1, Comment: "optional"}
	if p == nil || reflect.DeepEqual(p, usual) {
		return
	}
	w.section("approval")
	w.line("required", strconv.Itoa(p.Required))
	w.texts("from", p.From)
	if !slices.Equal(p.Ask, p.From) {
		w.line("ask", flow(p.Ask))
	}
	if len(p.AtLeast) > 0 {
		w.section("atLeast")
		for _, who := range words.Keys(p.AtLeast) {
			w.line(who, strconv.Itoa(p.AtLeast[who]))
		}
		w.end()
	}
	if p.RequesterMayApprove {
		w.line("requesterMayApprove", "true")
	}
	if p.Comment != usual.Comment {
		w.text("comment", p.Comment)
	}
	w.texts("remindAt", p.RemindAt)
	if j := p.Jira; j != nil {
		w.section("jira")
		w.text("issue", j.Issue)
		w.text("status", j.Status)
		w.text("rejectedStatus", j.RejectedStatus)
		if j.Change {
			w.line("change", "true")
		}
		w.end()
	}
	w.end()
}
