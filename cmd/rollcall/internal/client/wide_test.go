package client

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// -o wide adds columns to every table, and moves none.
func TestWideAddsColumns(t *testing.T) {
	view, one := queued(), execution(42)
	view.Stages[2].Running.Execution = one.ID
	for name, c := range map[string]struct {
		print func(Printer)
		added string
	}{
		"pipelines":  {func(p Printer) { p.Names([]workflows.PipelineView{view}) }, "Source, Staging, Production"},
		"status":     {func(p Printer) { p.Pipeline(view) }, one.ID},
		"executions": {func(p Printer) { p.Executions([]workflows.Execution{one}) }, one.ID},
		"targets": {func(p Printer) {
			p.Targets("webshop", []ledger.Target{{Execution: one.ID, Number: 42, Compared: true, Undoes: 1, Brings: 2}})
		}, "1 commit  2 commits  " + one.ID},
	} {
		var plain, wide bytes.Buffer
		c.print(Printer{W: &plain, Now: now})
		c.print(Printer{W: &wide, Now: now, Wide: true})
		narrow := strings.Split(plain.String(), "\n")
		for i, line := range strings.Split(wide.String(), "\n") {
			if !strings.HasPrefix(line, narrow[i]) {
				t.Errorf("%s: wide moves columns:\n%s\n%s", name, narrow[i], line)
			}
		}
		if strings.Contains(plain.String(), c.added) || !strings.Contains(wide.String(), c.added) {
			t.Errorf("%s: wide is\n%s\nand should have %s, plain not:\n%s", name, &wide, c.added, &plain)
		}
	}
}
