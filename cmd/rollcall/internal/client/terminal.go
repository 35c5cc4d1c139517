package client

import (
	"bytes"
	"io"

	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Terminal writes a log to a terminal, line by line: colours pass, and nothing
// else that steers one. Close it after the last write.
type Terminal struct {
	W io.Writer

	rest []byte // of a line that has not ended
}

// longLine is where a line is broken that does not end.
const longLine = 64 << 10

// Write keeps what follows the last line break for later.
func (t *Terminal) Write(p []byte) (int, error) {
	t.rest = append(t.rest, p...)
	n := bytes.LastIndexByte(t.rest, '\n') + 1
	if len(t.rest)-n > longLine {
		n = len(t.rest)
	}
	return len(p), t.show(n)
}

// Close writes what is left, and ends the log's colours.
func (t *Terminal) Close() error {
	if err := t.show(len(t.rest)); err != nil {
		return err
	}
	_, err := io.WriteString(t.W, "\x1b[0m")
	return err
}

// show writes the first n bytes that are kept.
func (t *Terminal) show(n int) error {
	if n == 0 {
		return nil
	}
	_, err := io.WriteString(t.W, clean.Colored(string(t.rest[:n])))
	t.rest = append(t.rest[:0], t.rest[n:]...)
	return err
}
