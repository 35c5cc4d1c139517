package acting

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// causeSize is how many bytes of an error people are shown.
const causeSize = 500

// reportRetrying has the pipeline say that a task's runner cannot be asked: when
// it was tried twice, and again after twice as many tries, so that causes that
// alternate do not fill the log. A cancel is bounded by its action while that is
// open, and is given up here after that. t.mu is held.
func (t *Tasks) reportRetrying(j *job, err error) {
	cause := strings.Join(strings.Fields(err.Error()), " ")
	if len(cause) > causeSize {
		cause = strings.ToValidUTF8(cause[:causeSize], "") + "…"
	}
	o := outcome(work.Retrying, "", cause)
	switch tries := j.failures; {
	case t.calls.Err() != nil:
		return
	case j.task.Kind == work.Cancel && t.o.Now().After(j.task.Deadline.Add(cancelFor)):
		o = outcome(work.InDoubt, "NotCancelled", "its cancel was tried for a day: "+cause)
	case j.task.Kind == work.Cancel || tries < 2 || tries&(tries-1) != 0:
		return
	}
	o.Task = j.task.ID
	t.o.Outcomes.Report(j.task.Pipeline, o, func(error) {}) // one that is not saved is said the next time
}

// report has the outcome of a call of that kind decided about. t.mu is held;
// the answer comes on another goroutine.
func (t *Tasks) report(j *job, o *work.Outcome, kind string) {
	t.o.Outcomes.Report(j.task.Pipeline, *o, func(err error) { t.onCommit(j, o, kind, err) })
}

// onCommit goes on after an outcome is durable, or reports it again when that is not known.
func (t *Tasks) onCommit(j *job, o *work.Outcome, kind string, err error) {
	t.mu.Lock()
	defer t.unlock()
	j.busy = false
	if err != nil {
		if !j.dropped {
			t.retryLater(j, fmt.Errorf("its outcome (%s) could not be saved: %w", o.State, err))
		}
		return
	}
	if j.outcome = nil; j.dropped {
		return
	}
	j.failures = 0
	pause := o.PollAfter
	if pause <= 0 {
		pause = min(firstPoll<<min(j.polls, 4), longPoll)
	}
	j.polls++
	at := t.o.Now().Add(pause)
	if j.task.After.After(at) {
		at = j.task.After
	}
	if kind != work.Cancel && j.task.Kind == work.Cancel || j.woken {
		at = j.task.After // a cancel that came meanwhile need not wait
	}
	j.woken = false
	t.schedule(j, at)
}
