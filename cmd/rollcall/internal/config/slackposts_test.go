package config

import (
	"strings"
	"testing"
	"time"
)

const chat = "slack:\n  botToken: xoxb-1\n  appToken: xapp-1\n  channel: \"#deploys\"\n"

func TestWhereAndWhenTheBotPosts(t *testing.T) {
	c, err := Load(write(t, 0o600, chat+`  routes:
    - {on: ["webshop", "*/Production"], kinds: [failure], also: "#oncall"}
    - {kinds: [success], channel: off}
  quietHours: {from: "20:00", to: "07:00", timezone: Europe/Berlin, weekends: true}
  digest: {channel: "#deploys", at: "08:30", timezone: Europe/Berlin, days: "sat-mon, wed"}
`))
	if err != nil {
		t.Fatal(err)
	}
	routes, quiet, digest := c.Slack.Routes, c.QuietHours(), c.DigestAt()
	if len(routes) != 2 || routes[0].Also != "#oncall" || routes[1].Channel != routeOff {
		t.Fatalf("%+v", routes)
	}
	for _, tt := range []struct {
		pipeline, stage string
		want            bool
	}{{"webshop", "Staging", true}, {"webshop", "", true}, {"search", "Production", true}, {"search", "Staging", false}, {"search", "", false}} {
		if got := routes[0].Fits(tt.pipeline, tt.stage); got != tt.want {
			t.Errorf("%s/%s: %t", tt.pipeline, tt.stage, got)
		}
	}
	if !routes[1].Fits("any", "") {
		t.Error("a route without on is not about everything")
	}
	if quiet.From != 20*60 || quiet.To != 7*60 || !quiet.Weekends || quiet.Zone.String() != "Europe/Berlin" {
		t.Errorf("%+v", quiet)
	}
	if digest.At != 8*60+30 || digest.Days != [7]bool{time.Saturday: true, time.Sunday: true, time.Monday: true, time.Wednesday: true} {
		t.Errorf("%+v", digest)
	}
}

func TestFaultsOfWhereAndWhenTheBotPosts(t *testing.T) {
	for text, want := range map[string]string{
		"  routes: [{kinds: [gate], channel: off}]\n":              `5:21: slack.routes[0].kinds: there is no kind "gate"`,
		"  routes: [{kinds: [success]}]\n":                         "slack.routes[0] changes nothing",
		"  routes: [{channel: off, also: \"#x\"}]\n":               "turns messages off and says where they go",
		"  routes: [{also: off}]\n":                                "also must be a channel",
		"  routes: [{on: [\"[\"], channel: \"#x\"}]\n":             "is not a pattern",
		"  quietHours: {from: \"25:00\", to: \"07:00\"}\n":         "no time of day",
		"  quietHours: {timezone: Mars/Olympus, weekends: true}\n": "slack.quietHours.timezone",
		"  quietHours: {}\n":                                       "slack.quietHours are never",
		"  digest: {at: \"09:00\"}\n":                              "slack.digest.channel",
		"  digest: {channel: \"#x\", days: mon-foo}\n":             `"mon-foo" is no day of the week`,
	} {
		got := strings.Join(faults(t, 0o600, chat+text), "\n")
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s\nwant %s", text, got, want)
		}
	}
}
