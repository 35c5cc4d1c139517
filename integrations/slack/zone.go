package slack

import (
	"time"

	"github.com/slack-go/slack"
)

// zoneOf is a user's time zone: by its name, else by what Slack says it is off
// UTC at present; nil: Slack says nothing of it.
func zoneOf(u *slack.User) *time.Location {
	if u.TZ == "" {
		return nil
	}
	if zone, err := time.LoadLocation(u.TZ); err == nil {
		return zone
	}
	return time.FixedZone(u.TZ, u.TZOffset)
}
