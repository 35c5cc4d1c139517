// Package credentials knows when the credentials of the configuration end, and
// warns admins 30, 7 and 1 days ahead, once each. What is due is decided here by
// pure functions; [Watch] asks, keeps and warns.
package credentials

import (
	"cmp"
	"fmt"
	"time"
)

// Credential is one of the configuration, without its value.
type Credential struct {
	Name      string    // its key in the configuration: "github.token"
	Ends      time.Time // zero: it does not end, or nobody knows when
	Estimated bool      // Ends follows from when it was first seen
	Refused   bool      // the vendor does not take it any more
	Said      string    // the vendor's code when it refused: "token_revoked"; empty: 401
	Renew     string    // what to do
}

// Year is how long a token of Jira Cloud lives at most.
const Year = 365 * 24 * time.Hour

const day = 24 * time.Hour

// Due is the warning that is due about a credential at the time now: "refused", or
// how many days ahead it is given ("30d", "7d", "1d"); empty: none.
func Due(c Credential, now time.Time) string {
	switch left := c.Ends.Sub(now); {
	case c.Refused:
		return "refused"
	case c.Ends.IsZero() || left > 30*day:
		return ""
	case left > 7*day:
		return "30d"
	case left > day:
		return "7d"
	}
	return "1d"
}

// Sentence says when a credential ends, and what to do; empty: there is nothing to say yet.
func Sentence(c Credential, now time.Time) string {
	if Due(c, now) == "" {
		return ""
	}
	date, left := c.Ends.UTC().Format("2006-01-02"), c.Ends.Sub(now)
	days := int(left / day)
	switch {
	case c.Refused:
		return fmt.Sprintf("%s is not accepted any more (%s): %s", c.Name, cmp.Or(c.Said, "401"), c.Renew)
	case !c.Ends.After(now) && c.Estimated:
		return fmt.Sprintf("%s has been in use for a year and may have ended on %s: %s", c.Name, date, c.Renew)
	case !c.Ends.After(now):
		return fmt.Sprintf("%s ended on %s: %s", c.Name, date, c.Renew)
	case left < day && !c.Estimated:
		return fmt.Sprintf("%s ends on %s at %s UTC: %s", c.Name, date, c.Ends.UTC().Format("15:04"), c.Renew)
	case c.Estimated:
		return fmt.Sprintf("%s may end on %s (in %d days), a year after it was first seen: %s", c.Name, date, days, c.Renew)
	}
	return fmt.Sprintf("%s ends on %s (in %d days): %s", c.Name, date, days, c.Renew)
}
