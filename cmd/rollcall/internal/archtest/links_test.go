package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	pageLink  = regexp.MustCompile(`\]\(([^)\s#]*)(#[^)\s]+)?\)`)
	spanOf    = regexp.MustCompile("`[^`\n]*`")
	notInHash = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
	tableRule = regexp.MustCompile(`^\|[ :|-]+$`)
)

// page is a page of the manual without its code blocks.
type page struct {
	lines    []string
	headings map[string]bool // as links name them
}

func manual(t *testing.T) map[string]page {
	t.Helper()
	root := filepath.Join("..", "..", "..", "..")
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]page{}
	for _, name := range append(append(names, more...), filepath.Join(root, "README.md")) {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, code, times := page{headings: map[string]bool{}}, false, map[string]int{}
		for line := range strings.Lines(string(body)) {
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
				line = ""
			}
			if code {
				line = ""
			}
			if strings.HasPrefix(line, "#") {
				hash := strings.ReplaceAll(notInHash.ReplaceAllString(strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#"))), ""), " ", "-")
				if n := times[hash]; n > 0 {
					p.headings[fmt.Sprintf("%s-%d", hash, n)] = true
				}
				times[hash]++
				p.headings[hash] = true
			}
			p.lines = append(p.lines, line)
		}
		all[filepath.Clean(name)] = p
	}
	return all
}

// Every link from page to page leads to a page that is there, and to a heading of it.
func TestLinksInTheManualLeadSomewhere(t *testing.T) {
	pages, links := manual(t), 0
	for name, p := range pages {
		for i, line := range p.lines {
			for _, m := range pageLink.FindAllStringSubmatch(spanOf.ReplaceAllString(line, ""), -1) {
				to := filepath.Join(filepath.Dir(name), m[1])
				if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
					continue
				}
				if m[1] == "" {
					to = name
				}
				links++
				target, isPage := pages[to]
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s:%d: %s is not there", name, i+1, m[1])
				} else if isPage && m[2] != "" && !target.headings[m[2][1:]] {
					t.Errorf("%s:%d: %s has no heading %s", name, i+1, m[1], m[2])
				}
			}
		}
	}
	if links < 150 {
		t.Errorf("only %d links were found", links)
	}
}

// A row that an empty line cuts off its table is shown as text.
func TestTablesInTheManualAreWhole(t *testing.T) {
	rows := 0
	for name, p := range manual(t) {
		first := 0
		for i, line := range p.lines {
			if !strings.HasPrefix(line, "|") {
				first = i + 1
				continue
			}
			if rows++; i == first && (i+1 >= len(p.lines) || !tableRule.MatchString(p.lines[i+1])) {
				t.Errorf("%s:%d: the row stands in no table: %s", name, i+1, line)
			}
		}
	}
	if rows < 500 {
		t.Errorf("only %d rows were found", rows)
	}
}
