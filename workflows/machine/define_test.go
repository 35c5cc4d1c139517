package machine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// define reads the small language in which scenarios write pipelines, a line per stage:
//
//	Prod [onFailure=ROLLBACK lock=never]: SignOff{gate from=ana,ben required=2} > Deploy{restartable} + Smoke
//
// Actions joined by + run in parallel, those after > later. The actions of the
// first stage are sources, which are not polled unless they say {polls}. A line "variables: a=1 b" declares variables, "mode:
// QUEUED" the execution mode, "schedule: 0 6 * * * Europe/Berlin" a schedule,
// "trigger: push branches=main" a filter (see filter). A condition
// follows its stage, rules joined by +, _ standing for blanks in their values:
//
//	entry of Prod [SKIP]: Wanted{provider=VariableCheck Variable=#{variables.go} Operator=EQ Value=yes}
func define(lines []string) (*workflows.Pipeline, error) {
	p := &workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeSuperseded}
	for _, line := range lines {
		head, tail, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("a stage is NAME: ACTIONS, not %q", line)
		}
		if head == "variables" {
			p.Variables = variables(strings.Fields(tail))
			continue
		}
		switch words := strings.Fields(line); {
		case head == "name":
			p.Name = strings.TrimSpace(tail)
			continue
		case head == "mode":
			p.ExecutionMode = strings.TrimSpace(tail)
			continue
		case head == "schedule":
			p.Triggers = append(p.Triggers, workflows.Trigger{Schedule: &workflows.Schedule{Cron: strings.Join(words[1:len(words)-1], " "), Timezone: words[len(words)-1]}})
			continue
		case head == "trigger":
			if err := filter(p, words[1:]); err != nil {
				return nil, err
			}
			continue
		case len(words) > 2 && words[1] == "of":
			if err := condition(p, words, line); err != nil {
				return nil, err
			}
			continue
		}
		name, options, _ := strings.Cut(strings.TrimSuffix(head, "]"), " [")
		st := workflows.Stage{Name: name, Rollback: workflows.RollbackPolicy{Lock: "always", Eligible: "any", Approval: "skipRecent"}}
		for _, o := range strings.Fields(options) {
			key, value, _ := strings.Cut(o, "=")
			switch key {
			case "onFailure":
				result, mode, _ := strings.Cut(value, "/")
				st.OnFailure = &workflows.OnFailure{Result: result, RetryMode: mode}
			case "lock":
				st.Rollback.Lock = value
			case "eligible":
				st.Rollback.Eligible = value
			case "approval":
				st.Rollback.Approval = value
			case "onAlarm": // NAME,NAME/FOR
				names, lasts, _ := strings.Cut(value, "/")
				st.Rollback.OnAlarm.Alarms, st.Rollback.OnAlarm.For = strings.Split(names, ","), lasts
			case "environment":
				st.Environment = value
			default:
				return nil, fmt.Errorf("stage option %q", o)
			}
		}
		for order, group := range strings.Split(tail, " > ") {
			for _, text := range strings.Split(group, " + ") {
				a, err := action(strings.TrimSpace(text), len(p.Stages) == 0)
				if err != nil {
					return nil, err
				}
				a.RunOrder = order + 1
				st.Actions = append(st.Actions, a)
			}
		}
		p.Stages = append(p.Stages, st)
	}
	return p, nil
}

