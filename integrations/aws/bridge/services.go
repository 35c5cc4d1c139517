package bridge

import (
	"context"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Hooks are services of Amazon ECS whose pause hooks a row shows: a pipeline of one
// gate, of which each hook that a deployment waits at is an execution.
type Hooks struct {
	Cluster, Service string                    // by name; * stands for any text
	Approval         *workflows.ApprovalPolicy // nil: one of whoever may approve
}

// Service is a service of ECS.
type Service struct{ Cluster, Name string }

// matches says whether a name is one that a pattern stands for.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// matches says whether a service is one of these.
func (h *Hooks) matches(cluster, service string) bool {
	return matches(h.Cluster, cluster) && matches(h.Service, service)
}

func (h *Hooks) isPattern() bool { return strings.Contains(h.Cluster+h.Service, "*") }

// Find asks for the services that patterns stand for; what is named whole is not asked
// for, and may not be there. The error is AWS's.
func (h *Hooks) Find(ctx context.Context, api *ecs.Client) (all []Service, err error) {
	clusters := []string{h.Cluster}
	if strings.Contains(h.Cluster, "*") {
		if clusters, err = clustersLike(ctx, api, h.Cluster); err != nil {
			return nil, err
		}
	}
	for _, cluster := range clusters {
		services := []string{h.Service}
		if strings.Contains(h.Service, "*") {
			if services, err = servicesLike(ctx, api, cluster, h.Service); err != nil {
				return nil, err
			}
		}
		for _, name := range services {
			all = append(all, Service{cluster, name})
		}
	}
	return all, nil
}

// like are the names of ARNs that a pattern stands for.
func like(pattern string, arns []string) (names []string) {
	for _, arn := range arns {
		if name := lastPart(arn); matches(pattern, name) {
			names = append(names, name)
		}
	}
	return names
}

// lastPart is what stands behind the last slash.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func clustersLike(ctx context.Context, api *ecs.Client, pattern string) (names []string, err error) {
	pages := accounts.Pages(func(token *string) (*ecs.ListClustersOutput, error) {
		return api.ListClusters(ctx, &ecs.ListClustersInput{NextToken: token, MaxResults: aws.Int32(pageSize)})
	}, func(out *ecs.ListClustersOutput) *string { return out.NextToken })
	for out, err := range pages {
		if err != nil {
			return nil, err
		}
		names = append(names, like(pattern, out.ClusterArns)...)
	}
	return names, nil
}

func servicesLike(ctx context.Context, api *ecs.Client, cluster, pattern string) (names []string, err error) {
	pages := accounts.Pages(func(token *string) (*ecs.ListServicesOutput, error) {
		return api.ListServices(ctx, &ecs.ListServicesInput{Cluster: &cluster, NextToken: token, MaxResults: aws.Int32(pageSize)})
	}, func(out *ecs.ListServicesOutput) *string { return out.NextToken })
	for out, err := range pages {
		if err != nil {
			return nil, err
		}
		names = append(names, like(pattern, out.ServiceArns)...)
	}
	return names, nil
}
