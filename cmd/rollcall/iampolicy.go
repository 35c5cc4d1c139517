package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/needs"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/vault"
	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

type iamPolicyCmd struct {
	Pipelines              []string
	Bridge, Format, Config string
}

func (c *iamPolicyCmd) command() *cobra.Command {
	cmd := command(c.Run, "iam-policy", "Print the least permissions in AWS, as JSON, Terraform or CloudFormation.",
		"rollcall iam-policy --bridge prod-eu --format terraform > rollcall.tf\nrollcall iam-policy webshop",
		several(&c.Pipelines, "PIPELINE", "Pipelines; all bridges when nothing is named.").orNone().from(new(service).pipelines))
	cmd.Long = "Of a bridge: for looking and for acting apart, the trust policy of the role, and a statement that makes rollcall the only approver. Of a pipeline that runs here: what its actions need, by role, " +
		"what artifacts need, and the trust policies. It asks nobody and changes nothing."
	f := cmd.Flags()
	f.StringVar(&c.Bridge, "bridge", "", "The `NAME` of a bridge, or of a gate of ECS, of the configuration.")
	f.Var(oneOf(&c.Format, "json", "json", "terraform", "cloudformation"), "format", "The `FORMAT`: json, terraform or cloudformation.")
	configFlag(f, &c.Config, "The configuration `FILE`.")
	return cmd
}

// Run prints the policies that the configuration needs.
func (c *iamPolicyCmd) Run(_ context.Context, o *output) error {
	conf, faults, err := config.Inspect(c.Config)
	if err != nil {
		return absent(err)
	}
	if faults = slices.DeleteFunc(faults, func(p config.Problem) bool { return p.Unset }); len(faults) > 0 {
		fmt.Fprintf(o.err, "rollcall: %s cannot be used, nothing was printed\n%s\n", c.Config, faults)
		return errReported
	}
	gates, pipelines := c.ecsGates(conf)
	bridges, names, err := c.choose(conf, pipelines)
	if err != nil {
		return err
	}
	all := policy.Set{}
	var about []string
	add := func(s policy.Set) {
		about, all.Documents, all.Warnings = append(about, s.Comment), append(all.Documents, s.Documents...), append(all.Warnings, s.Warnings...)
	}
	for _, b := range bridges {
		add(conf.BridgePolicy(b).Policies())
	}
	for _, g := range gates {
		add(conf.ECSGatePolicy(g).Policies())
	}
	if secrets := vault.Needs(conf); len(secrets) > 0 {
		add(policy.Pipelines{Name: "the configuration", Caller: conf.PipelinePolicy().Caller, Base: secrets}.Policies())
	}
	without, err := c.pipelines(conf, names, add)
	if err != nil {
		return err
	}
	if len(conf.Bridges) == 0 && len(gates) == 0 && len(c.Pipelines) == 0 {
		without = append(without, "The configuration has no bridges, and no pipeline was named: nothing needs AWS")
	}
	for _, w := range all.Warnings {
		fmt.Fprintln(o.err, "rollcall: "+clean.Line(w))
	}
	all.Comment = strings.Join(append(about, without...), ". ")
	_, err = o.out.Write(printed(all, c.Format))
	return err
}

func printed(s policy.Set, format string) []byte {
	switch format {
	case "terraform":
		return s.Terraform()
	case "cloudformation":
		return s.CloudFormation()
	}
	return s.JSON()
}

// ecsGates finds the gates of ECS that are asked for, by --bridge or as pipelines, and
// returns the names that are none of theirs.
func (c *iamPolicyCmd) ecsGates(conf *config.Config) (gates []config.ECSGate, left []string) {
	left = slices.Clone(c.Pipelines)
	if conf.AWS == nil {
		return nil, left
	}
	for _, g := range conf.AWS.ECSGates {
		named := slices.Contains(c.Pipelines, g.Name)
		left = slices.DeleteFunc(left, func(name string) bool { return name == g.Name })
		if c.Bridge == g.Name || named || c.Bridge == "" && len(c.Pipelines) == 0 {
			gates = append(gates, g)
		}
	}
	return gates, left
}

// choose finds the bridges that are asked for, each with the pipelines that are, and
// returns the names that are no bridge's.
func (c *iamPolicyCmd) choose(conf *config.Config, pipelines []string) (bridges []config.Bridge, left []string, err error) {
	left = slices.Clone(pipelines)
	var names []string
	for _, b := range conf.Bridges {
		names = append(names, b.Name)
		if c.Bridge != "" && c.Bridge != b.Name {
			continue
		}
		if len(c.Pipelines) > 0 {
			b.Pipelines = slices.DeleteFunc(slices.Clone(b.Pipelines), func(p config.BridgedPipeline) bool {
				known := func(name string) bool { return name == p.As || name == p.Name }
				asked := slices.ContainsFunc(c.Pipelines, known)
				left = slices.DeleteFunc(left, known)
				return !asked
			})
		}
		if len(b.Pipelines) > 0 {
			bridges = append(bridges, b)
		}
	}
	if conf.AWS != nil {
		for _, g := range conf.AWS.ECSGates {
			names = append(names, g.Name)
		}
	}
	if c.Bridge != "" && !slices.Contains(names, c.Bridge) {
		return nil, nil, noBridge(c.Bridge, names)
	}
	return bridges, left, nil
}

func noBridge(name string, names []string) error {
	hint := "the configuration has no bridges; rollcall init --aws writes the first"
	if len(names) > 0 {
		hint = "there are: " + words.List(names, "and")
	}
	return &workflows.Problem{Code: workflows.CodeValidation, Field: "bridge", Message: "there is no bridge " + name + " in the configuration", Hint: hint}
}

// pipelines adds what the actions of pipelines need that run here, and says which
// of them need nothing.
func (c *iamPolicyCmd) pipelines(conf *config.Config, names []string, add func(policy.Set)) (without []string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	folder := conf.Pipelines
	found := definitions(folder)
	roles, on := conf.PipelinePolicy(), conf.Runners.Commands.Project()
	var needy, said []string
	for _, name := range names {
		p := found[name]
		if p == nil {
			return nil, &workflows.Problem{Code: workflows.CodePipelineNotFound, Message: "there is no pipeline " + name + " among the bridges and in " + folder,
				Hint: "name a bridge with --bridge, or a pipeline of the configuration"}
		}
		uses, lacking := needs.Uses(p, roles, on, aws.Kinds(on))
		if conf.AWS != nil && conf.AWS.Publish.Approvals {
			uses = append(uses, needs.Approvals(p, roles)...)
		}
		if len(uses)+len(lacking) == 0 {
			without = append(without, name+" has no actions that work in AWS: it needs no role")
			continue
		}
		roles.Uses, said, needy = append(roles.Uses, uses...), append(said, lacking...), append(needy, name)
	}
	if len(needy) > 0 {
		roles.Name = strings.Join(needy, " and ")
		set := roles.Policies()
		set.Warnings = append(said, set.Warnings...)
		add(set)
	}
	return without, nil
}

// definitions are the pipelines of a folder that can be read, by name.
func definitions(folder string) map[string]*workflows.Pipeline {
	found := map[string]*workflows.Pipeline{}
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		files, _ := filepath.Glob(filepath.Join(folder, pattern)) // the pattern is right
		for _, file := range files {
			if p, _ := readDefinition(file); p != nil {
				found[p.Name] = p
			}
		}
	}
	return found
}
