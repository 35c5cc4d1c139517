package age_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/age"
)

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"400d": 400 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "36h": 36 * time.Hour, "90s": 90 * time.Second, "2s": 2 * time.Second, "1h30m": 90 * time.Minute,
		"": 0, "0": 0, "0d": 0, "0s": 0, "d": 0, "-1d": 0, "1d-2h": 0, "400": 0, "400 d": 0, "400days": 0, "1w": 0, "NaNd": 0, "1e9d": 0, "Infd": 0, "99999999h": 0, "forever": 0, "1d1d": 0,
	} {
		got, err := age.Parse(text)
		if time.Duration(got) != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %v, %v; want %v", text, time.Duration(got), err, want)
		}
		if again, err := age.Parse(got.String()); got != 0 && (err != nil || again != got) {
			t.Errorf("%q is shown as %q, which is %v, %v", text, got, again, err)
		}
	}
}

func TestAgesAsPeopleReadThem(t *testing.T) {
	for want, d := range map[string]time.Duration{"400d": 400 * 24 * time.Hour, "36h": 36 * time.Hour, "1h30m": 90 * time.Minute, "5m": 5 * time.Minute, "1m30s": 90 * time.Second, "10s": 10 * time.Second, "for ever": 0} {
		if got := age.Age(d).String(); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
