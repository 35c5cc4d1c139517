package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/rollcall-bot/rollcall/workflows"
)

// hostile is what anybody who can push, or send a request, can have quoted.
const hostile = "\x1b]52;c;ZXZpbA==\x07x\x1b[2J\u009b1m\u202ey\r\n{\"level\":\"INFO\",\"msg\":\"approved\"}\nlevel=INFO msg=approved"

// terminalPair is a terminal and the end at which is read what it was sent.
func terminalPair(t *testing.T) (terminal, reader *os.File) {
	t.Helper()
	reader, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	if err := unix.IoctlSetPointerInt(int(reader.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(reader.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return terminal, reader
}

// onTerminal is what a terminal gets of what print writes, without the
// carriage returns that the terminal itself puts before line breaks.
func onTerminal(t *testing.T, print func(w *os.File)) string {
	t.Helper()
	tty, reader := terminalPair(t)
	got := make(chan string)
	go func() {
		all, _ := io.ReadAll(reader)
		got <- string(all)
	}()
	print(tty)
	_ = tty.Close()
	return strings.ReplaceAll(<-got, "\r\n", "\n")
}

func steers(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// T9: a stranger's text neither begins a line of the service's log nor steers the
// terminal on which somebody reads it, wherever in a record it stands.
func TestNobodyForgesALineOfTheLog(t *testing.T) {
	for name, record := range map[string]func(*slog.Logger){
		"message":    func(l *slog.Logger) { l.Warn(hostile) },
		"text":       func(l *slog.Logger) { l.Warn("refused", "reason", hostile) },
		"error":      func(l *slog.Logger) { l.Warn("refused", "err", errors.New(hostile)) },
		"list":       func(l *slog.Logger) { l.Warn("refused", "repositories", []string{hostile}) },
		"group":      func(l *slog.Logger) { l.WithGroup("slack").Warn("refused", slog.Group("by", "name", hostile)) },
		"given once": func(l *slog.Logger) { l.With("name", hostile).Warn("refused") },
	} {
		var file bytes.Buffer
		record(logger(&file, false))
		for where, got := range map[string]string{"file": file.String(), "terminal": onTerminal(t, func(w *os.File) { record(logger(w, false)) })} {
			if strings.Count(got, "\n") != 1 || strings.ContainsFunc(got, steers) {
				t.Errorf("%s in a %s: %q", name, where, got)
			}
		}
	}
}

// T9: what is printed for machines means the same on a terminal and steers it as
// little; into a pipe it goes as it is. Refusals are printed clean.
func TestWhatATerminalGets(t *testing.T) {
	var pipe bytes.Buffer
	if err := printJSON(&pipe, "a\u009b\u202e\u007fb"); err != nil || pipe.String() != "\"a\u009b\u202e\u007fb\"\n" {
		t.Errorf("a pipe gets %q, %v", pipe.String(), err)
	}
	if got := onTerminal(t, func(w *os.File) { _ = printJSON(w, "a\u009b\u202e\u007fb") }); got != "\"a\\u009b\\u202e\\u007fb\"\n" {
		t.Errorf("a terminal gets %q", got)
	}
	for _, err := range []error{errors.New(hostile), &workflows.Problem{Message: hostile, Hint: hostile}} {
		var out bytes.Buffer
		if exitStatus(err, &out); strings.ContainsFunc(out.String(), steers) {
			t.Errorf("a refusal is printed as %q", out.String())
		}
	}
}

// TestHangUp (U23): a service that was started from a terminal ends with it; another one goes on.
func TestHangUp(t *testing.T) {
	tty, _ := terminalPair(t)
	pipe, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ends, stop := untilClosed(t.Context(), tty)
	defer stop()
	goesOn, stop := untilClosed(t.Context(), pipe)
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-ends.Done()
	if goesOn.Err() != nil {
		t.Error("a service without a terminal ends with SIGHUP")
	}
}
