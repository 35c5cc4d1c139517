package clock

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const wallClock = "2006-01-02 15:04 MST"

// fires lists the next n moments at which an expression fires.
func fires(t *testing.T, expression, zone, after string, n int) []string {
	t.Helper()
	c, in := cron(t, expression), zoneOf(t, zone)
	at, err := time.ParseInLocation("2006-01-02 15:04", after, in)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range n {
		next, ok := c.Next(at, in)
		if !ok {
			return append(got, "never")
		}
		got = append(got, next.Format(wallClock))
		at = next
	}
	return got
}

func cron(t *testing.T, expression string) Cron {
	t.Helper()
	c, err := ParseCron(expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return c
}

func zoneOf(t *testing.T, zone string) *time.Location {
	t.Helper()
	in, err := Zone(zone)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// At a change of the clock: what is skipped does not fire, what comes twice fires
// the first time, and what fires every hour goes on in real time.
func TestChangesOfTheClock(t *testing.T) {
	for _, tt := range []struct{ name, zone, cron, after, want string }{
		{"skipped", "America/New_York", "30 2 * * *", "2026-03-07 03:00", "2026-03-09 02:30 EDT|2026-03-10 02:30 EDT"},
		{"doubled", "America/New_York", "30 1 * * *", "2026-10-31 12:00", "2026-11-01 01:30 EDT|2026-11-02 01:30 EST"},
		{"doubled, twice an hour", "America/New_York", "*/30 1 * * *", "2026-11-01 00:00", "2026-11-01 01:00 EDT|2026-11-01 01:30 EDT|2026-11-02 01:00 EST"},
		{"every hour, spring", "America/New_York", "0 * * * *", "2026-03-08 00:30", "2026-03-08 01:00 EST|2026-03-08 03:00 EDT|2026-03-08 04:00 EDT"},
		{"every hour, autumn", "America/New_York", "0 * * * *", "2026-11-01 00:30", "2026-11-01 01:00 EDT|2026-11-01 01:00 EST|2026-11-01 02:00 EST"},
		{"skipped", "Europe/Berlin", "30 2 * * *", "2026-03-28 03:00", "2026-03-30 02:30 CEST|2026-03-31 02:30 CEST"},
		{"doubled", "Europe/Berlin", "30 2 * * *", "2026-10-24 12:00", "2026-10-25 02:30 CEST|2026-10-26 02:30 CET"},
		{"the hours around the doubled one", "Europe/Berlin", "0 1-3 * * *", "2026-10-25 00:00", "2026-10-25 01:00 CEST|2026-10-25 02:00 CEST|2026-10-25 03:00 CET|2026-10-26 01:00 CET"},
		{"every quarter, autumn", "Europe/Berlin", "*/15 * * * *", "2026-10-25 01:45", "2026-10-25 02:00 CEST|2026-10-25 02:15 CEST|2026-10-25 02:30 CEST|2026-10-25 02:45 CEST|2026-10-25 02:00 CET|2026-10-25 02:15 CET"},
		{"every quarter, spring", "Europe/Berlin", "*/15 * * * *", "2026-03-29 01:30", "2026-03-29 01:45 CET|2026-03-29 03:00 CEST|2026-03-29 03:15 CEST"},
		{"half an hour skipped", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03 03:00", "2026-10-05 02:15 +11|2026-10-06 02:15 +11"},
		{"half an hour, the kept half", "Australia/Lord_Howe", "45 2 * * *", "2026-10-03 03:00", "2026-10-04 02:45 +11"},
		{"half an hour doubled", "Australia/Lord_Howe", "45 1 * * *", "2026-04-04 12:00", "2026-04-05 01:45 +11|2026-04-06 01:45 +1030"},
		{"half an hour, before the doubled half", "Australia/Lord_Howe", "15 1 * * *", "2026-04-04 12:00", "2026-04-05 01:15 +11"},
		{"no changes at all", "UTC+05:30", "0 6 * * *", "2026-03-29 00:00", "2026-03-29 06:00 UTC+05:30|2026-03-30 06:00 UTC+05:30"},
	} {
		t.Run(tt.zone+"/"+tt.name, func(t *testing.T) {
			n := strings.Count(tt.want, "|") + 1
			if got := strings.Join(fires(t, tt.cron, tt.zone, tt.after, n), "|"); got != tt.want {
				t.Errorf("%s after %s\n got %s\nwant %s", tt.cron, tt.after, got, tt.want)
			}
		})
	}
}

// Asked within the second pass of the doubled hour, what the first pass has fired does not fire again.
func TestSecondPassIsOver(t *testing.T) {
	in := zoneOf(t, "Europe/Berlin")
	second := time.Date(2026, 10, 25, 1, 10, 0, 0, time.UTC) // 02:10 CET
	if got, _ := cron(t, "30 2 * * *").Next(second, in); got.Format(wallClock) != "2026-10-26 02:30 CET" {
		t.Errorf("after %s it fires at %s", second.In(in), got)
	}
	if got, _ := cron(t, "30 * * * *").Next(second, in); got.Format(wallClock) != "2026-10-25 02:30 CET" {
		t.Errorf("every hour: after %s it fires at %s", second.In(in), got)
	}
}

func TestWhatFires(t *testing.T) {
	const after = "2026-11-21 12:00" // a Saturday
	for _, tt := range []struct{ cron, want string }{
		{"0 6 * * 1-5", "2026-11-23 06:00|2026-11-24 06:00"},
		{"0 6 * * MON-FRI", "2026-11-23 06:00"},
		{"0 6 * * fri-mon", "2026-11-22 06:00|2026-11-23 06:00|2026-11-27 06:00"},
		{"0 6 * * 0", "2026-11-22 06:00"},
		{"0 6 * * 7", "2026-11-22 06:00"},
		{"0 6 * * 5-7", "2026-11-22 06:00|2026-11-27 06:00"},
		{"0 6 * * */2", "2026-11-22 06:00|2026-11-24 06:00"},
		{"0 22-2/2 * * *", "2026-11-21 22:00|2026-11-22 00:00|2026-11-22 02:00|2026-11-22 22:00"},
		{"5/20 9 * * *", "2026-11-22 09:05|2026-11-22 09:25|2026-11-22 09:45|2026-11-23 09:05"},
		{"0 0 13 * FRI", "2026-11-27 00:00|2026-12-04 00:00|2026-12-11 00:00|2026-12-13 00:00"}, // either
		{"0 0 */2 * MON", "2026-11-23 00:00|2026-12-07 00:00"},                                  // both: odd Mondays
		{"0 0 29 2 *", "2028-02-29 00:00|2032-02-29 00:00"},
		{"0 0 30 2 *", "never"},
		{"0 0 31 4,6,9,11 *", "never"},
		{"0 0 ? * 2#1 *", "2026-12-07 00:00"},
		{"0 0 ? * MON#5 *", "2026-11-30 00:00|2027-03-29 00:00"},
		{"0 0 ? 2 MON#5 *", "2044-02-29 00:00|2072-02-29 00:00"},
		{"0 12 ? * MON-FRI *", "2026-11-23 12:00"},
		{"0 12 ? * 2-6 2030", "2030-01-01 12:00"},
		{"0 12 ? * 1 *", "2026-11-22 12:00"},
		{"1 12 ? * L *", "2026-11-21 12:01"},
		{"15 10 ? * 6L 2026-2027", "2026-11-27 10:15|2026-12-25 10:15|2027-01-29 10:15"},
		{"15 10 ? * FRIL *", "2026-11-27 10:15"},
		{"0 0 L * ? *", "2026-11-30 00:00|2026-12-31 00:00|2027-01-31 00:00|2027-02-28 00:00"},
		{"0 0 L-3 * ? *", "2026-11-27 00:00|2026-12-28 00:00"},
		{"0 0 L-30 * ? *", "2026-12-01 00:00|2027-01-01 00:00|2027-03-01 00:00"},
		{"0 0 LW * ? *", "2026-11-30 00:00|2026-12-31 00:00|2027-01-29 00:00"},
		{"0 0 15W * ? *", "2026-12-15 00:00|2027-01-15 00:00|2027-02-15 00:00|2027-03-15 00:00|2027-04-15 00:00|2027-05-14 00:00"},
		{"0 0 1W * ? *", "2026-12-01 00:00|2027-01-01 00:00|2027-02-01 00:00|2027-03-01 00:00|2027-04-01 00:00|2027-05-03 00:00"}, // Saturday: not in April
		{"0 0 31W 1,2 ? *", "2027-01-29 00:00|2028-01-31 00:00"},
		{"0 0 1 1 ? 2020", "never"},
		{"0 0 1 1 ? 2020/10", "2030-01-01 00:00|2040-01-01 00:00"},
		{"cron(0 12 * * ? *)", "2026-11-22 12:00"},
		{"CRON( 0 12 1,L jan ? * )", "2027-01-01 12:00|2027-01-31 12:00"},
		{"rate(5 minutes)", "2026-11-21 12:05|2026-11-21 12:10"},
		{"rate(1 hour)", "2026-11-21 13:00"},
		{"rate(7 days)", "2026-11-26 00:00|2026-12-03 00:00"}, // 1970-01-01 was a Thursday
	} {
		want := strings.Split(strings.TrimSuffix(tt.want, "?|"), "|")
		from := after
		if strings.HasSuffix(tt.want, "?|") {
			from = "2026-11-21 11:59" // the very minute after
		}
		got := strings.Join(fires(t, tt.cron, "UTC", from, len(want)), "|")
		if got = strings.ReplaceAll(got, " UTC", ""); got != strings.Join(want, "|") {
			t.Errorf("%s\n got %s\nwant %s", tt.cron, got, strings.Join(want, "|"))
		}
	}
}

func TestFaultyExpressions(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "has 0 fields"},
		{"* * * *", "has 4 fields"},
		{"* * * * * * *", "has 7 fields"},
		{"cron(* * * * *)", "cron(…) has 5 fields"},
		{"60 * * * *", `minute: "60" is not a number from 0 to 59`},
		{"* 24 * * *", `hour: "24" is not a number from 0 to 23`},
		{"* * 0 * *", `day of the month: "0" is not a number from 1 to 31`},
		{"* * * 13 *", `month: "13" is not a number from 1 to 12 or a name from JAN to DEC`},
		{"* * * * 8", `day of the week: "8" is not a number from 0 to 7 or a name from SUN to SAT`},
		{"* * ? * 0 *", `day of the week: "0" is not a number from 1 to 7`},
		{"* * * * ? 1969", `year: "1969" is not a number from 1970 to 2199`},
		{"* * * * ? 2030-2026", "runs backwards"},
		{"* * * * * *", "exactly one of"},
		{"* * ? * ? *", "exactly one of"},
		{"* * 1 * MON *", "exactly one of"},
		{"* * L * *", "five fields know no ? L W #"},
		{"* * ? * MON", "five fields know no ? L W #"},
		{"*/0 * * * *", "the step of"},
		{"*/61 * * * *", "the step of"},
		{"1- * * * *", `minute: "" is not a number`},
		{"*-5 * * * *", `minute: "*" is not a number`},
		{"+5 * * * *", `minute: "+5" is not a number`},
		{"1,,2 * * * *", `minute: "" is not a number`},
		{"* * L-31 * ? *", "is not L, LW, or L-0 to L-30"},
		{"* * L3 * ? *", "is not L, LW, or L-0 to L-30"},
		{"* * 32W * ? *", "is not 1W to 31W"},
		{"* * ? * FRI#6 *", "is not a day, # and a number from 1 to 5"},
		{"* * ? * 8L *", "is not L, or a day and L"},
		{"rate(0 minutes)", "is not a number from 1 to"},
		{"rate(5 weeks)", "a rate is rate(N minutes)"},
		{"rate(99999999999999999999 days)", "is not a number from 1 to 3660"},
		{"rate()", "a rate is"},
		{strings.Repeat("1,", 400) + "1 * * * *", "longer than 512"},
	} {
		if c, err := ParseCron(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: %v, want %q", tt.text, err, tt.want)
		} else if _, fires := c.Next(time.Unix(0, 0), time.UTC); fires {
			t.Errorf("%.60q is refused and fires", tt.text)
		}
	}
	for _, tt := range []struct{ text, want string }{
		{"60 * 9-17 ? * MON-FRI *", `second: "60" is not a number from 0 to 59`},
		{"? * 9-17 ? * MON-FRI *", `second: "?" is not a number from 0 to 59`},
		{"* 9-17 ? * MON-FRI", "the window has 5 fields"},
		{"* * 9-17 * * MON-FRI *", "exactly one of"},
	} {
		if _, err := ParseWindow(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestWindow(t *testing.T) {
	berlin := zoneOf(t, "Europe/Berlin")
	office, err := ParseWindow("* * 9-17 ? * MON-FRI")
	if err != nil {
		t.Fatal(err)
	}
	night, err := ParseWindow("* 30-59 2 ? * * *")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		window    Cron
		at, opens string
	}{
		{office, "2026-11-20 09:00:00 +0100", "2026-11-20 09:00:00 +0100"},
		{office, "2026-11-20 17:59:59 +0100", "2026-11-20 17:59:59 +0100"},
		{office, "2026-11-20 18:00:00 +0100", "2026-11-23 09:00:00 +0100"}, // Friday evening
		{office, "2026-11-20 08:59:59 +0100", "2026-11-20 09:00:00 +0100"},
		{night, "2026-10-25 02:40:00 +0200", "2026-10-25 02:40:00 +0200"}, // the hour that comes twice is covered twice
		{night, "2026-10-25 02:10:00 +0100", "2026-10-25 02:30:00 +0100"},
		{night, "2026-10-25 02:40:00 +0100", "2026-10-25 02:40:00 +0100"},
		{night, "2026-03-29 01:10:00 +0100", "2026-03-30 02:30:00 +0200"}, // skipped
	} {
		at, err := time.Parse("2006-01-02 15:04:05 -0700", tt.at)
		if err != nil {
			t.Fatal(err)
		}
		opens, ok := tt.window.Opens(at, berlin)
		if got := opens.In(berlin).Format("2006-01-02 15:04:05 -0700"); !ok || got != tt.opens {
			t.Errorf("%s at %s opens at %s, want %s", tt.window, tt.at, got, tt.opens)
		}
		if got := tt.window.Covers(at, berlin); got != (tt.at == tt.opens) {
			t.Errorf("%s at %s: covered %t", tt.window, tt.at, got)
		}
	}
	for _, seconds := range []string{"0", "0-59", "*/10", "5,7"} { // C5: seconds mean nothing
		same, err := ParseWindow(seconds + " * 9-17 ? * MON-FRI *")
		if at := time.Date(2026, 11, 20, 9, 30, 30, 0, berlin); err != nil || !same.Covers(at, berlin) {
			t.Errorf("seconds %s: %v", seconds, err)
		}
	}
	if _, ok := (Cron{}).Opens(time.Unix(0, 0), berlin); ok {
		t.Error("an empty window opens")
	}
}

func TestZone(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"": "12:00", "UTC": "12:00", "UTC+02:00": "14:00", "UTC-09:30": "02:30", "UTC+14:00": "02:00",
		"Europe/Berlin": "14:00", "Australia/Lord_Howe": "22:30", "CET": "14:00", "EST": "07:00",
		// C5: what AWS's page of the rule allows beside regions.
		"Z": "12:00", "GMT": "12:00", "GMT+1": "13:00", "UTC-8": "04:00", "UTC+2": "14:00", "UTC+0530": "17:30",
		"PST": "05:00", "CST": "07:00", "IST": "17:30", "CEST": "14:00", "JST": "21:00", "MST": "05:00",
	} {
		if got := at.In(zoneOf(t, name)).Format("15:04"); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"Europe/Bern":   "no time zone is named",
		"../etc/passwd": "no time zone is named",
		"XYZ":           "write a region",
		"pst":           "write a region",
		"Local":         "write a region",
		"UTC+14:01":     "at most 14 hours",
		"UTC+15":        "at most 14 hours",
		"UTC+02:60":     "is not UTC with an offset",
		"UTC+-2:00":     "no time zone is named",
	} {
		if _, err := Zone(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

// Next, against the obvious slow way: look at every minute.
func TestNextIsTheFirstMatchingMinute(t *testing.T) {
	minute := rapid.SampledFrom([]string{"*", "0", "30", "*/7", "15,45", "50-10", "5/20"})
	hour := rapid.SampledFrom([]string{"*", "0-23", "2", "1-3", "22-2", "*/6", "0"})
	day := rapid.SampledFrom([]string{"*", "1", "29", "L", "LW", "15W", "L-2", "8-14", "*/5"})
	week := rapid.SampledFrom([]string{"*", "SUN", "2-6", "FRI-MON", "1#1", "SUNL", "1#4", "L"})
	// around the changes of the clock of each zone, where the rule is not plain
	starts := map[string][]time.Time{
		"America/New_York":    {time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)},
		"Europe/Berlin":       {time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)},
		"Australia/Lord_Howe": {time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC)},
		"UTC-03:30":           {time.Date(2028, 2, 27, 0, 0, 0, 0, time.UTC)},
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC-03:30"}).Draw(t, "zone")
		in, err := Zone(zone)
		if err != nil {
			t.Fatal(err)
		}
		dom, dow := day.Draw(t, "day"), "?"
		if rapid.Bool().Draw(t, "by week") {
			dom, dow = "?", week.Draw(t, "week")
		}
		text := strings.Join([]string{minute.Draw(t, "minute"), hour.Draw(t, "hour"), dom, "*", dow, "*"}, " ")
		c, err := ParseCron(text)
		if err != nil {
			t.Fatal(err)
		}
		after := rapid.SampledFrom(starts[zone]).Draw(t, "start").Add(time.Duration(rapid.IntRange(0, 3*24*3600).Draw(t, "seconds")) * time.Second)
		got, ok := c.Next(after, in)
		if !ok || !got.After(after) || !c.Covers(got, in) {
			t.Fatalf("%s after %s: %s, %t", text, after.In(in), got, ok)
		}
		everyHour := strings.Contains(text, " * "+dom) || strings.Contains(text, " 0-23 ")
		for at := after.Truncate(time.Minute).Add(time.Minute); at.Before(got); at = at.Add(time.Minute) {
			if c.Covers(at, in) && (everyHour || !shownBefore(at, in)) {
				t.Fatalf("%s after %s fires at %s, and matches %s before", text, after.In(in), got, at.In(in))
			}
		}
		if !everyHour && shownBefore(got, in) {
			t.Fatalf("%s fires at %s, which the clock shows for the second time", text, got)
		}
		opens, _ := c.Opens(after, in)
		for at := after; at.Before(opens); at = at.Add(time.Minute) {
			if c.Covers(at, in) {
				t.Fatalf("%s at %s opens at %s, and covers %s before", text, after.In(in), opens, at.In(in))
			}
		}
	})
}

// shownBefore says whether the clock of the zone has shown the same time in the two hours before.
func shownBefore(at time.Time, in *time.Location) bool {
	for back := 30 * time.Minute; back <= 2*time.Hour; back += 30 * time.Minute {
		if at.Add(-back).In(in).Format("2006-01-02 15:04") == at.In(in).Format("2006-01-02 15:04") {
			return true
		}
	}
	return false
}

func BenchmarkNever(b *testing.B) {
	c, err := ParseCron("0 0 30 2 *")
	if err != nil {
		b.Fatal(err)
	}
	in, err := Zone("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, ok := c.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), in); ok {
			b.Fatal("30 February came")
		}
	}
}

