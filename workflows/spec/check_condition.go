package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
)

// conditionAt is a condition with its place.
type conditionAt struct {
	*workflows.Condition
	stage int
	kind  string // beforeEntry|onSuccess|onFailure
	path  []any
}

// conditions lists every condition of the pipeline.
func (c *checker) conditions() (all []conditionAt) {
	for i, s := range c.p.Stages {
		add := func(cond *workflows.Condition, path ...any) {
			if cond != nil {
				all = append(all, conditionAt{cond, i, path[0].(string), append([]any{"stages", i}, path...)})
			}
		}
		add(s.BeforeEntry, "beforeEntry")
		add(s.OnSuccess, "onSuccess")
		if s.OnFailure != nil {
			add(s.OnFailure.Condition, "onFailure", "condition")
		}
	}
	return all
}

// results checks what conditions and failures lead to.
func (c *checker) results() {
	rollback := func(stage int, path []any) {
		if c.p.ExecutionMode == workflows.ModeParallel {
			c.fault("in PARALLEL mode nothing rolls back by itself", "remove ROLLBACK, or use SUPERSEDED or QUEUED", path...)
		}
		if stage == 0 {
			c.fault("the source stage cannot be rolled back", "put onFailure: {result: ROLLBACK} on a stage that deploys", path...)
		}
	}
	for i, s := range c.p.Stages {
		if s.OnFailure != nil && s.OnFailure.Result == workflows.ResultRollback {
			rollback(i, []any{"stages", i, "onFailure", "result"})
		}
	}
	for _, cond := range c.conditions() {
		if cond.Result == workflows.ResultRollback {
			rollback(cond.stage, append(cond.path, "result"))
		}
		seen := map[string]bool{}
		for k := range cond.Rules {
			r := &cond.Rules[k]
			at := func(path ...any) []any { return slices.Concat(cond.path, []any{"rules", k}, path) }
			c.name(r.Name, "rule's name", inNames, 100, at("name")...)
			if r.Name != "" && seen[r.Name] {
				c.fault("there are two rules "+r.Name+" in the condition", "names of rules are unique in a condition", at("name")...)
			}
			seen[r.Name] = true
			c.rule(r, at)
			if p := r.RuleType.Provider; cond.Result == workflows.ResultSkip && p != "" && p != "VariableCheck" && p != "LambdaInvoke" {
				c.fault("SKIP does not go with a "+p+" rule", "use VariableCheck or LambdaInvoke rules, or result FAIL", at("ruleTypeId", "provider")...)
			}
		}
	}
}

// rule checks what can be said of a rule alone.
func (c *checker) rule(r *workflows.Rule, at func(...any) []any) {
	provider := r.RuleType.Provider
	if n := r.TimeoutMinutes; c.root.find(at("timeoutInMinutes")...) != nil && (n < 5 || n > 86400) {
		c.fault(fmt.Sprintf("timeoutInMinutes cannot be %d", n), "it is from 5 to 86400, which is 60 days", at("timeoutInMinutes")...)
	}
	if provider == "" {
		return
	}
	where := at("ruleTypeId", "provider")
	row, known := lookup(provider, rules, "")
	if !known {
		c.fault("there is no provider "+quoted(provider)+" of rules", meant(provider, providers(true)), where...)
		return
	}
	if !hasJudge(provider) {
		c.warn(c.root.at(where...), provider+" rules cannot run yet: they fail when they are come to", "these can: "+strings.Join(strings.Fields(judges), ", "))
	}
	c.artifactCount(provider, "input", len(r.InputArtifacts), row.minIn, row.maxIn, at("inputArtifacts")...)
	switch {
	case provider == "Commands" && len(r.Commands) == 0:
		c.fault("the rule has no commands", `such as commands: ["make check"]`, at("commands")...)
	case provider != "Commands" && len(r.Commands) > 0:
		c.fault("commands belong to Commands rules, not to "+provider, "move them to a rule with provider: Commands", at("commands")...)
	}
	c.lines(r.Commands, at)
	if n := len(r.Configuration); n > 200 {
		c.fault(fmt.Sprintf("the rule has %d configuration keys", n), "at most 200 are allowed", at("configuration")...)
	}
	c.keys(provider, row, r.Configuration, 10000, at, func(key, value string) (message, hint string) {
		return ruleFault(provider, r.Configuration, key, value)
	})
}

// ruleFault says what is wrong with a value that our own judges read.
func ruleFault(provider string, configuration map[string]string, key, value string) (message, hint string) {
	if strings.Contains(value, "#{") {
		return "", ""
	}
	switch provider + " " + key {
	case "VariableCheck Operator":
		if known := []string{"EQ", "NE", "CONTAINS", "MATCHES"}; !slices.Contains(known, value) {
			return "Operator cannot be " + quoted(value), meant(value, known)
		}
	case "VariableCheck Value":
		if _, err := regexp.Compile(`\A(?:` + value + `)\z`); err != nil && configuration["Operator"] == "MATCHES" {
			return "Value " + quoted(value) + " is no regular expression", "RE2 syntax; it must match the whole variable"
		}
	case "DeploymentWindow Cron":
		if _, err := clock.ParseWindow(value); err != nil {
			return fmt.Sprintf("Cron cannot be %s: %s", quoted(value), err), "six fields, the first of them *: * * 9-16 ? * MON-FRI"
		}
	case "DeploymentWindow TimeZone":
		if _, err := clock.Zone(value); err != nil {
			return fmt.Sprintf("TimeZone cannot be %s: %s", quoted(value), err), "such as Europe/Berlin, or UTC+02:00"
		}
	}
	return "", ""
}
