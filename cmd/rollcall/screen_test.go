package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// A terminal gets a screen of its own with the table and the lines below it, and has everything back at the end.
func TestScreen(t *testing.T) {
	got := onTerminal(t, func(tty *os.File) {
		drawn := make(chan bool, 1)
		s := openScreen(t.Context(), tty, func(w io.Writer) {
			fmt.Fprintln(w, "STAGE  STATUS")
			select {
			case drawn <- true:
			default:
			}
		})
		fmt.Fprintln(s, "Deploy started")
		<-drawn
		<-drawn // begins when what came before it is on the terminal
		s.close()
	})
	if !strings.HasPrefix(got, ownScreen) || !strings.HasSuffix(got, backScreen) {
		t.Errorf("the terminal is not restored: %q", got)
	}
	if !strings.Contains(got, "\x1b[HSTAGE  STATUS\x1b[K\n\x1b[K\nDeploy started\x1b[J") {
		t.Errorf("the terminal shows %q", got)
	}
}

// A frame has as many rows as the terminal: lines give way to the table, the oldest first.
func TestFrame(t *testing.T) {
	table, lines := []string{"a", "b", "c"}, []string{"1", "2", "3"}
	for rows, want := range map[int]string{
		2:  "a|… 2 more lines",
		3:  "a|b|c",
		4:  "a|b|c",
		5:  "a|b|c||3",
		6:  "a|b|c||2|3",
		24: "a|b|c||1|2|3",
	} {
		if got := strings.Join(frame(slices.Clone(table), slices.Clone(lines), rows), "|"); got != want {
			t.Errorf("%d rows: %s, want %s", rows, got, want)
		}
	}
}
