package retention

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows/age"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Age is how long something is kept; package age declares it, so that a configuration
// need not import what removes things.
type Age = age.Age

// Policy says how long things are kept. The zero value keeps everything.
type Policy struct {
	Executions Age
	Logs       Age
	Artifacts  Age
	// Successes is how many of a stage stay whatever their age; 0: 20, as many as
	// a rollback may choose from.
	Successes int
}

// on says whether anything is ever removed.
func (p Policy) on() bool { return p.Executions+p.Logs+p.Artifacts != 0 }

func (p Policy) successes() int {
	if p.Successes < 1 {
		return successesKept
	}
	return p.Successes
}

// earlier is the earlier of two times, of which the zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// forgotten are the memos that go with an execution.
func forgotten(memos []record.Memo) []record.Memo {
	for i := range memos {
		memos[i].Value = nil // deletes
	}
	return memos
}
