package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/bridge"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Hooks are services of ECS whose pause hooks are gates, by name; * stands for any text.
type Hooks struct {
	Name, Region, Role, Cluster, Service string
}

const (
	mostServices = 10 // that DescribeServices takes
	mostLooked   = 50 // services of a pattern that are looked at
)

// hooking is one gate of ECS while it is looked at.
type hooking struct {
	*looking
	h   Hooks
	api *ecs.Client
}

// hooks looks at the role of a gate of ECS, at its services and their hooks, and at
// what it may do.
func (c *checker) hooks(ctx context.Context, h Hooks) {
	l := &hooking{looking: &looking{checker: c, b: Bridge{Name: h.Name, Region: h.Region, Role: h.Role}, about: "ECS gate " + h.Name}, h: h}
	if !l.enter(ctx, "its services were not looked at") {
		return
	}
	l.api = ecs.NewFromConfig(l.config)
	services, err := (&bridge.Hooks{Cluster: h.Cluster, Service: h.Service}).Find(ctx, l.api)
	if err != nil {
		l.failed(l.about, "the services cannot be listed", err, "*")
		return
	}
	found, paused := 0, false
	all := byCluster(services[:min(len(services), mostLooked)])
	for _, cluster := range words.Keys(all) {
		for some := range slices.Chunk(all[cluster], mostServices) {
			n, has, ok := l.described(ctx, cluster, some)
			if !ok {
				return
			}
			found, paused = found+n, paused || has
		}
	}
	pattern := strings.Contains(h.Cluster+h.Service, "*")
	switch {
	case found == 0 && pattern:
		l.add(selftest.Result{About: l.about, Status: selftest.Warning, Message: "there is no service " + h.Service + " in a cluster " + h.Cluster + " of account " + account(l.who) + ", " + h.Region, Fix: []string{"check cluster, service, region and roleArn in aws.ecsGates"}})
	case found > 0 && !paused:
		l.add(selftest.Result{About: l.about, Status: selftest.Warning, Message: "no service has a pause hook: their deployments wait for nobody",
			Fix: []string{"add one to deploymentConfiguration.lifecycleHooks of the service: {targetType: PAUSE, lifecycleStages: [POST_TEST_TRAFFIC_SHIFT]} (docs/aws.md)"}})
	}
	if found > 0 {
		l.answers(ctx)
	}
}

// byCluster are the names of services by their clusters.
func byCluster(all []bridge.Service) map[string][]string {
	names := map[string][]string{}
	for _, s := range all {
		names[s.Cluster] = append(names[s.Cluster], s.Name)
	}
	return names
}

// described looks at services of a cluster: how many are there, and whether one has a
// pause hook; false: ECS cannot be asked.
func (l *hooking) described(ctx context.Context, cluster string, wanted []string) (found int, paused, ok bool) {
	out, err := l.api.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: wanted})
	if err != nil {
		l.failed(l.about, "the services of the cluster "+cluster+" cannot be read", err, l.arn("service", cluster, wanted[0]))
		return 0, false, false
	}
	for _, name := range wanted {
		i := slices.IndexFunc(out.Services, func(s types.Service) bool {
			return aws.ToString(s.ServiceName) == name && aws.ToString(s.Status) != "INACTIVE"
		})
		if i < 0 {
			l.add(selftest.Result{About: l.about, Status: selftest.Failed, Message: "there is no service " + name + " in the cluster " + cluster + " of account " + account(l.who) + ", " + l.h.Region,
				Fix: []string{"check cluster, service, region and roleArn in aws.ecsGates"}})
			continue
		}
		found++
		paused = l.service(ctx, cluster, &out.Services[i]) || paused
	}
	return found, paused, true
}

// service looks at a service: who deploys it, at which stages it pauses, and whether
// its deployments can be read. paused also of one of which something worse was said.
func (l *hooking) service(ctx context.Context, cluster string, s *types.Service) (paused bool) {
	name := aws.ToString(s.ServiceName)
	if c := s.DeploymentController; c != nil && c.Type != "" && c.Type != types.DeploymentControllerTypeEcs {
		l.add(selftest.Result{About: l.about, Status: selftest.Warning, Message: fmt.Sprintf("the service %s is deployed by %s, which knows no pause hooks", name, c.Type), Fix: []string{"give it the deployment controller ECS, or take it out of aws.ecsGates"}})
		return true
	}
	if !l.readable(ctx, cluster, name) {
		return true
	}
	var stages []string
	if c := s.DeploymentConfiguration; c != nil {
		for _, h := range c.LifecycleHooks {
			if h.TargetType != types.DeploymentLifecycleHookTargetTypePause {
				continue
			}
			for _, stage := range h.LifecycleStages {
				stages = append(stages, string(stage))
			}
		}
	}
	if len(stages) > 0 {
		l.ok(l.about, "%s in %s pauses at %s", name, cluster, strings.Join(stages, ", "))
	}
	return len(stages) > 0
}

// readable tries the calls that watching a service makes.
func (l *hooking) readable(ctx context.Context, cluster, name string) bool {
	list, err := l.api.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: &cluster, Service: &name, MaxResults: aws.Int32(1)})
	if err != nil {
		l.failed(l.about, "the deployments of "+name+" cannot be listed", err, l.arn("service", cluster, name))
		return false
	}
	if len(list.ServiceDeployments) == 0 {
		return true
	}
	newest := aws.ToString(list.ServiceDeployments[0].ServiceDeploymentArn)
	if _, err := l.api.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{newest}}); err != nil {
		l.failed(l.about, "the deployments of "+name+" cannot be read", err, newest)
		return false
	}
	return true
}

func (l *hooking) arn(kind, cluster, name string) string {
	parts := strings.SplitN(l.who, ":", 3)
	return "arn:" + parts[1] + ":ecs:" + l.h.Region + ":" + account(l.who) + ":" + kind + "/" + cluster + "/" + name
}

// answers asks IAM whether the role may answer hooks: trying it would do it.
func (l *hooking) answers(ctx context.Context) {
	const action = "ecs:ContinueServiceDeployment"
	resource, who := l.arn("service-deployment", l.h.Cluster, l.h.Service)+"/*", policy.RoleOf(l.who)
	results, err := l.simulate(ctx, who, wanted{[]string{action}, []string{resource, l.arn("service", l.h.Cluster, l.h.Service)}})
	if err != nil {
		l.unknown("whether "+who+" may "+action+" on "+resource+" is not known before somebody asks for it", who, err)
		return
	}
	for _, r := range results {
		if !r.allowed {
			found := lacks(l.who, r.action, r.resource)
			l.add(selftest.Result{About: l.about, Status: selftest.Failed, Message: who + " likely may not " + r.action + " on " + r.resource, Fix: found.Fix, Finding: found})
			return
		}
	}
	l.ok(l.about, "may continue deployments and roll them back (as IAM's simulator says)")
}
