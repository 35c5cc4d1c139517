package record

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Attachment is what becomes durable together with a decision: in the same
// commit or not at all. It is data, so that it can travel to where the decision
// is made. The zero value adds nothing.
type Attachment struct {
	Claims []Claim // written whatever is decided
	Memos  []Memo  // written whatever is decided
	// Started are memos whose value is set to the execution that the decision
	// started, as a [Started]; without one they are not written.
	Started []Memo
	// Receipt is finished with what came of the decision; nil: there is none.
	Receipt *OpenReceipt
}

// Started is the value of a memo that remembers which execution was started.
type Started struct {
	Pipeline  string    `json:"pipeline"`
	Execution string    `json:"execution"`
	At        time.Time `json:"at"`
}

// OpenReceipt is a receipt that is to be finished.
type OpenReceipt struct {
	Receipt work.Receipt
	Stored  bool   // it is in the store, and is replaced; else it is claimed, as a new one
	Result  Result // what is known of its result before the decision
}

// Result is a delivery's result, as its sender is told.
type Result struct {
	Started []string `json:"started"` // execution IDs
	Ignored []string `json:"ignored"` // "pipeline: reason"
}

// Add returns the result with what became of one start: the execution, or why there is none.
func (r Result) Add(pipeline string, x *workflows.Execution, err error) Result {
	if err == nil && x != nil {
		r.Started = append(slices.Clip(r.Started), x.ID)
		return r
	}
	reason := "nothing was started"
	if p := (*workflows.Problem)(nil); errors.As(err, &p) {
		reason = p.Message
	}
	r.Ignored = append(slices.Clip(r.Ignored), pipeline+": "+reason)
	return r
}

// Finish returns the receipt as it stands once it is carried out with this result.
func (r Result) Finish(receipt work.Receipt) work.Receipt {
	r.Started, r.Ignored = append([]string{}, r.Started...), append([]string{}, r.Ignored...) // never null
	receipt.Done, receipt.Payload, receipt.Result = true, nil, encode(r)
	return receipt
}

// Finished returns the receipt as the decision finishes it.
func (o *OpenReceipt) Finished(pipeline string, x *workflows.Execution, err error) work.Receipt {
	return o.Result.Add(pipeline, x, err).Finish(o.Receipt)
}

// Rows are what is attached to the commit of a decision: x is the execution
// that it was about, err why it was refused.
func (a *Attachment) Rows(pipeline string, at time.Time, x *workflows.Execution, err error) Commit {
	c := Commit{Claims: a.Claims, Memos: a.Memos}
	if len(a.Started) > 0 && err == nil && x != nil {
		c.Memos = slices.Clip(c.Memos)
		for _, m := range a.Started {
			c.Memos = append(c.Memos, NewMemo(m.Owner, m.Key, Started{Pipeline: pipeline, Execution: x.ID, At: at}))
		}
	}
	if a.Receipt == nil {
		return c
	}
	done := a.Receipt.Finished(pipeline, x, err)
	if a.Receipt.Stored {
		c.Receipts = []work.Receipt{done}
	} else {
		c.Claims = append(slices.Clip(c.Claims), Claim{Receipt: done})
	}
	return c
}

// RuntimeOwner is the owner of the memos that the runtime keeps for itself.
const RuntimeOwner = "runtime"

// NewMemo is a memo whose value is written as JSON; a nil one deletes.
func NewMemo(owner, key string, value any) Memo {
	return Memo{Owner: owner, Key: key, Value: encode(value)}
}

func encode(value any) []byte {
	if value == nil {
		return nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		panic("record: what is kept always marshals: " + err.Error())
	}
	return b
}
