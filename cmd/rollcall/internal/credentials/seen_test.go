package credentials

import (
	"os"
	"strings"
	"testing"
)

// What the service writes for the doctor holds for that token alone, and shows none.
func TestTheDoctorSeesWhenATokenWasFirstSeen(t *testing.T) {
	kept, dir := &notes{all: map[string][]byte{}}, t.TempDir()
	if err := Show(t.Context(), kept, dir, "jira.token"); err != nil {
		t.Fatal(err)
	}
	if _, ok := Shown(dir, "jira.token", "secret-one"); ok {
		t.Error("shown before it was seen")
	}
	seen, err := FirstSeen(t.Context(), kept, "jira.token", "secret-one")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Show(t.Context(), kept, dir, "jira.token"); err != nil {
			t.Fatal(err)
		}
	}
	if at, ok := Shown(dir, "jira.token", "secret-one"); !ok || !at.Equal(seen) {
		t.Errorf("%s %v, want %s", at, ok, seen)
	}
	if _, ok := Shown(dir, "jira.token", "secret-two"); ok {
		t.Error("another token is taken for it")
	}
	if raw, err := os.ReadFile(seenFile(dir, "jira.token")); err != nil || strings.Contains(string(raw), "secret") {
		t.Errorf("%s %v", raw, err)
	}
}
