// Package needs says what pipelines whose actions run here need of AWS: which of
// their actions and rules work there, as whom, and with which permissions.
package needs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/secrets"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Uses lists what the actions and rules of a pipeline need of AWS. said are
// sentences about what could not be listed, or only with a * in it. in says where
// pipelines work and whose credentials lead there, commandsOn which project of
// CodeBuild runs Commands; empty: this machine. all are the kinds that there are.
func Uses(p *workflows.Pipeline, in policy.Pipelines, commandsOn string, all []runner.Kind) (uses []policy.Use, said []string) {
	kinds := map[string]runner.Kind{}
	for _, k := range all {
		kinds[k.Name()] = k
	}
	for _, one := range Steps(p, commandsOn) {
		kind, known := kinds[one.Action.ActionType.Category+"/"+one.Action.ActionType.Provider]
		if !known {
			said = append(said, p.Name+": "+one.Where+" is not in what is printed: "+one.Action.ActionType.Provider+" cannot run here yet")
			continue
		}
		u := policy.Use{Action: p.Name + ": " + one.Where, Roles: one.Roles(p), At: one.place(p, in)}
		filled := starred(one.Action, "*")
		if kind.Needs != nil {
			u.Statements = kind.Needs(&filled, u.At)
			other := starred(one.Action, "?")
			said = append(said, varying(u.Action, u.Statements, kind.Needs(&other, u.At))...)
		}
		if kind.Optional != nil {
			u.Optional = kind.Optional(&filled, u.At)
		}
		if kind.Service != nil {
			u.Service = kind.Service(&filled)
		}
		if one.Action.ActionType.Provider != "CodeBuild" { // whose project has its own
			u.OfService = fetched(&filled, u.At)
		}
		uses = append(uses, u)
	}
	if commandsOn == "" {
		uses = append(uses, fetching(p, in)...)
	}
	return uses, said
}

// fetching are the needs of actions whose lines run on this machine, and whose
// environment names secrets.
func fetching(p *workflows.Pipeline, in policy.Pipelines) (uses []policy.Use) {
	for _, s := range p.Stages {
		for _, a := range s.Actions {
			one := Step{s.Name + "/" + a.Name, starred(a, "*")}
			at := one.place(p, in)
			if need := fetched(&one.Action, at); a.ActionType.Provider == "Commands" && len(need) > 0 && len(one.Roles(p)) > 0 { // without a role nothing is fetched
				uses = append(uses, policy.Use{Action: p.Name + ": " + one.Where, Roles: one.Roles(p), At: at, Statements: need})
			}
		}
	}
	return uses
}

// fetched are the permissions to read the secrets that an action's environment names.
func fetched(a *workflows.Action, at policy.Place) (all []policy.Statement) {
	for _, v := range a.EnvironmentVariables {
		if !v.Plain() {
			all = append(all, secrets.ParseVariable(v.Type, v.Value).Needs(at))
		}
	}
	return all
}

// Approvals lists what it takes to tell the topics that a pipeline's approvals name:
// that is done as the pipeline's role.
func Approvals(p *workflows.Pipeline, in policy.Pipelines) (uses []policy.Use) {
	for _, s := range p.Stages {
		for _, a := range s.Actions {
			topic := a.Configuration["NotificationArn"]
			if a.ActionType.Provider != "Manual" || !strings.HasPrefix(topic, "arn:") {
				continue
			}
			step := Step{s.Name + "/" + a.Name, workflows.Action{Name: a.Name}}
			uses = append(uses, policy.Use{Action: p.Name + ": " + step.Where, Roles: step.Roles(p), At: step.place(p, in), Statements: []policy.Statement{policy.PublishToTopic(topic)}})
		}
	}
	return uses
}

// Step is an action or a rule that works in AWS.
type Step struct {
	Where  string // "Production/Deploy"
	Action workflows.Action
}

// Steps are the actions and rules of a pipeline that work in AWS, in the order of
// the file; commandsOn is as in [Uses].
func Steps(p *workflows.Pipeline, commandsOn string) (all []Step) {
	for _, s := range p.Stages {
		rules := func(c *workflows.Condition) {
			for i := 0; c != nil && i < len(c.Rules); i++ {
				r := c.Rules[i]
				all = append(all, Step{s.Name + "/" + r.Name, workflows.Action{Name: r.Name, ActionType: r.RuleType, Configuration: r.Configuration, InputArtifacts: r.InputArtifacts, Region: r.Region, RoleArn: r.RoleArn}})
			}
		}
		rules(s.BeforeEntry)
		for _, a := range s.Actions {
			all = append(all, Step{s.Name + "/" + a.Name, a})
		}
		rules(s.OnSuccess)
		if s.OnFailure != nil {
			rules(s.OnFailure.Condition)
		}
		if on := s.Rollback.OnAlarm; len(on.Alarms) > 0 { // they are watched as the rule looks at them
			names, err := json.Marshal(on.Alarms)
			if err != nil {
				panic(err) // it is a list of texts
			}
			all = append(all, Step{s.Name + "/onAlarm", workflows.Action{Name: "onAlarm", ActionType: workflows.ActionType{Category: "Rule", Owner: "AWS", Provider: "CloudWatchAlarm", Version: "1"},
				Configuration: map[string]string{work.WatchedAlarms: string(names)}, Region: on.Region, RoleArn: on.RoleArn}})
		}
	}
	return slices.DeleteFunc(all, func(s Step) bool {
		return !spec.InAWS(s.Action.ActionType) && (commandsOn == "" || s.Action.ActionType.Provider != "Commands")
	})
}

// Roles are the roles that are assumed for a step, one after the other.
func (s Step) Roles(p *workflows.Pipeline) []string {
	return slices.DeleteFunc([]string{p.RoleArn, s.Action.RoleArn}, func(arn string) bool { return arn == "" })
}

// place is where a step works.
func (s Step) place(p *workflows.Pipeline, in policy.Pipelines) policy.Place {
	region := cmp.Or(s.Action.Region, in.Region)
	role := cmp.Or(s.Action.RoleArn, p.RoleArn, in.Caller)
	at := policy.Place{Partition: "aws", Region: cmp.Or(region, "*"), Account: accounts.AccountOf(role)}
	if parts := strings.SplitN(role, ":", 3); len(parts) == 3 {
		at.Partition = parts[1]
	}
	for _, store := range in.Stores {
		if store.Region == region {
			at.Artifacts = store
		}
	}
	return at
}

// starred is an action whose variables have a stand-in for their value.
func starred(a workflows.Action, standIn string) workflows.Action {
	variable := regexp.MustCompile(`#\{[^}]*\}`)
	a.Configuration = maps.Clone(a.Configuration)
	for key, value := range a.Configuration {
		a.Configuration[key] = variable.ReplaceAllString(value, standIn)
	}
	a.EnvironmentVariables = slices.Clone(a.EnvironmentVariables)
	for i := range a.EnvironmentVariables {
		a.EnvironmentVariables[i].Value = variable.ReplaceAllString(a.EnvironmentVariables[i].Value, standIn)
	}
	return a
}

// varying says which resources are not known before an action runs: those that
// differ with the stand-in.
func varying(action string, with, other []policy.Statement) (said []string) {
	for i, s := range with {
		for k, r := range s.Resources {
			if i < len(other) && k < len(other[i].Resources) && other[i].Resources[k] != r {
				said = append(said, fmt.Sprintf("%s: a variable is part of %s, and * stands for it: put what it can be there", action, r))
			}
		}
	}
	slices.Sort(said)
	return slices.Compact(said)
}
