package hours_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot/hours"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestQuietHours(t *testing.T) {
	z := berlin(t)
	night := hours.Quiet{From: 20 * 60, To: 7 * 60, Zone: z, Weekends: true}
	noon := hours.Quiet{From: 12 * 60, To: 13 * 60, Zone: z}
	skipped := hours.Quiet{From: 22 * 60, To: 2*60 + 30, Zone: z}
	for _, tt := range []struct {
		name      string
		q         hours.Quiet
		at, until string // until empty: not quiet
	}{
		{"a working day", night, "2026-03-12 14:00", ""},
		{"the first quiet minute", night, "2026-03-12 20:00", "2026-03-13 07:00"},
		{"the last minute before", night, "2026-03-12 19:59", ""},
		{"after midnight", night, "2026-03-13 03:00", "2026-03-13 07:00"},
		{"the end is not quiet", night, "2026-03-13 07:00", ""},
		{"Friday night lasts until Monday", night, "2026-03-13 21:00", "2026-03-16 07:00"},
		{"Sunday at noon", night, "2026-03-15 12:00", "2026-03-16 07:00"},
		{"the night in which the clock goes forward", night, "2026-03-28 23:00", "2026-03-30 07:00"},
		{"the night in which it goes back", night, "2026-10-25 02:30", "2026-10-26 07:00"},
		{"an end that the clock skips", skipped, "2026-03-29 01:30", "2026-03-29 03:30"},
		{"a quiet noon", noon, "2026-03-14 12:30", "2026-03-14 13:00"},
		{"a loud Saturday", noon, "2026-03-14 14:00", ""},
		{"nothing is quiet", hours.Quiet{}, "2026-03-14 03:00", ""},
		{"weekends alone", hours.Quiet{Weekends: true, Zone: z}, "2026-03-14 03:00", "2026-03-16 00:00"},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", tt.at, z)
		if err != nil {
			t.Fatal(err)
		}
		got, quiet := tt.q.Until(at)
		text := ""
		if quiet {
			text = got.In(z).Format("2006-01-02 15:04")
		}
		if text != tt.until {
			t.Errorf("%s: quiet until %q, want %q", tt.name, text, tt.until)
		}
	}
}

func TestDaily(t *testing.T) {
	z := berlin(t)
	d := hours.Daily{At: 9 * 60, Zone: z, Days: [7]bool{time.Monday: true, time.Tuesday: true, time.Wednesday: true, time.Thursday: true, time.Friday: true}}
	for at, want := range map[string]string{
		"2026-03-12 09:00": "2026-03-12 09:00",
		"2026-03-12 08:59": "2026-03-11 09:00",
		"2026-03-15 12:00": "2026-03-13 09:00",
		"2026-03-30 09:30": "2026-03-30 09:00", // the clock went forward on Sunday
		"2026-10-26 08:30": "2026-10-23 09:00",
	} {
		moment, err := time.ParseInLocation("2006-01-02 15:04", at, z)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := d.Last(moment); !ok || got.In(z).Format("2006-01-02 15:04") != want {
			t.Errorf("before %s: %s, want %s", at, got, want)
		}
	}
	if _, ok := (hours.Daily{}).Last(time.Now()); ok {
		t.Error("no day is a day")
	}
}
