// Package build builds and tests on CodeBuild.
package build

import (
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

// Kinds are the kinds of action that run on CodeBuild.
func Kinds() []runner.Kind {
	return slices.Concat(codeBuilds())
}
