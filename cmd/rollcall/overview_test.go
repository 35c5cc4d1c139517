package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files of the command line anew")

// rollcall alone reads well in a pipe, on a terminal of 80 and of 60 columns, and without colours.
func TestOverview(t *testing.T) {
	golden(t, "overview-pipe", helpText(t))
	for name, columns := range map[string]uint16{"overview-80": 80, "overview-60": 60} {
		shown := onTerminalOf(t, columns)
		golden(t, name, shown)
		t.Setenv("NO_COLOR", "1")
		if plain := onTerminalOf(t, columns); plain != shown || strings.Contains(plain, "\x1b") {
			t.Errorf("with NO_COLOR %d columns show\n%s", columns, plain)
		}
		t.Setenv("NO_COLOR", "")
	}
}

func onTerminalOf(t *testing.T, columns uint16) string {
	t.Helper()
	text := onTerminal(t, func(w *os.File) {
		if err := unix.IoctlSetWinsize(int(w.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
			t.Fatal(err)
		}
		run(nil, w, w)
	})
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// golden compares text with testdata/NAME.golden.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != text {
		t.Errorf("%s (go test -rewrite writes it anew): %v\n%s", path, err, text)
	}
}