func FuzzParseCron(f *testing.F) {
	for _, seed := range []string{"*/15 9-17 * * MON-FRI", "0 12 ? * 6L 2026-2030", "cron(0 0 LW * ? *)", "rate(5 minutes)", "0 0 15W,L-3 1/2 ? *", "0 0 ? 2 2#5 *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCron(text); err == nil {
			check(t, c)
		}
	})
}

func FuzzParseWindow(f *testing.F) {
	for _, seed := range []string{"* * 9-17 ? * MON-FRI", "* 0/15 22-2 L * ? 2026", "* * * ? * 2#1 *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseWindow(text); err == nil {
			check(t, c)
		}
	})
}

// check asks what holds for every expression.
func check(t *testing.T, c Cron) {
	after := time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC)
	in := zoneOf(t, "Europe/Berlin")
	next, ok := c.Next(after, in)
	if ok && (!next.After(after) || !c.Covers(next, in)) {
		t.Fatalf("%s fires at %s", c, next)
	}
	if opens, may := c.Opens(after, in); ok && (!may || opens.After(next)) {
		t.Fatalf("%s fires at %s and opens at %s", c, next, opens)
	}
}

// TestAbbreviations: each one names a region that exists.
func TestAbbreviations(t *testing.T) {
	known := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z'; c++ {
				for _, name := range []string{string([]rune{a, b, c}), string([]rune{a, b, c, 'T'})} {
					if region, _ := Abbreviation(name); region != "" {
						known++
						if _, err := time.LoadLocation(region); err != nil {
							t.Errorf("%s stands for %s: %v", name, region, err)
						}
					}
				}
			}
		}
	}
	if known < 40 {
		t.Errorf("found %d abbreviations", known)
	}
}

// TestLastYear (C16): what never fires, and what has an end.
func TestLastYear(t *testing.T) {
	for text, want := range map[string]int{
		"0 0 31 2 *": 0, "0 0 31 4,6,9,11 *": 0, "0 6 30 2 ? *": 0, "0 0 31W 2 ? *": 0,
		"0 0 ? * 6#5 2020": 2020, "0 6 ? * MON-FRI 2020": 2020, "0 0 29 2 ? 2021-2027": 2024, "0 0 29 2 ? 2021-2023": 0,
		"0 0 29 2 *": 2196, "0 6 * * *": 2199, "rate(5 minutes)": 2199,
	} {
		c, err := ParseCron(text)
		if err != nil {
			t.Fatal(err)
		}
		if year, ever := c.LastYear(); year != want || ever != (want > 0) {
			t.Errorf("%s: %d, %t, want %d", text, year, ever, want)
		}
	}
}

func FuzzZone(f *testing.F) {
	for _, seed := range []string{"", "UTC", "UTC+05:30", "Europe/Berlin", "CET", "PST", "Local", "../x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if in, err := Zone(name); (in == nil) != (err != nil) {
			t.Fatalf("%q: %v, %v", name, in, err)
		}
	})
}
