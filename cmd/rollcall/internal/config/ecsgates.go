package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
)

// usualHookPoll is how often services are looked at whose hooks are gates: one call for each.
const usualHookPoll = 15 * time.Second

// ECSGate has the pause hooks of services of Amazon ECS be gates in a channel.
type ECSGate struct {
	Name     string         `yaml:"name"`    // of the pipeline that stands for them here
	Cluster  string         `yaml:"cluster"` // by name; * stands for any text
	Service  string         `yaml:"service"` // the same
	Region   string         `yaml:"region"`
	RoleARN  string         `yaml:"roleArn"`
	Channel  string         `yaml:"channel"`
	Owners   []string       `yaml:"owners"`
	Poll     time.Duration  `yaml:"poll"`
	Approval BridgeApproval `yaml:"approval"`
}

var serviceForm = form(`^[A-Za-z0-9_*-]{1,255}$`)

func (c *Config) ecsGateDefaults() {
	if c.AWS == nil {
		return
	}
	for i := range c.AWS.ECSGates {
		g := &c.AWS.ECSGates[i]
		or(&g.Region, c.AWS.Region)
		or(&g.Name, "ecs-"+strings.ReplaceAll(g.Cluster+"-"+g.Service, "*", "all"))
		if g.Poll == 0 {
			g.Poll = usualHookPoll
		}
	}
}

// checkECSGates looks at the gates of ECS. Their names must differ from those of
// bridges, and here from those of bridged pipelines.
func (d *decoder) checkECSGates(c *Config, bridges, here map[string]bool) {
	if c.AWS == nil {
		return
	}
	who := c.Policy()
	for i := range c.AWS.ECSGates {
		g, at := &c.AWS.ECSGates[i], fmt.Sprintf("aws.ecsGates[%d]", i)
		d.missing(at+".cluster", "the name of an ECS cluster; * stands for any text")
		d.missing(at+".service", "the name of a service of it; * stands for any text")
		for key, name := range map[string]string{".cluster": g.Cluster, ".service": g.Service} {
			if name != "" && !serviceForm().MatchString(name) {
				d.problem(d.at(at+key), at+key+" cannot be the name of one in ECS", "write the name and not the ARN: letters, digits, _ and -, and * for any text")
			}
		}
		if g.Cluster != "" && g.Service != "" {
			d.gateName(at, g, bridges, here)
		}
		d.region(at+".region", g.Region)
		d.role(at+".roleArn", g.RoleARN)
		if g.Poll < shortestPoll {
			d.problem(d.at(at+".poll"), fmt.Sprintf("%s.poll is shorter than %s", at, shortestPoll), "AWS allows few calls; "+usualHookPoll.String()+" is usual")
		}
		for k, owner := range g.Owners {
			d.fault(fmt.Sprintf("%s.owners[%d]", at, k), who.CheckWho(owner))
		}
		d.checkApproval(at+".approval", g.Approval, who)
	}
}

// gateName looks at the name of a gate's pipeline, which may be made of cluster and service.
func (d *decoder) gateName(at string, g *ECSGate, bridges, here map[string]bool) {
	path := at + ".name"
	if d.nodes[path] == nil {
		path = at
	}
	const hint = "give it a name of its own: name: NAME"
	switch {
	case !nameForm().MatchString(g.Name):
		d.problem(d.at(path), fmt.Sprintf("%s.name may hold letters, digits and . @ _ - only, at most 100 of them", at), hint)
	case bridges[g.Name] || here[g.Name]:
		d.differs(path, "bridges and gates of ECS", g.Name, map[string]bool{g.Name: true}, hint)
	}
	bridges[g.Name], here[g.Name] = true, true
}

// ECSGatePolicy is what a gate of ECS needs of AWS.
func (c *Config) ECSGatePolicy(g ECSGate) policy.Bridge {
	p := c.BridgePolicy(Bridge{Name: g.Name, Region: g.Region, RoleARN: g.RoleARN, Mode: "act"})
	p.Hooks = &policy.Hooks{Cluster: g.Cluster, Service: g.Service}
	return p
}
