package say

import "github.com/rollcall-bot/rollcall/workflows"

// RetryHelps says whether trying again helps against a fault; empty: it is not known.
func RetryHelps(f *workflows.Finding) string {
	switch f.Retry {
	case "now":
		return "trying again may help"
	case "afterFix":
		return "trying again helps once that is fixed"
	case "never":
		return "trying again does not help"
	}
	return ""
}
