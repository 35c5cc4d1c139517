package slack

import (
	"testing"
	"time"

	"github.com/slack-go/slack"
)

// A user's time zone has the name that Slack gives it, or at least its offset.
func TestTheZoneOfAUser(t *testing.T) {
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		user slack.User
		want string
	}{
		"named":          {slack.User{TZ: "Europe/Berlin", TZOffset: 7200}, "13:00"},
		"a name unknown": {slack.User{TZ: "Mars/Olympus", TZOffset: 7200}, "14:00"},
	} {
		if got := at.In(zoneOf(&c.user)).Format("15:04"); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if zoneOf(&slack.User{}) != nil {
		t.Error("of whom nothing is known there is no zone")
	}
}
