package files_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-bot/rollcall/store/files"
)

func TestTheHostOfADataFolder(t *testing.T) {
	dir := t.TempDir()
	open := func() string {
		t.Helper()
		f, err := files.Open(dir, files.Options{})
		must(t, err)
		return f.Host()
	}
	// Of several who begin at once there is one answer, also for those who come later.
	hosts, start := make([]string, 8), sync.WaitGroup{}
	for i := range hosts {
		start.Go(func() { hosts[i] = open() })
	}
	start.Wait()
	for _, h := range append(hosts, open()) {
		if h != hosts[0] || !regexp.MustCompile(`^[A-Za-z0-9-]+-[0-9a-f]{8}$`).MatchString(h) {
			t.Errorf("hosts of one folder: %q", append(hosts, h))
		}
	}
	if other, err := files.Open(t.TempDir(), files.Options{}); err != nil || other.Host() == hosts[0] {
		t.Errorf("two folders are one host: %q, %v", other.Host(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".partial-*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
	for _, damaged := range []string{"", "\n", "a b", "../x", "a\nb", strings.Repeat("x", 200)} {
		must(t, os.WriteFile(filepath.Join(dir, "host"), []byte(damaged), 0o600))
		if _, err := files.Open(dir, files.Options{}); err == nil || !strings.Contains(err.Error(), "does not hold the ID of a host") {
			t.Errorf("%q: %v", damaged, err)
		}
	}
}
