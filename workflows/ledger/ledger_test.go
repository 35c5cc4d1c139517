package ledger_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

func execution(number int, id, revision string) *workflows.Execution {
	return &workflows.Execution{ID: id, Number: number, Pipeline: "webshop", Version: 1, Type: workflows.TypeStandard,
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: revision, Branch: "main", Repository: "acme/webshop"}}}
}

func back(number int, id string, to *workflows.Execution, left string) *workflows.Execution {
	e := execution(number, id, to.SourceRevisions[0].RevisionID)
	e.Type, e.Trigger.By.Name = workflows.TypeRollback, "ana"
	e.Rollback = &workflows.Rollback{Target: to.ID, TargetNumber: to.Number, LeftExecution: left, Reason: "checkout is broken"}
	return e
}

// What a stage runs, what it ran before, what people left, and where it would go back to.
func TestTheLedgerOfAStage(t *testing.T) {
	var st ledger.Stage
	deployed := &workflows.StageExecution{Digest: "d"}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	hour := func(n int) time.Time { return at.Add(time.Duration(n) * time.Hour) }
	one, two, three := execution(1, "e1", "aaaaaaaaaa"), execution(2, "e2", "bbbbbbbbbb"), execution(3, "e3", "cccccccccc")
	if st.LastGood(0) != nil || st.Warning(one) != "" {
		t.Error("an empty stage has a past")
	}
	st.Succeed(one, deployed, hour(1))
	st.Succeed(two, deployed, hour(2))
	if st.Runs.Number != 2 || !st.Runs.Certain || st.LastGood(0).Number != 1 {
		t.Errorf("runs %+v, would go back to %+v", st.Runs, st.LastGood(0))
	}
	if ran := st.Success("e1").Ran; len(ran) != 1 || !ran[0].To.Equal(hour(2)) {
		t.Errorf("#1 ran %+v", ran)
	}

	// People go away from #2: it is passed over, and its revision is in quarantine.
	rollback := back(4, "e4", one, "e2")
	st.Leave(rollback, nil)
	st.Succeed(rollback, deployed, hour(3))
	if st.Runs.Number != 1 || st.Runs.By != "e4" || len(st.Success("e1").Ran) != 2 || st.Success("e2").LeftBy != "e4" {
		t.Errorf("runs %+v, #1 ran %+v, #2 left by %q", st.Runs, st.Success("e1").Ran, st.Success("e2").LeftBy)
	}
	for _, c := range []struct {
		e    *workflows.Execution
		want string
	}{
		{two, `was rolled back by ana ("checkout is broken")`},
		{execution(5, "e5", "bbbbbbbbbb"), `includes bbbbbbbbbb, which ana rolled back ("checkout is broken")`},
		{three, `includes bbbbbbbbbb, which ana rolled back ("checkout is broken")`},
		{execution(1, "e0", "0000000000"), ""},
		{back(6, "e6", two, "e1"), ""}, // people choose it on purpose
	} {
		if got := st.Warning(c.e); got != c.want {
			t.Errorf("#%d: %q, want %q", c.e.Number, got, c.want)
		}
	}

	// An image does not contain the one before it, as a commit does.
	images := ledger.Stage{}
	image := func(n int, id string) *workflows.Execution {
		e := execution(n, id, "sha256:"+id)
		e.SourceRevisions[0].Type = "IMAGE_DIGEST"
		return e
	}
	images.Succeed(image(1, "i1"), deployed, hour(1))
	images.Succeed(image(2, "i2"), deployed, hour(2))
	images.Leave(back(3, "i3", image(1, "i1"), "i2"), nil)
	if got, want := images.Warning(image(4, "i4")), `comes after sha256:i2, which ana rolled back ("checkout is broken")`; got != want {
		t.Errorf("%q, want %q", got, want)
	}

	// Something newer works: only the revision itself stays suspicious. Choosing #2 again ends that too.
	st.Succeed(three, deployed, hour(4))
	if got := st.Warning(execution(7, "e7", "dddddddddd")); got != "" {
		t.Errorf("#7 after a success: %q", got)
	}
	if st.Warning(execution(8, "e8", "bbbbbbbbbb")) == "" {
		t.Error("the revision of #2 is forgotten")
	}
	st.Succeed(back(9, "e9", two, "e3"), deployed, hour(5))
	if st.Warning(execution(8, "e8", "bbbbbbbbbb")) != "" || st.Success("e2").LeftBy != "" {
		t.Error("what people went back to is still in quarantine")
	}

	// A failure makes it uncertain; what ran is what to go back to, and what failed is what is left.
	st.Touch(execution(10, "e10", "eeeeeeeeee"))
	st.Doubt()
	if st.Runs.Certain || st.LastGood(0).Number != 2 {
		t.Errorf("runs %+v, would go back to %+v", st.Runs, st.LastGood(0))
	}
	st.Leave(back(11, "e11", two, "e2"), nil)
	if got := st.Warning(execution(12, "e12", "eeeeeeeeee")); got == "" {
		t.Error("the revision that broke it carries no warning")
	}
	if st.LastGood(7) != st.Success("e2") && st.LastGood(7) != nil {
		t.Error("only executions of version 7 were asked for")
	}
}
