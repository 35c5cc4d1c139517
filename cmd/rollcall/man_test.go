package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Each command has a page, which says what help says, and holds no escape that is not meant.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	helpText(t, "man", "--dir", dir)
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		page, err := os.ReadFile(filepath.Join(dir, pageName(cmd)+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		if !strings.HasPrefix(string(page), ".TH ROLLCALL") || cmd.HasParent() && !strings.Contains(string(page), "\n.SH EXAMPLES\n") {
			t.Errorf("the page of %s:\n%s", cmd.CommandPath(), page)
		}
		for _, below := range cmd.Commands() {
			if !below.Hidden && !strings.Contains(string(page), "\n.B "+roff(below.Name())+"\n"+roff(below.Short)) {
				t.Errorf("the page of %s does not list %s", cmd.CommandPath(), below.Name())
			}
			visit(below)
		}
		if groff, err := exec.LookPath("groff"); err == nil {
			check := exec.CommandContext(t.Context(), groff, "-k", "-man", "-Tutf8", "-ww", "-z")
			check.Stdin = strings.NewReader(string(page))
			if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("groff says of the page of %s: %v %s", cmd.CommandPath(), err, out)
			}
		}
	}
	root := commandLine()
	visible(root)
	visit(root)
	if got := roff(".so /etc/passwd\n'x\n-a \\fB"); got != "\\&.so /etc/passwd\n\\&'x\n\\-a \\efB" {
		t.Errorf("roff lets through %q", got)
	}
}

// visible takes the commands away that help does not show.
func visible(cmd *cobra.Command) {
	for _, below := range cmd.Commands() {
		if below.Hidden {
			cmd.RemoveCommand(below)
			continue
		}
		visible(below)
	}
}
