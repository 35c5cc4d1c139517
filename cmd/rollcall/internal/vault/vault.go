// Package vault reads the secrets of a configuration that AWS keeps.
package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/secrets"
)

// allTime is how long reading all secrets may take.
const allTime = time.Minute

// Fill returns the configuration with the secrets that AWS keeps. They are read as
// aws.roleArn, or else with the credentials that rollcall starts with. An error is
// [config.Problems] that say of each secret what is missing; none holds a secret.
func Fill(ctx context.Context, c *config.Config) (*config.Config, error) {
	if len(c.Kept()) == 0 {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, allTime)
	defer cancel()
	all := accounts.Open(options(c))
	return c.WithKept(func(k config.Kept) (string, error) { //nolint:wrapcheck // says which secret of which key
		ref := secrets.Parse(k.From, k.Name)
		at, err := all.Config(ctx, accounts.Place{Region: ref.Region(), Session: "secrets"})
		if err != nil {
			return "", fmt.Errorf("%s cannot be read: %w", ref, err)
		}
		return secrets.Get(ctx, at, ref) //nolint:wrapcheck // a sentence
	})
}

// options say where AWS is, and who rollcall is there.
func options(c *config.Config) (o accounts.Options) {
	if c.AWS == nil {
		return o
	}
	o = accounts.Options{Region: c.AWS.Region, RoleARN: c.AWS.RoleARN, EndpointURL: c.AWS.EndpointURL, Roles: map[string]accounts.Role{}}
	for arn, role := range c.AWS.Roles {
		o.Roles[arn] = accounts.Role{ExternalID: role.ExternalID.Reveal(), SourceIdentity: role.SourceIdentity}
	}
	return o
}

// Needs are the permissions to read the secrets that AWS keeps.
func Needs(c *config.Config) (all []policy.Statement) {
	at := policy.Place{}
	if c.AWS != nil {
		at = policy.Place{Region: c.AWS.Region, Account: accounts.AccountOf(c.AWS.RoleARN)}
	}
	for _, k := range c.Kept() {
		all = append(all, secrets.Parse(k.From, k.Name).Needs(at))
	}
	return all
}
