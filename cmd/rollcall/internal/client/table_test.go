package client

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// On a terminal nothing is wider than it is; in a pipe (width 0) nothing is cut.
func TestTablesFitTheTerminal(t *testing.T) {
	rows := func() [][]string {
		return [][]string{{"EXECUTION", "STATUS", "REVISION", "NOTE"},
			{"webshop#42", "Succeeded", "0123456 Mend the cart, which was empty for everybody who came from a coupon", "Production without 1 of 2 approvals"},
			{"webshop#43", "Failed", "89abcde 購物車を直す 🎉", ""}}
	}
	for _, width := range []int{0, 60, 80, 100} {
		var out bytes.Buffer
		Printer{W: &out, Width: width}.table(rows()...)
		cut := strings.Contains(out.String(), "…")
		if cut != (width > 0) {
			t.Errorf("width %d: cut: %t\n%s", width, cut, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if w := runewidth.StringWidth(strings.TrimRight(line, "\n")); width > 0 && w > width {
				t.Errorf("width %d: %d columns: %s", width, w, line)
			}
			if number, _, _ := strings.Cut(line, " "); strings.HasPrefix(line, "webshop") && len(number) != len("webshop#42") {
				t.Errorf("width %d: the number is cut: %s", width, line)
			}
		}
	}
}

// A narrow terminal leaves of each column little, but every execution its number,
// and a status that is cut its colour.
func TestNumbersAreNeverCut(t *testing.T) {
	var out bytes.Buffer
	row := []string{"webshop#123456", "Succeeded (rollback to #2)", "0123456 Open the shop", "48 s ago", "10 s", "token laptop", ""}
	Printer{W: &out, Width: 60, Color: true}.table([]string{"EXECUTION", "STATUS", "REVISION", "STARTED", "TOOK", "BY", "webshop#41"}, row)
	for _, want := range []string{"\n…#123456  \x1b[32mSucceed…\x1b[0m  0123456…", "webs…#41\x1b[0m\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%q", want, out.String())
		}
	}
}

// What is not known leaves no space at the end of a line.
func TestLinesEndWithoutSpace(t *testing.T) {
	var out bytes.Buffer
	Printer{W: &out}.say("%s: %s %s", "changes/Production", "1 commit since #2", "")
	if out.String() != "changes/Production: 1 commit since #2\n" {
		t.Errorf("%q", out.String())
	}
}

func TestColour(t *testing.T) {
	var plain, coloured bytes.Buffer
	for color, out := range map[bool]*bytes.Buffer{false: &plain, true: &coloured} {
		Printer{W: out, Color: color}.table([]string{"EXECUTION", "STATUS"}, []string{"webshop#42", "Succeeded"}, []string{"Failed#1", "Failed (rollback to #3)"})
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("escapes without colour: %q", plain.String())
	}
	for _, want := range []string{"\x1b[1mSTATUS\x1b[0m", "\x1b[32mSucceeded\x1b[0m", "\x1b[31mFailed (rollback to #3)\x1b[0m", "Failed#1 "} {
		if !strings.Contains(coloured.String(), want) {
			t.Errorf("%q is missing in %q", want, coloured.String())
		}
	}
}

// TestPreviousTarget (U8): what a rollback without --to goes back to, and what is said when there is nothing.
func TestPreviousTarget(t *testing.T) {
	target := func(n int, eligible, now, preselected bool) ledger.Target {
		return ledger.Target{Number: n, Eligible: eligible, Now: now, Preselected: preselected}
	}
	for _, c := range []struct {
		about   string
		targets []ledger.Target
		number  int // 0: none
		hint    string
	}{
		{"nothing has succeeded", nil, 0, "can only be rolled back to an execution that has succeeded there"},
		{"only what runs", []ledger.Target{target(1, true, true, false)}, 0, "that has succeeded there"},
		{"the service preselects", []ledger.Target{target(3, true, true, false), target(2, true, false, false), target(1, true, false, true)}, 1, ""},
		{"the one before", []ledger.Target{target(3, true, true, false), target(2, true, false, false), target(1, true, false, false)}, 2, ""},
		{"after a rollback only newer ones", []ledger.Target{target(1, true, true, false), target(2, true, false, false)}, 0, "choose one: rollcall rollback shop Production --to shop#2"},
		{"after a rollback the service's choice is newer", []ledger.Target{target(3, true, false, true), target(2, true, true, false), target(1, true, false, false)}, 1, ""},
		{"after a rollback to the first", []ledger.Target{target(2, true, false, true), target(1, true, true, false)}, 0, "choose one: rollcall rollback shop Production --to shop#2"},
		{"what runs is uncertain", []ledger.Target{target(2, true, true, true), target(1, true, false, false)}, 2, ""},
		{"never back to what people left", []ledger.Target{target(3, true, true, false), {Number: 2, Eligible: true, LeftBy: "e9"}, target(1, true, false, false)}, 1, ""},
		{"the one before is not eligible", []ledger.Target{target(3, true, true, false), target(2, false, false, false), target(1, true, false, false)}, 1, ""},
	} {
		got := 0
		if i := Previous(c.targets); i >= 0 {
			got = c.targets[i].Number
		}
		if got != c.number {
			t.Errorf("%s: #%d, want #%d", c.about, got, c.number)
		}
		if hint := Choose("shop", "Production", c.targets); got == 0 && !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %s", c.about, hint)
		}
	}
}
