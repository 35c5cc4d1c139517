package subject_test

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/subject"
)

func TestSplit(t *testing.T) {
	for who, want := range map[string][2]string{
		"everyone":                 {"everyone", ""},
		"ana@acme.example":         {"mail", "ana@acme.example"},
		"group:release-managers":   {"group", "release-managers"},
		"slack-group:S0123ABC":     {"slack-group", "S0123ABC"},
		"github-team:acme/backend": {"github-team", "acme/backend"},
		"token:ci":                 {"token", "ci"},
	} {
		if kind, name, ok := subject.Split(who); !ok || kind != want[0] || name != want[1] {
			t.Errorf("%s: got %s, %s, %v", who, kind, name, ok)
		}
	}
	for _, who := range []string{
		"", "ana", "@ana", "ana@", "Everyone", "a@b@c", "Ana <ana@acme.example>", "group:", "group:a b", "groups:sre", "token:", "team:sre",
		"slack-group:release-managers", "slack-group:S", "slack-group:s0123", "slack-group:C0123ABC", "github-team:acme", "github-team:acme/", "github-team:a/b/c", "user:ana@acme.example",
	} {
		if kind, name, ok := subject.Split(who); ok {
			t.Errorf("%q was read as %s, %s", who, kind, name)
		}
	}
}
