package client

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// gap separates columns; leastWidth is what a column keeps when it is cut.
const (
	gap        = 2
	leastWidth = 8
)

// table prints rows in columns; the first row is the heading. On a terminal no
// line is wider than it: the widest column gives way, with an ellipsis.
// The number of an execution stays: webs…#42.
func (p Printer) table(rows ...[]string) {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			r[i] = clean.Line(cell)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(r[i]))
		}
	}
	for p.Width > 0 {
		over := gap*(len(widths)-1) - p.Width
		for _, w := range widths {
			over += w
		}
		widest := slices.Index(widths, slices.Max(widths))
		if over <= 0 || widths[widest] <= leastWidth {
			break
		}
		widths[widest] = max(leastWidth, widths[widest]-over)
	}
	for n, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			shown := cut(cell, widths[i])
			line.WriteString(p.paintAs(cell, shown, n == 0))
			if i < len(r)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-runewidth.StringWidth(shown)+gap))
			}
		}
		fmt.Fprintln(p.W, strings.TrimRight(line.String(), " "))
	}
}

// cut shortens a cell to a column's width. Of an execution's name the number
// stays, as two executions of a pipeline differ in nothing else.
func cut(cell string, width int) string {
	if runewidth.StringWidth(cell) <= width {
		return cell
	}
	number := refNumber.FindString(cell)
	return runewidth.Truncate(strings.TrimSuffix(cell, number), width-len(number), "…") + number
}

// refNumber is the number at the end of an execution's name, no longer than
// what a column keeps.
var refNumber = regexp.MustCompile(`#[0-9]{1,6}$`)

// paint colours a heading and the words of a status: green, red, yellow.
func (p Printer) paint(cell string, heading bool) string { return p.paintAs(cell, cell, heading) }

// paintAs is shown in the colour of the cell that it was cut from.
func (p Printer) paintAs(cell, shown string, heading bool) string {
	code := 0
	status, _, _ := strings.Cut(cell, " (")
	switch workflows.Status(status) {
	case workflows.StatusSucceeded:
		code = 32
	case workflows.StatusFailed, workflows.StatusErrored, notApproved:
		code = 31
	case workflows.StatusInProgress, workflows.StatusStopping:
		code = 33
	}
	if heading && cell != "" {
		code = 1
	}
	if !p.Color || code == 0 {
		return shown
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, shown)
}

// notApproved is shown in place of Failed where people said no, or nothing in time.
const notApproved = "Not approved"
