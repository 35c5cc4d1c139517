package rule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/rule"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		variable, operator, value string
		holds                     bool
		why                       string
	}{
		{"main", "EQ", "main", true, ""},
		{"main", "EQ", "Main", false, `"main" is not "Main"`},
		{"main", "NE", "dev", true, ""},
		{"main", "NE", "main", false, `"main" is "main"`},
		{"release/1", "CONTAINS", "release", true, ""},
		{"main", "CONTAINS", "release", false, `"main" does not contain "release"`},
		{"v1.4", "MATCHES", `v\d+\.\d+`, true, ""},
		{"v1.4-beta", "MATCHES", `v\d+\.\d+`, false, `"v1.4-beta" does not match "v\\d+\\.\\d+"`}, // the whole value
		{"", "EQ", "", true, ""},
	} {
		holds, why, err := rule.Compare(map[string]string{"Variable": c.variable, "Operator": c.operator, "Value": c.value})
		if holds != c.holds || why != c.why || err != nil {
			t.Errorf("%q %s %q: %v, %s, %v", c.variable, c.operator, c.value, holds, why, err)
		}
	}
	for _, bad := range []map[string]string{{"Operator": "GT"}, {"Operator": "MATCHES", "Value": "("}, nil} {
		if holds, _, err := rule.Compare(bad); holds || err == nil {
			t.Errorf("%v holds", bad)
		}
	}
}

func TestOpens(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	hours := map[string]string{"Cron": "* * 9-16 ? * MON-FRI", "TimeZone": "Europe/Berlin"}
	for _, c := range []struct{ now, opens, says string }{
		{"2026-03-02 10:00", "2026-03-02 10:00", "opens Mon 2 Mar 11:00 CET"}, // now
		{"2026-03-02 07:30", "2026-03-02 08:00", "opens Mon 2 Mar 09:00 CET"},
		{"2026-03-06 16:00", "2026-03-09 08:00", "opens Mon 9 Mar 09:00 CET"},
		{"2026-03-28 12:00", "2026-03-30 07:00", "opens Mon 30 Mar 09:00 CEST"}, // the clock changes in between
	} {
		opens, ever, err := rule.Opens(hours, at(c.now))
		if err != nil || !ever || !opens.Equal(at(c.opens)) || rule.Says(hours, opens) != c.says {
			t.Errorf("%s: %v %v %v, says %q", c.now, opens, ever, err, rule.Says(hours, opens))
		}
	}
	if _, ever, err := rule.Opens(map[string]string{"Cron": "* * * 30 2 ?"}, at("2026-03-02 10:00")); ever || err != nil {
		t.Errorf("30 February: %v %v", ever, err)
	}
	for _, bad := range []map[string]string{{"Cron": "soon"}, {"Cron": "* * * * * ?", "TimeZone": "Mars/Olympus"}} {
		if _, _, err := rule.Opens(bad, at("2026-03-02 10:00")); err == nil || !strings.HasPrefix(err.Error(), "the ") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
