// Package clean makes text from outside fit to be read: what commits, logs,
// vendors and strangers say carries terminal escapes, carriage returns, control
// characters and marks that turn the direction of writing, and none of that may
// travel on into a terminal, a chat, a wiki, a log or a stored row. Pure.
//
// It knows characters only. What else a medium gives a meaning to, such as
// Slack's angle brackets or Jira's braces, its own package escapes afterwards.
package clean

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sequence is what only a terminal understands: a control sequence (CSI), a
// control string (OSC, DCS, SOS, PM, APC), or a short escape. One that is cut
// off ends with its line, so that it swallows nothing below.
var sequence = regexp.MustCompile(`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]?` +
	`|(?:\x1b[\]PX^_]|[\x{90}\x{98}\x{9d}-\x{9f}])[^\x07\x1b\x{9c}\n]*(?:\x07|\x1b\\|\x{9c})?` +
	`|\x1b[ -/]*[0-~]?`)

// Text returns s without what a reader cannot see: terminal sequences go whole;
// of a line with carriage returns what is left at its end stays; control
// characters but newline and tab, and marks of direction, are dropped; bytes
// that are not UTF-8 become U+FFFD. Twice is the same as once.
func Text(s string) string { return text(s, func(string) string { return "" }) }

// Line is [Text] in one line: every run of white space is one space, none at
// the ends.
func Line(s string) string { return strings.Join(strings.Fields(Text(s)), " ") }

// Colored is [Text] for a terminal: colours and weights (SGR) stay.
func Colored(s string) string {
	return text(s, func(seq string) string {
		if sgr.FindString(seq) == seq {
			return seq
		}
		return ""
	})
}

var sgr = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// text cleans s; keep says what stays of a terminal sequence.
func text(s string, keep func(sequence string) string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || r == rune(aside[0]) || visible(r) != r }) {
		return s // as nearly all is
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	// What keep leaves is put aside, so that the rest can be dropped without it.
	var kept []string
	s = strings.ReplaceAll(s, aside, "")
	s = sequence.ReplaceAllStringFunc(s, func(seq string) string {
		if seq = keep(seq); seq == "" {
			return ""
		}
		kept = append(kept, seq)
		return aside
	})
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.Map(visible, atEnd(l))
	}
	var b strings.Builder
	for i, part := range strings.Split(strings.Join(lines, "\n"), aside) {
		if i > 0 {
			b.WriteString(kept[i-1])
		}
		b.WriteString(part)
	}
	return b.String()
}

// aside stands for a sequence that is kept; in text from outside it is dropped.
const aside = "\x00"

// atEnd is what a line with carriage returns shows in the end: the last of its
// overwritings that has text, with the sequences kept of all.
func atEnd(line string) string {
	parts := strings.Split(line, "\r")
	last := len(parts) - 1
	for last > 0 && strings.Trim(parts[last], aside) == "" {
		last--
	}
	for i, p := range parts {
		if i != last {
			parts[i] = strings.Repeat(aside, strings.Count(p, aside))
		}
	}
	return strings.Join(parts, "")
}

// visible drops characters that only steer; other line breaks than a newline
// are spaces.
func visible(r rune) rune {
	switch {
	case r == '\n', r == '\t', r == rune(aside[0]):
		return r
	case r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
		return ' '
	case Steers(r):
		return -1
	}
	return r
}

// Steers says whether a character is none to be read: a control character, or a
// mark that turns the direction of writing.
func Steers(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// Cut shortens a text that somebody sent to what a sentence or a record should
// hold: 200 characters and an ellipsis.
func Cut(text string) string {
	const longest = 200
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
