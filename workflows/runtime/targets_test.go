package runtime_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// Whoever chooses a target reads what leaves: whose commits, which issues, what is
// marked as unsafe, how long it took there, and whether people approve again. A
// tracker that does not answer costs the choice less than a second, and what it
// says later is there at the next look.
func TestWhatARollbackTakesAway(t *testing.T) {
	chronicled(t, false, func(w *world, c *chronicle) {
		w.options.Issues = slowTracker{5 * time.Second}
		w.reboot()
		id := w.pushed("c4", "dora", "dora")
		w.submit(ben, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
		look := func() ledger.Target {
			began := time.Now()
			targets, err := w.Targets(w.t.Context(), ana, "webshop", "Production")
			if err != nil || len(targets) != 2 || time.Since(began) > time.Second {
				w.t.Fatalf("after %s: %+v, %v", time.Since(began), targets, err)
			}
			return targets[1]
		}
		got := look()
		if !slices.Equal(got.Whose, []string{"Dora"}) || !slices.Equal(got.Unsafe, []string{"c3 Change c3 (Dora)"}) || len(got.Issues) != 0 || got.Approvals != 0 || got.By.ID == "" {
			w.t.Errorf("at first: %+v", got)
		}
		pass(10 * time.Second)
		if got = look(); len(got.Issues) != 3 || got.Issues[0].Text == "" {
			w.t.Errorf("later: %+v", got.Issues)
		}
	})
}
