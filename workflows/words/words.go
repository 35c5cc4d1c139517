// Package words puts together the sentences that people read: lists, reasons,
// moments and spans of time. Pure.
package words

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
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

// Spaced writes a name in camel case as words: stageSkipped is "stage skipped".
func Spaced(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Count writes a number of things: "1 stage", "2 stages".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Ordinal is a place in a row: 1st, 2nd, 3rd, 4th, 11th, 21st.
func Ordinal(n int) string {
	if teen := n % 100; teen < 11 || teen > 13 {
		switch n % 10 {
		case 1:
			return fmt.Sprintf("%dst", n)
		case 2:
			return fmt.Sprintf("%dnd", n)
		case 3:
			return fmt.Sprintf("%drd", n)
		}
	}
	return fmt.Sprintf("%dth", n)
}

// Revision is a revision as people read it: of a commit the first 7 characters.
func Revision(id string) string {
	if len(id) >= 40 && strings.Trim(id, "0123456789abcdef") == "" {
		return id[:7]
	}
	return id
}

// Cut shortens text to n characters, with an ellipsis in the last place.
func Cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return strings.TrimSpace(string(r[:n-1])) + "…"
}

// Keys are the keys of a map in the order in which they are listed.
func Keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Quoted shows a value that somebody wrote, in quotes, with at most 60 characters of it.
func Quoted(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// CutBytes shortens text to n bytes, the ellipsis included, at the border of a character.
func CutBytes(text string, n int) string {
	const sign = "…"
	if len(text) <= n {
		return text
	}
	n -= len(sign)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + sign
}
