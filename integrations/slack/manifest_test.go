package slack_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack"
)

// The manifest, the two tables for people, and the self-test say the same.
func TestManifestTablesAndCheckupAgree(t *testing.T) {
	file, err := os.ReadFile("../../docs/slack-app-manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != slack.Manifest("/rollcall", "") {
		t.Errorf("docs/slack-app-manifest.yaml must be:\n%s", slack.Manifest("/rollcall", ""))
	}
	readme, err := os.ReadFile("../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []slack.Scope
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z:._]+)` \\| (.+) \\|$").FindAllStringSubmatch(string(readme), -1) {
		if m[1] != "connections:write" {
			why, optional := strings.CutSuffix(m[2], " (optional)")
			rows = append(rows, slack.Scope{Name: m[1], Why: why, Optional: optional})
		}
	}
	if !slices.Equal(rows, slack.Scopes()) {
		t.Errorf("the table in docs/slack.md says\n%v\nwant\n%v", rows, slack.Scopes())
	}
	d := newDesk(t)
	defer d.Close()
	if faults, err := d.client.Checkup(t.Context()); err != nil || len(faults) != 0 {
		t.Error(faults, err)
	}
}
