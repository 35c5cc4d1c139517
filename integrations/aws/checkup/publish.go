package checkup

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// publish asks IAM whether the base credentials may tell AWS what aws.publish says:
// trying it would publish something.
func (c *checker) publish(ctx context.Context) {
	config, err := c.all.Config(ctx, accounts.Place{Session: "doctor"})
	if err != nil {
		c.add(selftest.Result{About: "publish", Status: selftest.Failed, Message: err.Error()})
		return
	}
	who := policy.RoleOf(c.base)
	for _, s := range c.o.Publish {
		may := words.List(s.Actions, "and") + " on " + words.List(s.Resources, "and")
		results, err := simulated(ctx, iam.NewFromConfig(config), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &who, ActionNames: s.Actions, ResourceArns: s.Resources, ContextEntries: contextOf(s)})
		if err != nil {
			c.add(selftest.Result{About: "publish", Status: selftest.Unknown, Message: "whether " + who + " may " + may + " is not known before something is published", Fix: []string{"to know it beforehand, allow " + simulating + " on " + who}})
			continue
		}
		missing := false
		for _, r := range results {
			if r.allowed {
				continue
			}
			missing = true
			found := lacks(c.base, r.action, r.resource)
			c.add(selftest.Result{About: "publish", Status: selftest.Failed, Message: who + " likely may not " + r.action + " on " + r.resource, Fix: found.Fix, Finding: found})
		}
		if !missing {
			c.ok("publish", "may %s (as IAM's simulator says)", may)
		}
	}
}

// contextOf is what a call says of itself to which a statement is bound.
func contextOf(s policy.Statement) (all []iamtypes.ContextEntry) {
	for _, one := range s.Conditions {
		all = append(all, iamtypes.ContextEntry{ContextKeyName: aws.String(one.Key), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: one.Values})
	}
	return all
}
