// Package deploy rolls out: to ECS, CloudFormation, Lambda, CodeDeploy and S3.
package deploy

import (
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

// Kinds are the kinds that roll out.
func Kinds() []runner.Kind {
	return slices.Concat(
		ecsRolling(), codeDeployments(),
		toS3(),
		lambdas(),
	)
}
