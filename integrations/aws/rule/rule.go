// Package rule judges conditions of stages by AWS: alarms, functions and builds.
package rule

import (
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

// Kinds are the kinds that judge a condition.
func Kinds() []runner.Kind {
	return slices.Concat(alarmKinds())
}
