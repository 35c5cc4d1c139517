package clean

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// U29, T9: the same rule for whatever a build tool, a commit or a stranger says.
func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, text, line, colored string }{
		{"nothing to do", "déjà vu\t✓\n  two", "déjà vu\t✓\n  two", "déjà vu ✓ two", "déjà vu\t✓\n  two"},
		{"colours", "\x1b[31;1mERROR\x1b[0m: broken", "ERROR: broken", "ERROR: broken", "\x1b[31;1mERROR\x1b[0m: broken"},
		{"progress", "10%\r50%\r100%\ndone", "100%\ndone", "100% done", "100%\ndone"},
		{"progress that is cleared", "100%\r\x1b[K\nnext", "100%\nnext", "100% next", "100%\nnext"},
		{"colours of what was overwritten", "\x1b[31m10%\r\x1b[0m100%\r\x1b[1m", "100%", "100%", "\x1b[31m\x1b[0m100%\x1b[1m"},
		{"lines of Windows", "a\r\nb\r\n", "a\nb\n", "a b", "a\nb\n"},
		{"cursor, screen, modes", "\x1b[2J\x1b[1;1Hx\x1b[?25l\x1b[6n\x1b[>0q", "x", "x", "x"},
		{"title, clipboard, link", "\x1b]0;me\x07a\x1b]52;c;ZXZpbA==\x1b\\b\x1b]8;;https://x\x1b\\c\x1b]8;;\x1b\\", "abc", "abc", "abc"},
		{"strings of other kinds", "a\x1bPq#0\x1b\\b\x1b_x\x1b\\c\x1b^y\x1b\\d\x1bXz\x1b\\e", "abcde", "abcde", "abcde"},
		{"one that is cut off", "a\x1b]0;title\nb\x1b[3", "a\nb", "a b", "a\nb"},
		{"short escapes", "\x1b(B\x1b7a\x1bcb\x1b", "ab", "ab", "ab"},
		{"an escape in an escape", "\x1b\x1b[0m[31mx", "[31mx", "[31mx", "\x1b[0m[31mx"},
		{"of eight bits", "a\u009b31mb\u009d0;t\u009cc\u0090q\u009cd", "abcd", "abcd", "abcd"},
		{"control characters", "a\x00b\x07c\bd\x7fe\u0080f", "abcdef", "abcdef", "abcdef"},
		{"other breaks of lines", "a\vb\fc\u0085d\u2028e\u2029f", "a b c d e f", "a b c d e f", "a b c d e f"},
		{"direction of writing", "a\u202eb\u2066c\u200fd\u061ce\u2069", "abcde", "abcde", "abcde"},
		{"no UTF-8", "a\x9b31mb\xff", "a\uFFFD31mb\uFFFD", "a\uFFFD31mb\uFFFD", "a\uFFFD31mb\uFFFD"},
		{"families and flags", "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range []struct {
				name, want string
				fn         func(string) string
			}{{"Text", c.text, Text}, {"Line", c.line, Line}, {"Colored", c.colored, Colored}} {
				if got := f.fn(c.in); got != f.want {
					t.Errorf("%s(%q) = %q, want %q", f.name, c.in, got, f.want)
				}
			}
		})
	}
}

// FuzzText: no input lets through what steers a terminal or a reader's eye.
func FuzzText(f *testing.F) {
	for _, s := range []string{"a\x1b[31mb\r\n\x1b]0;x\x07", "\x1b\x1b[0m[31m\u202e\u009b1m", "\x00\r\x00\x1b[m\r", "\xff\x9b\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		steers := func(r rune) bool {
			return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
		}
		clean, line, colored := Text(s), Line(s), Colored(s)
		for _, got := range []string{clean, line, sgr.ReplaceAllString(colored, "")} {
			if strings.ContainsFunc(got, steers) || !utf8.ValidString(got) {
				t.Errorf("%q became %q", s, got)
			}
		}
		if strings.ContainsAny(line, "\n\t") {
			t.Errorf("%q became the line %q", s, line)
		}
		if Text(clean) != clean || Line(line) != line || Colored(colored) != colored {
			t.Errorf("%q is cleaned to %q and then to something else", s, clean)
		}
		if strings.Count(clean, "\n") != strings.Count(s, "\n") {
			t.Errorf("%q has other lines as %q", s, clean)
		}
	})
}
