package runtime_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// countedTracker is a Jira that knows every issue, and counts its questions.
type countedTracker struct{ asked atomic.Int32 }

func (c *countedTracker) Issues(ctx context.Context, keys []string, _ int) (work.Tracked, error) {
	c.asked.Add(1)
	return slowTracker{}.Issues(ctx, keys, 1)
}

// After weeks without Jira, executions that ended meanwhile get no notes, and nobody
// is asked about them; one that still waits gets its own.
func TestWhatEndedWithoutJiraIsNotNoted(t *testing.T) {
	play(t, func(w *world) {
		jira := &countedTracker{}
		w.options.Issues = jira
		w.options.Sources = map[string]runtime.Source{"Git": &chronicle{remote: remote{head: "c0"}, made: map[string][]workflows.Author{}}}
		w.boot()
		w.define(strings.Replace(four, "timeoutInMinutes: 60", "timeoutInMinutes: 10000", 1))
		released := func(commit string, approved bool) string {
			id := w.pushed(commit, "cho", "cho")
			if approved {
				w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
				synctest.Wait()
				w.status(id, workflows.StatusSucceeded)
			}
			return id
		}
		released("c1", true)
		w.crash()
		w.options.Issues = nil
		w.boot()
		ended := released("c2", true)
		waits := released("c3", false)
		time.Sleep(notLong)
		w.crash()
		w.options.Issues = jira
		before := jira.asked.Load()
		w.boot()
		time.Sleep(time.Minute)
		synctest.Wait()
		noted := func(id string) bool {
			return slices.ContainsFunc(w.execution(id).Notes, func(n workflows.Note) bool { return n.Name == "issues/Production" })
		}
		if noted(ended) || !noted(waits) || jira.asked.Load() != before+1 {
			t.Errorf("the ended one is noted: %v, the waiting one: %v, after %d questions", noted(ended), noted(waits), jira.asked.Load()-before)
		}
	})
}

// notLong is longer than an ended execution gets its note, and shorter than a gate waits.
const notLong = 30 * time.Hour
