package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
	"github.com/rollcall-bot/rollcall/workflows/words"
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
	rollback := func(what string, stage int, path []any) {
		if c.p.ExecutionMode == workflows.ModeParallel {
			c.fault("in PARALLEL mode nothing rolls back by itself", "remove "+what+", or use SUPERSEDED or QUEUED", path...)
		}
		if stage == 0 {
			c.fault("the source stage cannot be rolled back", "put "+orThe(map[string]string{"ROLLBACK": "onFailure: {result: ROLLBACK}"}[what], what)+" on a stage that deploys", path...)
		}
	}
	for i, s := range c.p.Stages {
		if s.OnFailure != nil && s.OnFailure.Result == workflows.ResultRollback {
			rollback("ROLLBACK", i, []any{"stages", i, "onFailure", "result"})
		}
		if at := []any{"stages", i, "rollback", "onAlarm"}; c.root.find(at...) != nil {
			rollback("onAlarm", i, at)
			c.watch(&s.Rollback, at)
		}
	}
	for _, cond := range c.conditions() {
		if cond.Result == workflows.ResultRollback {
			rollback("ROLLBACK", cond.stage, append(cond.path, "result"))
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

// watch checks the alarms that are watched after a success.
func (c *checker) watch(p *workflows.RollbackPolicy, at []any) {
	on := &p.OnAlarm
	if n := len(on.Alarms); n < 1 || n > 10 {
		c.fault("onAlarm has "+count(n, "alarm"), "name from 1 to 10, such as alarms: [shop-5xx]; a composite alarm stands for many", slices.Concat(at, []any{"alarms"})...)
	}
	for k, name := range on.Alarms {
		where := slices.Concat(at, []any{"alarms", k})
		switch {
		case strings.HasPrefix(name, "arn:"):
			c.fault("the alarm "+words.Quoted(name)+" is an ARN", "write the alarm's name, what is behind the last colon", where...)
		case utf8.RuneCountInString(name) > 255:
			c.fault("the name of the alarm is too long", "names of alarms have at most 255 characters", where...)
		case slices.Contains(on.Alarms[:k], name):
			c.fault("the alarm "+words.Quoted(name)+" is listed twice", "remove one of them", where...)
		}
	}
	if d, err := time.ParseDuration(on.For); err != nil || d < time.Minute || d > 24*time.Hour {
		c.fault("for cannot be "+words.Quoted(on.For), "write a time from 1m to 24h, such as 10m", slices.Concat(at, []any{"for"})...)
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
		c.fault("there is no provider "+words.Quoted(provider)+" of rules", meant(provider, providers(true)), where...)
		return
	}
	if !row.runs {
		c.warn(c.root.at(where...), provider+" rules cannot run yet: they fail when they are come to", "docs/pipelines.md lists those that can")
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
	if provider == "DeploymentWindow" {
		c.window(r.Configuration, at)
	}
	c.keys(provider, row, r.Configuration, 10000, at, func(key, value string) (message, hint string) {
		return ruleFault(provider, r.Configuration, key, value)
	})
}

// window warns of what a DeploymentWindow may not mean: AWS takes it, so it is no fault.
func (c *checker) window(configuration map[string]string, at func(...any) []any) {
	text, where := configuration["Cron"], c.root.at(at("configuration", "Cron")...)
	c.abbreviation("TimeZone", configuration["TimeZone"], at("configuration", "TimeZone")...)
	cron, err := clock.ParseWindow(text)
	if err != nil || strings.Contains(text, "#{") {
		return // reported elsewhere, or known later
	}
	last, opens := cron.LastYear()
	switch {
	case !opens:
		c.warn(where, "the window "+words.Quoted(text)+" never opens: no year has such a day", "what comes to it waits until the rule's time limit and fails")
	case cron.Ends():
		c.warn(where, fmt.Sprintf("the window %s opens for the last time in %d", words.Quoted(text), last), "write * for the year if it is to go on")
	}
	fields := strings.Fields(text)
	if fields[0] != "*" {
		c.warn(where, fmt.Sprintf("the seconds %s of the window mean nothing", words.Quoted(fields[0])), "a window opens and closes with the minute; write *")
	}
	if madeOf(fields[1], "") {
		c.warn(where, fmt.Sprintf("the window %s is open for one minute at a time, minute %s of an hour", words.Quoted(text), fields[1]), "write * for the minutes if it is meant for whole hours")
	}
}

// ruleFault says what is wrong with a value that our own judges read.
func ruleFault(provider string, configuration map[string]string, key, value string) (message, hint string) {
	if strings.Contains(value, "#{") {
		return "", ""
	}
	switch provider + " " + key {
	case "VariableCheck Operator":
		if known := []string{"EQ", "NE", "CONTAINS", "MATCHES"}; !slices.Contains(known, value) {
			return "Operator cannot be " + words.Quoted(value), meant(value, known)
		}
	case "VariableCheck Value":
		if _, err := regexp.Compile(`\A(?:` + value + `)\z`); err != nil && configuration["Operator"] == "MATCHES" {
			return "Value " + words.Quoted(value) + " is no regular expression", "RE2 syntax; it must match the whole variable"
		}
	case "CloudWatchAlarm WaitTime":
		if n, err := strconv.Atoi(value); err != nil || n < 0 {
			return "WaitTime cannot be " + words.Quoted(value), "a number of minutes, such as 10"
		}
	case "CloudWatchAlarm AlarmStates":
		for _, state := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(`,[]" `, r) }) {
			if known := []string{"ALARM", "OK", "INSUFFICIENT_DATA"}; !slices.Contains(known, state) {
				return "AlarmStates cannot have " + words.Quoted(state), meant(state, known)
			}
		}
	case "DeploymentWindow Cron":
		if _, err := clock.ParseWindow(value); err != nil {
			return fmt.Sprintf("Cron cannot be %s: %s", words.Quoted(value), err), "six fields, the first of them *: * * 9-16 ? * MON-FRI"
		}
	case "DeploymentWindow TimeZone":
		if _, err := clock.Zone(value); err != nil {
			return fmt.Sprintf("TimeZone cannot be %s: %s", words.Quoted(value), err), "such as Europe/Berlin, or UTC+02:00"
		}
	}
	return "", ""
}
