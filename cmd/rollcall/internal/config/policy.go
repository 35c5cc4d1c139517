package config

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/roles"
)

// BridgePolicy is what a bridge needs of AWS, as far as the configuration says
// where it is and who rollcall is there.
func (c *Config) BridgePolicy(b Bridge) policy.Bridge {
	p := policy.Bridge{Name: b.Name, Region: b.Region, Partition: partition(b.Region), Role: b.RoleARN, Act: b.Mode == "act"}
	if c.AWS != nil {
		p.Caller = c.AWS.RoleARN
		role, _ := roles.Of(c.AWS.Roles, b.RoleARN)
		p.ExternalID, p.SourceIdentity = role.ExternalID.given, role.SourceIdentity
		p.Queue = queueARN(c.AWS.Events.QueueURL)
	}
	if p.Role == "" && p.Caller != "" {
		p.Account = part(p.Caller, 4)
	}
	if p.Role != "" {
		p.Account, p.Partition = part(p.Role, 4), part(p.Role, 1)
	}
	for _, pipeline := range b.Pipelines {
		p.Pipelines = append(p.Pipelines, pipeline.Name)
	}
	return p
}

// PipelinePolicy is what the configuration says of pipelines that run here: where
// their actions work, and who rollcall is there.
func (c *Config) PipelinePolicy() policy.Pipelines {
	if c.AWS == nil {
		return policy.Pipelines{}
	}
	p := policy.Pipelines{Partition: partition(c.AWS.Region), Region: c.AWS.Region, Caller: c.AWS.RoleARN, Stores: c.stores(), Roles: map[string]policy.Trust{}}
	for arn, role := range c.AWS.Roles {
		p.Roles[arn] = policy.Trust{ExternalID: role.ExternalID.given, SourceIdentity: role.SourceIdentity}
	}
	if queue := queueARN(c.AWS.Events.QueueURL); queue != "" {
		p.Base = append(p.Base, policy.ReadQueue(queue))
	}
	p.Base = append(p.Base, c.PublishNeeds()...)
	return p
}

// PublishNeeds are the permissions of the service's own credentials to tell AWS of
// all pipelines. Of an approval the pipeline's role tells.
func (c *Config) PublishNeeds() (all []policy.Statement) {
	if c.AWS == nil {
		return nil
	}
	if bus := c.AWS.Publish.Events; bus != "" {
		all = append(all, policy.Place{Partition: partition(c.AWS.Region), Region: c.AWS.Region, Account: part(c.AWS.RoleARN, 4)}.PublishEvents(bus))
	}
	if namespace := c.AWS.Publish.Metrics; namespace != "" {
		all = append(all, policy.PublishMetrics(namespace))
	}
	return all
}

// stores are the buckets for artifacts, that of the service's own Region first.
func (c *Config) stores() (all []policy.Store) {
	a := c.AWS.Artifacts
	if a == nil {
		return nil
	}
	account := cmp.Or(a.Account, part(c.AWS.RoleARN, 4))
	all = append(all, policy.Store{Region: c.AWS.Region, Bucket: a.Bucket, Prefix: strings.Trim(a.Prefix, "/"), Key: a.KMSKey, Account: account})
	for _, region := range slices.Sorted(maps.Keys(a.Regions)) {
		b := a.Regions[region]
		if b.KMSKey == "" && !strings.HasPrefix(a.KMSKey, "arn:") {
			b.KMSKey = a.KMSKey // the same alias, as the store takes it
		}
		all = append(all, policy.Store{Region: region, Bucket: b.Bucket, Prefix: strings.Trim(a.Prefix, "/"), Key: b.KMSKey, Account: account})
	}
	return all
}

// part is one of the six parts of an ARN.
func part(arn string, n int) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[n]
	}
	return ""
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// queueARN is the ARN of a queue at https://sqs.REGION.amazonaws.com/ACCOUNT/NAME;
// at an address of another host, as an emulator has it, the Region is not known.
func queueARN(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := strings.Split(u.Hostname(), ".")
	path := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(path) != 2 {
		return ""
	}
	region := "*"
	if len(host) > 2 && host[0] == "sqs" {
		region = host[1]
	}
	return "arn:" + partition(region) + ":sqs:" + region + ":" + path[0] + ":" + path[1]
}
