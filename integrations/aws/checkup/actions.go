package checkup

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Action is an action or rule of a pipeline that runs here and works in AWS.
type Action struct {
	Name   string   // "webshop: Production/Deploy"
	Roles  []string // that are assumed for it, one after the other
	Region string
	Action workflows.Action
	Kind   *runner.Kind // nil: it cannot run here yet
}

// actions look whether each role can be assumed, and whether what the actions name is there.
func (c *checker) actions(ctx context.Context) {
	usable, places := map[string]bool{}, map[string]*building{}
	var order []string
	for _, a := range c.o.Actions {
		if a.Kind == nil {
			c.add(selftest.Result{About: a.Name, Status: selftest.Warning, Message: a.Action.ActionType.Provider + " cannot run here yet", Fix: []string{"leave the pipeline in AWS and bridge it, or use another action"}})
			continue
		}
		config, err := c.all.Config(ctx, accounts.Place{Roles: a.Roles, Region: a.Region, Session: "doctor"})
		if err != nil {
			c.add(selftest.Result{About: a.Name, Status: selftest.Failed, Message: err.Error()})
			continue
		}
		chain := a.Region + " " + strings.Join(a.Roles, " ")
		good, looked := usable[chain]
		if !looked {
			good = c.roles(ctx, config, a)
			usable[chain] = good
			order = append(order, chain)
			places[chain] = &building{config: config, groups: map[string][]string{}}
		}
		if good {
			places[chain].notes(a)
		}
		if good && a.Kind.Check != nil && !holdsVariable(a.Action.Configuration) {
			c.named(ctx, config, a)
		}
	}
	for _, chain := range order {
		c.quotas(ctx, places[chain])
	}
}

// roles looks whether the roles of an action can be assumed, and says so once for all that share them.
func (c *checker) roles(ctx context.Context, config aws.Config, a Action) bool {
	who, _, err := identity(ctx, config)
	if err != nil {
		role := ""
		if len(a.Roles) > 0 {
			role = a.Roles[len(a.Roles)-1]
		}
		c.failed(a.Name, "its role cannot be used", err, role)
		return false
	}
	c.ok("actions", "%s in %s", who, config.Region)
	return true
}

// unnamed are settings that say what is told to a thing and name none, so that no check looks at them.
func unnamed() []string {
	return []string{"Detail", "EnvironmentVariables", "Input", "Message", "ObjectKey", "ParameterOverrides", "Subject", "UserParameters"}
}

// holdsVariable says whether a setting that may name something is known only when an action runs.
func holdsVariable(configuration map[string]string) bool {
	for key, value := range configuration {
		if strings.Contains(value, "#{") && !slices.Contains(unnamed(), key) {
			return true
		}
	}
	return false
}

// named looks whether what an action names is there.
func (c *checker) named(ctx context.Context, config aws.Config, a Action) {
	err := a.Kind.Check(ctx, config, &a.Action)
	var wrong *runner.SettingsError
	switch {
	case err == nil:
		c.ok(a.Name, "what it names is there")
	case errors.As(err, &wrong):
		c.add(selftest.Result{About: a.Name, Status: selftest.Failed, Message: wrong.Text, Fix: []string{cmp.Or(wrong.Fix, "correct the name in the pipeline, or its Region, or create it")}})
	case denied(err):
		c.failed(a.Name, "whether what it names is there is not known", err, "")
		c.checks[len(c.checks)-1].Status = selftest.Warning // running it may not take this permission
	default:
		c.failed(a.Name, "what it names cannot be looked at", err, "")
	}
}
