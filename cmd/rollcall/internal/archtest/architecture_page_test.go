package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// codeSpan is a name in backticks; fileName one of a Go file, with or without its folder.
var codeSpan, fileName = regexp.MustCompile("`([^`\n]+)`"), regexp.MustCompile(`^[a-z0-9_/]+\.go$`)

// TestTheArchitecturePageNamesFilesThatExist reads every name in backticks: a
// path with a folder of ours must exist, and a file's name alone must exist
// somewhere.
func TestTheArchitecturePageNamesFilesThatExist(t *testing.T) {
	root := "../../../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, s := range sources(t, false) {
		for rest := s.path; rest != ""; {
			known[rest] = true
			_, rest, _ = strings.Cut(rest, "/")
		}
	}
	named := 0
	for _, m := range codeSpan.FindAllStringSubmatch(string(page), -1) {
		name := m[1]
		folder, _, below := strings.Cut(name, "/")
		switch {
		case fileName.MatchString(name):
			if named++; !known[name] {
				t.Errorf("docs/architecture.md names the file %s, which is not there", name)
			}
		case below && strings.Contains(" cmd bot integrations workflows store web docs ", " "+folder+" "):
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("docs/architecture.md names %s, which is not there", name)
			}
		}
	}
	if named < 40 {
		t.Errorf("the page names %d files; it should lead to those of a click, a push, a task and a card", named)
	}
}
