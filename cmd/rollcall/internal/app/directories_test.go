package app

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
)

// T20: a group that nothing here answers for is said, with what is missing.
func TestAGroupThatNobodyHereKnowsIsSaid(t *testing.T) {
	slack, hook, app := &config.Slack{}, &config.GitHub{}, &config.GitHub{App: &config.GitHubApp{ID: 1}}
	for _, c := range []struct {
		about string
		c     config.Config
		group string
		want  string // in the sentence; empty: it can be asked
	}{
		{"Slack answers", config.Config{Slack: slack}, "slack-group:S1", ""},
		{"without Slack", config.Config{GitHub: app}, "slack-group:S1", "no slack is configured"},
		{"GitHub answers", config.Config{GitHub: app}, "github-team:acme/sre", ""},
		{"without GitHub", config.Config{Slack: slack}, "github-team:acme/sre", "no github with a token or app is configured"},
		{"with GitHub's webhook alone", config.Config{GitHub: hook}, "github-team:acme/sre", "no github with a token or app is configured"},
		{"an address needs nobody", config.Config{}, "ana@acme.example", ""},
		{"nor does a group of the configuration", config.Config{}, "group:sre", ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			got := (&App{config: &c.c}).unanswered(c.group)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || got != "" && !strings.Contains(got, c.group) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}
