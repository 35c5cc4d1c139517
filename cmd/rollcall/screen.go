package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// ownScreen gives a terminal a screen of its own, without a cursor, on which lines
// are cut instead of broken; backScreen undoes all of it.
const (
	ownScreen  = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	backScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

const (
	leastRows = 24  // of a terminal that does not say how many it has
	mostLines = 500 // the latest ones, which a screen keeps
)

// screen shows on a terminal what draw prints, again and again, and below it the
// latest lines that were written to the screen.
type screen struct {
	f    *os.File
	draw func(io.Writer)
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex
	lines []string
}

// openScreen takes the terminal until close gives it back.
func openScreen(ctx context.Context, f *os.File, draw func(io.Writer)) *screen {
	ctx, stop := context.WithCancel(ctx)
	s := &screen{f: f, draw: draw, stop: stop, done: make(chan struct{})}
	fmt.Fprint(f, ownScreen)
	go s.run(ctx)
	return s
}

// Write adds lines, each of which ends with a line break.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
	if over := len(s.lines) - mostLines; over > 0 {
		s.lines = slices.Delete(s.lines, 0, over)
	}
	return len(text), nil
}

// close restores the terminal.
func (s *screen) close() {
	s.stop()
	<-s.done
	fmt.Fprint(s.f, backScreen)
}

func (s *screen) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		var table bytes.Buffer
		s.draw(&table)
		_, rows, err := term.GetSize(int(s.f.Fd()))
		if err != nil || rows == 0 {
			rows = leastRows
		}
		s.mu.Lock()
		shown := frame(strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n"), s.lines, rows)
		s.mu.Unlock()
		fmt.Fprint(s.f, "\x1b[H"+strings.Join(shown, "\x1b[K\n")+"\x1b[J")
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// frame is what fits in the rows of a terminal: the table, and in what is left
// below it the latest lines.
func frame(table, lines []string, rows int) []string {
	if len(table) > rows {
		return append(slices.Clone(table[:rows-1]), fmt.Sprintf("… %d more lines", len(table)-rows+1))
	}
	room := rows - len(table) - 1
	if room < 1 || len(lines) == 0 {
		return table
	}
	return slices.Concat(table, []string{""}, lines[max(0, len(lines)-room):])
}
