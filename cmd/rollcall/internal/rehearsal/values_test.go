package rehearsal

import (
	"testing"
	"time"
)

// What a value is read as, and which ones are none.
func TestValues(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "90m": 90 * time.Minute, "25h": 25 * time.Hour, "2d": 48 * time.Hour, "1h30m": 90 * time.Minute,
		"": 0, "0s": 0, "0d": 0, "-5m": 0, "-1d": 0, "5": 0, "d": 0, "1.5d": 0, "1d12h": 0, "10000d": 0, "240000h": 0, "soon": 0,
	} {
		if got, ok := span(text); ok != (want > 0) || ok && got != want {
			t.Errorf("span %q: %s, %t; want %s", text, got, ok, want)
		}
	}
	for text, want := range map[string]int{"1": 1, "#2": 2, "999999": 999999, "0": 0, "#0": 0, "-1": 0, "1000000": 0, "": 0, "#": 0, "##2": 0, "two": 0, "1.0": 0} {
		if got, ok := executionNumber(text); ok != (want > 0) || ok && got != want {
			t.Errorf("execution %q: %d, %t; want %d", text, got, ok, want)
		}
	}
	zone := time.FixedZone("CET", 3600)
	for text, want := range map[string]string{
		"2026-12-24": "2026-12-23T23:00:00Z", "2026-12-24 18:00": "2026-12-24T17:00:00Z", "2026-12-24 18:00:30": "2026-12-24T17:00:30Z", "2026-12-24T18:00:00-05:00": "2026-12-24T23:00:00Z",
		"2026-02-30": "", "24.12.2026": "", "18:00": "", "1969-01-01": "", "2200-01-01": "", "2026-12-24 25:00": "", "": "",
	} {
		got, ok := momentIn(text, zone)
		if ok != (want != "") || ok && got.UTC().Format(time.RFC3339) != want {
			t.Errorf("moment %q: %s, %t; want %s", text, got, ok, want)
		}
	}
	known := []string{"Build/Make", "Build/Check", "Prod/SignOff"}
	for word, want := range map[string]string{
		"Build/Mkae": "did you mean Build/Make?", "SignOff": "did you mean Prod/SignOff?", "Stage/Check": "did you mean Build/Check?",
		"Elsewhere": "known: Build/Make, Build/Check, Prod/SignOff",
	} {
		if got := suggestion(word, known); got != want {
			t.Errorf("suggestion for %q: %q, want %q", word, got, want)
		}
	}
	if got := suggestion("x", nil); got != "there is none" {
		t.Errorf("suggestion where there is nothing: %q", got)
	}
}
