// Package source fetches what AWS keeps: objects of S3, repositories of CodeCommit and images of ECR.
package source

import (
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

// Kinds are the kinds that fetch a source.
func Kinds() []runner.Kind {
	return slices.Concat(s3Objects(), images(), commits())
}
