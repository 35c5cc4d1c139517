package machine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// define reads the small language in which scenarios write pipelines, a line per stage:
//
//	Prod [onFailure=ROLLBACK hold=never]: SignOff{gate from=ana,ben required=2} > Deploy{restartable} + Smoke
//
// Actions joined by + run in parallel, those after > later. The actions of the
// first stage are sources. A line "variables: a=1 b" declares variables.
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
		if head == "name" {
			p.Name = strings.TrimSpace(tail)
			continue
		}
		name, options, _ := strings.Cut(strings.TrimSuffix(head, "]"), " [")
		st := workflows.Stage{Name: name, Rollback: workflows.RollbackPolicy{Hold: "always", Eligible: "any", Approval: "skipRecent"}}
		for _, o := range strings.Fields(options) {
			key, value, _ := strings.Cut(o, "=")
			switch key {
			case "onFailure":
				st.OnFailure = &workflows.OnFailure{Result: value}
			case "hold":
				st.Rollback.Hold = value
			case "eligible":
				st.Rollback.Eligible = value
			case "approval":
				st.Rollback.Approval = value
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
