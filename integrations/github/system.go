package github

import "github.com/rollcall-bot/rollcall/integrations/wire"

// System is GitHub for those who count calls: by what of the API is called.
func System() wire.System {
	return wire.System{Name: "github", Operation: wire.ByPath("statuses", "deployment_protection_rule", "deployments", "comments", "check-runs", "deployment-record", "attestations", "releases",
		"compare", "pulls", "teams", "memberships", "access_tokens", "dispatches", "runs", "jobs",
		"hooks", "deliveries", "attempts", "rate_limit")}
}
