package record_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What is attached to a decision says what was started, or why nothing was.
func TestAttachmentRows(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	x := &workflows.Execution{ID: "x-1"}
	refusal := workflows.Refuse(workflows.CodeConflict, "", "it is busy")
	attached := func(stored bool) record.Attachment {
		return record.Attachment{
			Claims:  []record.Claim{{Receipt: work.Receipt{Key: "push/1"}}},
			Memos:   []record.Memo{{Owner: "runtime", Key: "head", Value: []byte("c1")}},
			Started: []record.Memo{{Owner: "runtime", Key: "invoked/t"}},
			Receipt: &record.OpenReceipt{
				Receipt: work.Receipt{Key: "github/1", Payload: []byte("{}")}, Stored: stored,
				Result: record.Result{Ignored: []string{"api: another branch"}},
			},
		}
	}
	for name, one := range map[string]struct {
		stored  bool
		x       *workflows.Execution
		err     error
		result  string
		started string // the memo that names the execution
	}{
		"started":                      {false, x, nil, `{"started":["x-1"],"ignored":["api: another branch"]}`, `{"pipeline":"shop","execution":"x-1","at":"2026-03-02T09:00:00Z"}`},
		"refused":                      {true, nil, refusal, `{"started":[],"ignored":["api: another branch","shop: it is busy"]}`, ""},
		"failed, and not by a refusal": {true, x, errors.New("secret"), `{"started":[],"ignored":["api: another branch","shop: nothing was started"]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := attached(one.stored)
			c := a.Rows("shop", at, one.x, one.err)
			var done work.Receipt
			if one.stored {
				if len(c.Receipts) != 1 || len(c.Claims) != 1 {
					t.Fatalf("a stored receipt is replaced: %+v", c)
				}
				done = c.Receipts[0]
			} else {
				if len(c.Receipts) != 0 || len(c.Claims) != 2 {
					t.Fatalf("a new receipt is claimed: %+v", c)
				}
				done = c.Claims[1].Receipt
			}
			if !done.Done || done.Payload != nil || string(done.Result) != one.result {
				t.Errorf("the receipt is %+v with %s, want %s", done, done.Result, one.result)
			}
			var started string
			for _, m := range c.Memos[1:] {
				started = string(m.Value)
			}
			if started != one.started || string(c.Memos[0].Value) != "c1" {
				t.Errorf("the memos are %q", c.Memos)
			}
			if len(a.Claims) != 1 || len(a.Memos) != 1 || len(a.Receipt.Result.Started) != 0 || len(a.Receipt.Result.Ignored) != 1 {
				t.Error("rows were added to what is attached: a decision that is made again would write them twice")
			}
		})
	}
	if c := (&record.Attachment{}).Rows("shop", at, x, nil); len(c.Claims)+len(c.Memos)+len(c.Receipts) != 0 {
		t.Errorf("nothing was attached: %+v", c)
	}
}
