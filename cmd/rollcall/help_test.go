package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// Every command shows how it is called, fits 80 columns, and keeps the flags of the connection apart.
func TestHelpOfEveryCommand(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())
		text := helpText(t, append([]string{"help"}, words[1:]...)...)
		if flag := helpText(t, append(words[1:], "--help")...); flag != text {
			t.Errorf("help %s and --help differ:\n%s\n%s", cmd.Name(), text, flag)
		}
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		if cmd.HasParent() && !strings.Contains(text, "\nExample:\n\n    "+cmd.CommandPath()) {
			t.Errorf("%s has no example:\n%s", cmd.CommandPath(), text)
		}
		if cmd.Flag("url") != nil && cmd.Flag("token") != nil && !strings.Contains(text, "\nConnection and output:\n      --url ") {
			t.Errorf("%s does not keep the flags of the connection apart:\n%s", cmd.CommandPath(), text)
		}
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	visit(commandLine())
}

// The table of commands in the quickstart, which the README calls all commands, has every one.
func TestQuickstartHasEveryCommand(t *testing.T) {
	page, err := os.ReadFile("../../docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## Commands\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, cmd := range commandLine().Commands() {
		named := regexp.MustCompile("`(rollcall )?" + cmd.Name() + "[ `]")
		if !cmd.Hidden && !named.MatchString(table) {
			t.Errorf("%s is not in the table of docs/quickstart.md", cmd.Name())
		}
	}
}

// A narrow terminal breaks no word of it: it is wrapped to its width.
func TestHelpFitsTheTerminal(t *testing.T) {
	text := onTerminal(t, func(w *os.File) {
		if err := unix.IoctlSetWinsize(int(w.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}); err != nil {
			t.Fatal(err)
		}
		run(nil, w, w)
	})
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 60 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(text, "\n  init         Write a configuration, a Slack app manifest\n               and a first pipeline.\n") {
		t.Errorf("help is not wrapped:\n%s", text)
	}
}

// helpText is what a command prints that ends well.
func helpText(t *testing.T, args ...string) string {
	t.Helper()
	var out, errors bytes.Buffer
	if code := run(args, &out, &errors); code != 0 || errors.Len() > 0 {
		t.Errorf("rollcall %s: status %d: %s", strings.Join(args, " "), code, errors.String())
	}
	return out.String()
}
