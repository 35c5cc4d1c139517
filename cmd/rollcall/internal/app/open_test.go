package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
)

// D7: every setting that is open is said at start, in a line of its own, and
// one that is closed is not.
func TestOpenSettingsAreSaidAtStart(t *testing.T) {
	const closed = "admins: [ana@acme.example]\n"
	for _, c := range []struct{ name, settings, says string }{
		{"all closed", closed, ""},
		{"everything to everybody", closed + "access: {allowAll: true}\n", "access.allowAll is on"},
		{"everyone an admin", "admins: [everyone]\n", "admins names everyone"},
		{"nobody may act", "access: {groups: {a: [ana@acme.example]}}\n", "no admins or access rules are configured"},
		{"a rule for everyone", closed + "access: {rules: [{allow: [rollback], to: [everyone]}]}\n", "access.rules[0] lets every member"},
		{"a harmless rule for everyone", closed + "access: {rules: [{allow: [view, start], to: [everyone]}]}\n", ""},
		{"repositories of the disk", closed + "sources: {allowFileURLs: true}\n", "sources.allowFileURLs is on"},
		{"commands as the service", closed + "runners: {commands: {enabled: true}}\n", "runners.commands.user names no other account"},
		{"commands that are off", closed + "runners: {commands: {enabled: false}}\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "rollcall.yaml")
			if err := os.WriteFile(path, []byte("listen: 127.0.0.1:0\n"+c.settings), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "pipelines"), 0o700); err != nil {
				t.Fatal(err)
			}
			loaded, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			said := &log{}
			a, err := New(loaded, slog.New(slog.NewTextHandler(said, nil)), Extras{})
			if err != nil {
				t.Fatal(err)
			}
			a.say()
			if err := a.db.Close(); err != nil {
				t.Fatal(err)
			}
			lines := strings.Count(said.String(), "open setting: ")
			if want := min(1, len(c.says)); lines != want || !strings.Contains(said.String(), c.says) {
				t.Errorf("%d lines, want %d with %q:\n%s", lines, want, c.says, said)
			}
		})
	}
}

// D7: the same list is what App Home shows, so it is made in one place.
func TestOneListOfOpenSettings(t *testing.T) {
	for _, file := range []string{"app.go", "connect.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "olicy.Open()") || !strings.Contains(string(text), "config.Open()") {
			t.Errorf("%s has a list of its own", file)
		}
	}
}
