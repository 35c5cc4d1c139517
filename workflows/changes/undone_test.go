package changes_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What would be undone: whose it is, those with most of it first, and what is
// marked as unsafe to go back past, by the commit itself or by its pull request.
func TestWhatWouldBeUndone(t *testing.T) {
	by := func(id, name string, unsafe bool) work.Commit {
		return work.Commit{ID: id, Summary: "Change " + id, Author: workflows.Author{Name: name}, Unsafe: unsafe}
	}
	app := work.Changes{Undone: 4, Lost: []work.Commit{by("c4", "Ben", false), by("c3", "Ana", true), by("c2", "Ben", false), by("c1", "", false)}}
	infra := work.Changes{Undone: 1, Count: 1, Lost: []work.Commit{by("d1", "Cho", false)}, New: []work.Commit{by("d2", "Dee", true)}}
	if got := strings.Join(changes.Whose(app, infra), " "); got != "Ben Ana Cho" {
		t.Errorf("they are of %s", got)
	}
	pulls := map[string]*work.Pull{"c2": {Number: 7, Labels: []string{"rollback: unsafe"}}, "c4": {Number: 8, Labels: []string{"bug"}}, "d1": nil}
	if got := strings.Join(changes.Unsafe(pulls, app, infra), "; "); got != "c3 Change c3 (Ana); c2 Change c2 (Ben)" {
		t.Errorf("unsafe are %s", got)
	}
	if got := changes.Unsafe(nil, infra); len(got) != 0 {
		t.Errorf("what comes is no danger: %v", got)
	}
	many := work.Changes{}
	for range 30 {
		many.Lost = append(many.Lost, by("c", "Ben", true))
	}
	if got := changes.Unsafe(nil, many); len(got) != 10 {
		t.Errorf("%d lines", len(got))
	}
}
