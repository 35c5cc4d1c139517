package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// A ledger does not grow without end: it keeps the newest 20 successes, and the
// approval of the newest 5 counts for a rollback.
func TestHowMuchALedgerKeeps(t *testing.T) {
	var st ledger.Stage
	if len(st.Revisions()) != 0 {
		t.Errorf("an empty stage runs %v", st.Revisions())
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for n := 1; n <= 25; n++ {
		e := execution(n, fmt.Sprintf("e%d", n), fmt.Sprintf("%010d", n))
		e.Version = n % 2
		st.Succeed(e, &workflows.StageExecution{}, at.Add(time.Duration(n)*time.Hour))
	}
	if st.Successes.Len() != 20 {
		t.Errorf("%d successes are kept", st.Successes.Len())
	}
	for id, want := range map[string][2]bool{"e25": {true, true}, "e21": {true, true}, "e20": {true, false}, "e6": {true, false}, "e5": {false, false}, "e99": {false, false}} {
		if got := [2]bool{st.Success(id) != nil, st.Recent(id)}; got != want {
			t.Errorf("%s: kept, recent = %v, want %v", id, got, want)
		}
	}
	if r := st.Revisions(); len(r) != 1 || r[0].RevisionID != "0000000025" {
		t.Errorf("it runs %v", r)
	}
	for version, want := range map[int]string{0: "e24", 1: "e23"} {
		if got := st.LastGood(version); got == nil || got.Execution != want {
			t.Errorf("of version %d it would go back to %+v, want %s", version, got, want)
		}
	}
	if got := st.LastGood(7); got != nil {
		t.Errorf("of a version that never ran it would go back to %+v", got)
	}
}

// Copies of a stage share what is behind pointers, so nothing behind them is written.
func TestACopyStaysAsItWas(t *testing.T) {
	var st ledger.Stage
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	one, two := execution(1, "e1", "aaaaaaaaaa"), execution(2, "e2", "bbbbbbbbbb")
	st.Succeed(one, &workflows.StageExecution{}, at)
	st.Succeed(two, &workflows.StageExecution{}, at.Add(time.Hour))
	before := st
	st.Doubt()
	rollback := back(3, "e3", one, "e2")
	st.Leave(rollback, nil)
	st.Succeed(rollback, &workflows.StageExecution{}, at.Add(2*time.Hour))
	if !before.Runs.Certain || before.Runs.Number != 2 || before.Success("e2").LeftBy != "" || before.Success("e2").Ran[0].To != nil || len(before.Success("e1").Ran) != 1 || len(before.Left) != 0 {
		t.Errorf("the copy has changed: runs %+v, %+v, %+v", before.Runs, before.Success("e1"), before.Success("e2"))
	}
	if st.Success("e2").LeftBy != "e3" || len(st.Success("e1").Ran) != 2 {
		t.Errorf("nothing happened: %+v", st.Success("e2"))
	}
}