func condition(p *workflows.Pipeline, words []string, line string) error {
	st, ok := p.Stage(words[2])
	if !ok {
		return fmt.Errorf("the condition's stage must come before it: %q", line)
	}
	head, tail, _ := strings.Cut(line, "]: ")
	_, result, _ := strings.Cut(head, " [")
	c := &workflows.Condition{Result: result}
	for _, text := range strings.Split(tail, " + ") {
		name, options, _ := strings.Cut(strings.TrimSuffix(text, "}"), "{")
		r := workflows.Rule{Name: name, RuleType: workflows.ActionType{Category: "Rule", Owner: "AWS", Provider: "Commands", Version: "1"}, Configuration: map[string]string{}}
		for _, o := range strings.Fields(options) {
			key, value, _ := strings.Cut(o, "=")
			value = strings.ReplaceAll(value, "_", " ")
			switch key {
			case "provider":
				r.RuleType.Provider = value
			case "minutes":
				r.TimeoutMinutes, _ = strconv.Atoi(value)
			case "run":
				r.Commands = append(r.Commands, value)
			default:
				r.Configuration[key] = value
			}
		}
		c.Rules = append(c.Rules, r)
	}
	switch words[0] {
	case "entry":
		st.BeforeEntry = c
	case "success":
		st.OnSuccess = c
	case "failure":
		if st.OnFailure == nil {
			st.OnFailure = &workflows.OnFailure{}
		}
		st.OnFailure.Condition = c
	default:
		return fmt.Errorf("a condition is of entry, success or failure, not %q", words[0])
	}
	return nil
}

func variables(words []string) []workflows.Variable {
	var all []workflows.Variable
	for _, word := range words {
		name, value, given := strings.Cut(word, "=")
		v := workflows.Variable{Name: name}
		if name, v.Pattern, _ = strings.Cut(name, "~"); v.Pattern != "" {
			v.Name = name
		}
		if given {
			v.DefaultValue = &value
		}
		all = append(all, v)
	}
	return all
}

func action(text string, source bool) (workflows.Action, error) {
	name, options, _ := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	a := workflows.Action{Name: name, ActionType: workflows.ActionType{Category: "Build", Owner: "Rollcall", Provider: "Commands", Version: "1"}}
	if source {
		a.ActionType.Category, a.ActionType.Provider = "Source", "Git"
		a.Configuration = map[string]string{"PollForSourceChanges": "false"}
	}
	set := func(key, value string) {
		if a.Configuration == nil {
			a.Configuration = map[string]string{}
		}
		a.Configuration[key] = value
	}
	for _, o := range strings.Fields(options) {
		key, value, _ := strings.Cut(o, "=")
		values := strings.Split(value, ",")
		n, _ := strconv.Atoi(value)
		switch key {
		case "gate":
			a.ActionType.Category, a.ActionType.Provider = "Approval", "Manual"
			a.Approval = &workflows.ApprovalPolicy{Required: 1, Comment: "optional"}
		case "from":
			a.Approval.From = people(values)
		case "ask":
			a.Approval.Ask = people(values)
		case "required":
			a.Approval.Required = n
		case "atLeast":
			who, count, _ := strings.Cut(value, "/")
			n, _ := strconv.Atoi(count)
			a.Approval.AtLeast = map[string]int{who: n}
		case "comment":
			a.Approval.Comment = value
		case "requesterMayApprove":
			a.Approval.RequesterMayApprove = true
		case "remindAt":
			a.Approval.RemindAt = values
		case "text":
			set("CustomData", value)
		case "polls":
			a.Configuration = nil
		case "set": // KEY:VALUE of the configuration
			key, value, _ := strings.Cut(value, ":")
			set(key, value)
		case "minutes":
			a.TimeoutMinutes = n
		case "restartable":
			a.Restartable = true
		case "namespace":
			a.Namespace = value
		case "in":
			a.InputArtifacts = values
		case "out":
			a.OutputArtifacts = append(a.OutputArtifacts, workflows.OutputArtifact{Name: value})
		case "run":
			a.Commands = append(a.Commands, strings.ReplaceAll(value, "_", " "))
		case "provider":
			a.ActionType.Provider = value
		default:
			return a, fmt.Errorf("action option %q", o)
		}
	}
	return a, nil
}

// people lets scenarios write "ana" where definitions have her address.
func people(who []string) []string {
	full := make([]string, len(who))
	for i, w := range who {
		full[i] = w
		if !strings.Contains(w, ":") && w != "everyone" {
			full[i] = person(w).Email
		}
	}
	return full
}
