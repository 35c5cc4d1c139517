// Package rule evaluates the rules of stage conditions that need nothing from
// outside: VariableCheck and DeploymentWindow. Pure; the others
// (Commands, and those that need AWS) are carried out by runners.
package rule

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/clock"
)

// The providers of rules that are evaluated here.
const (
	VariableCheck    = "VariableCheck"
	DeploymentWindow = "DeploymentWindow"
)

// Compare evaluates a VariableCheck, whose configuration is resolved already:
// Variable, Operator (EQ, NE, CONTAINS, MATCHES; case counts) and Value. Why
// says in words what did not hold. The error is a configuration that means nothing.
func Compare(configuration map[string]string) (holds bool, why string, err error) {
	variable, value := configuration["Variable"], configuration["Value"]
	var says string
	switch operator := configuration["Operator"]; operator {
	case "EQ":
		holds, says = variable == value, "is not"
	case "NE":
		holds, says = variable != value, "is"
	case "CONTAINS":
		holds, says = strings.Contains(variable, value), "does not contain"
	case "MATCHES":
		whole, err := regexp.Compile(`\A(?:` + value + `)\z`)
		if err != nil {
			return false, "", fmt.Errorf("the Value %q is no regular expression: %w", value, err)
		}
		holds, says = whole.MatchString(variable), "does not match"
	default:
		return false, "", fmt.Errorf("there is no Operator %q: use EQ, NE, CONTAINS or MATCHES", operator)
	}
	if holds {
		return true, "", nil
	}
	return false, fmt.Sprintf("%q %s %q", variable, says, value), nil
}

// Opens says when a DeploymentWindow is open at or after a moment: that moment
// itself while it is open; false: never again. The error is a configuration
// that means nothing.
func Opens(configuration map[string]string, at time.Time) (time.Time, bool, error) {
	window, err := clock.ParseWindow(configuration["Cron"])
	if err != nil {
		return time.Time{}, false, fmt.Errorf("the Cron of the window: %w", err)
	}
	zone, err := clock.Zone(configuration["TimeZone"])
	if err != nil {
		return time.Time{}, false, fmt.Errorf("the TimeZone of the window: %w", err)
	}
	opens, ever := window.Opens(at, zone)
	return opens, ever, nil
}

// Says tells when a DeploymentWindow opens, in its zone, for people: "opens Mon 2 Mar 14:00 CET".
func Says(configuration map[string]string, opens time.Time) string {
	zone, err := clock.Zone(configuration["TimeZone"])
	if err != nil {
		zone = time.UTC
	}
	return "opens " + opens.In(zone).Format("Mon 2 Jan 15:04 MST")
}
