// Package words puts together the sentences that people read: lists, reasons,
// moments and spans of time. Pure.
package words

import (
	"fmt"
	"strings"
	"time"
)

// List joins words for reading: "A, B and C", with `and` as the last joint.
func List(words []string, and string) string {
	n := len(words)
	if n < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n-1], ", ") + " " + and + " " + words[n-1]
}

// Because adds a person's reason to a sentence, if they gave one.
func Because(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// Moment writes a time as refusals say it: "2 Jan 15:04 UTC".
func Moment(at time.Time) string { return at.UTC().Format("2 Jan 15:04 UTC") }

// Span writes a duration as people say it: "1 day", "90 minutes", "1m30s".
func Span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d < unit.of || d%unit.of != 0 {
			continue
		}
		return Count(int(d/unit.of), unit.name)
	}
	return d.Round(time.Second).String()
}

// Count writes a number of things: "1 stage", "2 stages".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
